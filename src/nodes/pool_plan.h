/* pool_plan.h: what a static pool lacks or has too much of, from its claims alone, and which claims go first. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pool_plan {
	int64_t create;   /* claims to make */
	int64_t remove;   /* claims above spec.replicas */
	int64_t replace;  /* drifted claims whose replacements are ready */
};
/* claims: the pool's own, those being deleted included. drift: drifted claims are replaced, within the pool's budgets. */
struct pool_plan pool_plan(const json_t *pool, const json_t *claims, bool drift);
/* Not deleting, Drifted=True and not protected by karpenter.sh/do-not-disrupt. */
bool pool_plan_drifted(const json_t *claim);

struct pool_candidate { const json_t *claim; bool empty; /* its Node runs no pods but DaemonSets'; only asked of launched claims */ };
/* Sorts into the order of removal: not launched, without pods, others, and last what is annotated karpenter.sh/do-not-disrupt; the younger first. */
void pool_plan_sort(struct pool_candidate *list, size_t n);
bool pool_plan_launched(const json_t *claim);
