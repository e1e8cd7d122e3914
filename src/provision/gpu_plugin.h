/* gpu_plugin.h: whether the GPU device plug-in runs on the nodes of a Workspace: they carry the label that its DaemonSet selects by, and
 * they report GPUs. */
#pragma once
#include "provision/provision.h"

/* Labels nodes (not own ones) that lack it. 0: as many nodes as are wanted show their GPUs; 1: some plug-in is not up yet. */
WARN_UNUSED int gpu_plugin_check(const struct node_context *c, const struct node_request *r, const json_t *usable, struct err *err);
