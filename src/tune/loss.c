/* loss.c: see loss.h. */
#include "tune/loss.h"

#include "ops/cross_entropy.h"
#include "ops/rms_norm.h"
#include <string.h>

#define LOGITS_BYTES ((size_t)32 << 20) /* about the last-level cache of one machine: past it, chunks stop paying */

int32_t loss_chunk_rows(const struct model *m, int32_t rows_max)
{
	size_t rows = LOGITS_BYTES / ((size_t)m->config.vocab * sizeof(float)) / 16 * 16;
	rows = rows < 32 ? 32 : rows;
	return rows < (size_t)rows_max ? (int32_t)rows : rows_max;
}

void loss_embed(const struct model *m, const int32_t *ids, int32_t rows, float *x, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 1, &from, &to);
	for (int64_t t = from; t < to; t++)
		mat_row_f32(&m->token_embd, ids[t], x + t * m->config.hidden);
	pool_barrier(worker);
}

static const struct worker alone = {0, 1, NULL};

/* Rows [from, to) of the chunk that starts at labelled row `start`. */
static void norm_rows(const struct loss_head *h, const float *x, int32_t start, int64_t from, int64_t to)
{
	int64_t c = h->model->config.hidden;
	for (int64_t i = from; i < to; i++)
		rms_norm_forward(x + h->rows[start + i] * c, c, h->model->output_norm, h->hidden + i * c, c,
				 (struct norm_shape){1, c, c, h->model->config.norm_eps}, alone);
}

static void norm_rows_backward(const struct loss_head *h, const float *x, float *dx, int32_t start, int64_t from, int64_t to)
{
	int64_t c = h->model->config.hidden;
	for (int64_t i = from; i < to; i++) {
		int64_t row = h->rows[start + i] * c;
		rms_norm_backward(x + row, c, h->model->output_norm, h->dhidden + i * c, c, dx + row, c, (struct norm_shape){1, c, c, h->model->config.norm_eps},
				  false, alone);
	}
}

static void chunk(const struct loss_head *h, const float *x, float *dx, int32_t start, int32_t count, float scale, struct worker worker)
{
	int64_t c = h->model->config.hidden, v = h->model->config.vocab, from, to;
	struct mat_input in = {.x = h->hidden, .rows = count, .cols = c, .scratch = h->input_scratch};
	worker_range(worker, count, 1, &from, &to);
	norm_rows(h, x, start, from, to);
	pool_barrier(worker);
	mat_input_prepare(&in, &h->model->head, h->compute, worker);
	pool_barrier(worker);
	mat_forward(&h->model->head, &in, h->compute, h->logits, v, false, worker);
	pool_barrier(worker);
	cross_entropy_rows(h->logits, v, count, v, h->labels + start, scale, dx != NULL, h->losses + start, worker);
	pool_barrier(worker);
	if (!dx)
		return;
	mat_backward(&h->model->head, h->logits, v, count, h->compute, h->dhidden, c, false, h->back_scratch, worker);
	pool_barrier(worker);
	norm_rows_backward(h, x, dx, start, from, to);
	pool_barrier(worker);
}

void loss_rows(const struct loss_head *h, const float *x, float *dx, int32_t rows, float scale, struct worker worker)
{
	int32_t chunks = (h->n + h->chunk_max - 1) / h->chunk_max;
	if (dx && worker.index == 0)
		memset(dx, 0, (size_t)rows * (size_t)h->model->config.hidden * sizeof *dx);
	pool_barrier(worker);
	for (int32_t i = 0; i < chunks; i++) {
		int32_t from = (int32_t)((int64_t)h->n * i / chunks), to = (int32_t)((int64_t)h->n * (i + 1) / chunks);
		chunk(h, x, dx, from, to - from, scale, worker);
	}
}
