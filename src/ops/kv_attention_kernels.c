/* kv_attention_kernels.c: attention over the cache, vectorised; compiled once per ISA level (see simd.h).
 *
 * A tile of up to 32 query rows (query x head of the group) meets 64 keys at a time: scores S = Q Kᵀ in registers (a vector
 * holds keys), online softmax over the tile's rows, then O += P V (a vector holds head elements). K and V are read once
 * per tile, whatever the group; decode is a tile of `group` rows. */
#include "ops/kv_attention.h"
#include "ops/simd.h"
#include "ops/simd_half.h"

#include <math.h>

enum { KEYS = KV_TILE_KEYS, ROWS = KV_TILE_ROWS };
#define MASKED -1e30f

/* --- elements of the cache ----------------------------------------------------------------------------- */

INLINE vf load(enum kv_type type, const void *base, int64_t i)
{
	return type == KV_F16 ? simd_load_half((const uint16_t *)base + i) : simd_load((const float *)base + i);
}

/* n elements of x as stored elements, in a register-sized piece; used by both stores. */
INLINE void convert(enum kv_type type, const float *x, int64_t n, uint16_t *half, float *full)
{
	vf v = n >= SIMD ? simd_load(x) : simd_load_part(x, n);
	if (type == KV_F16)
		simd_store_half(half, simd_saturate_half(v));
	else
		simd_store(full, v);
}

static void store_key(enum kv_type type, int32_t d, void *keys, int64_t token, const float *x)
{
	int64_t base = token / KV_BLOCK * KV_BLOCK * d + token % KV_BLOCK;
	uint16_t half[SIMD];
	float full[SIMD];
	for (int64_t i = 0; i < d; i += SIMD) {
		int64_t n = d - i < SIMD ? d - i : SIMD;
		convert(type, x + i, n, half, full);
		for (int64_t l = 0; l < n; l++) {
			if (type == KV_F16)
				((uint16_t *)keys)[base + (i + l) * KV_BLOCK] = half[l];
			else
				((float *)keys)[base + (i + l) * KV_BLOCK] = full[l];
		}
	}
}

static void store_keys(enum kv_type type, int32_t d, void *keys, int64_t first, int64_t rows, const float *x, int64_t ldx)
{
	for (int64_t r = 0; r < rows; r++)
		store_key(type, d, keys, first + r, x + r * ldx);
}

static void store_value(enum kv_type type, int32_t d, void *values, int64_t token, const float *x)
{
	int64_t padded = kv_padded(d), base = token * padded;
	for (int64_t i = 0; i < padded; i += SIMD) {
		int64_t n = d - i < SIMD ? d - i : SIMD;
		vf v = n >= SIMD ? simd_load(x + i) : n > 0 ? simd_load_part(x + i, n) : (vf){0};
		if (type == KV_F16)
			simd_store_half((uint16_t *)values + base + i, simd_saturate_half(v));
		else
			simd_store((float *)values + base + i, v);
	}
}

static void store_values(enum kv_type type, int32_t d, void *values, int64_t first, int64_t rows, const float *x, int64_t ldx)
{
	for (int64_t r = 0; r < rows; r++)
		store_value(type, d, values, first + r, x + r * ldx);
}

/* --- one tile ------------------------------------------------------------------------------------------------ */

/* m tile rows, row i being head (row0 + i) % group of query (row0 + i) / group. */
struct tile {
	const struct kv_attention *a;
	int64_t row0;
	int m;
	float *q, *s, *o, *top, *sum;
};

static struct tile tile_of(const struct kv_attention *a, int64_t row0)
{
	int64_t left = a->rows * a->group - row0, padded = kv_padded(a->d);
	struct tile t = {.a = a, .row0 = row0, .m = (int)(left < ROWS ? left : ROWS)};
	t.q = a->scratch;
	t.o = t.q + ROWS * padded;
	t.s = t.o + ROWS * padded;
	t.top = t.s + ROWS * KEYS;
	t.sum = t.top + ROWS;
	return t;
}

static int64_t tile_position(const struct tile *t, int i) { return t->a->first + (t->row0 + i) / t->a->group; }

static int64_t first_visible(const struct kv_attention *a, int64_t position)
{
	return a->window > 0 && position - a->window + 1 > 0 ? position - a->window + 1 : 0;
}

