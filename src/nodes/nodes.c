/* nodes.c: the table of the provisioner's controllers. To add one: a file with a reconcile function, a keys function and a row of its
 * own, declared in nodes.h, and its name here. */
#include "nodes/nodes.h"

const struct operator_controller *const NODES_CONTROLLERS[] = {
	&NODES_LIFECYCLE, &NODES_TERMINATION, &NODES_HEALTH, &NODES_CLAIM_GC, &NODES_INSTANCE_GC, &NODES_EXPIRATION,
	&NODES_STATIC_POOLS, &NODES_CLASS, &NODES_DRIFT,
};
const size_t NODES_CONTROLLER_COUNT = sizeof NODES_CONTROLLERS / sizeof NODES_CONTROLLERS[0];
