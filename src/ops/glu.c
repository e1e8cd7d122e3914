/* glu.c: splits the rows; the arithmetic is in rows_kernels.c. */
#include "ops/glu.h"

#include "ops/kernels.h"

void glu_forward(const float *gate, int64_t ldg, const float *up, int64_t ldu, float *out, int64_t ldo, struct glu_shape s, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, s.rows, 1, &from, &to);
	ops_kernels()->glu(s.gelu, gate + from * ldg, ldg, up + from * ldu, ldu, out + from * ldo, ldo, to - from, s.width);
}

void glu_backward(const float *gate, int64_t ldg, const float *up, int64_t ldu, const float *dout, int64_t lddo, float *dgate, int64_t lddg,
		  float *dup, int64_t lddu, struct glu_shape s, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, s.rows, 1, &from, &to);
	ops_kernels()->glu_backward(s.gelu, gate + from * ldg, ldg, up + from * ldu, ldu, dout + from * lddo, lddo, dgate + from * lddg, lddg,
				    dup + from * lddu, lddu, to - from, s.width);
}
