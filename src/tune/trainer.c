/* trainer.c: see trainer.h. What happens after an update follows transformers' order: log, evaluate, publish. */
#include "tune/trainer.h"

#include "base/clock.h"
#include "tune/history.h"
#include "tune/identity.h"
#include <math.h>

static bool stop_wanted(const struct trainer *t) { return t->s->options->stop && atomic_load_explicit(t->s->options->stop, memory_order_relaxed); }
double trainer_seconds(const struct trainer *t) { return t->seconds_before + (double)(clock_now_ns() - t->started_ns) / 1e9; }

static const int64_t *order_of(struct trainer *t, int64_t epoch)
{
	if (t->order_epoch != epoch)
		plan_order(&t->s->plan, epoch, t->order);
	t->order_epoch = epoch;
	return t->order;
}

/* Calls fn for groups of units that fit one pass. */
static int for_passes(struct trainer *t, const struct units *u, const int64_t *list, int64_t n,
		      int (*fn)(struct trainer *t, const struct micro_batch *b, void *arg, struct err *err), void *arg, struct err *err)
{
	for (int64_t from = 0; from < n;) {
		int64_t to = from, rows = 0;
		while (to < n && rows + units_length(u, list[to]) <= t->batch.max_rows)
			rows += units_length(u, list[to++]);
		if (to == from)
			return err_set(err, ERR_INTERNAL, "a row is longer than the planned %d tokens", t->batch.max_rows);
		if (batch_fill(&t->batch, u, &t->s->examples, list + from, to - from, err) < 0)
			return -1;
		struct micro_batch b = batch_view(&t->batch);
		if (fn(t, &b, arg, err) < 0)
			return -1;
		from = to;
	}
	return 0;
}

struct update { int64_t labels, tokens; double loss; };

static int count_pass(struct trainer *t, const struct micro_batch *b, void *arg, struct err *err)
{
	struct update *u = arg;
	(void)t, (void)err;
	u->labels += trainstep_count_labels(b);
	u->tokens += b->rows;
	return 0;
}

static int train_pass(struct trainer *t, const struct micro_batch *b, void *arg, struct err *err)
{
	struct update *u = arg;
	double sum = 0;
	if (stop_wanted(t))
		return err_set(err, ERR_CANCELLED, "stopped");
	if (trainstep_accumulate(t->s->step, b, u->labels, &sum, err) < 0)
		return -1;
	u->loss += sum;
	return 0;
}

/* One update: its labels are counted first, as the loss is their mean over all passes. */
static int make_update(struct trainer *t, struct update *u, struct err *err)
{
	struct tune_session *s = t->s;
	const struct config_training *c = &s->config.training;
	struct plan_position at = plan_update(&s->plan, t->step);
	int64_t first = at.first_batch * s->plan.batch, n = at.n_batches * s->plan.batch;
	const int64_t *list = order_of(t, at.epoch) + first;
	if (n > s->plan.units - first)
		n = s->plan.units - first;
	if (for_passes(t, &s->train, list, n, count_pass, u, err) < 0)
		return -1;
	if (u->labels == 0) /* wrapped packing can cut a row that is all prompt */
		u->labels = 1;
	if (for_passes(t, &s->train, list, n, train_pass, u, err) < 0)
		return -1;
	u->loss /= (double)u->labels;
	struct trainstep_adamw adamw = {c->adam_beta1, c->adam_beta2, c->adam_epsilon, c->weight_decay, c->max_grad_norm};
	t->last_lr = schedule_lr(&s->schedule, t->step);
	return trainstep_update(s->step, t->last_lr, &adamw, &t->last_norm, err);
}

static void count_update(struct trainer *t, const struct update *u)
{
	t->step++;
	t->tokens += u->tokens;
	t->window_tokens += u->tokens;
	t->window_loss += u->loss;
	t->window_updates++;
	t->all_loss += u->loss;
	t->last_loss = u->loss;
}

