/* safetensors.c: fuzz target of the safetensors reader. */
#include "weights_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_weights(data, size); }
