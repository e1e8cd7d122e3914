/* template_workload.h: an inference Workspace that brings its own pod template: it runs as it is, on the Workspace's nodes. */
#pragma once
#include "workload/plan.h"

WARN_UNUSED int template_statefulset(const struct workload_plan *p, json_t **out, struct err *err);
