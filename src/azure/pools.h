/* pools.h: what the cluster's agent pools were at the last LIST, shared by all claims, so that a hundred creations cost one request a
 * round and not a hundred. A thread lists while somebody waits: quickly after a change is expected, slower the longer it takes, never
 * above the read budget (throttle.h); and tells which claims' pools changed. While nobody waits it sleeps without a time-out.
 * Guarded by its own mutex. */
#pragma once
#include "azure/agent_pool.h"
#include "azure/arm.h"

struct pools;
/* unit_ms: the least time between lists, 0: 1 s. */
struct pools *pools_new(struct arm *arm, const struct azure_environment *e, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel);
void pools_free(struct pools *p); /* joins the thread */
/* The claim waits for its pool to change: list on until pools_settled. Each LIST that changes the pool's state (or shows it gone) calls
 * hooks->changed(claim). */
void pools_expect(struct pools *p, const char *pool, const char *claim);
void pools_settled(struct pools *p, const char *pool);
/* The pool as listed not before `not_before_ms` (clock_now_ms); 0: found (*out a copy, the caller's), 1: that list does not have it, 2: no such
 * list yet (one was asked for; hooks->changed(claim) comes), -1: asked for and failed, err says why. */
WARN_UNUSED int pools_look(struct pools *p, const char *pool, const char *claim, int64_t not_before_ms, json_t **out, struct err *err);
/* What is known of the pool, however old; nothing is asked. A copy, the caller's, or NULL. */
json_t *pools_known(struct pools *p, const char *pool);
/* The answer to an own PUT, GET or DELETE of the pool (NULL: gone), so that the next look need not wait for a list. */
void pools_learn(struct pools *p, const char *pool, const json_t *body);
/* A request that matters more waits at the gate: list less often for a while. */
void pools_yield(struct pools *p);
/* As cloud_ops.list; waits for a LIST when the last is older, at most 30 s. */
WARN_UNUSED int pools_list(struct pools *p, int64_t max_age_ms, void (*fn)(void *context, const json_t *pool), void *context, struct err *err);
/* 0: the last LIST was answered; 1: it was not, or there was none yet (then it is asked for): err says which. */
int pools_ready(struct pools *p, struct err *err);
int64_t pools_age_ms(struct pools *p); /* of the last list; -1: none yet */
