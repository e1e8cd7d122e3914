/* decode.h: the decoders of GGUF's blocks, as code to be compiled once for the baseline (blocks.c) and once per
 * instruction set (kernel_table.h), where the compiler turns the loops into that set's vectors. Results are equal
 * bit for bit everywhere: products and sums are not contracted, half floats convert exactly. */
#pragma once
#include "tensor/blocks.h"
#include "tensor/dtype.h"

#define DECODE static inline __attribute__((unused))

#if defined(__F16C__)
#include <immintrin.h>
DECODE float decode_half(uint16_t h) { return _cvtsh_ss(h); }
#else
DECODE float decode_half(uint16_t h) { return dtype_f16_to_f32(h); }
#endif

DECODE void nibbles(const uint8_t q[16], uint8_t out[BLOCK_SMALL])
{
	for (int i = 0; i < 16; i++) {
		out[i] = q[i] & 15;
		out[i + 16] = q[i] >> 4;
	}
}

DECODE void add_fifth_bit(const uint8_t high[4], uint8_t out[BLOCK_SMALL])
{
	for (int i = 0; i < BLOCK_SMALL; i++)
		out[i] = (uint8_t)(out[i] | ((high[i / 8] >> (i % 8)) & 1) << 4);
}

DECODE void levels_q4_0(const void *block, uint8_t out[BLOCK_SMALL]) { nibbles(((const struct block_q4_0 *)block)->q, out); }
DECODE void levels_q4_1(const void *block, uint8_t out[BLOCK_SMALL]) { nibbles(((const struct block_q4_1 *)block)->q, out); }

DECODE void levels_q5_0(const void *block, uint8_t out[BLOCK_SMALL])
{
	const struct block_q5_0 *b = block;
	nibbles(b->q, out);
	add_fifth_bit(b->high, out);
}

DECODE void levels_q5_1(const void *block, uint8_t out[BLOCK_SMALL])
{
	const struct block_q5_1 *b = block;
	nibbles(b->q, out);
	add_fifth_bit(b->high, out);
}

/* One loop from bits to floats: going through a byte array would stall on its narrow stores. */
DECODE void decode_q4_0(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q4_0 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++, out += BLOCK_SMALL) {
		float d = decode_half(b[i].d);
		for (int j = 0; j < 16; j++) {
			out[j] = d * (float)((b[i].q[j] & 15) - 8);
			out[j + 16] = d * (float)((b[i].q[j] >> 4) - 8);
		}
	}
}

DECODE void decode_q4_1(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q4_1 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++, out += BLOCK_SMALL) {
		float d = decode_half(b[i].d), m = decode_half(b[i].m);
		for (int j = 0; j < 16; j++) {
			out[j] = d * (float)(b[i].q[j] & 15) + m;
			out[j + 16] = d * (float)(b[i].q[j] >> 4) + m;
		}
	}
}

DECODE void decode_q5_0(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q5_0 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++, out += BLOCK_SMALL) {
		float d = decode_half(b[i].d);
		uint32_t high;
		memcpy(&high, b[i].high, sizeof high);
		for (uint32_t j = 0; j < 16; j++) {
			out[j] = d * (float)((int)((b[i].q[j] & 15u) | ((high >> j) & 1) << 4) - 16);
			out[j + 16] = d * (float)((int)(b[i].q[j] >> 4 | ((high >> (j + 16)) & 1) << 4) - 16);
		}
	}
}

DECODE void decode_q5_1(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q5_1 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++, out += BLOCK_SMALL) {
		float d = decode_half(b[i].d), m = decode_half(b[i].m);
		uint32_t high;
		memcpy(&high, b[i].high, sizeof high);
		for (uint32_t j = 0; j < 16; j++) {
			out[j] = d * (float)(int)((b[i].q[j] & 15u) | ((high >> j) & 1) << 4) + m;
			out[j + 16] = d * (float)(int)(b[i].q[j] >> 4 | ((high >> (j + 16)) & 1) << 4) + m;
		}
	}
}

DECODE void decode_q8_0(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q8_0 *b = blocks;
	for (int64_t i = 0; i < n / BLOCK_SMALL; i++) {
		float d = decode_half(b[i].d);
		for (int j = 0; j < BLOCK_SMALL; j++)
			out[i * BLOCK_SMALL + j] = d * (float)b[i].q[j];
	}
}