static struct progress_step progress_of(const struct trainer *t, double loss)
{
	double seconds = (double)(clock_now_ns() - t->window_ns) / 1e9;
	double speed = t->window_tokens && seconds > 1e-3 ? (double)t->window_tokens / seconds : t->tokens_per_second;
	double per_update = (double)t->tokens / (double)(t->step ? t->step : 1);
	return (struct progress_step){.step = t->step, .total = t->s->plan.total_updates, .epoch = plan_epoch_after(&t->s->plan, t->step), .loss = loss,
				      .learning_rate = t->last_lr, .grad_norm = t->last_norm, .tokens_per_second = speed,
				      .eta_seconds = speed > 0 ? (double)(t->s->plan.total_updates - t->step) * per_update / speed : NAN};
}

static void set_metrics(struct trainer *t, const struct progress_step *p, const struct update *u)
{
	struct metrics *m = tune_server_metrics(t->s->server);
	metrics_set(m, TUNE_STEP, NULL, (double)p->step);
	metrics_set(m, TUNE_EPOCH, NULL, p->epoch);
	metrics_set(m, TUNE_LOSS, NULL, p->loss);
	metrics_set(m, TUNE_LEARNING_RATE, NULL, p->learning_rate);
	metrics_set(m, TUNE_GRAD_NORM, NULL, p->grad_norm);
	metrics_add(m, TUNE_TOKENS, NULL, (double)u->tokens);
	metrics_set(m, TUNE_TOKENS_PER_SECOND, NULL, p->tokens_per_second);
	if (isfinite(p->eta_seconds))
		metrics_set(m, TUNE_ETA_SECONDS, NULL, p->eta_seconds);
}

/* An interval given as a number of updates, or below 1 as a share of all. */
static int64_t interval(const struct trainer *t, double steps)
{
	double n = steps < 1 ? ceil(steps * (double)t->s->plan.total_updates) : floor(steps);
	return n < 1 ? 1 : n > 1e15 ? (int64_t)1e15 : (int64_t)n;
}

static bool is_due(const struct trainer *t, const char *strategy, double steps)
{
	if (strcmp(strategy, "steps") == 0)
		return t->step % interval(t, steps) == 0;
	return strcmp(strategy, "epoch") == 0 && (t->step % t->s->plan.updates_per_epoch == 0 || t->step == t->s->plan.total_updates);
}

static void log_window(struct trainer *t)
{
	const struct progress_step p = progress_of(t, t->window_loss / (double)t->window_updates);
	history_add_train(t->history, &(struct history_train){t->step, t->tokens, p.epoch, p.loss, p.grad_norm, p.learning_rate});
	progress_log(&t->s->progress, &p);
	t->tokens_per_second = p.tokens_per_second;
	t->window_loss = 0;
	t->window_updates = 0;
	t->window_tokens = 0;
	t->window_ns = clock_now_ns();
}

static bool log_is_due(const struct trainer *t)
{
	const struct config_training *c = &t->s->config.training;
	if (strcmp(c->logging_strategy, "no") == 0)
		return false;
	return is_due(t, c->logging_strategy, c->logging_steps) || t->step == t->s->plan.total_updates || (c->logging_first_step && t->step == 1);
}

static bool eval_is_due(const struct trainer *t)
{
	const struct config_training *c = &t->s->config.training;
	double now = strcmp(c->eval_strategy, "epoch") == 0 ? plan_epoch_after(&t->s->plan, t->step) : (double)t->step;
	return now >= c->eval_delay && is_due(t, c->eval_strategy, c->eval_steps > 0 ? c->eval_steps : c->logging_steps);
}

static bool publish_is_due(const struct trainer *t, bool improved)
{
	const struct config_training *c = &t->s->config.training;
	if (strcmp(c->save_strategy, "best") == 0)
		return improved;
	bool last = strcmp(c->save_strategy, "no") != 0 && t->step == t->s->plan.total_updates;
	return last || is_due(t, c->save_strategy, c->save_steps);
}

