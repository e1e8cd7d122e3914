/* root_condition.h: conditions of pools and node classes: some conditions, and the root Ready that follows from those that count. The
 * rules are those of condition_set.c, for objects that are no claims. */
#pragma once
#include "nodes/nodes.h"

/* status and dependents (NULL-terminated) of an object of this generation. Sets Ready in status.conditions: True when every dependent is
 * True, False (UnhealthyDependents) when one is False, else Unknown (ReconcilingDependents). Missing dependents become Unknown. */
void root_condition_set(json_t *status, const char *const *dependents, int64_t generation, const char *now);
/* One condition; "" as reason: the type. Nothing moves when it says the same. */
void root_condition_put(json_t *status, const char *type, const char *value, const char *reason, const char *message, int64_t generation, const char *now);
