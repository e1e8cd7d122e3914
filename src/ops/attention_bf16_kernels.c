/* attention_bf16_kernels.c: the attention of attention_kernels.c with its products in bf16 (sums, softmax and outputs stay
 * float32), for COMPUTE_FAST on CPUs with a bf16 dot product (vdpbf16ps). Compiled for AVX-512 BF16 only.
 *
 * A product C[m, n] = A[m, k] B[k, n] takes pairs of neighbouring k as one 32-bit word: B as lines of n pairs, A by broadcast.
 * A matrix is therefore stored in one or both of two forms:
 *   rows    [rows][wide / 2] words: pairs along a row. An A whose k runs along the row.
 *   lines   [rows / 2][columns] words: (row 2i, row 2i + 1) of each column. A B whose k runs down the rows, or an A taken transposed.
 */
#include "ops/attention_tile.h"

#if SIMD != 16 || !defined(__AVX512BF16__)
#error "this file needs AVX-512 BF16"
#endif

typedef uint32_t pair;

struct product { int64_t m, n, k; /* k in pairs */ const pair *a; int64_t a_row, a_col; const pair *b; int64_t ldb; float *c; int64_t ldc; float alpha; bool accumulate; };

/* mr x nr vectors of C; constants after inlining. */
INLINE void block(const struct product *g, int64_t i, int64_t j, const int mr, const int nr)
{
	__m512 sum[4][4];
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++)
			sum[r][c] = _mm512_setzero_ps();
	const pair *a = g->a + i * g->a_row, *b = g->b + j;
	for (int64_t k = 0; k < g->k; k++, a += g->a_col, b += g->ldb) {
		__m512i line[4];
		for (int c = 0; c < nr; c++)
			line[c] = _mm512_loadu_si512(b + c * SIMD);
		for (int r = 0; r < mr; r++) {
			__m512i x = _mm512_set1_epi32((int)a[r * g->a_row]);
			for (int c = 0; c < nr; c++)
				sum[r][c] = _mm512_dpbf16_ps(sum[r][c], (__m512bh)x, (__m512bh)line[c]);
		}
	}
	vf alpha = simd_set(g->alpha);
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++) {
			float *to = g->c + (i + r) * g->ldc + j + c * SIMD;
			vf v = alpha * (vf)sum[r][c];
			simd_store(to, g->accumulate ? simd_load(to) + v : v);
		}
}

INLINE void columns(const struct product *g, int64_t j, const int nr)
{
	int64_t i = 0;
	for (; i + 4 <= g->m; i += 4)
		block(g, i, j, 4, nr);
	for (; i < g->m; i++)
		block(g, i, j, 1, nr);
}

/* n must be a multiple of 16. */
static void multiply(const struct product *g)
{
	int64_t j = 0;
	for (; j + 4 * SIMD <= g->n; j += 4 * SIMD)
		columns(g, j, 4);
	for (; j < g->n; j += SIMD)
		columns(g, j, 1);
}

/* --- the two forms --------------------------------------------------------------------------------------------- */

INLINE __m256i narrow(vf v) { return (__m256i)_mm512_cvtneps_pbh((__m512)v); }
INLINE vf load_padded(const float *x, int64_t n) { return n >= SIMD ? simd_load(x) : n > 0 ? simd_load_part(x, n) : (vf){0}; }

static void to_rows(const float *x, int64_t ldx, int64_t rows, int64_t d, int64_t wide, pair *out)
{
	for (int64_t t = 0; t < rows; t++)
		for (int64_t i = 0; i < wide; i += SIMD)
			_mm256_storeu_si256((__m256i *)(void *)((uint16_t *)(void *)out + t * wide + i), narrow(load_padded(x + t * ldx + i, d - i)));
}

static void to_lines(const float *x, int64_t ldx, int64_t rows, int64_t d, int64_t wide, pair *out)
{
	for (int64_t t = 0; t < rows; t += 2)
		for (int64_t i = 0; i < wide; i += SIMD) {
			__m512i low = _mm512_cvtepu16_epi32(narrow(load_padded(x + t * ldx + i, d - i))), high = _mm512_setzero_si512();
			if (t + 1 < rows)
				high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow(load_padded(x + (t + 1) * ldx + i, d - i))), 16);
			_mm512_storeu_si512(out + t / 2 * wide + i, _mm512_or_si512(low, high));
		}
}

/* Lines of the transpose: [wide / 2][TILE] from rows [count][wide / 2]; columns past count become zero. */
static void turn(const pair *rows, int64_t count, int64_t wide, pair *out)
{
	for (int64_t c = 0; c < wide / 2; c++) {
		for (int64_t j = 0; j < count; j++)
			out[c * TILE + j] = rows[j * (wide / 2) + c];
		for (int64_t j = count; j < TILE; j++)
			out[c * TILE + j] = 0;
	}
}

/* --- tiles ------------------------------------------------------------------------------------------------------- */

