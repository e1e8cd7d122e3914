/* Float32 products over lanes_*.h, and data movement for them. Included once per instruction set.
 * The tile kernel serves forward (w: inputs x 16 output rows) and backward (w: output rows x 16 inputs) alike. */
#pragma once
#include "tensor/kernels.h"

LANES void f32_product(int columns, const float *w, const float *x, int64_t ldx, int64_t inputs, struct tile_out out)
{
	vf y[COLUMNS_MAX];
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		y[t] = vf_set(0);
	for (int64_t k = 0; k < inputs; k++) {
		vf row = vf_load(w + k * GROUP);
#pragma GCC unroll 8
		for (int t = 0; t < columns; t++)
			y[t] = vf_fma(row, vf_set(x[t * ldx + k]), y[t]);
	}
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		store_tile(out, y[t], t);
}

#define F32_KERNEL(f, c)                                                                                                                   \
	static void f##_##c(const float *w, const float *x, int64_t ldx, int64_t inputs, struct tile_out out)                              \
	{                                                                                                                                  \
		f32_product(c, w, x, ldx, inputs, out);                                                                                    \
	}
LANES_EACH(F32_KERNEL, f32)

LANES void dots_of(int columns, const float *w, const float *x, int64_t ldx, int64_t inputs, float *out)
{
	vf sum[4], odd[4];
#pragma GCC unroll 4
	for (int t = 0; t < columns; t++)
		sum[t] = odd[t] = vf_set(0);
	int64_t k = 0;
	for (; k + 2 * GROUP <= inputs; k += 2 * GROUP) {
		vf a = vf_load(w + k), b = vf_load(w + k + GROUP);
		__builtin_prefetch(w + k + 1024);
		__builtin_prefetch(w + k + 1024 + GROUP);
#pragma GCC unroll 4
		for (int t = 0; t < columns; t++) {
			sum[t] = vf_fma(a, vf_load(x + t * ldx + k), sum[t]);
			odd[t] = vf_fma(b, vf_load(x + t * ldx + k + GROUP), odd[t]);
		}
	}
#pragma GCC unroll 4
	for (int t = 0; t < columns; t++) {
		float tail = 0;
		for (int64_t i = k; i < inputs; i++)
			tail += w[i] * x[t * ldx + i];
		out[t] = vf_total(vf_add(sum[t], odd[t])) + tail;
	}
}

static void dots(const float *w, const float *x, int64_t ldx, int columns, int64_t inputs, float *out)
{
	if (columns == 1)
		dots_of(1, w, x, ldx, inputs, out);
	else if (columns == 2)
		dots_of(2, w, x, ldx, inputs, out);
	else if (columns == 3)
		dots_of(3, w, x, ldx, inputs, out);
	else
		dots_of(4, w, x, ldx, inputs, out);
}

static void transpose(const uint32_t *rows, int64_t ld, int64_t words, uint32_t *out)
{
	int64_t k = 0;
	for (; k + 16 <= words; k += 16)
		lanes_transpose(rows + k, ld, out + k * 16);
	for (; k < words; k++)
		for (int r = 0; r < 16; r++)
			out[k * 16 + r] = rows[r * ld + k];
}

static void nf4_bytes(const uint8_t *packed, float absmax, float *out, int64_t bytes)
{
	for (int64_t i = 0; i < bytes; i += 16) {
		vi both = vi_from_bytes(packed + i);
		vf high = vf_mul(vf_table(NF4_CODE, vi_high(both)), vf_set(absmax)),
		   low = vf_mul(vf_table(NF4_CODE, vi_low(both)), vf_set(absmax));
		vf_store_pairs(out + 2 * i, high, low);
	}
}

static void halves_to_f32(const void *halves, float *out, int64_t n)
{
	const uint8_t *in = halves;
	int64_t i = 0;
	for (; i + 16 <= n; i += 16)
		vf_store(out + i, vf_halves(in + 2 * i));
	for (; i < n; i++) {
		uint16_t h;
		memcpy(&h, in + 2 * i, sizeof h);
		out[i] = dtype_f16_to_f32(h);
	}
}
