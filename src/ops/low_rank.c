/* low_rank.c: blocks the rank-r products so that their operands stay in the caches, and splits them. */
#include "ops/low_rank.h"

#include "ops/kernels.h"

#define COLUMNS 16    /* columns are dealt in units of the widest vector */

void low_rank_down(const float *x, int64_t ldx, const float *w, float *u, int64_t rows, int64_t k, int64_t r, float scale, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 4, &from, &to);
	struct gemm g = {.m = to - from, .n = r, .k = k, .a = x + from * ldx, .a_row = ldx, .a_col = 1, .b = w, .ldb = k, .c = u + from * r, .ldc = r, .alpha = scale};
	ops_kernels()->gemm_nt(&g);
}

void low_rank_up(const float *u, const float *w, float *y, int64_t ldy, int64_t rows, int64_t n, int64_t r, float scale, bool accumulate, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 4, &from, &to);
	struct gemm g = {.m = to - from, .n = n, .k = r, .a = u + from * r, .a_row = r, .a_col = 1, .b = w, .ldb = n, .c = y + from * ldy, .ldc = ldy, .alpha = scale, .accumulate = accumulate};
	ops_kernels()->gemm_nn(&g);
}

void low_rank_grad(const float *u, const float *y, int64_t ldy, float *dw, int64_t rows, int64_t n, int64_t r, float scale, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, n, COLUMNS, &from, &to);
	struct gemm g = {.m = r, .n = to - from, .k = rows, .a = u, .a_row = 1, .a_col = r, .b = y + from, .ldb = ldy, .c = dw + from, .ldc = n, .alpha = scale, .accumulate = true};
	ops_kernels()->gemm_nn(&g);
}
