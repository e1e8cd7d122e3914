/* trainer_eval.c: loss over the held-out rows (mean over their tokens), and what follows from it. */
#include "tune/trainer.h"

#include "base/clock.h"
#include "tune/history.h"
#include <math.h>

struct totals { double loss; int64_t labels, batches; };

static int evaluate_units(struct trainer *t, struct totals *sum, struct err *err)
{
	const struct units *u = &t->s->eval;
	int64_t per_batch = t->s->config.training.per_device_eval_batch_size;
	for (int64_t from = 0; from < u->count;) {
		int64_t list[64], n = 0, rows = 0, labels = 0;
		double loss = 0;
		while (n < 64 && n < per_batch && from < u->count && rows + units_length(u, from) <= t->batch.max_rows) {
			rows += units_length(u, from);
			list[n++] = from++;
		}
		if (batch_fill(&t->batch, u, &t->s->examples, list, n, err) < 0)
			return -1;
		struct micro_batch b = batch_view(&t->batch);
		if (trainstep_evaluate(t->s->step, &b, &loss, &labels, err) < 0)
			return -1;
		sum->loss += loss;
		sum->labels += labels;
		sum->batches++;
	}
	return 0;
}

/* Best so far: remembered with its parameters when the run is to end with them. */
static void note_best(struct trainer *t, double loss)
{
	const struct config_training *c = &t->s->config.training;
	const struct lora *lora = trainstep_lora(t->s->step);
	double gain = c->greater_is_better == 1 ? loss - t->best : t->best - loss;
	if (!isnan(t->best) && gain <= 0) {
		t->evals_without_gain++;
		return;
	}
	bool enough = isnan(t->best) || gain > t->s->options->early_stopping_threshold;
	t->evals_without_gain = enough ? 0 : t->evals_without_gain + 1;
	t->best = loss;
	t->best_step = t->step;
	if (t->best_parameters)
		memcpy(t->best_parameters, lora->p, lora->n * sizeof *lora->p);
}

int trainer_evaluate(struct trainer *t, struct err *err)
{
	struct totals sum = {0};
	int64_t start = clock_now_ns();
	if (evaluate_units(t, &sum, err) < 0)
		return -1;
	double loss = sum.loss / (double)(sum.labels ? sum.labels : 1), seconds = (double)(clock_now_ns() - start) / 1e9;
	history_add_eval(t->history, &(struct history_eval){t->step, plan_epoch_after(&t->s->plan, t->step), loss, seconds, t->s->n_eval, sum.batches});
	progress_say(&t->s->progress, "step %lld  eval_loss %.4f  perplexity %.4g", (long long)t->step, loss, exp(loss));
	metrics_set(tune_server_metrics(t->s->server), TUNE_EVAL_LOSS, NULL, loss);
	metrics_set(tune_server_metrics(t->s->server), TUNE_EVAL_PERPLEXITY, NULL, exp(loss));
	if (!isfinite(loss))
		return err_set(err, ERR_DIVERGED, "the evaluation loss is not a number at step %lld", (long long)t->step);
	note_best(t, loss);
	t->window_ns += clock_now_ns() - start; /* evaluation is not training time */
	return 0;
}