static void tile_begin(const struct tile *t)
{
	const struct kv_attention *a = t->a;
	int64_t padded = kv_padded(a->d);
	for (int i = 0; i < t->m; i++) {
		int64_t row = t->row0 + i;
		const float *q = a->q + row / a->group * a->ldq + row % a->group * a->d;
		for (int64_t k = 0; k < a->d; k++)
			t->q[i * padded + k] = q[k] * a->scale;
		for (int64_t k = 0; k < padded; k++)
			t->o[i * padded + k] = 0;
		t->top[i] = MASKED;
		t->sum[i] = 0;
	}
}

static void tile_end(const struct tile *t)
{
	const struct kv_attention *a = t->a;
	int64_t padded = kv_padded(a->d);
	for (int i = 0; i < t->m; i++) {
		int64_t row = t->row0 + i;
		float *out = a->out + row / a->group * a->ldo + row % a->group * a->d, r = 1.0f / t->sum[i];
		for (int64_t k = 0; k < a->d; k++)
			out[k] = t->o[i * padded + k] * r;
	}
}

/* --- S = Q Kᵀ -------------------------------------------------------------------------------------------------- */

/* R query rows x V vectors of keys (V * SIMD a divisor or multiple of a block). */
INLINE void scores(enum kv_type type, int R, int V, const float *q, int64_t ldq, const void *keys, int32_t d, int64_t key, float *s)
{
	vf acc[4][4] = {{{0}}};
	int64_t base[4];
	for (int v = 0; v < V; v++) {
		int64_t k = key + v * SIMD;
		base[v] = k / KV_BLOCK * KV_BLOCK * d + k % KV_BLOCK;
	}
	for (int32_t i = 0; i < d; i++) {
		vf kv[4];
		for (int v = 0; v < V; v++)
			kv[v] = load(type, keys, base[v] + (int64_t)i * KV_BLOCK);
		for (int r = 0; r < R; r++) {
			vf b = simd_set(q[r * ldq + i]);
			for (int v = 0; v < V; v++)
				acc[r][v] += b * kv[v];
		}
	}
	for (int r = 0; r < R; r++)
		for (int v = 0; v < V; v++)
			simd_store(s + r * KEYS + v * SIMD, acc[r][v]);
}

enum { SCORE_VECTORS = SIMD == 16 ? 4 : 2 };

INLINE void tile_scores(enum kv_type type, const struct tile *t, int64_t key)
{
	int64_t padded = kv_padded(t->a->d);
	for (int64_t k = 0; k < KEYS; k += SCORE_VECTORS * SIMD)
		for (int i = 0; i < t->m; i += 4) {
			const float *q = t->q + i * padded;
			float *s = t->s + i * KEYS + k;
			switch (t->m - i) {
			case 1: scores(type, 1, SCORE_VECTORS, q, padded, t->a->keys, t->a->d, key + k, s); break;
			case 2: scores(type, 2, SCORE_VECTORS, q, padded, t->a->keys, t->a->d, key + k, s); break;
			case 3: scores(type, 3, SCORE_VECTORS, q, padded, t->a->keys, t->a->d, key + k, s); break;
			default: scores(type, 4, SCORE_VECTORS, q, padded, t->a->keys, t->a->d, key + k, s);
			}
		}
}

/* --- softmax of a tile row over this step's keys -------------------------------------------------------------- */

/* Keys outside [lo, hi) of this step count for nothing: they may hold anything, NaN included. */
static void mask_row(float *s, int64_t lo, int64_t hi, float value)
{
	for (int64_t j = 0; j < lo && j < KEYS; j++)
		s[j] = value;
	for (int64_t j = hi < 0 ? 0 : hi; j < KEYS; j++)
		s[j] = value;
}

static float row_top(const float *s)
{
	vf top = simd_load(s);
	for (int64_t j = SIMD; j < KEYS; j += SIMD)
		top = simd_max(top, simd_load(s + j));
	return simd_top(top);
}

