/* volumes.h: whether the volumes of a drained Node are detached. Those of pods that stay are not waited for. */
#pragma once
#include "nodes/nodes.h"

/* Volumes still attached to the Node; staying: pods whose volumes do not count. */
WARN_UNUSED int volumes_attached(struct nodes *n, const char *node, const json_t *staying, size_t *count, struct err *err);
