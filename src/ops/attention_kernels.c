/* attention_kernels.c: causal attention of one head over one segment in tiles of 64 x 64, forward and backward, after
 * FlashAttention-2 (Dao 2023): the n x n scores never exist, the backward recomputes each tile from q, k and the saved
 * log-sum-exp. Keys are the outer loop, so each key tile is transposed once. Compiled once per ISA level.
 *
 * Letters: n rows, d head size, S = scale q kᵀ, P = exp(S - lse), o = P v.
 *   dv = Pᵀ do,  dP = do vᵀ,  dS = P (dP - delta), delta = rowsum(do o),  dq = scale dS k,  dk = scale dSᵀ q
 */
#include "ops/kernels_isa.h"
#include "ops/simd.h"

#include <math.h>

#define TILE ATTENTION_TILE

/* One key tile's operands in the worker's scratch, columns padded with zeros to TILE. */
struct tile {
	int64_t first, count;   /* keys [first, first + count) */
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

/* First and past-last key that query i may see, within [0, n). */
static int64_t first_key(const struct attention_head *h, int64_t i)
{
	int64_t first = h->window ? i - h->window + 1 : 0;
	return first > 0 ? first : 0;
}

/* S of query rows [i, i + rows) by this key tile into t->p, the tile's columns rounded up to whole vectors. */
static void scores(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	struct gemm g = {.m = rows, .n = (t->count + 15) / 16 * 16, .k = h->d, .a = h->q + i * h->ldq, .a_row = h->ldq, .a_col = 1,
			 .b = t->kt, .ldb = TILE, .c = t->p, .ldc = TILE, .alpha = h->scale};
	KERNEL(gemm_nn)(&g);
}

/* Columns [*from, *to) of the tile that query i sees. */
static void visible(const struct attention_head *h, const struct tile *t, int64_t i, int64_t *from, int64_t *to)
{
	int64_t first = first_key(h, i) - t->first, past = i + 1 - t->first;
	*from = first < 0 ? 0 : first > t->count ? t->count : first;
	*to = past < 0 ? 0 : past > t->count ? t->count : past;
}

/* p = exp(p - shift) inside [from, to), zero outside; returns the sum. */
static float exp_row(float *p, int64_t from, int64_t to, float shift)
{
	vf sum = {0}, m = simd_set(shift);
	for (int64_t j = 0; j < TILE; j += SIMD) {
		if (j >= to || j + SIMD <= from) {
			simd_store(p + j, (vf){0});
			continue;
		}
		float lanes[SIMD];
		vf e = simd_exp(simd_load(p + j) - m);
		if (j < from || j + SIMD > to) {
			simd_store(lanes, e);
			for (int64_t l = 0; l < SIMD; l++)
				if (j + l < from || j + l >= to)
					lanes[l] = 0.0f;
			e = simd_load(lanes);
		}
		simd_store(p + j, e);
		sum += e;
	}
	return simd_sum(sum);
}

static float top_of(const float *p, int64_t from, int64_t to)
{
	vf top = simd_set(p[from]);
	int64_t j = from;
	for (; j + SIMD <= to; j += SIMD)
		top = simd_max(top, simd_load(p + j));
	float best = simd_top(top);
	for (; j < to; j++)
		best = p[j] > best ? p[j] : best;
	return best;
}

/* Online softmax of one query row: lse keeps log of the sum so far, o the normalised output so far. */
static void absorb_row(const struct attention_head *h, float *p, int64_t i, int64_t from, int64_t to, bool fresh)
{
	if (from >= to) {
		memset(p, 0, TILE * sizeof *p);
		return;
	}
	float old = h->lse[i], top = top_of(p, from, to);
	if (!fresh && old > top)
		top = old;
	float sum = exp_row(p, from, to, top), before = fresh ? 0.0f : expf(old - top);
	float lse = top + logf(sum + before);
	vf keep = simd_set(fresh ? 0.0f : expf(old - lse)), gain = simd_set(expf(top - lse));
	for (int64_t j = 0; j < TILE; j += SIMD)
		simd_store(p + j, simd_load(p + j) * gain);
	float *o = h->o + i * h->ldo;
	int64_t c = 0;
	for (; c + SIMD <= h->d; c += SIMD)
		simd_store(o + c, fresh ? (vf){0} : simd_load(o + c) * keep);
	for (; c < h->d; c++)
		o[c] = fresh ? 0.0f : o[c] * keep[0];
	h->lse[i] = lse;
}

static int64_t tile_end(int64_t i, int64_t n) { return i + TILE < n ? i + TILE : n; }

void KERNEL(attention)(const struct attention_head *h)
{
	struct tile t = tile_layout(h);
	for (int64_t j = 0; j < h->n; j += TILE) {
		t.first = j;
		t.count = tile_end(j, h->n) - j;
		transpose(h->k + j * h->ldk, h->ldk, t.count, h->d, t.kt);
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.count; i += TILE) {
			int64_t rows = tile_end(i, h->n) - i;
			scores(h, &t, i, rows);
			for (int64_t r = 0; r < rows; r++) {
				int64_t from, to;
				visible(h, &t, i + r, &from, &to);
				absorb_row(h, t.p + r * TILE, i + r, from, to, first_key(h, i + r) >= j);
			}
			struct gemm g = {.m = rows, .n = h->d, .k = t.count, .a = t.p, .a_row = TILE, .a_col = 1, .b = h->v + j * h->ldv,
					 .ldb = h->ldv, .c = h->o + i * h->ldo, .ldc = h->ldo, .alpha = 1.0f, .accumulate = true};
			KERNEL(gemm_nn)(&g);
		}
	}
}

