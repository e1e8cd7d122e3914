/* history.h: what a run logs: Hugging Face's log_history entries, trainer_state.json, and the loss curve. */
#pragma once
#include "base/buf.h"
#include <jansson.h>
#include <stdint.h>

/* Each appends one entry to log_history (a JSON array), with the keys of transformers' Trainer. */
struct history_train { int64_t step, tokens; double epoch, loss, grad_norm, learning_rate; };
struct history_eval { int64_t step; double epoch, loss, seconds; int64_t rows, batches; };
struct history_end { int64_t step, rows; double epoch, loss, seconds; };
void history_add_train(json_t *log_history, const struct history_train *h);
void history_add_eval(json_t *log_history, const struct history_eval *h);
void history_add_end(json_t *log_history, const struct history_end *h);

struct history_state {
	int64_t step, total_steps, tokens, batch, save_total_limit;
	double epoch, epochs, logging_steps, eval_steps, save_steps;
	double best_metric;            /* NaN: none */
	int64_t best_step;
	const char *best_checkpoint;   /* NULL: none */
};
/* trainer_state.json: new reference. */
json_t *history_trainer_state(const json_t *log_history, const struct history_state *s);
/* An SVG picture of loss (and eval_loss) over steps; readable without scripts or fonts of its own. */
void history_draw(const json_t *log_history, struct buf *out);
