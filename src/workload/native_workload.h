/* native_workload.h: pods that run this program itself, on CPUs, without a shell: `kaito pull` in init containers, then `kaito serve` or
 * `kaito tune`. Chosen by the annotation kaito.sh/runtime: native or by plan_runtime. Pure functions, as inference_workload.h. */
#pragma once
#include "workload/plan.h"

/* The name of the container that fetches the weights, in both kinds of pods. */
#define NATIVE_WEIGHTS_CONTAINER "model-weights-downloader"

/* An adapter to serve; strings are borrowed. */
struct native_adapter {
	const char *name;
	const char *image;         /* pulled into /mnt/adapter/<name>; "" when it lies in a volume */
	const json_t *volume;      /* a volume source mounted at /mnt/adapter/<name>, or NULL */
	const json_t *secrets;     /* names of pull secrets, or NULL */
	const char *strength;      /* "" : 1 */
};

/* The pod spec of an inference Workspace (adapters and config of p->w). ERR_INVALID: this model cannot run natively, or the machine is
 * too small, with both sizes in the message. */
WARN_UNUSED int native_inference_pod(const struct workload_plan *p, json_t **out, struct err *err);
/* The same with the adapters given here instead (serve after tune). */
WARN_UNUSED int native_serving_pod(const struct workload_plan *p, const struct native_adapter *adapters, size_t n, json_t **out, struct err *err);
/* The Job of a tuning Workspace. A pod that is evicted is not counted; where the output is a volume, the next one continues from its
 * checkpoint. Errors that another try cannot mend (data, configuration) fail the Job at once. */
WARN_UNUSED int native_tuning_job(const struct workload_plan *p, const json_t *config_map, json_t **out, struct err *err);

/* Whether `kaito` has the model's architecture. */
bool native_supports(const struct catalog_model *m);
/* Memory in GiB that serving (or tuning) the model takes at least, and asks for. */
double native_memory_gib(const struct catalog_model *m, bool tuning, bool quantised);
