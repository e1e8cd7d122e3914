/* template_workload.h: an inference Workspace that brings its own pod template: it runs as it is, on the Workspace's nodes. */
#pragma once
#include "workload/plan.h"

/* A set made for another revision names it in an annotation; upstream's have none. */
#define TEMPLATE_FIRST_REVISION "1"
WARN_UNUSED int template_statefulset(const struct workload_plan *p, json_t **out, struct err *err);
