/* workspace_view.h: a Workspace object decoded once per reconcile or admission. Pointers are borrowed from `object`. */
#pragma once
#include "crd/options.h"
#include <jansson.h>

enum runtime { RUNTIME_VLLM, RUNTIME_TRANSFORMERS, RUNTIME_NATIVE };
enum after_success { AFTER_KEEP, AFTER_RELEASE, AFTER_SERVE };

struct workspace_view {
	const json_t *object;
	const char *name, *namespace_, *uid;
	int64_t generation;
	bool deleting;
	const json_t *resource, *inference, *tuning, *status; /* NULL when absent */
	const char *instance_type;         /* "" when absent */
	int64_t count;                     /* resource.count, 1 by default */
	const json_t *selector;            /* resource.labelSelector */
	const char *partition_mode, *partition_profile; /* "" none */
	int64_t partition_count;
	const char *preset;                /* of inference or tuning; "" for templates */
	const json_t *template_;           /* inference.template or NULL */
	const char *config;                /* ConfigMap name or "" */
	const char *access_secret;         /* presetOptions.modelAccessSecret or "" */
	const json_t *adapters;            /* array or NULL */
	const char *method;                /* "lora" "qlora" as written; "" */
	enum runtime runtime;              /* by annotation and gate only; the SKU rule is workspace_plan's */
	bool runtime_given;                /* the annotation is there */
	enum after_success after_success;
	const char *inference_set, *role;  /* labels, "" none */
	bool load_balancer, benchmark, local_weights;
	const char *performance_mode;      /* "balanced" unless given */
};
void workspace_view_read(struct workspace_view *out, const json_t *object, const struct control_options *o);
/* matchLabels (and single-value In) without the eight reserved keys; new object. Unreadable selectors give what can be read. */
json_t *workspace_match_labels(const struct workspace_view *w);
/* JSON of resource, inference and tuning in upstream's field order, each with a newline, as hashed for the revision (SHA-256, hex, 65 bytes).
 * tuning.afterSuccess is left out: it does not change the workload that runs, and upstream's hashes stay valid. */
void workspace_hash(const struct workspace_view *w, char out[65]);
/* {resource, inference, tuning} as a ControllerRevision's data holds them (upstream's members: presetOptions {} is there, a missing
 * section is null; tuning.afterSuccess is left out as in the hash). New reference. */
json_t *workspace_revision_data(const struct workspace_view *w);
