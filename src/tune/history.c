/* history.c: see history.h. */
#include "tune/history.h"

#include <math.h>

void history_add_train(json_t *log_history, const struct history_train *h)
{
	json_array_append_new(log_history, json_pack("{s:f, s:f, s:f, s:f, s:I, s:I}", "loss", h->loss, "grad_norm", h->grad_norm, "learning_rate",
						     h->learning_rate, "epoch", h->epoch, "num_tokens", (json_int_t)h->tokens, "step", (json_int_t)h->step));
}

static double per_second(int64_t n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

void history_add_eval(json_t *log_history, const struct history_eval *h)
{
	double perplexity = h->loss < 700 ? exp(h->loss) : HUGE_VAL;
	json_t *entry = json_pack("{s:f, s:f, s:f, s:f, s:f, s:I}", "eval_loss", h->loss, "eval_runtime", h->seconds, "eval_samples_per_second",
				  per_second(h->rows, h->seconds), "eval_steps_per_second", per_second(h->batches, h->seconds), "epoch", h->epoch,
				  "step", (json_int_t)h->step);
	if (isfinite(perplexity))
		json_object_set_new(entry, "eval_perplexity", json_real(perplexity));
	json_array_append_new(log_history, entry);
}

void history_add_end(json_t *log_history, const struct history_end *h)
{
	json_array_append_new(log_history, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "train_loss", h->loss, "train_runtime", h->seconds,
						     "train_samples_per_second", per_second(h->rows, h->seconds), "train_steps_per_second",
						     per_second(h->step, h->seconds), "total_flos", 0.0, "epoch", h->epoch, "step", (json_int_t)h->step));
}

static json_t *steps_number(double v) { return v == floor(v) ? json_integer((json_int_t)v) : json_real(v); }

json_t *history_trainer_state(const json_t *log_history, const struct history_state *s)
{
	json_t *copy = json_deep_copy(log_history);
	bool has_best = isfinite(s->best_metric);
	return json_pack("{s:o, s:o, s:s?, s:f, s:o, s:I, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:o, s:o, s:{}, s:f, s:I, s:n, s:n}",
			 "best_global_step", has_best ? json_integer(s->best_step) : json_null(), "best_metric",
			 has_best ? json_real(s->best_metric) : json_null(), "best_model_checkpoint", s->best_checkpoint, "epoch", s->epoch, "eval_steps",
			 s->eval_steps > 0 ? steps_number(s->eval_steps) : json_null(), "global_step", (json_int_t)s->step, "is_hyper_param_search", 0,
			 "is_local_process_zero", 1, "is_world_process_zero", 1, "log_history", copy, "logging_steps", steps_number(s->logging_steps),
			 "max_steps", (json_int_t)s->total_steps, "num_input_tokens_seen", (json_int_t)s->tokens, "num_train_epochs", steps_number(s->epochs),
			 "save_steps", steps_number(s->save_steps), "stateful_callbacks", "total_flos", 0.0, "train_batch_size", (json_int_t)s->batch,
			 "trial_name", "trial_params");
}
