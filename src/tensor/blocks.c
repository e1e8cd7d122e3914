/* Decoders of GGUF's 32-element blocks. */
#include "tensor/blocks.h"
#include "tensor/dtype.h"

static void nibbles(const uint8_t q[16], uint8_t out[BLOCK_SMALL])
{
	for (int i = 0; i < 16; i++) {
		out[i] = q[i] & 15;
		out[i + 16] = q[i] >> 4;
	}
}

static void add_fifth_bit(const uint8_t high[4], uint8_t out[BLOCK_SMALL])
{
	for (int i = 0; i < BLOCK_SMALL; i++)
		out[i] = (uint8_t)(out[i] | ((high[i / 8] >> (i % 8)) & 1) << 4);
}

void block_q4_0_levels(const void *block, uint8_t out[BLOCK_SMALL]) { nibbles(((const struct block_q4_0 *)block)->q, out); }
void block_q4_1_levels(const void *block, uint8_t out[BLOCK_SMALL]) { nibbles(((const struct block_q4_1 *)block)->q, out); }

void block_q5_0_levels(const void *block, uint8_t out[BLOCK_SMALL])
{
	const struct block_q5_0 *b = block;
	nibbles(b->q, out);
	add_fifth_bit(b->high, out);
}

void block_q5_1_levels(const void *block, uint8_t out[BLOCK_SMALL])
{
	const struct block_q5_1 *b = block;
	nibbles(b->q, out);
	add_fifth_bit(b->high, out);
}

/* w = d * (q - offset): the products are exact to one rounding, as in the reference decoder. */
static void scale_symmetric(const uint8_t *levels, int offset, float d, float *out)
{
	for (int i = 0; i < BLOCK_SMALL; i++)
		out[i] = d * (float)(levels[i] - offset);
}

static void scale_affine(const uint8_t *levels, float d, float m, float *out)
{
	for (int i = 0; i < BLOCK_SMALL; i++)
		out[i] = d * (float)levels[i] + m;
}

void block_q4_0_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q4_0 *b = blocks;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		nibbles(b[i].q, levels);
		scale_symmetric(levels, 8, dtype_f16_to_f32(b[i].d), out + i * BLOCK_SMALL);
	}
}

void block_q4_1_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q4_1 *b = blocks;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		nibbles(b[i].q, levels);
		scale_affine(levels, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].m), out + i * BLOCK_SMALL);
	}
}

void block_q5_0_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q5_0 *b = blocks;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		block_q5_0_levels(b + i, levels);
		scale_symmetric(levels, 16, dtype_f16_to_f32(b[i].d), out + i * BLOCK_SMALL);
	}
}

void block_q5_1_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q5_1 *b = blocks;
	uint8_t levels[BLOCK_SMALL];
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		block_q5_1_levels(b + i, levels);
		scale_affine(levels, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].m), out + i * BLOCK_SMALL);
	}
}

void block_q8_0_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q8_0 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		float d = dtype_f16_to_f32(b[i].d);
		for (int j = 0; j < BLOCK_SMALL; j++)
			out[i * BLOCK_SMALL + j] = d * (float)b[i].q[j];
	}
}
