/* tuning_workload.h: the objects of a tuning Workspace. Pure functions, as inference_workload.h. */
#pragma once
#include "workload/plan.h"

/* config_map: the ConfigMap (object with data) that the Job mounts: an own one or the copied template; output_dir is read from it. */
WARN_UNUSED int tuning_job(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err);
/* The default ConfigMap copied into the Workspace's namespace: name "<method>-params-template" with the data of `source`. */
json_t *tuning_config_copy(const struct workload_plan *p, const json_t *source);
/* Built-in text of the two templates, for a cluster whose release namespace lost them. NULL: unknown method. */
const char *tuning_config_default(const char *method);
/* Serve after tune: the StatefulSet that serves base plus the fresh adapter, and the Service (80 and 29500). */
WARN_UNUSED int tuned_statefulset(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err);
WARN_UNUSED int tuned_service(const struct workload_plan *p, json_t **out, struct err *err);