/* ds = P (dP - delta); dP is in ds on entry. */
static void score_gradient(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	for (int64_t r = 0; r < rows; r++) {
		const float *o = h->out + (i + r) * h->ldo, *g = h->dout + (i + r) * h->lddo;
		vf sum = {0};
		int64_t c = 0;
		for (; c + SIMD <= h->d; c += SIMD)
			sum += simd_load(o + c) * simd_load(g + c);
		if (c < h->d)
			sum += simd_load_part(o + c, h->d - c) * simd_load_part(g + c, h->d - c);
		vf delta = simd_set(simd_sum(sum));
		float *p = t->p + r * TILE, *ds = t->ds + r * TILE;
		int64_t from, to;
		visible(h, t, i + r, &from, &to);
		if (from < to)
			exp_row(p, from, to, h->lse[i + r]);
		else
			memset(p, 0, TILE * sizeof *p);
		for (int64_t j = 0; j < TILE; j += SIMD)
			simd_store(ds + j, simd_load(p + j) * (simd_load(ds + j) - delta));
	}
}

/* What query rows [i, i + rows) and this key tile give each other. */
static void exchange(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	int64_t columns = (t->count + 15) / 16 * 16;
	scores(h, t, i, rows);
	struct gemm dp = {.m = rows, .n = columns, .k = h->d, .a = h->dout + i * h->lddo, .a_row = h->lddo, .a_col = 1,
			  .b = t->vt, .ldb = TILE, .c = t->ds, .ldc = TILE, .alpha = 1.0f};
	KERNEL(gemm_nn)(&dp);
	for (int64_t r = 0; r < rows && columns < TILE; r++)
		memset(t->ds + r * TILE + columns, 0, (size_t)(TILE - columns) * sizeof(float));
	score_gradient(h, t, i, rows);
	struct gemm dv = {.m = t->count, .n = h->d, .k = rows, .a = t->p, .a_row = 1, .a_col = TILE, .b = h->dout + i * h->lddo,
			  .ldb = h->lddo, .c = t->dv, .ldc = t->wide, .alpha = 1.0f, .accumulate = true};
	KERNEL(gemm_nn)(&dv);
	struct gemm dk = {.m = t->count, .n = h->d, .k = rows, .a = t->ds, .a_row = 1, .a_col = TILE, .b = h->q + i * h->ldq,
			  .ldb = h->ldq, .c = t->dk, .ldc = t->wide, .alpha = h->scale, .accumulate = true};
	KERNEL(gemm_nn)(&dk);
	struct gemm dq = {.m = rows, .n = h->d, .k = t->count, .a = t->ds, .a_row = TILE, .a_col = 1, .b = h->k + t->first * h->ldk,
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
		t.first = j;
		t.count = tile_end(j, h->n) - j;
		transpose(h->k + j * h->ldk, h->ldk, t.count, h->d, t.kt);
		transpose(h->v + j * h->ldv, h->ldv, t.count, h->d, t.vt);
		memset(t.dk, 0, (size_t)(TILE * t.wide) * sizeof(float));
		memset(t.dv, 0, (size_t)(TILE * t.wide) * sizeof(float));
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.count; i += TILE)
			exchange(h, &t, i, tile_end(i, h->n) - i);
		for (int64_t r = 0; r < t.count; r++) {
			memcpy(h->dk + (j + r) * h->lddk, t.dk + r * t.wide, row_bytes);
			memcpy(h->dv + (j + r) * h->lddv, t.dv + r * t.wide, row_bytes);
		}
	}
}
