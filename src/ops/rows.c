/* rows.c: splits the rows; the arithmetic is in rows_kernels.c. */
#include "ops/rows.h"

#include "ops/kernels.h"

#include <string.h>

void rows_add(const float *a, int64_t lda, const float *b, int64_t ldb, float *out, int64_t ldo, int64_t rows, int64_t width, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	ops_kernels()->add(a + from * lda, lda, b + from * ldb, ldb, out + from * ldo, ldo, to - from, width);
}

void rows_softmax(float *x, int64_t ldx, int64_t rows, int64_t width, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	ops_kernels()->softmax(x + from * ldx, ldx, to - from, width);
}

void rows_to_bf16(const float *x, int64_t ldx, uint16_t *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	ops_kernels()->to_bf16(x + from * ldx, ldx, y + from * ldy, ldy, to - from, width);
}

void rows_from_bf16(const uint16_t *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	ops_kernels()->from_bf16(x + from * ldx, ldx, y + from * ldy, ldy, to - from, width);
}

void rows_copy(const float *x, int64_t ldx, float *y, int64_t ldy, int64_t rows, int64_t width, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	for (int64_t t = from; t < to; t++)
		memcpy(y + t * ldy, x + t * ldx, (size_t)width * sizeof *y);
}
