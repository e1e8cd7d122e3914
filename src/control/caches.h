/* caches.h: the informers of `kaito controller`, cut down to what its controllers read. */
#pragma once
#include "control/control.h"

extern const struct operator_cache CACHES[CACHE_COUNT];
/* Claims and pools only where the provisioner has them; claims of the dialect that was chosen. For struct operator_options. */
bool caches_wanted(const void *world, int cache);
const struct kube_resource *caches_resource(const void *world, int cache);
/* "namespace/name" of the Workspace that controls the object, or NULL. Caller frees. */
char *caches_workspace_key(const json_t *object);
