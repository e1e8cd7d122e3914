/* inference_workload.h: the objects of an inference Workspace. Pure functions from a plan to JSON: same plan, same bytes. New references;
 * names, owner references and labels are upstream's (golden/). ERR_INVALID when the plan cannot be built, with upstream's words. */
#pragma once
#include "workload/plan.h"

WARN_UNUSED int inference_service(const struct workload_plan *p, json_t **out, struct err *err);
WARN_UNUSED int inference_headless_service(const struct workload_plan *p, json_t **out, struct err *err);
/* Of a preset or of a template; for RUNTIME_NATIVE the pod of native_workload.h. */
WARN_UNUSED int inference_statefulset(const struct workload_plan *p, json_t **out, struct err *err);
/* The body of the update for an existing StatefulSet, or *out NULL when nothing needs to change: pod template members that upstream
 * updates in place, plus command and config (upstream forgets them), or everything for a base-image upgrade (*upgraded set). User
 * edits of image, resources and probes survive. */
WARN_UNUSED int inference_statefulset_update(const struct workload_plan *p, const json_t *current, json_t **out, bool *upgraded, struct err *err);
/* Type or ports of the Service differ from what the Workspace asks for: the merge patch, else *out NULL. */
WARN_UNUSED int inference_service_update(const struct workload_plan *p, const json_t *current, json_t **out, struct err *err);
