/* drain.h: emptying a Node. Its pods leave in groups, one after the other: ordinary, DaemonSets', critical, critical DaemonSets'. Pods that
 * tolerate the taint of disruption stay, and so do static ones; finished pods and those stuck in their own end are not waited for. */
#pragma once
#include "nodes/nodes.h"

enum { DRAIN_POLL_MS = 1000, DRAIN_SOON_MS = 250, DRAIN_BATCH = 64 /* requests in one pass */, DRAIN_PASS_MS = 2000 /* and time for them */,
       DRAIN_FORCED_S = 5 /* what is left of forced pods is waited for this long */, DRAIN_STUCK_S = 60, DRAIN_TELL_MS = 120000 };

struct drain {
	const json_t *node, *claim;    /* claim: may be NULL */
	const struct dialect *dialect; /* of the claim */
	int64_t deadline_s;            /* the claim's termination time; 0: none. Then pods are deleted in time for it, whatever they or their budgets say */
	size_t waiting;                /* out: pods that are waited for */
	int64_t retry_ms;              /* out: when to look again */
	json_t *staying;               /* out: pods that are not drained; owned, drain_done frees */
};
/* 0: empty; 1: pods are waited for; -1: not known. */
WARN_UNUSED int drain_step(struct nodes *n, struct drain *d, struct err *err);
void drain_done(struct drain *d);
/* The time of the claim's annotation, or 0. */
int64_t drain_deadline_s(const json_t *claim);
