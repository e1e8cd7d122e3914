/* aws_launch.h: one step of creating, as aws_launch*.c share it. */
#pragma once
#include "aws/aws_parts.h"
#include "aws/fleet_request.h"

struct aws_step {
	struct aws *a;
	const struct claim_view *claim;
	struct attempt *attempt;
	struct note note;
	bool unsure;              /* the memo's request was sent before, and what came of that is not known */
	struct launch_result *out;
	struct err *err;
};
/* All return 0. */
int aws_launch_wait(struct aws_step *s, int64_t retry_ms, const char *reason, const char *message);
int aws_launch_persist(struct aws_step *s, enum note_phase phase);
/* The request is answered for good and made nothing: the next will be another. A repetition's refusal says nothing about the first time: then
 * what there is is looked for before. */
int aws_launch_next(struct aws_step *s);

/* --- refusals (aws_launch_failure.c) ---------------------------------------------------------------------------------- */

/* What EC2 said to the memo's request. */
int aws_launch_refused(struct aws_step *s, const char *code, const char *text);
/* The fleet's answer has errors and no instance. */
int aws_launch_unfulfilled(struct aws_step *s, const json_t *body);
/* The instance ended before it was handed over. */
int aws_launch_lost(struct aws_step *s, const struct machine *m);
/* The class or the claim cannot be used as it is; err says why. */
int aws_launch_unusable(struct aws_step *s, const char *reason, const char *message);
/* No offering is open. */
int aws_launch_nothing_open(struct aws_step *s, const struct fleet_choice *choice);
/* STEP_FAILED as long as the last refusal says; false: it is over. */
bool aws_launch_on_hold(struct aws_step *s);
