/* isa.h: which instruction set this process uses. Chosen once from cpuid; KAITO_ISA=ref|avx2|avx512|neon lowers it. */
#pragma once
#include "tensor/kernels.h"

/* Thread-safe; the same answer for the life of the process, unless a test forces another. */
const struct kernels *isa_kernels(void);
/* For tests: use the named set from now on; false when this CPU or build lacks it. No products may be running. */
bool isa_force(const char *name);
