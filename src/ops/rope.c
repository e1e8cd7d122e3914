/* rope.c: the angle table, and splitting the rows. */
#include "ops/rope.h"

#include "ops/kernels.h"

#include <math.h>

void rope_table(const int32_t *positions, int64_t rows, const float *inv_freq, int32_t dims, float magnitude, float *table, struct worker worker)
{
	int64_t from, to, half = dims / 2;
	worker_range(worker, rows, 1, &from, &to);
	for (int64_t t = from; t < to; t++)
		for (int64_t i = 0; i < half; i++) {
			float angle = (float)positions[t] * inv_freq[i];
			table[t * dims + i] = magnitude * cosf(angle);
			table[t * dims + half + i] = magnitude * sinf(angle);
		}
}

static void turn(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, struct rope_shape s, bool inverse, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, s.rows, 1, &from, &to);
	ops_kernels()->rope(x + from * ldx, ldx, table + from * s.dims, y + from * ldy, ldy, to - from, s.width, s.d, s.dims, inverse);
}

void rope_forward(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, struct rope_shape s, struct worker worker)
{
	turn(x, ldx, table, y, ldy, s, false, worker);
}

void rope_backward(const float *dy, int64_t lddy, const float *table, float *dx, int64_t lddx, struct rope_shape s, struct worker worker)
{
	turn(dy, lddy, table, dx, lddx, s, true, worker);
}
