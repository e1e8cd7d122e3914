/* attention_kernels.c: causal attention of one head over one segment in tiles of 64 x 64, forward and backward, after
 * FlashAttention-2 (Dao 2023): the n x n scores never exist, the backward recomputes each tile from q, k and the saved
 * log-sum-exp. Keys are the outer loop, so each key tile is transposed once. Compiled once per ISA level.
 *
 * Letters: n rows, d head size, S = scale q kᵀ, P = exp(S - lse), o = P v.
 *   dv = Pᵀ do,  dP = do vᵀ,  dS = P (dP - delta), delta = rowsum(do o),  dq = scale dS k,  dk = scale dSᵀ q
 */
#include "ops/attention_tile.h"

/* One key tile's operands in the worker's scratch, columns padded with zeros to TILE. */
struct tile {
	struct key_tile keys;
	float *kt, *vt;         /* [d, TILE] transposes */
	float *dk, *dv;         /* [TILE, wide] sums of the backward */
	float *p, *ds;          /* [TILE, TILE] scores of one query tile, in turn P; dS */
	int64_t wide;
};

static struct tile tile_layout(const struct attention_head *h)
{
	struct tile t = {.wide = (h->d + 15) / 16 * 16};
	float *at = (float *)(((uintptr_t)h->scratch + 63) & ~(uintptr_t)63);
	t.kt = at;
	t.vt = t.kt + TILE * t.wide;
	t.dk = t.vt + TILE * t.wide;
	t.dv = t.dk + TILE * t.wide;
	t.p = t.dv + TILE * t.wide;
	t.ds = t.p + TILE * TILE;
	return t;
}

static void transpose(const float *x, int64_t ldx, int64_t count, int64_t d, float *out)
{
	for (int64_t c = 0; c < d; c++) {
		for (int64_t j = 0; j < count; j++)
			out[c * TILE + j] = x[j * ldx + c];
		for (int64_t j = count; j < TILE; j++)
			out[c * TILE + j] = 0.0f;
	}
}

/* S of query rows [i, i + rows) by this key tile into t->p, the tile's columns rounded up to whole vectors. */
static void scores(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	struct gemm g = {.m = rows, .n = (t->keys.count + 15) / 16 * 16, .k = h->d, .a = h->q + i * h->ldq, .a_row = h->ldq, .a_col = 1,
			 .b = t->kt, .ldb = TILE, .c = t->p, .ldc = TILE, .alpha = h->scale};
	KERNEL(gemm_nn)(&g);
}

void KERNEL(attention)(const struct attention_head *h)
{
	struct tile t = tile_layout(h);
	for (int64_t j = 0; j < h->n; j += TILE) {
		t.keys.first = j;
		t.keys.count = tile_end(j, h->n) - j;
		transpose(h->k + j * h->ldk, h->ldk, t.keys.count, h->d, t.kt);
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.keys.count; i += TILE) {
			int64_t rows = tile_end(i, h->n) - i;
			scores(h, &t, i, rows);
			for (int64_t r = 0; r < rows; r++) {
				int64_t from, to;
				visible(h, &t.keys, i + r, &from, &to);
				absorb_row(h, t.p + r * TILE, i + r, from, to, first_key(h, i + r) >= j);
			}
			struct gemm g = {.m = rows, .n = h->d, .k = t.keys.count, .a = t.p, .a_row = TILE, .a_col = 1, .b = h->v + j * h->ldv,
					 .ldb = h->ldv, .c = h->o + i * h->ldo, .ldc = h->ldo, .alpha = 1.0f, .accumulate = true};
			KERNEL(gemm_nn)(&g);
		}
	}
}

/* What query rows [i, i + rows) and this key tile give each other. */
static void exchange(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	int64_t columns = (t->keys.count + 15) / 16 * 16;
	scores(h, t, i, rows);
	struct gemm dp = {.m = rows, .n = columns, .k = h->d, .a = h->dout + i * h->lddo, .a_row = h->lddo, .a_col = 1,
			  .b = t->vt, .ldb = TILE, .c = t->ds, .ldc = TILE, .alpha = 1.0f};
	KERNEL(gemm_nn)(&dp);
	for (int64_t r = 0; r < rows && columns < TILE; r++)
		memset(t->ds + r * TILE + columns, 0, (size_t)(TILE - columns) * sizeof(float));
	score_gradient(h, &t->keys, i, rows, t->p, t->ds);
	struct gemm dv = {.m = t->keys.count, .n = h->d, .k = rows, .a = t->p, .a_row = 1, .a_col = TILE, .b = h->dout + i * h->lddo,
			  .ldb = h->lddo, .c = t->dv, .ldc = t->wide, .alpha = 1.0f, .accumulate = true};
	KERNEL(gemm_nn)(&dv);
	struct gemm dk = {.m = t->keys.count, .n = h->d, .k = rows, .a = t->ds, .a_row = 1, .a_col = TILE, .b = h->q + i * h->ldq,
			  .ldb = h->ldq, .c = t->dk, .ldc = t->wide, .alpha = h->scale, .accumulate = true};
	KERNEL(gemm_nn)(&dk);
	struct gemm dq = {.m = rows, .n = h->d, .k = t->keys.count, .a = t->ds, .a_row = TILE, .a_col = 1, .b = h->k + t->keys.first * h->ldk,
			  .ldb = h->ldk, .c = h->dq + i * h->lddq, .ldc = h->lddq, .alpha = h->scale, .accumulate = true};
	KERNEL(gemm_nn)(&dq);
}

void KERNEL(attention_backward)(const struct attention_head *h)
{
	struct tile t = tile_layout(h);
	size_t row_bytes = (size_t)h->d * sizeof(float);
	for (int64_t i = 0; i < h->n; i++)
		memset(h->dq + i * h->lddq, 0, row_bytes);
	for (int64_t j = 0; j < h->n; j += TILE) {
		t.keys.first = j;
		t.keys.count = tile_end(j, h->n) - j;
		transpose(h->k + j * h->ldk, h->ldk, t.keys.count, h->d, t.kt);
		transpose(h->v + j * h->ldv, h->ldv, t.keys.count, h->d, t.vt);
		memset(t.dk, 0, (size_t)(TILE * t.wide) * sizeof(float));
		memset(t.dv, 0, (size_t)(TILE * t.wide) * sizeof(float));
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.keys.count; i += TILE)
			exchange(h, &t, i, tile_end(i, h->n) - i);
		for (int64_t r = 0; r < t.keys.count; r++) {
			memcpy(h->dk + (j + r) * h->lddk, t.dk + r * t.wide, row_bytes);
			memcpy(h->dv + (j + r) * h->lddv, t.dv + r * t.wide, row_bytes);
		}
	}
}
