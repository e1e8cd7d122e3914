/* Products with bf16 operands and f32 sums (vdpbf16ps): two inputs per step, 16 rows, up to 8 columns. */
#pragma once
#include "tensor/kernels.h"

LANES vf bf16_dot(vf sum, vi w, const uint16_t *x) { return _mm512_dpbf16_ps(sum, (__m512bh)w, (__m512bh)_mm512_set1_epi32(lane_word(x))); }

LANES void bf16_product(int columns, const uint16_t *w, const uint16_t *x, int64_t ldx, int64_t pairs, struct tile_out out)
{
	vf y[COLUMNS_MAX];
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		y[t] = vf_set(0);
	for (int64_t k = 0; k < pairs; k++) {
		vi row = vi_load(w + k * 2 * GROUP);
		__builtin_prefetch(w + k * 2 * GROUP + 1024); /* 2 KiB on */
#pragma GCC unroll 8
		for (int t = 0; t < columns; t++)
			y[t] = bf16_dot(y[t], row, x + t * ldx + 2 * k);
	}
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		store_tile(out, y[t], t);
}

#define BF16_KERNEL(f, c)                                                                                                                  \
	static void f##_##c(const uint16_t *w, const uint16_t *x, int64_t ldx, int64_t pairs, struct tile_out out)                         \
	{                                                                                                                                  \
		bf16_product(c, w, x, ldx, pairs, out);                                                                                    \
	}
LANES_EACH(BF16_KERNEL, bf16)

static void to_bf16(const float *x, uint16_t *out, int64_t n)
{
	int64_t i = 0;
	for (; i + 16 <= n; i += 16)
		_mm256_storeu_si256((__m256i *)(void *)(out + i), (__m256i)_mm512_cvtneps_pbh(vf_load(x + i)));
	for (; i < n; i++)
		out[i] = dtype_f32_to_bf16(x[i]);
}

static void interleave_bf16(const float *a, const float *b, uint32_t *out, int64_t n)
{
	int64_t i = 0;
	for (; i + 16 <= n; i += 16) {
		__m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(vf_load(a + i)));
		__m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(vf_load(b + i)));
		vi_store(out + i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
	}
	for (; i < n; i++)
		out[i] = (uint32_t)dtype_f32_to_bf16(a[i]) | (uint32_t)dtype_f32_to_bf16(b[i]) << 16;
}
