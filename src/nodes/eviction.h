/* eviction.h: asking one pod to leave: through the eviction API, which heeds PodDisruptionBudgets, or by a delete once the Node's
 * termination time leaves no more than the pod's own grace period. */
#pragma once
#include "nodes/nodes.h"

enum eviction {
	EVICTION_SENT,     /* the pod is going */
	EVICTION_GONE,     /* it is not there any more, or another one of that name is */
	EVICTION_REFUSED,  /* not now: `why` has the API server's words; tried again after a pause of its own */
	EVICTION_LATER,    /* that pause is not over */
};
/* reason: why its Node goes, for the pod's event and the metric. */
enum eviction eviction_send(struct nodes *n, const json_t *pod, const char *reason, struct err *why);
/* Deletes the pod with this grace period. */
enum eviction eviction_force(struct nodes *n, const json_t *pod, int64_t grace_s, const char *reason, struct err *why);
