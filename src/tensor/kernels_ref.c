/* Kernels in plain C. */
#include "tensor/lanes_ref.h"
#define KERNELS_NAME KERNELS_REF
#define KERNELS_TEXT "ref"
#include "tensor/kernel_table.h"
