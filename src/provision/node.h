/* node.h: what a Node object says: ready, of the wanted type, with GPUs, under pressure. node_transform and node_index are in provision.h. */
#pragma once
#include "base/buf.h"
#include "provision/identity.h"

bool node_ready(const json_t *node);
/* Not made by a provisioner: it carries neither a pool's nor a v1alpha5 provisioner's label. */
bool node_own(const json_t *node);
/* No taint keeps the pods of a preset away. A cordon does not count: it comes and goes, and pods that run stay. */
bool node_takes_pods(const json_t *node);
int64_t node_gpus(const json_t *node); /* capacity that a GPU device plug-in has announced */
/* Ready nodes of `candidates` whose labels match the request and, where `pair` is given, carry its identity; new array in the same order.
 * instance type "" matches any; spelling of case does not matter (admission accepts any case). */
json_t *node_usable(const json_t *candidates, const struct node_request *r, const struct identity_labels *pair);
/* Appends "name (DiskPressure, MemoryPressure)" when the node reports pressure; ", " between nodes. */
void node_pressure(const json_t *node, struct buf *out);
