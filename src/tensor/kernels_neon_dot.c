/* Kernels for aarch64 with the SDOT instruction (ARMv8.2 dotprod: Neoverse N1 and later, Apple M1). */
#include "tensor/lanes_neon.h"
#define KERNELS_NAME KERNELS_NEON_DOT
#define KERNELS_TEXT "neon-dot"
#include "tensor/kernel_table.h"
