/* lora_rows.h: the two products of a LoRA branch (Hu et al. 2021) for generation: few rows, weights stored as f32 or f16 and read once per
 * four rows. At decode the cost is reading the weights, which is why they are stored small and why callers may split
 * the outputs. Serial. A is [R, K], B transposed [R, N]. f16 saturates at its largest finite value.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum lora_type { LORA_F32, LORA_F16 };
static inline size_t lora_element_bytes(enum lora_type type) { return type == LORA_F16 ? 2 : 4; }

void lora_store(enum lora_type type, const float *x, int64_t n, void *out);
/* u[t, r] = x[t, :] . a[r, :] */
void lora_down(enum lora_type type, const float *x, int64_t ldx, int64_t rows, const void *a, int64_t k, int32_t rank, float *u);
/* y[t, j] += scale * sum over r of u[t, r] bt[r, j], j in [from, to) */
void lora_up(enum lora_type type, const float *u, int64_t rows, int32_t rank, const void *bt, int64_t n, int64_t from, int64_t to, float scale, float *y, int64_t ldy);

/* One ISA level's kernels: x, u, y of exactly R rows (1..4), chosen by lora_down and lora_up. */
struct lora_kernels {
	void (*store)(const float *x, int64_t n, uint16_t *out);
	void (*down)(enum lora_type type, int rows, const float *x, int64_t ldx, const void *a, int64_t k, int32_t rank, float *u);
	void (*up)(enum lora_type type, int rows, const float *u, int32_t rank, const void *bt, int64_t n, int64_t from, int64_t to, float scale, float *y, int64_t ldy);
};
