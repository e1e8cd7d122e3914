/* Decoders of GGUF's 256-element superblocks: 8 (q4_k, q5_k) or 16 (q6_k) sub-blocks with quantised scales. */
#include "tensor/blocks.h"
#include "tensor/dtype.h"

void block_k_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t min[8])
{
	for (int i = 0; i < 4; i++) {
		scale[i] = packed[i] & 63;
		min[i] = packed[i + 4] & 63;
		scale[i + 4] = (uint8_t)((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
		min[i + 4] = (uint8_t)(packed[i + 8] >> 4 | (packed[i + 4] >> 6) << 4);
	}
}

/* 32 bytes hold 64 elements: low nibbles the first 32, high nibbles the next 32. */
static void nibbles(const uint8_t q[128], uint8_t out[BLOCK_SUPER])
{
	for (int half = 0; half < 4; half++)
		for (int i = 0; i < 32; i++) {
			out[half * 64 + i] = q[half * 32 + i] & 15;
			out[half * 64 + 32 + i] = q[half * 32 + i] >> 4;
		}
}

void block_q4_k_levels(const void *block, uint8_t out[BLOCK_SUPER]) { nibbles(((const struct block_q4_k *)block)->q, out); }

void block_q5_k_levels(const void *block, uint8_t out[BLOCK_SUPER])
{
	const struct block_q5_k *b = block;
	nibbles(b->q, out);
	for (int sub = 0; sub < 8; sub++)
		for (int i = 0; i < 32; i++)
			out[sub * 32 + i] = (uint8_t)(out[sub * 32 + i] | ((b->high[i] >> sub) & 1) << 4);
}

void block_q6_k_levels(const void *block, uint8_t out[BLOCK_SUPER])
{
	const struct block_q6_k *b = block;
	for (int half = 0; half < 2; half++) {
		const uint8_t *low = b->low + half * 64, *high = b->high + half * 32;
		uint8_t *o = out + half * 128;
		for (int i = 0; i < 32; i++) {
			o[i] = (uint8_t)((low[i] & 15) | (high[i] & 3) << 4);
			o[i + 32] = (uint8_t)((low[i + 32] & 15) | ((high[i] >> 2) & 3) << 4);
			o[i + 64] = (uint8_t)(low[i] >> 4 | ((high[i] >> 4) & 3) << 4);
			o[i + 96] = (uint8_t)(low[i + 32] >> 4 | (high[i] >> 6) << 4);
		}
	}
}

static void scale_super(const uint8_t levels[BLOCK_SUPER], float d, float dmin, const uint8_t packed[12], float *out)
{
	uint8_t scale[8], min[8];
	block_k_scales(packed, scale, min);
	for (int sub = 0; sub < 8; sub++) {
		float s = d * (float)scale[sub], m = dmin * (float)min[sub];
		for (int i = 0; i < 32; i++)
			out[sub * 32 + i] = s * (float)levels[sub * 32 + i] - m;
	}
}

void block_q4_k_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q4_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		block_q4_k_levels(b + i, levels);
		scale_super(levels, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].dmin), b[i].scales, out + i * BLOCK_SUPER);
	}
}

void block_q5_k_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q5_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		block_q5_k_levels(b + i, levels);
		scale_super(levels, dtype_f16_to_f32(b[i].d), dtype_f16_to_f32(b[i].dmin), b[i].scales, out + i * BLOCK_SUPER);
	}
}

void block_q6_k_to_f32(const void *blocks, float *out, int64_t n)
{
	const struct block_q6_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		float d = dtype_f16_to_f32(b[i].d);
		block_q6_k_levels(b + i, levels);
		for (int j = 0; j < BLOCK_SUPER; j++)
			out[i * BLOCK_SUPER + j] = d * (float)b[i].scales[j / 16] * (float)(levels[j] - 32);
	}
}
