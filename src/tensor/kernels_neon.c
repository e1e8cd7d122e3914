/* Kernels for any aarch64. */
#include "tensor/lanes_neon.h"
#define KERNELS_NAME KERNELS_NEON
#define KERNELS_TEXT "neon"
#include "tensor/kernel_table.h"
