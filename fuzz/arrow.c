/* Fuzz target: a file in the arrow format, read as a dataset. */
#include "dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return dataset_fuzz(&ARROW_SOURCE, data, size); }
