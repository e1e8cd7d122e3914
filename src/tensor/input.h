/* input.h: where the prepared forms of an activation lie in mat_input.scratch. */
#pragma once
#include "tensor/mat.h"
#include "tensor/pack.h"

static inline size_t input_int8_bytes(int64_t rows, int64_t cols)
{
	return ((size_t)(rows * input_blocks(cols)) * PANEL_BLOCK_BYTES + 63) / 64 * 64;
}
static inline int64_t input_bf16_stride(int64_t cols) { return (cols + 1) / 2 * 2; }

/* The int8 panel that starts at row t (a multiple of the kernels' columns). */
static inline const uint8_t *input_panel(const struct mat_input *in, int64_t t)
{
	return (const uint8_t *)in->scratch + (size_t)(t * input_blocks(in->cols)) * PANEL_BLOCK_BYTES;
}
static inline const uint16_t *input_bf16(const struct mat_input *in, int64_t t)
{
	const uint8_t *base = (const uint8_t *)in->scratch + input_int8_bytes(in->rows, in->cols);
	return (const uint16_t *)(const void *)base + t * input_bf16_stride(in->cols);
}
