/* control.h: the world of the Workspace's controllers, and their rows (operator/operator.h says what makes one). */
#pragma once
#include "crd/options.h"
#include "operator/operator.h"
#include "provision/provision.h"

/* The informers of the process; to add one: a name here and a row in caches.c. Entries are NULL when no enabled controller needs them. */
enum cache {
	CACHE_WORKSPACES, CACHE_INFERENCE_SETS, CACHE_MULTI_ROLES, CACHE_MODEL_MIRRORS, CACHE_NODES, CACHE_NODE_CLAIMS, CACHE_NODE_POOLS,
	CACHE_SERVICES, CACHE_STATEFULSETS, CACHE_JOBS, CACHE_PODS, CACHE_COUNT
};
struct catalog_resolver;
struct control { /* immutable after start, apart from what it points at */
	const struct control_options *options;
	struct operator op;             /* caches are indexed by enum cache */
	const struct provisioner *provisioner;
	struct node_context nodes;
	struct catalog_resolver *models;
};
extern const struct operator_controller WORKSPACE_CONTROLLER, INFERENCE_SET_CONTROLLER, MULTI_ROLE_CONTROLLER, DRIFT_CONTROLLER, AUTO_UPGRADE_CONTROLLER,
	VOLUME_FIGURES /* reads the claims of weights volumes once a minute */;