static void softmax_row(const struct tile *t, int i, int64_t key)
{
	int64_t position = tile_position(t, i), lo = first_visible(t->a, position) - key, hi = position + 1 - key, padded = kv_padded(t->a->d);
	float *s = t->s + i * KEYS, *o = t->o + i * padded;
	bool partial = lo > 0 || hi < KEYS;
	if (partial)
		mask_row(s, lo, hi, MASKED);
	float top = row_top(s);
	if (top < t->top[i])
		top = t->top[i];
	vf sum = {0}, tops = simd_set(top);
	for (int64_t j = 0; j < KEYS; j += SIMD) {
		vf p = simd_exp(simd_load(s + j) - tops);
		simd_store(s + j, p);
	}
	if (partial)
		mask_row(s, lo, hi, 0);
	for (int64_t j = 0; j < KEYS; j += SIMD)
		sum += simd_load(s + j);
	if (top != t->top[i]) {
		float shrink = expf(t->top[i] - top);
		t->sum[i] *= shrink;
		for (int64_t k = 0; k < padded; k += SIMD)
			simd_store(o + k, simd_load(o + k) * simd_set(shrink));
		t->top[i] = top;
	}
	t->sum[i] += simd_sum(sum);
}

/* --- O += P V ----------------------------------------------------------------------------------------------------- */

INLINE void weighted(enum kv_type type, int R, int V, const float *p, const void *values, int64_t at, int64_t stride, int64_t n, float *o, int64_t ldo)
{
	vf acc[4][4];
	for (int r = 0; r < R; r++)
		for (int v = 0; v < V; v++)
			acc[r][v] = simd_load(o + r * ldo + v * SIMD);
	for (int64_t j = 0; j < n; j++) {
		vf value[4];
		for (int v = 0; v < V; v++)
			value[v] = load(type, values, at + j * stride + v * SIMD);
		for (int r = 0; r < R; r++) {
			vf b = simd_set(p[r * KEYS + j]);
			for (int v = 0; v < V; v++)
				acc[r][v] += b * value[v];
		}
	}
	for (int r = 0; r < R; r++)
		for (int v = 0; v < V; v++)
			simd_store(o + r * ldo + v * SIMD, acc[r][v]);
}

INLINE void weighted_rows(enum kv_type type, int V, const struct tile *t, int i, int64_t k, int64_t key, int64_t n)
{
	int64_t padded = kv_padded(t->a->d), at = key * padded + k;
	const float *p = t->s + i * KEYS;
	float *o = t->o + i * padded + k;
	switch (t->m - i) {
	case 1: weighted(type, 1, V, p, t->a->values, at, padded, n, o, padded); break;
	case 2: weighted(type, 2, V, p, t->a->values, at, padded, n, o, padded); break;
	case 3: weighted(type, 3, V, p, t->a->values, at, padded, n, o, padded); break;
	default: weighted(type, 4, V, p, t->a->values, at, padded, n, o, padded);
	}
}

enum { VALUE_VECTORS = SIMD == 16 ? 4 : 2 };

INLINE void tile_weighted(enum kv_type type, const struct tile *t, int64_t key, int64_t n)
{
	int64_t padded = kv_padded(t->a->d), wide = VALUE_VECTORS * SIMD;
	for (int i = 0; i < t->m; i += 4) {
		int64_t k = 0;
		for (; k + wide <= padded; k += wide)
			weighted_rows(type, VALUE_VECTORS, t, i, k, key, n);
		for (; k < padded; k += SIMD)
			weighted_rows(type, 1, t, i, k, key, n);
	}
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

INLINE void tile_run(enum kv_type type, const struct tile *t)
{
	int64_t end = tile_position(t, t->m - 1) + 1, key = first_visible(t->a, tile_position(t, 0)) / KEYS * KEYS;
	tile_begin(t);
	for (; key < end; key += KEYS) {
		int64_t n = end - key < KEYS ? end - key : KEYS;
		tile_scores(type, t, key);
		for (int i = 0; i < t->m; i++)
			softmax_row(t, i, key);
		tile_weighted(type, t, key, n);
	}
	tile_end(t);
}

static void attention(const struct kv_attention *a)
{
	for (int64_t row = 0; row < a->rows * a->group; row += ROWS) {
		struct tile t = tile_of(a, row);
		if (a->type == KV_F16)
			tile_run(KV_F16, &t);
		else
			tile_run(KV_F32, &t);
	}
}

#define LEVEL_STRING_(x) #x
#define LEVEL_STRING(x) LEVEL_STRING_(x)
extern const struct kv_kernels KERNEL(kv_kernels);
const struct kv_kernels KERNEL(kv_kernels) = {LEVEL_STRING(KERNEL(kv)), store_keys, store_values, attention};
