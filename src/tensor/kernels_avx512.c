/* Kernels for AVX-512 with VNNI, without BF16 (Cascade Lake, Ice Lake). */
#include "tensor/lanes_avx512.h"
#define KERNELS_NAME KERNELS_AVX512
#define KERNELS_TEXT "avx512-vnni"
#include "tensor/kernel_table.h"
