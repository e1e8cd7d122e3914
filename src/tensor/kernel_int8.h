/* Int8 products and the quantisation of activations, over lanes_*.h. Included once per instruction set.
 *
 * Per block of 32 inputs, 16 rows and column t: eight 4-way integer dots, then
 *   y += (d * scale[t]) * float(sum of q x)     (+ m * scaled_sum[t] for _MIN forms).
 * The operations on one output are the same for every number of columns, so y does not depend on the batch. */
#pragma once
#include "tensor/forms.h"
#include "tensor/kernels.h"
#include <math.h>

/* The columns of one panel block. */
struct panel_block {
	const uint8_t *q;
	const float *scale, *scaled_sum;
	const int32_t *minus_sum, *minus_low;
};

LANES struct panel_block panel_block(const uint8_t *panel, int columns)
{
	const float *scale = (const float *)(const void *)(panel + 32 * columns);
	const int32_t *sums = (const int32_t *)(const void *)(scale + 2 * columns);
	return (struct panel_block){panel, scale, scale + columns, sums, sums + columns};
}

LANES vi dot(struct form_traits p, vi sum, vi levels, const uint8_t *x)
{
	return p.wide ? vi_dot_wide(sum, levels, x) : vi_dot(sum, levels, x);
}

LANES void store_tile(struct tile_out out, vf value, int t)
{
	float *y = out.y + t * out.ldy;
	if (out.rows == GROUP) {
		vf_store(y, out.accumulate ? vf_add(vf_load(y), value) : value);
		return;
	}
	float row[GROUP];
	vf_store(row, value);
	for (int r = 0; r < out.rows; r++)
		y[r] = out.accumulate ? y[r] + row[r] : row[r];
}

LANES void dots_nibble(struct form_traits p, int columns, const uint8_t *w, const uint8_t *x, vi *sum)
{
#pragma GCC unroll 4
	for (int j = 0; j < 4; j++) {
		vi raw = vi_load(w + 64 * j), low = vi_low(raw), high = vi_high(raw);
		if (p.table) {
			low = vi_lookup(low, NF4_LEVELS);
			high = vi_lookup(high, NF4_LEVELS);
		}
#pragma GCC unroll 8
		for (int t = 0; t < columns; t++)
			sum[t] = dot(p, sum[t], low, x + 32 * t + 4 * j);
#pragma GCC unroll 8
		for (int t = 0; t < columns; t++)
			sum[t] = dot(p, sum[t], high, x + 32 * t + 16 + 4 * j);
	}
}

LANES void dots_byte(struct form_traits p, int columns, const uint8_t *w, const uint8_t *x, int from, int to, vi *sum)
{
#pragma GCC unroll 8
	for (int j = from; j < to; j++) {
		vi levels = vi_load(w + 64 * j);
#pragma GCC unroll 8
		for (int t = 0; t < columns; t++)
			sum[t] = dot(p, sum[t], levels, x + 32 * t + 4 * j);
	}
}

LANES void add_scaled(int columns, vf d, const struct panel_block *x, const vi *sum, vf *y)
{
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		y[t] = vf_fma(vf_mul(d, vf_set(x->scale[t])), vf_from_int(sum[t]), y[t]);
}

LANES void add_min(int columns, vf m, const struct panel_block *x, vf *y)
{
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		y[t] = vf_fma(m, vf_set(x->scaled_sum[t]), y[t]);
}

LANES void block_halves(struct form_traits p, int columns, const uint8_t *w, const struct panel_block *x, vf *y)
{
	vi sum[COLUMNS_MAX];
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		sum[t] = vi_shift(vi_set(x->minus_low[t]), p.shift);
	dots_byte(p, columns, w, x->q, 0, 4, sum);
	add_scaled(columns, vf_halves(w + p.quant_bytes), x, sum, y);
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		sum[t] = vi_shift(vi_set(x->minus_sum[t] - x->minus_low[t]), p.shift);
	dots_byte(p, columns, w, x->q, 4, 8, sum);
	add_scaled(columns, vf_halves(w + p.quant_bytes + 32), x, sum, y);
}

LANES void block_whole(struct form_traits p, int columns, const uint8_t *w, const struct panel_block *x, vf *y)
{
	vi sum[COLUMNS_MAX];
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		sum[t] = p.shift ? vi_shift(vi_set(x->minus_sum[t]), p.shift) : vi_set(0);
	if (p.nibble)
		dots_nibble(p, columns, w, x->q, sum);
	else
		dots_byte(p, columns, w, x->q, 0, 8, sum);
	const uint8_t *scales = w + p.quant_bytes;
	add_scaled(columns, p.scale_f32 ? vf_load((const float *)(const void *)scales) : vf_halves(scales), x, sum, y);
	if (p.min)
		add_min(columns, vf_halves(scales + 32), x, y);
}

