/* nodes.h: the node provisioner's world, and its controllers' rows. What a claim goes through is Karpenter's: launch, registration,
 * initialization, liveness; drain, volumes, instance; garbage collection, repair, expiry; static pools. How machines are made is the
 * cloud's (cloud/cloud.h). */
#pragma once
#include "cloud/cloud.h"
#include "kube/object_write.h"
#include "nodes/holdoff.h"
#include "operator/operator.h"
#include <stdatomic.h>

enum nodes_cache { NODES_CLAIMS, NODES_MACHINES, NODES_NODES, NODES_POOLS, NODES_CLASSES /* KaitoNodeClass */, NODES_AKS_CLASSES, NODES_CACHE_COUNT };
struct nodes_options { /* from flags; times in milliseconds, 0: off */
	bool claims, machines, pools;           /* which kinds are served */
	int64_t launch_timeout_ms, registration_timeout_ms;
	int64_t claim_gc_ms, instance_gc_ms, instance_gc_age_ms /* grace of a young instance */, instance_gc_delay_ms /* after the start */;
	bool gc_dry_run;
	bool repair;                            /* feature gate NodeRepair */
	int64_t repair_toleration_ms;           /* 0: the cloud's policies' own; else for all (tests) */
	int repair_guard_percent;               /* 0: off; above this share of unhealthy Nodes nothing is repaired */
	bool delete_on_insufficient;            /* as Karpenter; false: the claim stays, Launched says why, and is tried again */
	bool drift;                             /* feature gate: replace claims whose class or pool template changed */
	int workers;
};
struct nodes { /* immutable after start, apart from what it points at and holds */
	struct nodes_options options;
	struct operator op;                     /* caches are indexed by enum nodes_cache */
	struct cloud *cloud;
	int64_t started_ms;
	struct holdoff holdoff;                 /* zeros at the start */
	atomic_bool claims_changed;             /* since NODES_CLAIMS_GAUGE was set */
};
/* One row per file; main table in nodes.c (NODES_CONTROLLERS). Keys of claims are "nodeclaim/NAME" and "machine/NAME", of others the name. */
extern const struct operator_controller NODES_LIFECYCLE /* "nodeclaim.lifecycle" */, NODES_TERMINATION /* "node.termination" */, NODES_HEALTH /* "node.health" */,
	NODES_CLAIM_GC /* "nodeclaim.garbagecollection" */, NODES_INSTANCE_GC /* "instance.garbagecollection" */, NODES_EXPIRATION /* "nodeclaim.expiration" */,
	NODES_STATIC_POOLS /* "static.provisioning" */, NODES_CLASS /* "nodeclass" */, NODES_DRIFT /* "nodeclaim.disruption" */;
extern const struct operator_controller *const NODES_CONTROLLERS[]; /* nodes.c */
extern const size_t NODES_CONTROLLER_COUNT;
extern const struct operator_controller *const NODES_CONTROLLERS[];
extern const size_t NODES_CONTROLLER_COUNT;
extern const struct operator_cache NODES_CACHES[NODES_CACHE_COUNT];
/* Index keys, made by nodes_index_key: of Nodes and of claims NODE_KEY_PROVIDER (a hash of the providerID), of Nodes NODE_KEY_POOL, and: */
#define NODE_KEY_OWNER "owner:"         /* of Nodes: uids of metadata.ownerReferences */
#define CLAIM_KEY_POOL "nodepool:"       /* of claims: label karpenter.sh/nodepool (Machines: karpenter.sh/provisioner-name) */
#define CLAIM_KEY_CLASS "class:"         /* of claims: spec.nodeClassRef.name */
char *nodes_index_key(const char *prefix, const char *value); /* caller frees */

/* Metric rows; nodes/figures.c has the names of Karpenter's metrics and the histograms of the ways to Ready. */
enum nodes_metric {
	NODES_BUILD = OPERATOR_METRICS, NODES_CREATED, NODES_TERMINATED, NODES_DISRUPTED, NODES_UNHEALTHY, NODES_INSTANCE_SECONDS, NODES_TERMINATION_SECONDS,
	NODES_NODES_CREATED, NODES_NODES_TERMINATED, NODES_DRAINED, NODES_NODE_TERMINATION_SECONDS, NODES_LIFETIME_SECONDS, NODES_EVICTIONS, NODES_PODS_DRAINED,
	NODES_CLOUD_SECONDS, NODES_CLOUD_ERRORS, NODES_LAUNCH_SECONDS, NODES_REGISTRATION_SECONDS, NODES_INITIALIZATION_SECONDS, NODES_READY_SECONDS,
	NODES_CLAIMS_GAUGE, NODES_METRICS
};
struct metrics *nodes_metrics_new(const char *version);
/* Sets NODES_CLAIMS_GAUGE if a claim changed since the last time: operator_options.collect. NODES_CREATED is counted by NODES_LIFECYCLE, for every claim that it sees first. */
void nodes_collect(void *nodes);

