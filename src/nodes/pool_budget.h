/* pool_budget.h: how many nodes of a pool may be away at a time because they have drifted: the strictest of spec.disruption.budgets that
 * is for that reason. A budget with a schedule counts as always in force, which is the side on which nothing is lost. */
#pragma once
#include <jansson.h>
#include <stdint.h>

/* Percentages are of spec.replicas, rounded up as Karpenter does. Without any budget for the reason: INT64_MAX. */
int64_t pool_budget_drifted(const json_t *pool);
