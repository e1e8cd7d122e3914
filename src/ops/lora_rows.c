/* lora_rows.c: blocks of four rows, and the choice of the ISA level. */
#include "ops/lora_rows.h"

#include "ops/kernels.h"
#include <string.h>

extern const struct lora_kernels lora_kernels_base, lora_kernels_avx2, lora_kernels_avx512;

/* The same level as every other op. */
static const struct lora_kernels *kernels(void)
{
	const struct ops_kernels *best = ops_kernels();
#ifdef __x86_64__
	if (best == ops_kernels_level(OPS_AVX512))
		return &lora_kernels_avx512;
	if (best == ops_kernels_level(OPS_AVX2))
		return &lora_kernels_avx2;
#endif
	(void)best;
	return &lora_kernels_base;
}

/* Element i of rank r is at w[i * step + r * rank_step]. */
static void store(enum lora_type type, const float *w, int64_t size, int64_t step, int32_t rank, int64_t rank_step, char *out)
{
	for (int64_t block = 0; block < size; block += LORA_BLOCK)
		for (int32_t r = 0; r < rank; r++) {
			float lanes[LORA_BLOCK] = {0};
			for (int64_t i = block; i < size && i < block + LORA_BLOCK; i++)
				lanes[i - block] = w[i * step + r * rank_step];
			char *to = out + (size_t)(block * rank + r * LORA_BLOCK) * lora_element_bytes(type);
			if (type == LORA_F16)
				kernels()->store(lanes, LORA_BLOCK, (uint16_t *)to);
			else
				memcpy(to, lanes, sizeof lanes);
		}
}

void lora_store_a(enum lora_type type, const float *a, int64_t k, int32_t rank, void *out)
{
	store(type, a, k, 1, rank, k, out);
}

void lora_store_b(enum lora_type type, const float *b, int64_t n, int32_t rank, void *out)
{
	store(type, b, n, rank, rank, 1, out);
}

void lora_down(enum lora_type type, const float *x, int64_t ldx, int64_t rows, const void *a, int64_t k, int32_t rank, float *u)
{
	for (int64_t t = 0; t < rows; t += 4)
		kernels()->down(type, rows - t < 4 ? (int)(rows - t) : 4, x + t * ldx, ldx, a, k, rank, u + t * rank);
}

void lora_up(enum lora_type type, const float *u, int64_t rows, int32_t rank, const void *b, int64_t from, int64_t to, float scale, float *y, int64_t ldy)
{
	for (int64_t t = 0; t < rows; t += 4)
		kernels()->up(type, rows - t < 4 ? (int)(rows - t) : 4, u + t * rank, rank, b, from, to, scale, y + t * ldy, ldy);
}