struct tile {
	struct key_tile keys;
	int64_t wide;
	pair *work;                     /* rows of whatever is being turned */
	pair *kt, *vt, *k_lines, *v_lines;
	pair *q_rows, *q_lines, *g_rows, *g_lines;   /* one query tile; g is dout */
	pair *p_rows, *p_lines, *ds_rows, *ds_lines;
	float *p, *ds;                  /* [TILE, TILE] */
	float *dk, *dv, *o;             /* [TILE, wide] */
};

static struct tile tile_layout(const struct attention_head *h)
{
	struct tile t = {.wide = (h->d + 15) / 16 * 16};
	char *at = (char *)(((uintptr_t)h->scratch + 63) & ~(uintptr_t)63);
	pair **forms[] = {&t.work, &t.kt, &t.vt, &t.k_lines, &t.v_lines, &t.q_rows, &t.q_lines, &t.g_rows, &t.g_lines};
	pair **squares[] = {&t.p_rows, &t.p_lines, &t.ds_rows, &t.ds_lines};
	float **sums[] = {&t.dk, &t.dv, &t.o};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++, at += TILE * t.wide * 2)
		*forms[i] = (pair *)(void *)at;
	for (size_t i = 0; i < sizeof squares / sizeof *squares; i++, at += TILE * TILE * 2)
		*squares[i] = (pair *)(void *)at;
	for (size_t i = 0; i < sizeof sums / sizeof *sums; i++, at += TILE * t.wide * 4)
		*sums[i] = (float *)(void *)at;
	t.p = (float *)(void *)at;
	t.ds = t.p + TILE * TILE;
	return t;
}

static int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }
static int64_t pairs(int64_t n) { return (n + 1) / 2; }

/* On the diagonal (the query tile is the key tile) the upper triangle is nothing: 16 rows at a time see 16 columns more. */
#define BAND 16
static int64_t band_rows(const struct tile *t, int64_t i, int64_t rows) { return i == t->keys.first ? BAND : rows; }
static int64_t seen(const struct tile *t, int64_t i, int64_t past) { return i == t->keys.first && past < t->keys.count ? past : t->keys.count; }

/* C[rows, keys] = alpha * A Bt over the columns that can be seen: S from (q, kt), dP from (dout, vt). */
static void by_keys(const struct tile *t, const pair *a, const pair *b, int64_t i, int64_t rows, float alpha, float *c)
{
	int64_t step = band_rows(t, i, rows);
	for (int64_t r = 0; r < rows; r += step) {
		int64_t m = r + step < rows ? step : rows - r, columns_seen = whole(seen(t, i, r + m));
		multiply(&(struct product){.m = m, .n = columns_seen, .k = t->wide / 2, .a = a + r * (t->wide / 2), .a_row = t->wide / 2, .a_col = 1,
					   .b = b, .ldb = TILE, .c = c + r * TILE, .ldc = TILE, .alpha = alpha});
		for (int64_t x = r; x < r + m && columns_seen < TILE; x++)
			memset(c + x * TILE + columns_seen, 0, (size_t)(TILE - columns_seen) * sizeof *c);
	}
}

/* C[rows, wide] += alpha * X[rows, keys] B: o from (P, v), dq from (dS, k). */
static void over_keys(const struct tile *t, const pair *x_rows, const pair *b_lines, int64_t i, int64_t rows, float alpha, float *c)
{
	int64_t step = band_rows(t, i, rows);
	for (int64_t r = 0; r < rows; r += step) {
		int64_t m = r + step < rows ? step : rows - r;
		multiply(&(struct product){.m = m, .n = t->wide, .k = pairs(seen(t, i, r + m)), .a = x_rows + r * (TILE / 2), .a_row = TILE / 2, .a_col = 1,
					   .b = b_lines, .ldb = t->wide, .c = c + r * t->wide, .ldc = t->wide, .alpha = alpha, .accumulate = true});
	}
}

/* C[keys, wide] += alpha * X[rows, keys]ᵀ B[rows, wide]: dv from (P, dout), dk from (dS, q). On the diagonal key j is seen from row j on. */
static void over_rows(const struct tile *t, const pair *x_lines, const pair *b_lines, int64_t i, int64_t rows, float alpha, float *c)
{
	int64_t step = i == t->keys.first ? BAND : t->keys.count;
	for (int64_t j = 0; j < t->keys.count; j += step) {
		int64_t m = j + step < t->keys.count ? step : t->keys.count - j, first = i == t->keys.first ? j / 2 : 0;
		multiply(&(struct product){.m = m, .n = t->wide, .k = pairs(rows) - first, .a = x_lines + first * TILE + j, .a_row = 1, .a_col = TILE,
					   .b = b_lines + first * t->wide, .ldb = t->wide, .c = c + j * t->wide, .ldc = t->wide, .alpha = alpha, .accumulate = true});
	}
}

