/* kernels_isa.h: declares this ISA level's copies of the kernels (names from simd.h's KERNEL). */
#pragma once
#include "ops/kernels.h"
#include "ops/simd.h"

void KERNEL(rms_norm)(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, float eps);
void KERNEL(rms_norm_backward)(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
			       int64_t rows, int64_t width, int64_t d, float eps, bool accumulate);
void KERNEL(rope)(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, int64_t dims, bool inverse);
void KERNEL(glu)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, int64_t rows, int64_t width);
void KERNEL(glu_backward)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo,
			  float *dgate, int64_t lddg, float *dup, int64_t lddu, int64_t rows, int64_t width);
void KERNEL(add)(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width);
void KERNEL(softmax)(float *x, int64_t ldx, int64_t rows, int64_t width);
float KERNEL(cross_entropy)(float *logits, int64_t vocab, int32_t label, float scale, bool gradient);
void KERNEL(to_bf16)(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width);
void KERNEL(from_bf16)(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width);
void KERNEL(gemm_nn)(const struct gemm *g);
void KERNEL(gemm_nt)(const struct gemm *g);
void KERNEL(attention)(const struct attention_head *h);
void KERNEL(attention_backward)(const struct attention_head *h);
#ifdef __AVX512BF16__
void KERNEL(attention_bf16)(const struct attention_head *h);
void KERNEL(attention_backward_bf16)(const struct attention_head *h);
#endif
extern const struct ops_kernels KERNEL(ops_kernels);
