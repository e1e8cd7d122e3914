/* nodes.c: the table of the provisioner's controllers. To add one: a file with a reconcile function, a keys function and a row of its
 * own, declared in nodes.h, and its name here. */
#include "nodes/nodes.h"

#include "base/mem.h"

const struct operator_controller *const NODES_CONTROLLERS[] = {
	&NODES_LIFECYCLE, &NODES_TERMINATION, &NODES_HEALTH, &NODES_CLAIM_GC, &NODES_INSTANCE_GC, &NODES_EXPIRATION,
	&NODES_STATIC_POOLS, &NODES_CLASS, &NODES_DRIFT,
};
const size_t NODES_CONTROLLER_COUNT = sizeof NODES_CONTROLLERS / sizeof NODES_CONTROLLERS[0];

void nodes_changed(void *context, const char *claim)
{
	struct nodes *n = context;
	const struct dialect *d = NULL;
	CLEANUP(json_decrefp) json_t *found = nodes_claim(n, claim, &d);
	if (!found)
		return;
	CLEANUP(mem_freep) char *key = nodes_claim_key(d, claim);
	operator_wake(&n->op, NODES_LIFECYCLE.name, key, 0);
}
