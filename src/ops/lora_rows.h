/* lora_rows.h: the two products of a LoRA branch (Hu et al. 2021) for generation: few rows, weights stored as f32 or f16 and read once per
 * four rows. At decode the cost is reading the weights, which is why they are stored small and why callers may split
 * the outputs. Serial. A [R, K] and B [N, R] are both stored in blocks of 16 inputs or outputs, [./16][R][16] with zeros past the end, so that
 * they are read front to back and all ranks share a load of x. f16 saturates at its largest finite value.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum lora_type { LORA_F32, LORA_F16 };
static inline size_t lora_element_bytes(enum lora_type type) { return type == LORA_F16 ? 2 : 4; }

#define LORA_BLOCK 16
/* Of A (size = K) or B (size = N). */
static inline size_t lora_bytes(enum lora_type type, int64_t size, int32_t rank) { return (size_t)((size + LORA_BLOCK - 1) / LORA_BLOCK * LORA_BLOCK * rank) * lora_element_bytes(type); }
void lora_store_a(enum lora_type type, const float *a, int64_t k, int32_t rank, void *out);
void lora_store_b(enum lora_type type, const float *b, int64_t n, int32_t rank, void *out);
/* u[t, r] = x[t, :] . a[r, :] */
void lora_down(enum lora_type type, const float *x, int64_t ldx, int64_t rows, const void *a, int64_t k, int32_t rank, float *u);
/* y[t, j] += scale * sum over r of u[t, r] b[j, r], j in [from, to), from a multiple of LORA_BLOCK */
void lora_up(enum lora_type type, const float *u, int64_t rows, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy);

/* One ISA level's kernels: x, u, y of exactly R rows (1..4), chosen by lora_down and lora_up. */
struct lora_kernels {
	void (*store)(const float *x, int64_t n, uint16_t *out);
	void (*down)(enum lora_type type, int rows, const float *x, int64_t ldx, const void *a, int64_t k, int32_t rank, float *u);
	void (*up)(enum lora_type type, int rows, const float *u, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy);
};
