/* kernels.h: the table of serial kernels behind the ops, one copy per ISA level. The collective functions of rms_norm.h,
 * rope.h … split the rows and call through ops_kernels(). Inside ops/ and its tests only.
 *
 * To add a kernel: a row here, its plain loop in reference.c, its fast version in *_kernels.c, both named in the tables
 * (reference.c, kernel_table.c), and a comparison in tests/ops.
 * ld* are row strides in floats. rows may be 0.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rows of one attention problem: one head, one segment of n rows. All pointers are at the segment's first row. */
struct attention_head {
	const float *q, *k, *v, *out, *dout;
	float *o, *lse;              /* forward: output and log-sum-exp of each row (stride 1) */
	float *dq, *dk, *dv;         /* backward: written, not accumulated */
	int64_t ldq, ldk, ldv, ldo, lddo, lddq, lddk, lddv;
	int64_t n;
	int32_t d, window;           /* window 0: none */
	float scale;
	float *scratch;              /* attention_scratch_floats(d) floats of this worker */
};

/* C[m, n] = alpha * A[m, k] B[k, n] + (accumulate ? C : 0). A is read as a[i * a_row + j * a_col], so it may be a transpose. */
struct gemm { int64_t m, n, k; const float *a; int64_t a_row, a_col; const float *b; int64_t ldb; float *c; int64_t ldc; float alpha; bool accumulate; };

struct ops_kernels {
	const char *name;
	void (*rms_norm)(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, float eps);
	void (*rms_norm_backward)(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
				  int64_t rows, int64_t width, int64_t d, float eps, bool accumulate);
	void (*rope)(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, int64_t rows, int64_t width, int64_t d, int64_t dims, bool inverse);
	void (*glu)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, int64_t rows, int64_t width);
	void (*glu_backward)(bool gelu, const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo,
			     float *dgate, int64_t lddg, float *dup, int64_t lddu, int64_t rows, int64_t width);
	void (*add)(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width);
	void (*softmax)(float *x, int64_t ldx, int64_t rows, int64_t width);
	/* One row of logits: returns its loss; gradient: row becomes scale * (softmax - onehot(label)). */
	float (*cross_entropy)(float *logits, int64_t vocab, int32_t label, float scale, bool gradient);
	void (*to_bf16)(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width);
	void (*from_bf16)(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width);
	void (*gemm_nn)(const struct gemm *g);
	void (*gemm_nt)(const struct gemm *g);  /* B is [n, k] (ldb): C = alpha * A Bᵀ; a_col must be 1 */
	void (*attention)(const struct attention_head *h);
	void (*attention_backward)(const struct attention_head *h);
};

extern const struct ops_kernels ops_kernels_reference;

enum ops_level { OPS_REFERENCE, OPS_BASE, OPS_AVX2, OPS_AVX512, OPS_LEVELS };
/* NULL when this CPU or this build lacks the level. */
const struct ops_kernels *ops_kernels_level(enum ops_level level);
/* The best level of this CPU. */
const struct ops_kernels *ops_kernels(void);

/* Attention with reduced-precision products for COMPUTE_FAST: bf16 where the CPU multiplies it, else the float32 kernels. */
struct ops_attention { void (*forward)(const struct attention_head *h), (*backward)(const struct attention_head *h); };
struct ops_attention ops_attention(bool fast);

/* Keys and queries are taken in square tiles of this many rows. */
#define ATTENTION_TILE 64
static inline size_t attention_scratch_floats(int32_t d)
{
	size_t wide = ((size_t)d + 15) / 16 * 16;
	/* the larger of both kernels: float32 4 tiles and 2 squares; bf16 9 half tiles, 4 half squares, 3 tiles, 2 squares */
	return ATTENTION_TILE * (wide * 8 + 4 * ATTENTION_TILE) + 16;
}
