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

/* The storage that a NodeClaim asks for: the model's disk for preset inference, else upstream's 1024Gi. out at least 24 bytes. */
void plan_storage(const struct workspace_view *w, const struct catalog_model *model, char *out, size_t size);

/* Facts that follow from a plan and that several files need. */
bool plan_is_preset(const struct workload_plan *p);      /* inference of a catalogue or hub model, not a template */
bool plan_multi_node(const struct workload_plan *p);     /* one model over several nodes (vLLM with Ray) */
bool plan_data_parallel(const struct workload_plan *p);  /* the model fits each GPU of one node twice over */
bool plan_deep_gemm(const struct workload_plan *p);      /* compiles kernels at run time: needs the CUDA toolkit */
bool plan_benchmark(const struct workload_plan *p);      /* the startup probe measures the model */
bool plan_decode(const struct workload_plan *p);         /* decode role behind the routing sidecar */
int plan_port(const struct workload_plan *p);            /* of the model server */
/* What clients call the model: the InferenceSet's name for its children, else the model's short name. out at least 256 bytes. */
void plan_served_name(const struct workload_plan *p, char *out, size_t size);