/* In decoding the weights come from memory, faster than the hardware runs ahead alone. */
enum { PREFETCH_BYTES = 2048 };

LANES void int8_product(struct form_traits p, int columns, const uint8_t *w, const uint8_t *panel, int64_t blocks, struct tile_out out)
{
	vf y[COLUMNS_MAX];
	int bytes = p.quant_bytes + p.scale_bytes;
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		y[t] = vf_set(0);
	for (int64_t b = 0; b < blocks; b++) {
		struct panel_block x = panel_block(panel, columns);
		for (int line = 0; line < bytes; line += 64)
			__builtin_prefetch(w + PREFETCH_BYTES + line);
		if (p.halves)
			block_halves(p, columns, w, &x, y);
		else
			block_whole(p, columns, w, &x, y);
		w += bytes;
		panel += PANEL_BLOCK_BYTES * columns;
	}
#pragma GCC unroll 8
	for (int t = 0; t < columns; t++)
		store_tile(out, y[t], t);
}

/* One function per form and number of columns, as the table wants them. */
#define INT8_KERNEL(f, c)                                                                                                                  \
	static void int8_##f##_##c(const uint8_t *w, const uint8_t *panel, int64_t blocks, struct tile_out out)                            \
	{                                                                                                                                  \
		int8_product(FORMS[f], c, w, panel, blocks, out);                                                                          \
	}
#define INT8_ROW(f) [f] = {LANES_LIST(int8_##f##_)}

LANES_EACH(INT8_KERNEL, FORM_NIBBLE_MIN)
LANES_EACH(INT8_KERNEL, FORM_NIBBLE_OFFSET)
LANES_EACH(INT8_KERNEL, FORM_NIBBLE_TABLE)
LANES_EACH(INT8_KERNEL, FORM_BYTE_MIN)
LANES_EACH(INT8_KERNEL, FORM_BYTE_OFFSET)
LANES_EACH(INT8_KERNEL, FORM_BYTE_HALVES)
LANES_EACH(INT8_KERNEL, FORM_BYTE_SIGNED)
LANES_EACH(INT8_KERNEL, FORM_BYTE_SIGNED_F32)

/* One block of one column: scale = largest / 127, q rounded to nearest even. Inputs past cols count as zero. A block with
 * an infinity or a NaN gets q = 0 and scale = NaN, so that every product with it is NaN. */
static void quantise_block(const float *x, int64_t left, int t, int columns, uint8_t *panel)
{
	float padded[INPUT_BLOCK];
	if (left < INPUT_BLOCK) {
		memset(padded, 0, sizeof padded);
		memcpy(padded, x, (size_t)left * sizeof *x);
		x = padded;
	}
	vf low = vf_load(x), high = vf_load(x + 16);
	float largest = vf_largest(vf_max(vf_abs(low), vf_abs(high)));
	float inverse = largest > 0 ? 127.0f / largest : 0, scale = largest / 127.0f;
	if (!(largest < INFINITY)) {
		low = high = vf_set(0);
		scale = NAN;
	}
	vi q_low = vf_round(vf_mul(low, vf_set(inverse))), q_high = vf_round(vf_mul(high, vf_set(inverse)));
	vi_store_bytes(panel + 32 * t, q_low);
	vi_store_bytes(panel + 32 * t + 16, q_high);
	int32_t sum_low, sum_high;
	vi_totals(q_low, q_high, &sum_low, &sum_high);
	int32_t sum = sum_low + sum_high;
	float *scales = (float *)(void *)(panel + 32 * columns);
	int32_t *sums = (int32_t *)(void *)(scales + 2 * columns);
	scales[t] = scale;
	scales[columns + t] = scale * (float)sum;
	sums[t] = -sum;
	sums[columns + t] = -sum_low;
}

static void quantise(const float *x, int64_t ldx, int columns, int64_t cols, int64_t from, int64_t to, uint8_t *panel)
{
	for (int64_t b = from; b < to; b++)
		for (int t = 0; t < columns; t++)
			quantise_block(x + t * ldx + b * INPUT_BLOCK, cols - b * INPUT_BLOCK, t, columns,
				       panel + b * PANEL_BLOCK_BYTES * columns);
}
