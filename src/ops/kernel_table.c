/* kernel_table.c: this ISA level's row of kernels. Compiled once per level (see simd.h). */
#include "ops/kernels_isa.h"

#define LEVEL_STRING_(x) #x
#define LEVEL_STRING(x) LEVEL_STRING_(x)

const struct ops_kernels KERNEL(ops_kernels) = {
	.name = LEVEL_STRING(KERNEL(ops)),
	.rms_norm = KERNEL(rms_norm),
	.rms_norm_backward = KERNEL(rms_norm_backward),
	.rope = KERNEL(rope),
	.glu = KERNEL(glu),
	.glu_backward = KERNEL(glu_backward),
	.add = KERNEL(add),
	.softmax = KERNEL(softmax),
	.cross_entropy = KERNEL(cross_entropy),
	.to_bf16 = KERNEL(to_bf16),
	.from_bf16 = KERNEL(from_bf16),
	.gemm_nn = KERNEL(gemm_nn),
	.gemm_nt = KERNEL(gemm_nt),
	.attention = KERNEL(attention),
	.attention_backward = KERNEL(attention_backward),
};
