/* workspace_pass.h: one reconcile of one Workspace, as its steps see it. The steps are files: workspace_nodes.c, workspace_inference.c,
 * workspace_tuning.c, workspace_status.c; workspace.c strings them together. Freed when the pass ends. */
#pragma once
#include "control/control.h"
#include "control/revision.h"
#include "workload/failure.h"
#include "workload/legacy.h"
#include "workload/plan.h"

/* What a step found out; the status is computed from this and the old status, never from memory of earlier passes. */
struct findings {
	bool nodes_known;              /* report is filled */
	struct node_report report;
	bool workload_exists, workload_ready;
	struct failure failure;        /* reason "" : none */
	/* tuning */
	bool job_started, job_succeeded, job_failed;
	int job_failures;              /* failed attempts so far */
	bool released;                 /* afterSuccess Release gave the nodes back */
	/* benchmark */
	json_t *performance;           /* new figures, owned; NULL: leave as it is */
	bool benchmark_wanted;
	char benchmark_error[241];
	char note[LEGACY_MESSAGE_MAX]; /* a standing remark for the user about an old GPU; "" none */
};
struct workspace_pass {
	struct control *c;
	json_t *object;                /* owned; replaced by the answer of each own write */
	struct workspace_view w;
	struct revision revision;
	struct workload_plan plan;
	struct node_request request;   /* what the nodes are for; match_labels owned through `labels` */
	json_t *labels, *terms;        /* owned */
	char storage[32], config_hash[17];
	json_t *config;                /* the ConfigMap that inference.config or tuning.config names, owned; NULL: none or not there */
	struct findings found;
	struct err error;              /* what stopped the pass, ERR_NONE: nothing */
	bool wrote;                    /* an object other than the Workspace was written: its events will come */
	int64_t requeue_ms;
};

/* Steps: 0 go on, 1 stop here (not an error; an event or requeue will continue), -1 error. */
WARN_UNUSED int workspace_plan_step(struct workspace_pass *p, struct err *err);      /* model, GPUs, node count, runtime */
WARN_UNUSED int workspace_config_step(struct workspace_pass *p, struct err *err);    /* the ConfigMap that the Workspace names */
WARN_UNUSED int workspace_nodes_step(struct workspace_pass *p, struct err *err);     /* nodes asked for and ready */
WARN_UNUSED int workspace_inference_step(struct workspace_pass *p, struct err *err);
WARN_UNUSED int workspace_tuning_step(struct workspace_pass *p, struct err *err);
/* afterSuccess Release is due; then that step is the whole pass. */
bool workspace_tuning_release(struct workspace_pass *p);
WARN_UNUSED int workspace_tuning_release_step(struct workspace_pass *p, struct err *err);
/* The status that the findings amount to; pure. New reference. */
json_t *workspace_status_new(struct workspace_pass *p);
/* The status of a Workspace whose specification has changed: without the decisions made for the old one. New reference; NULL: there are none. */
json_t *workspace_status_without_decisions(struct workspace_pass *p);
/* The same without the figures of a benchmark, for a base image that is being replaced. */
json_t *workspace_status_without_benchmark(struct workspace_pass *p);
/* Stores such a status (consumed; NULL: nothing to do) ahead of the write that makes it true, so that a pass that ends in between finds it undone. */
WARN_UNUSED int workspace_forget(struct workspace_pass *p, json_t *status, struct err *err);
/* 0 written, *stored is a new reference; 1: nothing differs. */
WARN_UNUSED int workspace_write_status(struct workspace_pass *p, const json_t *status, json_t **stored, struct err *err);
/* Writes the status when it differs from the stored one. 1: deferred, see workspace_status.c. */
WARN_UNUSED int workspace_status_step(struct workspace_pass *p, struct err *err);
/* Sets the metadata that a first pass needs (finalizer, hash and revision annotations) in one patch. */
WARN_UNUSED int workspace_metadata_step(struct workspace_pass *p, struct err *err);
void workspace_request(struct workspace_pass *p);                                    /* fills p->request, plan or no plan */
/* Gives the nodes back; returns how many are left, -1: err. */
WARN_UNUSED int workspace_release_nodes(struct workspace_pass *p, struct err *err);

/* Creates the object, and the cache learns the answer. Our own that is there already counts as created, and so does somebody else's Service. */
WARN_UNUSED int workspace_create(struct workspace_pass *p, const struct kube_resource *r, enum cache cache, const json_t *object, struct err *err);
/* The answer to a write of the Workspace itself: into the cache, and remembered as our own. */
void workspace_wrote(struct workspace_pass *p, const json_t *stored);
/* Looks through the Workspace's pods for what keeps them from being ready -> p->found.failure. */
void workspace_find_failure(struct workspace_pass *p);
