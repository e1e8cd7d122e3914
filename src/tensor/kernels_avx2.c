/* Kernels for AVX2 with FMA and F16C. Three columns are what sixteen registers hold. */
#include "tensor/lanes_avx2.h"
#define KERNELS_NAME KERNELS_AVX2
#define KERNELS_TEXT "avx2"
#include "tensor/kernel_table.h"
