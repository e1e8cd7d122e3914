/* rms_norm.c: splits the rows; the arithmetic is in rows_kernels.c. */
#include "ops/rms_norm.h"

#include "ops/kernels.h"

void rms_norm_forward(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, struct norm_shape s, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, s.rows, 1, &from, &to);
	ops_kernels()->rms_norm(x + from * ldx, ldx, w, y + from * ldy, ldy, to - from, s.width, s.d, s.eps);
}

void rms_norm_backward(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
		       struct norm_shape s, bool accumulate, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, s.rows, 1, &from, &to);
	ops_kernels()->rms_norm_backward(x + from * ldx, ldx, w, dy + from * lddy, lddy, dx + from * lddx, lddx, to - from, s.width, s.d, s.eps,
					 accumulate);
}
