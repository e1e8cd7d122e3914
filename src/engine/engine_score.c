/* engine_score.c: logits and likelihood of a text, outside the scheduler: runs on the caller's thread in slot 0 while the engine's
 * thread has nothing to do. */
#include "engine/engine_internal.h"

enum { ROWS = 16 };

static int check(const struct engine *e, const int32_t *ids, size_t n, size_t least, int32_t adapter, struct err *err)
{
	if (n < least || n > (size_t)e->options.max_model_len)
		return err_set(err, ERR_LIMIT, "%zu tokens given, from %zu to %d are possible", n, least, e->options.max_model_len);
	for (size_t i = 0; i < n; i++)
		if (ids[i] < 0 || ids[i] >= e->model->config.vocab)
			return err_set(err, ERR_INVALID, "token %zu is %d, outside the vocabulary", i, ids[i]);
	if (adapter >= LIMIT_ADAPTERS || (adapter >= 0 && e->adapters[adapter].lora == NULL))
		return err_set(err, ERR_NOT_FOUND, "no such adapter");
	return 0;
}

/* Called for each batch of rows [first, first + rows) of the text. */
typedef void visit_fn(struct engine *e, int32_t first, int32_t rows, void *arg);

static void walk(struct engine *e, const int32_t *ids, int32_t n, int32_t adapter, visit_fn *visit, void *arg)
{
	const struct lora *loras[LIMIT_ADAPTERS];
	pthread_mutex_lock(&e->mu);
	for (int i = 0; i < LIMIT_ADAPTERS; i++)
		loras[i] = e->adapters[i].lora;
	e->slots[0].n_cached = 0;
	pthread_mutex_unlock(&e->mu);
	bool is_long = model_rope_is_long(&e->model->config, n);
	for (int32_t first = 0; first < n; first += e->options.prefill_chunk) {
		int32_t rows = n - first < e->options.prefill_chunk ? n - first : e->options.prefill_chunk;
		struct segment s = {.slot = 0, .rows = rows, .first = first, .adapter = adapter, .long_rope = is_long};
		struct batch b = {.rows = rows, .n_segments = 1, .ids = ids + first, .segments = &s};
		forward_run(e->forward, &(struct forward_job){.batch = &b, .adapters = loras});
		visit(e, first, rows, arg);
	}
}

struct last { int32_t n; float *out; };

static void copy_last(struct engine *e, int32_t first, int32_t rows, void *arg)
{
	const struct last *l = arg;
	if (first + rows < l->n)
		return;
	forward_more_logits(e->forward, &(int32_t){rows - 1}, 1);
	memcpy(l->out, forward_logits(e->forward, 0), (size_t)e->model->config.vocab * sizeof *l->out);
}

int engine_logits(struct engine *e, const int32_t *ids, size_t n, int32_t adapter, float *out, struct err *err)
{
	if (check(e, ids, n, 1, adapter, err) < 0)
		return -1;
	walk(e, ids, (int32_t)n, adapter, copy_last, &(struct last){.n = (int32_t)n, .out = out});
	return 0;
}

struct nll { const int32_t *ids; int32_t n; double sum; };

static void add_nll(struct engine *e, int32_t first, int32_t rows, void *arg)
{
	struct nll *l = arg;
	for (int32_t at = 0; at < rows; at += ROWS) {
		int32_t numbers[ROWS], n = rows - at < ROWS ? rows - at : ROWS;
		for (int32_t i = 0; i < n; i++)
			numbers[i] = at + i;
		forward_more_logits(e->forward, numbers, n);
		for (int32_t i = 0; i < n && first + at + i + 1 < l->n; i++) {
			const float *logits = forward_logits(e->forward, i);
			l->sum += sampler_log_norm(logits, e->model->config.vocab) - logits[l->ids[first + at + i + 1]];
		}
	}
}

int engine_nll(struct engine *e, const int32_t *ids, size_t n, int32_t adapter, double *mean_nll, struct err *err)
{
	struct nll l = {.ids = ids, .n = (int32_t)n};
	if (check(e, ids, n, 2, adapter, err) < 0)
		return -1;
	walk(e, ids, l.n, adapter, add_nll, &l);
	*mean_nll = l.sum / (l.n - 1);
	return 0;
}
