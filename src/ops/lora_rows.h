/* lora_rows.h: the two products of a LoRA branch (Hu et al. 2021) for generation: few rows, weights stored as f32 or f16 and read once per
 * four rows. At decode the cost is reading the weights, which is why they are stored small and why callers may split
 * the outputs. Serial. A is [R, K]; B [N, R] is stored in blocks of 16 outputs, [N/16][R][16] with zeros past N, so that both are read front to
 * back. f16 saturates at its largest finite value.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum lora_type { LORA_F32, LORA_F16 };
static inline size_t lora_element_bytes(enum lora_type type) { return type == LORA_F16 ? 2 : 4; }

#define LORA_BLOCK 16
static inline size_t lora_a_bytes(enum lora_type type, int64_t k, int32_t rank) { return (size_t)(k * rank) * lora_element_bytes(type); }
static inline size_t lora_b_bytes(enum lora_type type, int64_t n, int32_t rank) { return (size_t)((n + LORA_BLOCK - 1) / LORA_BLOCK * LORA_BLOCK * rank) * lora_element_bytes(type); }
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
