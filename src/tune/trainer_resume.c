/* trainer_resume.c: the trainer's state to and from a resume checkpoint. Reals are printed so that they read back exactly. */
#include "tune/trainer.h"

#include "base/clock.h"
#include "base/fd.h"
#include "codec/json.h"
#include "tune/checkpoint.h"
#include "tune/identity.h"
#include <math.h>

static json_t *real_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }

int trainer_save(struct trainer *t, struct err *err)
{
	const struct lora *lora = trainstep_lora(t->s->step);
	const float *arrays[CHECKPOINT_ARRAYS] = {lora->p, lora->m, lora->v, t->best_parameters};
	json_t *state = json_pack("{s:I, s:I, s:I, s:f, s:I, s:f, s:f, s:o, s:I, s:I, s:b, s:f}", "step", (json_int_t)t->step, "adamw_steps",
				  (json_int_t)lora->steps, "tokens", (json_int_t)t->tokens, "window_loss", t->window_loss, "window_updates",
				  (json_int_t)t->window_updates, "all_loss", t->all_loss, "seconds", trainer_seconds(t), "best", real_or_null(t->best),
				  "best_step", (json_int_t)t->best_step, "evals_without_gain", (json_int_t)t->evals_without_gain, "stopped_early",
				  (int)t->stopped_early, "tokens_per_second", t->tokens_per_second);
	json_t *header = json_pack("{s:O, s:o, s:O}", "identity", t->identity, "state", state, "log_history", t->history);
	if (!header)
		return err_set(err, ERR_INTERNAL, "cannot describe the state of the run");
	int rc = checkpoint_save(t->s->resume, header, arrays, lora->n, err);
	json_decref(header);
	if (rc < 0)
		return err_wrap(err, "resume checkpoint");
	t->saved_step = t->step;
	t->saved_ns = clock_now_ns();
	metrics_set(tune_server_metrics(t->s->server), TUNE_CHECKPOINT_STEP, NULL, (double)t->step);
	return 0;
}

static int read_state(struct trainer *t, const json_t *header, struct err *err)
{
	struct lora *lora = trainstep_lora(t->s->step);
	const json_t *state = json_object_get(header, "state"), *history = json_object_get(header, "log_history");
	const char *w = "checkpoint";
	if (!json_is_object(state) || !json_is_array(history))
		return err_set(err, ERR_INVALID, "the checkpoint in '%s' lacks its state: start over with --fresh", t->s->resume);
	if (json_get_int_in(state, "step", w, 0, t->s->plan.total_updates, &t->step, err) < 0 || json_get_int(state, "adamw_steps", w, &lora->steps, err) < 0 ||
	    json_get_int(state, "tokens", w, &t->tokens, err) < 0 || json_get_double(state, "window_loss", w, &t->window_loss, err) < 0 ||
	    json_get_int(state, "window_updates", w, &t->window_updates, err) < 0 || json_get_double(state, "all_loss", w, &t->all_loss, err) < 0 ||
	    json_get_double(state, "seconds", w, &t->seconds_before, err) < 0 || json_get_double(state, "best", w, &t->best, err) < 0 ||
	    json_get_int(state, "best_step", w, &t->best_step, err) < 0 || json_get_int(state, "evals_without_gain", w, &t->evals_without_gain, err) < 0 ||
	    json_get_bool(state, "stopped_early", w, &t->stopped_early, err) < 0 ||
	    json_get_double(state, "tokens_per_second", w, &t->tokens_per_second, err) < 0)
		return -1;
	json_decref(t->history);
	t->history = json_deep_copy(history);
	return 0;
}

static int read_arrays(struct trainer *t, const struct checkpoint *c, struct err *err)
{
	struct lora *lora = trainstep_lora(t->s->step);
	float *arrays[CHECKPOINT_ARRAYS] = {lora->p, lora->m, lora->v, t->best_parameters};
	for (int i = 0; i < CHECKPOINT_ARRAYS && arrays[i]; i++)
		if (checkpoint_read(c, i, arrays[i], lora->n, err) < 0)
			return -1;
	return 0;
}

static int restore(struct trainer *t, const struct checkpoint *c, struct err *err)
{
	const json_t *header = checkpoint_header(c), *theirs = json_object_get(header, "identity");
	char difference[160];
	identity_difference(t->identity, theirs, "hard", difference, sizeof difference);
	if (difference[0])
		return err_set(err, ERR_EXISTS, "'%s' holds an unfinished run with another %s: repeat that run's settings, choose another output, or start over with --fresh",
			       t->s->output, difference);
	if (read_state(t, header, err) < 0 || read_arrays(t, c, err) < 0)
		return -1;
	progress_say(&t->s->progress, "resuming at step %lld of %lld", (long long)t->step, (long long)t->s->plan.total_updates);
	identity_difference(t->identity, theirs, "soft", difference, sizeof difference);
	if (difference[0])
		progress_say(&t->s->progress, "note: %s differs from the run so far; the result may differ in its last bits", difference);
	t->saved_step = t->step;
	return 0;
}

/* A new run writes its first checkpoint at once: a disk that is full or a folder that is read-only shows now, not after hours. */
static int start(struct trainer *t, struct err *err)
{
	if (checkpoint_remove(t->s->resume, err) < 0)
		return -1;
	return trainer_save(t, err);
}

int trainer_restore(struct trainer *t, struct err *err)
{
	struct checkpoint *c = NULL;
	int rc = t->s->options->fresh ? 1 : checkpoint_open(&c, t->s->resume, err);
	if (rc < 0)
		return -1;
	rc = rc == 1 ? start(t, err) : restore(t, c, err);
	checkpoint_close(c);
	return rc;
}
