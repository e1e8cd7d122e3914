/* tuning.h: what the builders of tuning Jobs read from the Workspace and its training configuration. */
#pragma once
#include "base/err.h"
#include "workload/plan.h"

/* The method in lower case, "lora" or "qlora" (upstream lets mixed case in and fails later). ERR_INVALID: another word. */
WARN_UNUSED int tuning_method(const struct workload_plan *p, const char **out, struct err *err);
/* The ConfigMap that is mounted: the Workspace's own or "<method>-params-template". Caller frees. */
WARN_UNUSED int tuning_config_name(const struct workload_plan *p, char **out, struct err *err);
/* TrainingArguments.output_dir of the ConfigMap's training_config.yaml, a path below /mnt; "/mnt/results" where it is not given. Caller
 * frees. ERR_CONFIG: no such file in it, not YAML, or a path elsewhere. */
WARN_UNUSED int tuning_output_dir(const json_t *config_map, char **out, struct err *err);
/* The name that adapters of this model carry: the preset's old short name, else the last part of its id. out at least 128 bytes. */
void tuning_model_name(const struct catalog_model *m, char *out, size_t size);
/* tuning.input and tuning.output. Getters give "" and NULL where a member is missing. */
const char *tuning_text(const struct workload_plan *p, const char *part, const char *member);
const json_t *tuning_member(const struct workload_plan *p, const char *part, const char *member);
/* A volume of the given source (an object of one member, as in the Workspace), an emptyDir where source is NULL. New reference. */
json_t *tuning_volume(const char *name, const json_t *source);
/* Job metadata: name, labels, annotation, owner; the pod template with its labels and `spec` (taken). New reference. */
json_t *tuning_job_around(const struct workload_plan *p, json_t *spec);
