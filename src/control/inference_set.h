/* inference_set.h: one pass over one InferenceSet, as its parts see it. The parts are files: inference_set.c (order, deletion),
 * inference_set_children.c (making and deleting replicas), inference_set_rollout.c (a changed template), scale_down.c (who goes
 * first), inference_set_status.c. A replica is a Workspace. */
#pragma once
#include "control/gateway_api.h"
#include "kube/object_write.h"

struct inference_set_pass {
	struct control *c;
	struct object_home home;
	json_t *object;      /* the InferenceSet, owned; replaced by the answer of each own write */
	json_t *spec;        /* spec as a typed client writes it, owned */
	json_t *children;    /* Workspaces that stay, sorted by name, owned */
	json_t *leaving;     /* Workspaces being deleted, owned */
	int64_t replicas;    /* wanted */
	int64_t ceiling;     /* replicas that nodeCountLimit allows; INT64_MAX: no limit */
	struct gateway_api_state pool;
	int64_t requeue_ms;
	struct err error;    /* what stopped the pass */
};

/* --- inference_set_children.c */
void inference_set_children_load(struct inference_set_pass *p);
/* Brings the number of children to what is wanted. */
WARN_UNUSED int inference_set_children_scale(struct inference_set_pass *p, struct err *err);
/* Deletes one child (with its uid as precondition) and tells why in an event. Gone already is fine. */
WARN_UNUSED int inference_set_child_delete(struct inference_set_pass *p, const json_t *child, const char *why, struct err *err);
/* The Workspace of that name as the spec (typed) wants it; new reference. */
json_t *inference_set_child_new(const json_t *set, const json_t *spec, const char *name);
/* "<set>-<5>": the same for the same set and slot, in the alphabet of generated names. out at least 64 bytes. */
void inference_set_child_name(const json_t *set, int slot, char out[64]);
/* One more child than wanted, marked with the version that it is made for, unless it is there. */
WARN_UNUSED int inference_set_child_surge(struct inference_set_pass *p, const char *version, const char *now, struct err *err);
bool inference_set_child_ready(const json_t *child); /* WorkspaceSucceeded */
/* The pods are those of the workload's latest change. No workload yet, or none to see: true, its Workspace's condition tells. */
bool inference_set_child_rolled(const struct inference_set_pass *p, const json_t *child);

/* --- inference_set_rollout.c */
/* Labels of the template on every child; a changed template into the children, as many at a time as updateStrategy allows. */
WARN_UNUSED int inference_set_rollout(struct inference_set_pass *p, struct err *err);

/* --- inference_set_status.c */
WARN_UNUSED int inference_set_status_write(struct inference_set_pass *p, struct err *err);
WARN_UNUSED int inference_set_status_deleting(struct inference_set_pass *p, struct err *err);

/* Reads the set and its children; false: the set is gone. inference_set_done frees. */
bool inference_set_read(struct inference_set_pass *p, struct control *c, const char *namespace_, const char *name);
void inference_set_done(struct inference_set_pass *p);
