/* mat.h: one frozen weight matrix W[N, K] (N outputs, K inputs) and the two products with it.
 *
 *   forward   Y[T, N] (+)= X[T, K] · Wᵀ        backward   dX[T, K] (+)= dY[T, N] · W
 *
 * The packed-weight interface. `src` is the row-major source (usually a file mapping, borrowed). For
 * serving, mat_pack builds a per-ISA packed view and the source pages may then be dropped
 * (fd_map_drop). For training nothing is packed: both products expand tiles of the source on the fly,
 * once per tile and batch. A matrix may have either or both views; mat_row_f32 and mat_backward need the source.
 *
 * Rows are always in Hugging Face order. llama.cpp stores q/k rows of arch "llama" interleaved for its
 * rope; head_dim > 0 says so and every reader goes through mat_source_row(), which undoes it.
 *
 * Determinism: each output element is a fixed sequence of operations that depends on the ISA level, the compute
 * mode and K (backward: N) only, never on T, the thread count or the position in the batch. One exception: forward in
 * float32 (COMPUTE_F32, and types that COMPUTE_FAST multiplies in f32) adds in another order for 8 rows or fewer than
 * for more; the difference is f32 rounding, under 1e-5 of sum |x w|.
 * Aliasing: outputs never alias inputs in products.
 */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include "tensor/dtype.h"
#include "tensor/pool.h"

enum compute {
	COMPUTE_F32, /* exact: weights expanded to f32, f32 FMA; the reference for everything */
	COMPUTE_FAST /* quantised weights: int8 activations (32-blocks); bf16 weights: bf16 products where the CPU has them, else f32;
			f32/f16: f32 */
};

struct mat {
	enum dtype type;
	int64_t rows, cols; /* N outputs, K inputs */
	const void *src;    /* row-major source, or NULL once dropped */
	size_t row_bytes;
	int32_t interleaved_head_dim; /* 0, or D: source rows of each D-row head are stored (0, D/2, 1, D/2+1, ...) */
	const struct mat_side *side;  /* NF4/I8 scales, or NULL */
	struct mat_pack *pack;        /* owned packed view, or NULL */
};

/* Side data of NF4 (QLoRA, Dettmers et al. 2023, section 3) and I8. All borrowed, owned by the loader. */
struct mat_side {
	const float *absmax;     /* NF4: one per 64-block of the flattened matrix; I8: one per row; NULL if double quantised */
	const uint8_t *absmax_q; /* NF4 double quantised: index into code, one per 64-block */
	const float *absmax2;    /* scale per 256 absmax values */
	float offset;            /* mean that was subtracted from absmax before its quantisation */
	const float *code;       /* 256-entry table of bitsandbytes' dynamic 8-bit map */
};

/* Source row that holds logical row r. */
static inline int64_t mat_source_row(const struct mat *m, int64_t r)
{
	int32_t d = m->interleaved_head_dim;
	if (d == 0)
		return r;
	int64_t head = r / d, i = r % d, half = d / 2;
	return head * d + (i < half ? 2 * i : 2 * (i - half) + 1);
}
void mat_row_f32(const struct mat *m, int64_t row, float *out); /* out[K]; needs the source */
/* Columns [from, from + n) of a row; both multiples of the type's block, n up to the end of the row. */
void mat_segment_f32(const struct mat *m, int64_t row, int64_t from, int64_t n, float *out);

/* Build / free the packed view for `compute`. Costs one pass over the source; collective-free (may use pool inside). */
WARN_UNUSED int mat_pack(struct mat *m, enum compute compute, struct pool *pool, struct err *err);
void mat_pack_free(struct mat *m);
size_t mat_pack_bytes(const struct mat *m); /* resident bytes of the packed view */

/* Activations prepared for products: quantised (int8 + scale + sum per 32-block) and/or bf16 copies beside the
 * f32 rows. One struct is shared by all products with the same input (q, k, v; gate, up). */
struct mat_input {
	const float *x; /* [T, K] row-major, ld = K */
	int64_t rows, cols;
	void *scratch; /* mat_input_bytes(T, K) bytes, 64-byte aligned */
};
size_t mat_input_bytes(int64_t rows, int64_t cols);
/* Collective: worker w prepares its share. A pool_barrier must follow before mat_forward, unless w.count == 1: with few rows each
 * worker may instead prepare a private mat_input with worker {0, 1, NULL}. `like` tells which form is needed (its type and
 * compute); nothing is done where products read x itself. */
void mat_input_prepare(struct mat_input *in, const struct mat *like, enum compute compute, struct worker w);
/* Whether an input prepared like a serves b. If not, prepare it like b too: both forms may live in one scratch. */
bool mat_input_same(const struct mat *a, const struct mat *b, enum compute compute);

/* Collective: worker w computes its share of the N outputs of all T rows: y[t * ldy + n]. accumulate: += instead of =.
 * No barrier inside. */
void mat_forward(const struct mat *m, const struct mat_input *in, enum compute compute, float *y, int64_t ldy, bool accumulate,
		 struct worker w);
/* The same for outputs [row_from, row_to) only (row_from a multiple of 16): y[t * ldy + n - row_from]. */
void mat_forward_rows(const struct mat *m, int64_t row_from, int64_t row_to, const struct mat_input *in, enum compute compute, float *y,
		      int64_t ldy, bool accumulate, struct worker w);
/* Collective: worker w computes its share of the K columns of dX. scratch: mat_backward_bytes(), 64-byte aligned, shared by all
 * workers of the pool. No barrier inside. dx must not overlap dy. */
size_t mat_backward_bytes(const struct mat *m, int64_t rows, struct pool *pool);
void mat_backward(const struct mat *m, const float *dy, int64_t lddy, int64_t rows, enum compute compute, float *dx, int64_t lddx,
		  bool accumulate, void *scratch, struct worker w);
/* The same with outputs [row_from, row_to) only: dy[t * lddy + n - row_from]. */
void mat_backward_rows(const struct mat *m, int64_t row_from, int64_t row_to, const float *dy, int64_t lddy, int64_t rows,
		       enum compute compute, float *dx, int64_t lddx, bool accumulate, void *scratch, struct worker w);
