/* cross_entropy.c: splits the rows; the arithmetic is in rows_kernels.c. */
#include "ops/cross_entropy.h"

#include "ops/kernels.h"

void cross_entropy_rows(float *logits, int64_t ld, int64_t rows, int64_t vocab, const int32_t *labels, float scale, bool gradient, float *losses,
			struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	for (int64_t t = from; t < to; t++)
		losses[t] = ops_kernels()->cross_entropy(logits + t * ld, vocab, labels[t], scale, gradient);
}
