/* plan.h: what a Workspace will run: runtime, model, GPUs and nodes, decided in one place from the Workspace, the tables and (for own
 * nodes) what the nodes report. Pure: no requests. */
#pragma once
#include "catalog/estimate.h"
#include "crd/workspace_view.h"

struct workload_plan {
	const struct workspace_view *w;
	const struct control_options *o;
	const struct catalog_model *model;  /* NULL for templates */
	enum runtime runtime;               /* final: native where the machine has no usable GPU */
	struct gpu_config gpu;              /* per node; gpus 0 on CPU machines */
	int nodes;                          /* target node count */
	int64_t max_model_len;              /* of the config map, 0: none */
	bool weights_volume;                /* the NVMe storage class exists and the SKU has the disk */
	bool legacy_gpu;                    /* compute capability below 8.0 */
	bool has_config;                    /* w->config names a ConfigMap that exists */
	const char *config_hash;            /* of that ConfigMap's data, "" none */
	const char *revision;               /* "1" */
	json_t *node_terms;                 /* borrowed: affinity terms of the provisioner, array of {key, operator, values} */
};
/* The runtime for a Workspace on such nodes (design: "Runtimes a Workspace can ask for"). Templates run as they are. */
enum runtime plan_runtime(const struct workspace_view *w, const struct control_options *o, const struct gpu_config *gpu);
