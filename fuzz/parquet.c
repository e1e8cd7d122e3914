/* Fuzz target: a file in the parquet format, read as a dataset. */
#include "dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return dataset_fuzz(&PARQUET_SOURCE, data, size); }
