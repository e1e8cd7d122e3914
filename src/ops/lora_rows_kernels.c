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

/* Where the vector of inputs or outputs from i on starts, at rank 0; the other ranks follow, LORA_BLOCK apart. */
INLINE int64_t place(int64_t i, int32_t rank)
{
	return i / LORA_BLOCK * LORA_BLOCK * rank + i % LORA_BLOCK;
}

/* D ranks x R rows at once: the accumulators are independent, so that no chain of additions is waited for. */
INLINE void down_block(enum lora_type type, int D, int R, const float *x, int64_t ldx, const void *a, int64_t k, int32_t r, int32_t rank, float *u)
{
	vf sum[8][4], in[4];
#pragma GCC unroll 8
	for (int d = 0; d < D; d++)
#pragma GCC unroll 8
		for (int t = 0; t < R; t++)
			sum[d][t] = simd_set(0);
	for (int64_t i = 0; i < k; i += SIMD) {
#pragma GCC unroll 8
		for (int t = 0; t < R; t++)
			in[t] = i + SIMD <= k ? simd_load(x + t * ldx + i) : simd_load_part(x + t * ldx + i, k - i);
#pragma GCC unroll 8
		for (int d = 0; d < D; d++) {
			vf w = weight(type, a, place(i, rank) + (r + d) * LORA_BLOCK);
#pragma GCC unroll 8
			for (int t = 0; t < R; t++)
				sum[d][t] += w * in[t];
		}
	}
#pragma GCC unroll 8
	for (int d = 0; d < D; d++)
#pragma GCC unroll 8
		for (int t = 0; t < R; t++)
			u[t * rank + r + d] = simd_sum(sum[d][t]);
}

INLINE void down(enum lora_type type, int R, const float *x, int64_t ldx, const void *a, int64_t k, int32_t rank, float *u)
{
	int32_t r = 0;
	for (; R == 1 && r + 8 <= rank; r += 8)
		down_block(type, 8, R, x, ldx, a, k, r, rank, u);
	for (; r + 4 <= rank; r += 4)
		down_block(type, 4, R, x, ldx, a, k, r, rank, u);
	for (; r < rank; r++)
		down_block(type, 1, R, x, ldx, a, k, r, rank, u);
}

INLINE void up(enum lora_type type, int R, const float *u, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy)
{
	for (int64_t j = from; j < to; j += SIMD) {
		int64_t left = to - j < SIMD ? to - j : SIMD, base = place(j, rank);
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
