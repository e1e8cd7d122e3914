/* trainer.h: the loop: updates, log lines, evaluations, checkpoints, early stop. Its state is small and is exactly what a
 * resume checkpoint holds, beside the parameters and moments. Owner: one thread. */
#pragma once
#include "tune/tune_session.h"

struct trainer {
	struct tune_session *s;
	json_t *identity, *history;       /* history: log_history */
	/* Saved. */
	int64_t step, tokens;             /* updates made, tokens trained on */
	double window_loss;               /* sum of update losses since the last log entry */
	int64_t window_updates;
	double all_loss;                  /* sum of update losses of the run */
	double seconds_before;            /* run time of earlier processes */
	double best;                      /* metric of the best evaluation; NaN: none yet */
	int64_t best_step, evals_without_gain;
	bool stopped_early;
	float *best_parameters;           /* load_best_model_at_end; else NULL */
	/* Not saved. */
	struct batch batch;
	int64_t *order, order_epoch;
	double last_loss, last_lr, last_norm;
	int64_t started_ns, window_ns, window_tokens;
	double tokens_per_second;
	int64_t saved_step, saved_ns;     /* of the resume checkpoint */
	bool save_failed;
};
/* Starts anew or continues from the session's resume checkpoint (ERR_EXISTS when it is of another run). */
WARN_UNUSED int trainer_open(struct trainer *t, struct tune_session *s, struct err *err);
void trainer_close(struct trainer *t);
/* To the end of the run. ERR_SAVED after a stop, ERR_DIVERGED with the step. */
WARN_UNUSED int trainer_run(struct trainer *t, struct err *err);
double trainer_seconds(const struct trainer *t);

/* trainer_resume.c */
WARN_UNUSED int trainer_save(struct trainer *t, struct err *err);
WARN_UNUSED int trainer_restore(struct trainer *t, struct err *err);
/* trainer_eval.c: evaluates and keeps the best. */
WARN_UNUSED int trainer_evaluate(struct trainer *t, struct err *err);
/* publish.c: the adapter folder; checkpoint-N; everything at the end of the run. */
WARN_UNUSED int publish_checkpoint(struct trainer *t, struct err *err);
WARN_UNUSED int publish_result(struct trainer *t, struct err *err);
