/* services.h: what of Services the workloads share. */
#pragma once
#include "workload/plan.h"

/* A Service named `name`, owned by the Workspace, with `ports` (taken; NULL: none) and `selector` (taken). */
json_t *service_new(const struct workload_plan *p, const char *name, const char *type, json_t *ports, json_t *selector);
json_t *service_port(const char *name, int port, int target);
/* {kaito.sh/workspace: name, statefulset.kubernetes.io/pod-name: name-0}: the leader of the StatefulSet. */
json_t *service_leader_selector(const struct workload_plan *p);
/* The merge patch that makes current's type and ports what `wanted` says, NULL when they are. Ports and types that a user set by hand stay:
 * only our own ports and the choice between LoadBalancer and not are looked at. */
json_t *service_patch(const json_t *wanted, const json_t *current);
