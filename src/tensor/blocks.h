/* blocks.h: GGUF's quantised blocks as they lie in the file (no padding, 2-byte aligned), and their decoders.
 * Scales are IEEE half floats. w = d * q (+ m), or for the 256-element kinds w = d * scale[s] * q - dmin * min[s]. */
#pragma once
#include <assert.h>
#include <stdint.h>

#define BLOCK_SMALL 32
#define BLOCK_SUPER 256

struct block_q4_0 {
	uint16_t d;
	uint8_t q[16];
}; /* q - 8; low nibbles are elements 0..15, high 16..31 */
struct block_q4_1 {
	uint16_t d, m;
	uint8_t q[16];
};
struct block_q5_0 {
	uint16_t d;
	uint8_t high[4];
	uint8_t q[16];
}; /* bit i of `high` is bit 4 of element i; q - 16 */
struct block_q5_1 {
	uint16_t d, m;
	uint8_t high[4];
	uint8_t q[16];
};
struct block_q8_0 {
	uint16_t d;
	int8_t q[32];
};
struct block_q4_k {
	uint16_t d, dmin;
	uint8_t scales[12];
	uint8_t q[128];
};
struct block_q5_k {
	uint16_t d, dmin;
	uint8_t scales[12];
	uint8_t high[32];
	uint8_t q[128];
};
struct block_q6_k {
	uint8_t low[128];
	uint8_t high[64];
	int8_t scales[16];
	uint16_t d;
};

static_assert(sizeof(struct block_q4_0) == 18, "q4_0 block");
static_assert(sizeof(struct block_q4_1) == 20, "q4_1 block");
static_assert(sizeof(struct block_q5_0) == 22, "q5_0 block");
static_assert(sizeof(struct block_q5_1) == 24, "q5_1 block");
static_assert(sizeof(struct block_q8_0) == 34, "q8_0 block");
static_assert(sizeof(struct block_q4_k) == 144, "q4_k block");
static_assert(sizeof(struct block_q5_k) == 176, "q5_k block");
static_assert(sizeof(struct block_q6_k) == 210, "q6_k block");

/* n elements, a whole number of blocks. */
void block_q4_0_to_f32(const void *blocks, float *out, int64_t n);
void block_q4_1_to_f32(const void *blocks, float *out, int64_t n);
void block_q5_0_to_f32(const void *blocks, float *out, int64_t n);
void block_q5_1_to_f32(const void *blocks, float *out, int64_t n);
void block_q8_0_to_f32(const void *blocks, float *out, int64_t n);
void block_q4_k_to_f32(const void *blocks, float *out, int64_t n);
void block_q5_k_to_f32(const void *blocks, float *out, int64_t n);
void block_q6_k_to_f32(const void *blocks, float *out, int64_t n);

/* The integers of one block in element order, without their offset (0..15, 0..31, 0..63, or signed for q8_0). */
void block_q4_0_levels(const void *block, uint8_t out[BLOCK_SMALL]);
void block_q4_1_levels(const void *block, uint8_t out[BLOCK_SMALL]);
void block_q5_0_levels(const void *block, uint8_t out[BLOCK_SMALL]);
void block_q5_1_levels(const void *block, uint8_t out[BLOCK_SMALL]);
void block_q4_k_levels(const void *block, uint8_t out[BLOCK_SUPER]);
void block_q5_k_levels(const void *block, uint8_t out[BLOCK_SUPER]);
void block_q6_k_levels(const void *block, uint8_t out[BLOCK_SUPER]);
/* The eight 6-bit (scale, minimum) pairs of q4_k and q5_k. */
void block_k_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t min[8]);
