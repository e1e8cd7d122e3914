/* attention_tile.h: what the float32 and the bf16 attention kernels share: which keys a query sees in a tile, the online
 * softmax of a row, and the gradient of its scores. Scores lie in rows of TILE floats. Included by kernel sources only.
 */
#pragma once
#include "ops/kernels_isa.h"
#include "ops/simd.h"

#include <math.h>

#define TILE ATTENTION_TILE

struct key_tile { int64_t first, count; };   /* keys [first, first + count) */

/* First and past-last key that query i may see, within [0, n). */
static inline int64_t first_key(const struct attention_head *h, int64_t i)
{
	int64_t first = h->window ? i - h->window + 1 : 0;
	return first > 0 ? first : 0;
}

/* Columns [*from, *to) of the tile that query i sees. */
static inline void visible(const struct attention_head *h, const struct key_tile *t, int64_t i, int64_t *from, int64_t *to)
{
	int64_t first = first_key(h, i) - t->first, past = i + 1 - t->first;
	*from = first < 0 ? 0 : first > t->count ? t->count : first;
	*to = past < 0 ? 0 : past > t->count ? t->count : past;
}

/* p = exp(p - shift) inside [from, to), zero outside; returns the sum. */
static inline float exp_row(float *p, int64_t from, int64_t to, float shift)
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

static inline float top_of(const float *p, int64_t from, int64_t to)
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
static inline void absorb_row(const struct attention_head *h, float *p, int64_t i, int64_t from, int64_t to, bool fresh)
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

static inline int64_t tile_end(int64_t i, int64_t n) { return i + TILE < n ? i + TILE : n; }

/* p = P, ds = P (dP - delta) of query rows [i, i + rows); scores are in p, dP in ds on entry. */
static inline void score_gradient(const struct attention_head *h, const struct key_tile *t, int64_t i, int64_t rows, float *scores, float *gradient)
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
		float *p = scores + r * TILE, *ds = gradient + r * TILE;
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