DECODE void k_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t min[8])
{
	for (int i = 0; i < 4; i++) {
		scale[i] = packed[i] & 63;
		min[i] = packed[i + 4] & 63;
		scale[i + 4] = (uint8_t)((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
		min[i + 4] = (uint8_t)(packed[i + 8] >> 4 | (packed[i + 4] >> 6) << 4);
	}
}

/* 32 bytes hold 64 elements: low nibbles the first 32, high nibbles the next 32. */
DECODE void super_nibbles(const uint8_t q[128], uint8_t out[BLOCK_SUPER])
{
	for (int half = 0; half < 4; half++)
		for (int i = 0; i < 32; i++) {
			out[half * 64 + i] = q[half * 32 + i] & 15;
			out[half * 64 + 32 + i] = q[half * 32 + i] >> 4;
		}
}

DECODE void levels_q4_k(const void *block, uint8_t out[BLOCK_SUPER]) { super_nibbles(((const struct block_q4_k *)block)->q, out); }

DECODE void levels_q5_k(const void *block, uint8_t out[BLOCK_SUPER])
{
	const struct block_q5_k *b = block;
	super_nibbles(b->q, out);
	for (int sub = 0; sub < 8; sub++)
		for (int i = 0; i < 32; i++)
			out[sub * 32 + i] = (uint8_t)(out[sub * 32 + i] | ((b->high[i] >> sub) & 1) << 4);
}

DECODE void levels_q6_k(const void *block, uint8_t out[BLOCK_SUPER])
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

DECODE void scale_super(const uint8_t levels[BLOCK_SUPER], float d, float dmin, const uint8_t packed[12], float *out)
{
	uint8_t scale[8], min[8];
	k_scales(packed, scale, min);
	for (int sub = 0; sub < 8; sub++) {
		float s = d * (float)scale[sub], m = dmin * (float)min[sub];
		for (int i = 0; i < 32; i++)
			out[sub * 32 + i] = s * (float)levels[sub * 32 + i] - m;
	}
}

DECODE void decode_q4_k(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q4_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		levels_q4_k(b + i, levels);
		scale_super(levels, decode_half(b[i].d), decode_half(b[i].dmin), b[i].scales, out + i * BLOCK_SUPER);
	}
}

DECODE void decode_q5_k(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q5_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		levels_q5_k(b + i, levels);
		scale_super(levels, decode_half(b[i].d), decode_half(b[i].dmin), b[i].scales, out + i * BLOCK_SUPER);
	}
}

DECODE void decode_q6_k(const void *restrict blocks, float *restrict out, int64_t n)
{
	const struct block_q6_k *b = blocks;
	uint8_t levels[BLOCK_SUPER];
	for (int64_t i = 0; i < n / BLOCK_SUPER; i++) {
		float d = decode_half(b[i].d);
		levels_q6_k(b + i, levels);
		for (int sub = 0; sub < 16; sub++, out += 16) {
			float scale = d * (float)b[i].scales[sub];
			for (int j = 0; j < 16; j++)
				out[j] = scale * (float)(levels[sub * 16 + j] - 32);
		}
	}
}

DECODE void decode_f32(const void *restrict blocks, float *restrict out, int64_t n) { memcpy(out, blocks, (size_t)n * sizeof *out); }

DECODE void decode_f16(const void *restrict blocks, float *restrict out, int64_t n)
{
	const unsigned char *in = blocks;
	for (int64_t i = 0; i < n; i++) {
		uint16_t h;
		memcpy(&h, in + 2 * i, sizeof h);
		out[i] = decode_half(h);
	}
}

DECODE void decode_bf16(const void *restrict blocks, float *restrict out, int64_t n)
{
	const unsigned char *in = blocks;
	for (int64_t i = 0; i < n; i++) {
		uint16_t h;
		memcpy(&h, in + 2 * i, sizeof h);
		out[i] = dtype_bf16_to_f32(h);
	}
}

/* All but f16, which kernels convert by the vector. */
#define DECODE_TABLE                                                                                                                       \
	[DT_F32] = decode_f32, [DT_BF16] = decode_bf16, [DT_Q4_0] = decode_q4_0, [DT_Q4_1] = decode_q4_1, [DT_Q5_0] = decode_q5_0,         \
	[DT_Q5_1] = decode_q5_1, [DT_Q8_0] = decode_q8_0, [DT_Q4_K] = decode_q4_k, [DT_Q5_K] = decode_q5_k, [DT_Q6_K] = decode_q6_k