static int after_update(struct trainer *t, struct err *err)
{
	bool improved = false;
	if (log_is_due(t))
		log_window(t);
	if (eval_is_due(t)) {
		if (trainer_evaluate(t, err) < 0)
			return -1;
		improved = t->best_step == t->step;
		int64_t patience = t->s->options->early_stopping_patience;
		t->stopped_early = patience && t->evals_without_gain >= patience;
	}
	struct err fault = ERR_INIT;
	if (publish_is_due(t, improved) && publish_checkpoint(t, &fault) < 0)
		progress_say(&t->s->progress, "warning: checkpoint-%lld was not published: %s", (long long)t->step, fault.message);
	return 0;
}

static bool save_is_due(const struct trainer *t)
{
	const struct tune_options *o = t->s->options;
	if (o->checkpoint_steps && t->step - t->saved_step >= o->checkpoint_steps)
		return true;
	return o->checkpoint_seconds > 0 && (double)(clock_now_ns() - t->saved_ns) / 1e9 >= o->checkpoint_seconds;
}

/* A checkpoint that cannot be written (disk full) does not end a run that is going well: it is tried again at the next
 * interval, and the old checkpoint stays. */
static void save_if_due(struct trainer *t)
{
	struct err fault = ERR_INIT;
	if (!save_is_due(t) || trainer_save(t, &fault) == 0)
		return;
	t->saved_step = t->step;
	t->saved_ns = clock_now_ns();
	progress_say(&t->s->progress, "warning: step %lld: no resume checkpoint: %s", (long long)t->step, fault.message);
}

static int save_and_stop(struct trainer *t, struct err *err)
{
	progress_end(&t->s->progress);
	if (trainer_save(t, err) < 0)
		return err_wrap(err, "stopped at step %lld, and it could not be saved", (long long)t->step);
	return err_set(err, ERR_SAVED, "stopped at step %lld of %lld; saved: the same command continues from there", (long long)t->step,
		       (long long)t->s->plan.total_updates);
}

static int run_update(struct trainer *t, struct err *err)
{
	struct update u = {0};
	int rc = make_update(t, &u, err);
	if (rc == 0 && !isfinite(u.loss))
		rc = err_set(err, ERR_DIVERGED, "the loss is not a number");
	if (rc < 0)
		return err && err->kind == ERR_DIVERGED ? err_wrap(err, "step %lld (try a lower learning_rate)", (long long)t->step + 1) : -1;
	count_update(t, &u);
	struct progress_step p = progress_of(t, u.loss);
	set_metrics(t, &p, &u);
	progress_update(&t->s->progress, &p);
	return after_update(t, err);
}

int trainer_run(struct trainer *t, struct err *err)
{
	if (t->step == 0 && t->s->config.training.eval_on_start && t->s->n_eval && trainer_evaluate(t, err) < 0)
		return -1;
	while (t->step < t->s->plan.total_updates && !t->stopped_early) {
		if (stop_wanted(t))
			return save_and_stop(t, err);
		if (run_update(t, err) < 0)
			return stop_wanted(t) && err && err->kind == ERR_CANCELLED ? save_and_stop(t, err) : -1;
		save_if_due(t);
	}
	progress_end(&t->s->progress);
	if (t->stopped_early)
		progress_say(&t->s->progress, "early stop at step %lld: no gain since step %lld", (long long)t->step, (long long)t->best_step);
	return 0;
}

int trainer_open(struct trainer *t, struct tune_session *s, struct err *err)
{
	size_t n = trainstep_lora(s->step)->n;
	*t = (struct trainer){.s = s, .history = json_array(), .best = NAN, .order_epoch = -1, .last_loss = NAN, .started_ns = clock_now_ns()};
	batch_init(&t->batch, s->max_rows);
	t->order = mem_array((size_t)s->plan.units + 1, sizeof *t->order);
	if (s->config.training.load_best_model_at_end)
		t->best_parameters = mem_array(n, sizeof *t->best_parameters);
	if (identity_of(s, &t->identity, err) < 0 || trainer_restore(t, err) < 0) {
		trainer_close(t);
		return -1;
	}
	t->window_ns = t->saved_ns = clock_now_ns();
	return 0;
}

void trainer_close(struct trainer *t)
{
	batch_done(&t->batch);
	free(t->order);
	free(t->best_parameters);
	json_decref(t->identity);
	json_decref(t->history);
	*t = (struct trainer){0};
}
