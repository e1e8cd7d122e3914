/* fulfilment.h: what the files of the fulfilment of claims by agent pools and machines share (azure.c, launch*.c, terminate.c, instances.c, explain.c). */
#pragma once
#include "azure/aks_machine.h"
#include "azure/aks_machine_deletions.h"
#include "azure/azure.h"
#include "azure/flight.h"
#include "azure/memo.h"
#include "azure/operation.h"
#include "azure/pools.h"
#include "azure/quota.h"
#include "azure/taxonomy.h"
#include "cloud/claim_slots.h"
#include "cloud/offerings.h"
#include "http/metrics.h"

struct azure { /* immutable after azure_new, apart from what it points at, which guards itself */
	struct cloud cloud;
	struct azure_options options;
	const struct azure_environment *environment;
	struct token_cache *tokens;  /* NULL with options.offline, as the next three */
	struct throttle *throttle;
	struct arm *arm;
	struct pools *pools;
	struct offerings *offerings;
	struct claim_slots *flights; /* of struct flight */
	struct quota *quota;
	struct aks_machine_deletions *deletions;
	struct metrics *metrics;
	char incarnation[17];        /* of this process, in memos */
	int64_t started_ms, started_s;
	_Atomic(int64_t) machines_pool_ms; /* when the pool of machines was asked for last, or was missing; 0: never */
};

/* The pool that new machines are made in. */
static inline const char *azure_machines_pool(const struct azure *a) { return a->options.machines_pool ? a->options.machines_pool : AKS_MACHINE_POOL; }

/* The operations of the table (azure.c), one file each or two. */
int azure_launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err);
int azure_terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err);
int azure_explain(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err);
int azure_get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
int azure_list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err);
int azure_reap(struct cloud *c, const struct instance *i, struct err *err);

/* --- shared steps ------------------------------------------------------------------------------------------------ */

enum { IN_PROGRESS_MIN_MS = 5000, IN_PROGRESS_MAX_MS = 15000, SAFETY_MS = 30000 /* a wait for an event ends by itself after this */ };

int64_t azure_jitter(int64_t low, int64_t high); /* in [low, high) */
/* How long to wait for another operation on the pool or cluster, after so many waits: 5 to 15 s at first, six times that in the end. */
int64_t azure_in_progress_ms(int waits);
/* The single Node of the unit that has a providerID and was made for the claim; new reference or NULL. */
json_t *azure_node(struct azure *a, const char *unit, const struct claim_view *claim);
/* GET of one unit. 0: *out a new reference, also learnt by pools; 1: it does not exist (learnt too); 2: the gate is closed for *wait_ms;
 * -1: cannot be told. */
WARN_UNUSED int azure_read_pool(struct azure *a, const char *unit, json_t **out, int64_t *wait_ms, struct err *err);
/* One question about the memo's operation. 0: *state; failure (zeroed) is set when it failed or was canceled. 1: the gate is closed for
 * *wait_ms. -1: there is no operation, or it is no longer known, or no answer. */
WARN_UNUSED int azure_poll(struct azure *a, const struct memo *m, enum operation_state *state, struct arm_error *failure, int64_t *wait_ms, struct err *err);
/* Which unit a claim without a memo has: the one it has already, whichever way it was made, else the one that it would get now. */
void azure_unit_of(struct azure *a, const struct claim_view *claim, char out[UNIT_NAME_MAX + 1]);
const char *azure_unit_version(const struct azure *a, const char *unit); /* api-version of its requests; NULL: the client's */
const char *azure_unit_word(const char *unit);                            /* "agent pool", "machine" */
/* The answer to a request for the unit, in the shape of a pool; new reference or NULL. */
json_t *azure_unit_answer(const char *unit, const json_t *body);
/* Body of the PUT; see agent_pool_body. */
WARN_UNUSED int azure_unit_body(const struct azure *a, const struct claim_view *claim, const struct offering *o, const char *unit, json_t **out, struct err *err);
/* Sends a DELETE of the pool (of a machine: the pool's deleteMachines) as it is known. 0: accepted, *operation (a new reference or NULL) is what to ask; 1: it is gone already; 2: not
 * now, try again in *wait_ms; 3: refused, `why` says so; -1: no answer, its effect is unknown. */
WARN_UNUSED int azure_delete_pool(struct azure *a, const json_t *pool, int *attempts, json_t **operation, int64_t *wait_ms, struct failure *why, struct err *err);
/* What an answer to a DELETE means, as azure_delete_pool returns it. unit as it was known, in the shape of a pool. */
WARN_UNUSED int azure_delete_accepted(struct azure *a, const char *name, const json_t *unit, const struct arm_answer *answer, json_t **operation);
WARN_UNUSED int azure_delete_refused(const struct arm_answer *answer, int *attempts, int64_t *wait_ms, struct failure *why);
