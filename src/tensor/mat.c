/* Weight matrices and their two products: the plain C version over source rows, float32 throughout. */
#include "tensor/mat.h"
#include "tensor/nf4.h"
#include "base/mem.h"
#include <assert.h>

void mat_row_f32(const struct mat *m, int64_t row, float *out)
{
	int64_t r = mat_source_row(m, row);
	if (m->type == DT_NF4)
		nf4_to_f32(m->src, m->side, r * m->cols, out, m->cols);
	else if (m->type == DT_I8)
		i8_row_to_f32((const int8_t *)m->src + r * m->cols, m->side->absmax[r], out, m->cols);
	else
		dtype_traits(m->type)->to_f32((const char *)m->src + (size_t)r * m->row_bytes, out, m->cols);
}

int mat_pack(struct mat *m, enum compute compute, struct pool *pool, struct err *err)
{
	(void)m, (void)compute, (void)pool, (void)err;
	return 0;
}
void mat_pack_free(struct mat *m) { m->pack = NULL; }
size_t mat_pack_bytes(const struct mat *m) { (void)m; return 0; }
size_t mat_input_bytes(int64_t rows, int64_t cols) { (void)rows, (void)cols; return 64; }

void mat_input_prepare(struct mat_input *in, const struct mat *like, enum compute compute, struct worker w)
{
	(void)in, (void)like, (void)compute, (void)w;
}

enum { LANES = 16 };

static float dot(const float *a, const float *b, int64_t n)
{
	float lane[LANES] = {0}, sum = 0;
	int64_t i = 0;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			lane[j] += a[i + j] * b[i + j];
	for (; i < n; i++)
		sum += a[i] * b[i];
	for (int j = 0; j < LANES; j++)
		sum += lane[j];
	return sum;
}

void mat_forward(const struct mat *m, const struct mat_input *in, enum compute compute, float *y, int64_t ldy, bool accumulate, struct worker w)
{
	(void)compute;
	int64_t from, to;
	worker_range(w, m->rows, 1, &from, &to);
	float *row = mem_alloc((size_t)m->cols * sizeof *row);
	for (int64_t n = from; n < to; n++) {
		mat_row_f32(m, n, row);
		for (int64_t t = 0; t < in->rows; t++) {
			float v = dot(row, in->x + t * in->cols, m->cols);
			y[t * ldy + n] = accumulate ? y[t * ldy + n] + v : v;
		}
	}
	free(row);
}

size_t mat_backward_bytes(const struct mat *m, int64_t rows, struct pool *pool)
{
	(void)m, (void)rows, (void)pool;
	return 64;
}

void mat_backward(const struct mat *m, const float *dy, int64_t lddy, int64_t rows, enum compute compute, float *dx, int64_t lddx,
		  bool accumulate, void *scratch, struct worker w)
{
	(void)compute, (void)scratch;
	int64_t from, to;
	worker_range(w, m->cols, 1, &from, &to);
	float *row = mem_alloc((size_t)m->cols * sizeof *row);
	for (int64_t t = 0; t < rows && !accumulate; t++)
		for (int64_t k = from; k < to; k++)
			dx[t * lddx + k] = 0;
	for (int64_t n = 0; n < m->rows; n++) {
		mat_row_f32(m, n, row);
		for (int64_t t = 0; t < rows; t++) {
			float g = dy[t * lddy + n];
			float *out = dx + t * lddx;
			for (int64_t k = from; k < to; k++)
				out[k] += g * row[k];
		}
	}
	free(row);
}
