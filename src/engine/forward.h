/* forward.h: runs a model over a batch of rows with the key/value cache. All memory is planned and mapped once, touched
 * lazily; a step allocates nothing. Owner: one thread, which calls with its pool idle.
 *
 * Rows of a batch do not influence one another except through the cache, and a row's arithmetic differs between
 * few rows (decode) and many (prefill) only in the order of sums. */
#pragma once
#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/lora_set.h"
#include "engine/plan.h"

struct forward;
struct forward_options {
	enum compute compute;
	int32_t max_rows;       /* of one batch */
	int32_t max_samples;    /* rows of logits at once */
};
WARN_UNUSED int forward_new(struct forward **out, const struct model *m, const struct kv_cache *kv, struct pool *pool, struct forward_options options,
			    struct err *err);
void forward_free(struct forward *f);
size_t forward_bytes(const struct forward *f);  /* mapped scratch, an upper bound of what is touched */

/* adapters[i] is the adapter that segments name i. sample_rows: rows whose logits are wanted (at most max_samples). `after`, if
 * not NULL, runs on every worker once the logits are there (for sampling; each worker takes its share of rows). */
struct forward_job {
	const struct batch *batch;
	const struct lora *const *adapters;
	const int32_t *sample_rows;
	int32_t n_samples;
	void (*after)(void *arg, struct worker w);
	void *arg;
};
void forward_run(struct forward *f, const struct forward_job *job);
/* Of the last run: logits of sample i [V]. */
float *forward_logits(struct forward *f, int32_t sample);
/* Logits of further rows of the last batch (its hidden states are still there). */
void forward_more_logits(struct forward *f, const int32_t *rows, int32_t n);
/* Final norm of row `row` of the last batch: out [C]. */
void forward_hidden(const struct forward *f, int32_t row, float *out);
