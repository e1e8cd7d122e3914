/* gemm_kernels.c: small float32 products for the parts of a step that are not frozen weights: LoRA's rank-r products and
 * the tiles of attention. Register blocks of 4 rows x BLOCK vectors; B is read as it lies, A by broadcast, so neither is
 * packed. Operands are expected to fit the caches (tiles, or r rows). Every element of C is one fixed sequence of
 * multiply-adds over k, whatever the neighbours: independent of how the caller splits m and n. Compiled once per ISA level.
 */
#include "ops/kernels_isa.h"
#include "ops/simd.h"

#if SIMD == 16
#define BLOCK 4
#else
#define BLOCK 2
#endif

/* mr x nr vectors of C at (i, j); constants after inlining, so that the sums stay in registers. */
INLINE void block_nn(const struct gemm *g, int64_t i, int64_t j, const int mr, const int nr)
{
	vf sum[4][BLOCK];
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++)
			sum[r][c] = (vf){0};
	const float *a = g->a + i * g->a_row, *b = g->b + j;
	for (int64_t k = 0; k < g->k; k++, a += g->a_col, b += g->ldb) {
		vf line[BLOCK];
		for (int c = 0; c < nr; c++)
			line[c] = simd_load(b + c * SIMD);
		for (int r = 0; r < mr; r++) {
			vf x = simd_set(a[r * g->a_row]);
			for (int c = 0; c < nr; c++)
				sum[r][c] += x * line[c];
		}
	}
	vf alpha = simd_set(g->alpha);
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++) {
			float *to = g->c + (i + r) * g->ldc + j + c * SIMD;
			simd_store(to, g->accumulate ? simd_load(to) + alpha * sum[r][c] : alpha * sum[r][c]);
		}
}

/* The last n % SIMD columns. */
static void tail_nn(const struct gemm *g, int64_t j)
{
	for (int64_t i = 0; i < g->m; i++) {
		vf sum = {0};
		for (int64_t k = 0; k < g->k; k++)
			sum += simd_set(g->a[i * g->a_row + k * g->a_col]) * simd_load_part(g->b + k * g->ldb + j, g->n - j);
		float *to = g->c + i * g->ldc + j;
		sum *= simd_set(g->alpha);
		simd_store_part(to, g->accumulate ? simd_load_part(to, g->n - j) + sum : sum, g->n - j);
	}
}

INLINE void column_nn(const struct gemm *g, int64_t j, const int nr)
{
	int64_t i = 0;
	for (; i + 4 <= g->m; i += 4)
		block_nn(g, i, j, 4, nr);
	for (; i < g->m; i++)
		block_nn(g, i, j, 1, nr);
}

void KERNEL(gemm_nn)(const struct gemm *g)
{
	int64_t j = 0;
	for (; j + BLOCK * SIMD <= g->n; j += BLOCK * SIMD)
		column_nn(g, j, BLOCK);
	for (; j + SIMD <= g->n; j += SIMD)
		column_nn(g, j, 1);
	if (j < g->n)
		tail_nn(g, j);
}

/* mr x nr dot products along k. */
INLINE void block_nt(const struct gemm *g, int64_t i, int64_t j, const int mr, const int nr)
{
	vf sum[4][4];
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++)
			sum[r][c] = (vf){0};
	int64_t k = 0;
	for (; k + SIMD <= g->k; k += SIMD) {
		vf y[4];
		for (int c = 0; c < nr; c++)
			y[c] = simd_load(g->b + (j + c) * g->ldb + k);
		for (int r = 0; r < mr; r++) {
			vf x = simd_load(g->a + (i + r) * g->a_row + k);
			for (int c = 0; c < nr; c++)
				sum[r][c] += x * y[c];
		}
	}
	if (k < g->k)
		for (int r = 0; r < mr; r++)
			for (int c = 0; c < nr; c++)
				sum[r][c] += simd_load_part(g->a + (i + r) * g->a_row + k, g->k - k) * simd_load_part(g->b + (j + c) * g->ldb + k, g->k - k);
	for (int r = 0; r < mr; r++)
		for (int c = 0; c < nr; c++) {
			float *to = g->c + (i + r) * g->ldc + j + c, dot = g->alpha * simd_sum(sum[r][c]);
			*to = g->accumulate ? *to + dot : dot;
		}
}

INLINE void column_nt(const struct gemm *g, int64_t j, const int nr)
{
	int64_t i = 0;
	for (; i + 4 <= g->m; i += 4)
		block_nt(g, i, j, 4, nr);
	for (; i < g->m; i++)
		block_nt(g, i, j, 1, nr);
}

void KERNEL(gemm_nt)(const struct gemm *g)
{
	int64_t j = 0;
	for (; j + 4 <= g->n; j += 4)
		column_nt(g, j, 4);
	for (; j < g->n; j++)
		column_nt(g, j, 1);
}