/* --- the cloud's functions, timed and counted under Karpenter's names (nodes/figures.c); controller: the caller's name -------- */
WARN_UNUSED int nodes_cloud_launch(struct nodes *n, const char *controller, const struct claim_view *claim, struct launch_result *out, struct err *err);
WARN_UNUSED int nodes_cloud_terminate(struct nodes *n, const char *controller, const struct claim_view *claim, struct terminate_result *out, struct err *err);
WARN_UNUSED int nodes_cloud_get(struct nodes *n, const char *controller, const char *provider_id, void (*fn)(void *context, const struct instance *i),
				void *context, struct err *err);
WARN_UNUSED int nodes_cloud_list(struct nodes *n, const char *controller, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i),
				 void *context, struct err *err);
WARN_UNUSED int nodes_cloud_reap(struct nodes *n, const char *controller, const struct instance *i, struct err *err);

/* --- shared by the controllers (nodes/world.c) ----------------------------------------------------------------- */

struct informer *nodes_claim_cache(const struct nodes *n, const struct dialect *d); /* NULL: not served */
/* The claim of that name in either dialect, new reference or NULL; *d its dialect. */
json_t *nodes_claim(const struct nodes *n, const char *name, const struct dialect **d);
/* The claim that a Node belongs to (providerID, then ownerReference, then the cloud's labels), new reference or NULL. Several: NULL. */
json_t *nodes_claim_of_node(const struct nodes *n, const json_t *node, const struct dialect **d);
/* Claims of the dialect by an index key (CLAIM_KEY_*, NODE_KEY_PROVIDER); new array. */
json_t *nodes_claims_by(const struct nodes *n, const struct dialect *d, const char *prefix, const char *value);
/* "nodeclaim/NAME": the claim's key in the queue of NODES_LIFECYCLE. Caller frees. */
char *nodes_claim_key(const struct dialect *d, const char *name);
/* Nodes with this providerID; new array. */
json_t *nodes_with_provider_id(const struct nodes *n, const char *provider_id);
/* Nodes that were registered for the claim of this uid: they say so even when the claim's status does not yet; new array. */
json_t *nodes_owned_by(const struct nodes *n, const char *claim_uid);
/* view of a claim with its node class resolved into *node_class (new reference or NULL; must outlive the view). */
WARN_UNUSED int nodes_view(const struct nodes *n, const json_t *claim, struct claim_view *v, json_t **node_class, struct err *err);
/* Deletes a claim once (uid precondition), counts nodeclaims_disrupted_total{reason} and emits the event. Gone already: 0. */
WARN_UNUSED int nodes_disrupt(struct nodes *n, const struct dialect *d, const json_t *claim, const char *reason, struct err *err);
/* "nodepool="x",capacity_type="y"" of a claim, for metrics. */
void nodes_metric_labels(const json_t *claim, struct buf *out);

/* "1h30m" (^([0-9]+(s|m|h))+$) in seconds; false for anything else. */
bool nodes_duration_s(const char *text, int64_t *out);

/* Where claims of the dialect and Nodes are written (kube/object_write.h). */
struct object_home nodes_claim_home(struct nodes *n, const struct dialect *d);
struct object_home nodes_node_home(struct nodes *n);

/* --- condition sets (nodes/condition_set.c): operatorpkg's semantics, 1.4 of the reference ------------------------------- */
struct condition_set { json_t *object; const struct dialect *dialect; const char *now; }; /* object is edited in place */
void condition_set_true(struct condition_set *s, const char *type);                                  /* reason is the type */
void condition_set_true_with(struct condition_set *s, const char *type, const char *reason, const char *message);
void condition_set_false(struct condition_set *s, const char *type, const char *reason, const char *message);
void condition_set_unknown(struct condition_set *s, const char *type, const char *reason, const char *message);
/* Materialises missing dependents, computes the root, sorts. Called once before the status is written. */
void condition_set_finish(struct condition_set *s);
bool condition_set_is_true(const struct condition_set *s, const char *type);
/* What the condition says still holds at the object's present generation. */
void condition_set_keep(struct condition_set *s, const char *type);

/* --- taints (nodes/taint.c) ---------------------------------------------------------------------------------------- */
bool taint_same(const json_t *a, const json_t *b);               /* key and effect */
bool taints_have(const json_t *taints, const char *key, const char *effect);
void taints_merge(json_t *into, const json_t *from);             /* those whose key and effect are new */
bool pod_tolerates(const json_t *pod, const char *key, const char *value, const char *effect);
