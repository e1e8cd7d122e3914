/* lora_rows_kernels.c: vector versions of lora_rows.h; compiled once per ISA level (see simd.h). */
#include "ops/lora_rows.h"
#include "ops/simd.h"
#include "ops/simd_half.h"

static void store(const float *x, int64_t n, uint16_t *out)
{
	for (int64_t i = 0; i < n; i += SIMD) {
		uint16_t lanes[SIMD];
		int64_t left = n - i < SIMD ? n - i : SIMD;
		simd_store_half(lanes, simd_saturate_half(left == SIMD ? simd_load(x + i) : simd_load_part(x + i, left)));
		memcpy(out + i, lanes, (size_t)left * sizeof *out);
	}
}

INLINE vf weight(enum lora_type type, const void *base, int64_t i)
{
	return type == LORA_F16 ? simd_load_half((const uint16_t *)base + i) : simd_load((const float *)base + i);
}

/* The last, partial vector of a row of weights. */
INLINE vf weight_part(enum lora_type type, const void *base, int64_t i, int64_t n)
{
	uint16_t lanes[SIMD] = {0};
	if (type == LORA_F32)
		return simd_load_part((const float *)base + i, n);
	memcpy(lanes, (const uint16_t *)base + i, (size_t)n * sizeof *lanes);
	return simd_load_half(lanes);
}

/* D ranks x R rows at once: the accumulators are independent, so that no chain of additions is waited for. */
INLINE void down_block(enum lora_type type, int D, int R, const float *x, int64_t ldx, const void *a, int64_t k, int32_t r, int32_t rank, float *u)
{
	vf sum[4][4] = {{{0}}};
	int64_t i = 0;
	for (; i + SIMD <= k; i += SIMD)
		for (int d = 0; d < D; d++) {
			vf w = weight(type, a, (r + d) * k + i);
			for (int t = 0; t < R; t++)
				sum[d][t] += w * simd_load(x + t * ldx + i);
		}
	if (i < k)
		for (int d = 0; d < D; d++) {
			vf w = weight_part(type, a, (r + d) * k + i, k - i);
			for (int t = 0; t < R; t++)
				sum[d][t] += w * simd_load_part(x + t * ldx + i, k - i);
		}
	for (int d = 0; d < D; d++)
		for (int t = 0; t < R; t++)
			u[t * rank + r + d] = simd_sum(sum[d][t]);
}

INLINE void down(enum lora_type type, int R, const float *x, int64_t ldx, const void *a, int64_t k, int32_t rank, float *u)
{
	int32_t r = 0;
	for (; r + 4 <= rank; r += 4)
		down_block(type, 4, R, x, ldx, a, k, r, rank, u);
	for (; r < rank; r++)
		down_block(type, 1, R, x, ldx, a, k, r, rank, u);
}

INLINE void up(enum lora_type type, int R, const float *u, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy)
{
	for (int64_t j = from; j < to; j += SIMD) {
		int64_t left = to - j < SIMD ? to - j : SIMD, base = j / LORA_BLOCK * LORA_BLOCK * rank + j % LORA_BLOCK;
		vf sum[4] = {{0}};
		for (int32_t r = 0; r < rank; r++) {
			vf w = weight(type, b, base + r * LORA_BLOCK);
			for (int t = 0; t < R; t++)
				sum[t] += w * simd_set(u[t * rank + r]);
		}
		for (int t = 0; t < R; t++) {
			float *out = y + t * ldy + j;
			if (left == SIMD)
				simd_store(out, simd_load(out) + simd_set(scale) * sum[t]);
			else
				simd_store_part(out, simd_load_part(out, left) + simd_set(scale) * sum[t], left);
		}
	}
}

#define BY_ROWS(call) \
	switch (rows) { \
	case 1: call(1); break; \
	case 2: call(2); break; \
	case 3: call(3); break; \
	default: call(4); \
	}

static void down_any(enum lora_type type, int rows, const float *x, int64_t ldx, const void *a, int64_t k, int32_t rank, float *u)
{
#define DOWN(R) (type == LORA_F16 ? down(LORA_F16, R, x, ldx, a, k, rank, u) : down(LORA_F32, R, x, ldx, a, k, rank, u))
	BY_ROWS(DOWN)
}

static void up_any(enum lora_type type, int rows, const float *u, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy)
{
#define UP(R) (type == LORA_F16 ? up(LORA_F16, R, u, rank, b, from, to, scale, y, ldy) : up(LORA_F32, R, u, rank, b, from, to, scale, y, ldy))
	BY_ROWS(UP)
}

extern const struct lora_kernels KERNEL(lora_kernels);
const struct lora_kernels KERNEL(lora_kernels) = {store, down_any, up_any};
