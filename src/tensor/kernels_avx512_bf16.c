/* Kernels for AVX-512 with VNNI and BF16 (Zen 4 and later, Cooper Lake, Sapphire Rapids). */
#include "tensor/lanes_avx512.h"
#include "tensor/kernel_int8.h"
#include "tensor/kernel_bf16.h"
#define BF16_KERNELS
#define KERNELS_NAME KERNELS_AVX512_BF16
#define KERNELS_TEXT "avx512-bf16"
#include "tensor/kernel_table.h"
