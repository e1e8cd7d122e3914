/* adapters.h: the adapters of an inference Workspace in a pod of upstream's images: each ends up in /mnt/adapter/<name>. */
#pragma once
#include "workload/plan.h"

/* Volumes, init containers, mounts and pull secrets. ERR_INVALID: an adapter without name or source. */
WARN_UNUSED int adapters_add(const struct workload_plan *p, json_t *spec, json_t *container, struct err *err);
/* One variable per adapter with a strength, named after it. */
void adapters_add_env(const struct workload_plan *p, json_t *container);
/* prefix + name + suffix as a DNS label: dots become dashes and a long name is cut, both with some of its digest. Caller frees. */
char *adapters_label(const char *prefix, const char *name, const char *suffix);
