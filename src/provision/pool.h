/* pool.h: the static NodePool of one Workspace: its name, body and drift budget.
 *
 * The name is "<namespace>-<workspace>", cut to 63 bytes with a hash at its end. As both halves may hold dashes, two Workspaces can want
 * the same name; the second takes the name with its own hash. */
#pragma once
#include "provision/identity.h"

#define LABEL_POOL_MANAGED_BY "karpenter.kaito.sh/managed-by"
#define LABEL_POOL_SET "karpenter.kaito.sh/inferenceset"
#define LABEL_POOL_SET_NAMESPACE "karpenter.kaito.sh/inferenceset-namespace"

enum { POOL_NAME = 64, POOL_ATTEMPTS = 2 };
void pool_name(const struct node_request *r, int attempt, char out[POOL_NAME]);
/* The body of the create request; new reference. */
WARN_UNUSED int pool_build(const struct node_options *o, const struct node_request *r, const char *name, int replicas, json_t **out, struct err *err);
/* The Workspace's pool in the cache, new reference; NULL: none. */
json_t *pool_find(struct informer *pools, const struct node_request *r);
/* [{nodes, reasons: [Drifted]}]; new reference. */
json_t *pool_budgets(int nodes);
