/* launch.h: one step of creating, as launch*.c share it. */
#pragma once
#include "azure/fulfilment.h"

struct launch {
	struct azure *a;
	const struct claim_view *claim;
	struct flight *flight;
	struct memo memo;
	const char *pool;         /* memo.pool: the unit */
	struct launch_result *out;
	struct err *err;
};

/* --- results (launch.c); all return 0 ------------------------------------------------------------------------------ */

int launch_wait(struct launch *l, int64_t retry_ms, const char *reason, const char *message);
/* The memo goes on to `phase`; operation is taken. */
int launch_persist(struct launch *l, enum memo_phase phase, json_t *operation);

/* --- offerings (launch_offering.c) --------------------------------------------------------------------------------- */

/* Calls fn for each offering of the claim in the order of preference, until it returns true. */
bool launch_each_offering(const struct claim_view *claim, const char *location, bool (*fn)(void *context, const struct offering *o), void *context);
/* Whether the offering can be asked for now; else reason, and when to look again. */
bool launch_offering_open(struct azure *a, const struct offering *o, char reason[65], int64_t *ends_s);
/* Goes on to the first open offering (STEP_PERSIST intent), or STEP_FAILED when there is none. */
int launch_next_offering(struct launch *l);
void launch_cool(struct azure *a, const struct memo *m, const struct failure *f);
/* Reads the region's counters when they are due. Best effort. */
void launch_read_quota(struct azure *a);

/* --- the pool of machines (launch_machines.c) ---------------------------------------------------------------------- */

/* Whether a machine can be made in its pool. 0: yes; 1: not now, the result says why; -1. */
WARN_UNUSED int launch_machines_pool(struct launch *l);

/* --- refusals (launch_failure.c) ----------------------------------------------------------------------------------- */

/* What ARM said to the PUT. */
int launch_refused(struct launch *l, const struct arm_answer *answer);
/* The operation or the pool failed after it was accepted. */
int launch_failed(struct launch *l, const struct arm_error *error);
/* Never by itself again. */
int launch_terminal(struct launch *l, const char *reason, const char *message);
/* STEP_FAILED as long as the last refusal says; false: it is over. */
bool launch_on_hold(struct launch *l);
/* Of the request for the memo's offering; 0: it cannot be made. */
uint64_t launch_body_hash(const struct launch *l);
