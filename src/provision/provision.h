/* provision.h: asking for nodes. One interface, one file per way; to add a way: a file with its ops and a row in PROVISIONERS (provision.c). */
#pragma once
#include "base/err.h"
#include "kube/client.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"

struct node_options { /* from flags; borrowed */
	const char *cloud, *default_image_family, *api; /* "nodeclaim" | "machine" */
	const char *node_class_group, *node_class_kind, *node_class_version, *node_class_resource, *node_classes_json;
};
struct node_context { /* borrowed, shared by workers */
	struct kube_client *kube;
	struct informer *nodes, *claims, *pools; /* claims and pools NULL where the way does not use them */
	struct event_recorder *events;
	const struct node_options *options;
};
/* What a Workspace needs; everything borrowed. */
struct node_request {
	const json_t *owner;           /* the Workspace: events, and labels' names */
	const char *name, *namespace_, *uid;
	const char *inference_set;     /* "" none */
	const json_t *match_labels;    /* sanitized */
	const char *instance_type;     /* "" with own nodes */
	int count;                     /* target */
	const char *storage;           /* "87Gi", "1024Gi" */
	const char *image_family, *node_class; /* annotations or "" */
	bool gpu;                      /* wait for the GPU plug-in: SKU known and has NVIDIA or AMD GPUs */
	bool release;                  /* no claim is wanted any more but the Workspace stays (tuning.afterSuccess: Release) */
};
/* One condition as it should read; reason "" : this way does not have it. */
struct node_condition { bool true_; char reason[64]; char message[257]; };
struct node_report {
	bool ready;                    /* enough nodes are there and usable */
	int64_t requeue_ms;            /* look again after this long even without an event; 0: events suffice */
	struct node_condition nodes, claims; /* NodesReady, NodeClaimReady; message texts are upstream's (3.8), pressure warnings included */
	json_t *worker_nodes;          /* sorted names, new array */
	json_t *first_node;            /* a usable Node or NULL, for GPU labels; new reference */
};
void node_report_done(struct node_report *r);

struct provisioner {
	const char *name;              /* --node-provisioner */
	bool uses_claims, uses_pools, provisions; /* provisions false: own nodes */
	/* Once before the controllers start: CRDs, node classes. deadline_ms bounds the wait. */
	int (*start)(const struct node_context *c, int64_t deadline_ms, struct err *err);
	/* Creates or raises what is missing and reports. Safe to repeat: names derive from the Workspace's uid and a slot number, so that a stale
	 * cache or a restart can never request a node twice. out must be zeroed; node_report_done is the caller's. */
	int (*ensure)(const struct node_context *c, const struct node_request *r, struct node_report *out, struct err *err);
	/* Deletes what was requested. 0: nothing is left or all is being deleted; 1: call again. */
	int (*release)(const struct node_context *c, const struct node_request *r, struct err *err);
	/* Extra required node-affinity terms of the workload's pods, array of {key, operator, values}; new reference. */
	json_t *(*terms)(const struct node_context *c, const struct node_request *r);
	/* Opens (1) or closes (0) the drift budget. NULL: no such thing. */
	int (*set_drift_budget)(const struct node_context *c, const struct node_request *r, int nodes, struct err *err);
};
const struct provisioner *provisioner_find(const char *name); /* NULL: unknown; "gpu-provisioner" is an alias of azure-gpu-provisioner */
/* Transform and index functions for the informers (memory: only what is used is kept). Index keys: the Workspace's "namespace/name". */
bool node_transform(json_t *node);
bool claim_transform(json_t *claim);
void node_index(const json_t *node, void (*add)(void *list, const char *key), void *list);
void claim_index(const json_t *claim, void (*add)(void *list, const char *key), void *list);
