/* instance_end.h: the end of a claim's instance, step by step, for the two that may ask for it: the termination of its Node, which keeps
 * the Node until the instance is gone, and the claim's own finalizer, for claims that never got a Node. */
#pragma once
#include "nodes/nodes.h"

enum { INSTANCE_END_POLL_MS = 5000 };   /* when the cloud names no time: its event comes earlier, as a rule */

/* Asks the cloud to end what the claim has, as far as it goes now. What must survive a crash is stored on the claim before the next step
 * (*claim is replaced by the stored one), and so is, once, the condition InstanceTerminating.
 * 1: nothing of it exists any more; 0: ask again on an event, at the latest after *retry_ms; -1: as cloud_ops.terminate, or the write failed. */
WARN_UNUSED int instance_end_step(struct nodes *n, const struct dialect *d, json_t **claim, int64_t *retry_ms, struct err *err);