static void load_keys(const struct attention_head *h, struct tile *t, int64_t j, bool backward)
{
	t->keys.first = j;
	t->keys.count = tile_end(j, h->n) - j;
	to_rows(h->k + j * h->ldk, h->ldk, t->keys.count, h->d, t->wide, t->work);
	turn(t->work, t->keys.count, t->wide, t->kt);
	if (!backward) {
		to_lines(h->v + j * h->ldv, h->ldv, t->keys.count, h->d, t->wide, t->v_lines);
		return;
	}
	to_lines(h->k + j * h->ldk, h->ldk, t->keys.count, h->d, t->wide, t->k_lines);
	to_rows(h->v + j * h->ldv, h->ldv, t->keys.count, h->d, t->wide, t->work);
	turn(t->work, t->keys.count, t->wide, t->vt);
}

/* to[rows, d] += from[rows, wide]: results of padded width go back to the caller's rows. */
static void add_rows(const float *from, int64_t wide, float *to, int64_t ldto, int64_t rows, int64_t d)
{
	for (int64_t r = 0; r < rows; r++) {
		int64_t c = 0;
		for (; c + SIMD <= d; c += SIMD)
			simd_store(to + r * ldto + c, simd_load(to + r * ldto + c) + simd_load(from + r * wide + c));
		for (; c < d; c++)
			to[r * ldto + c] += from[r * wide + c];
	}
}

void KERNEL(attention_bf16)(const struct attention_head *h)
{
	struct tile t = tile_layout(h);
	for (int64_t j = 0; j < h->n; j += TILE) {
		load_keys(h, &t, j, false);
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.keys.count; i += TILE) {
			int64_t rows = tile_end(i, h->n) - i;
			to_rows(h->q + i * h->ldq, h->ldq, rows, h->d, t.wide, t.q_rows);
			by_keys(&t, t.q_rows, t.kt, i, rows, h->scale, t.p);
			for (int64_t r = 0; r < rows; r++) {
				int64_t from, to;
				visible(h, &t.keys, i + r, &from, &to);
				absorb_row(h, t.p + r * TILE, i + r, from, to, first_key(h, i + r) >= j);
			}
			to_rows(t.p, TILE, rows, TILE, TILE, t.p_rows);
			memset(t.o, 0, (size_t)(rows * t.wide) * sizeof(float));
			over_keys(&t, t.p_rows, t.v_lines, i, rows, 1.0f, t.o);
			add_rows(t.o, t.wide, h->o + i * h->ldo, h->ldo, rows, h->d);
		}
	}
}

static void exchange(const struct attention_head *h, const struct tile *t, int64_t i, int64_t rows)
{
	const float *q = h->q + i * h->ldq, *g = h->dout + i * h->lddo;
	to_rows(q, h->ldq, rows, h->d, t->wide, t->q_rows);
	to_lines(q, h->ldq, rows, h->d, t->wide, t->q_lines);
	to_rows(g, h->lddo, rows, h->d, t->wide, t->g_rows);
	to_lines(g, h->lddo, rows, h->d, t->wide, t->g_lines);
	by_keys(t, t->q_rows, t->kt, i, rows, h->scale, t->p);
	by_keys(t, t->g_rows, t->vt, i, rows, 1.0f, t->ds);
	score_gradient(h, &t->keys, i, rows, t->p, t->ds);
	to_lines(t->p, TILE, rows, TILE, TILE, t->p_lines);
	to_rows(t->ds, TILE, rows, TILE, TILE, t->ds_rows);
	to_lines(t->ds, TILE, rows, TILE, TILE, t->ds_lines);
	over_rows(t, t->p_lines, t->g_lines, i, rows, 1.0f, t->dv);
	over_rows(t, t->ds_lines, t->q_lines, i, rows, h->scale, t->dk);
	memset(t->o, 0, (size_t)(rows * t->wide) * sizeof(float));
	over_keys(t, t->ds_rows, t->k_lines, i, rows, h->scale, t->o);
	add_rows(t->o, t->wide, h->dq + i * h->lddq, h->lddq, rows, h->d);
}

void KERNEL(attention_backward_bf16)(const struct attention_head *h)
{
	struct tile t = tile_layout(h);
	size_t row_bytes = (size_t)h->d * sizeof(float), sum_bytes = (size_t)(TILE * t.wide) * sizeof(float);
	for (int64_t i = 0; i < h->n; i++)
		memset(h->dq + i * h->lddq, 0, row_bytes);
	for (int64_t j = 0; j < h->n; j += TILE) {
		load_keys(h, &t, j, true);
		memset(t.dk, 0, sum_bytes);
		memset(t.dv, 0, sum_bytes);
		for (int64_t i = j; i < h->n && first_key(h, i) < j + t.keys.count; i += TILE)
			exchange(h, &t, i, tile_end(i, h->n) - i);
		for (int64_t r = 0; r < t.keys.count; r++) {
			memcpy(h->dk + (j + r) * h->lddk, t.dk + r * t.wide, row_bytes);
			memcpy(h->dv + (j + r) * h->lddv, t.dv + r * t.wide, row_bytes);
		}
	}
}
