/* The baseline build of the block decoders (decode.h). */
#include "tensor/decode.h"

void block_q4_0_to_f32(const void *blocks, float *out, int64_t n) { decode_q4_0(blocks, out, n); }
void block_q4_1_to_f32(const void *blocks, float *out, int64_t n) { decode_q4_1(blocks, out, n); }
void block_q5_0_to_f32(const void *blocks, float *out, int64_t n) { decode_q5_0(blocks, out, n); }
void block_q5_1_to_f32(const void *blocks, float *out, int64_t n) { decode_q5_1(blocks, out, n); }
void block_q8_0_to_f32(const void *blocks, float *out, int64_t n) { decode_q8_0(blocks, out, n); }
void block_q4_k_to_f32(const void *blocks, float *out, int64_t n) { decode_q4_k(blocks, out, n); }
void block_q5_k_to_f32(const void *blocks, float *out, int64_t n) { decode_q5_k(blocks, out, n); }
void block_q6_k_to_f32(const void *blocks, float *out, int64_t n) { decode_q6_k(blocks, out, n); }

void block_q4_0_levels(const void *block, uint8_t out[BLOCK_SMALL]) { levels_q4_0(block, out); }
void block_q4_1_levels(const void *block, uint8_t out[BLOCK_SMALL]) { levels_q4_1(block, out); }
void block_q5_0_levels(const void *block, uint8_t out[BLOCK_SMALL]) { levels_q5_0(block, out); }
void block_q5_1_levels(const void *block, uint8_t out[BLOCK_SMALL]) { levels_q5_1(block, out); }
void block_q4_k_levels(const void *block, uint8_t out[BLOCK_SUPER]) { levels_q4_k(block, out); }
void block_q5_k_levels(const void *block, uint8_t out[BLOCK_SUPER]) { levels_q5_k(block, out); }
void block_q6_k_levels(const void *block, uint8_t out[BLOCK_SUPER]) { levels_q6_k(block, out); }

void block_k_scales(const uint8_t packed[12], uint8_t scale[8], uint8_t min[8]) { k_scales(packed, scale, min); }
