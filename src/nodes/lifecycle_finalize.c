/* lifecycle_finalize.c: the way out. First the claim's Nodes, whose own termination drains them; then whatever the cloud has or is making
 * for the claim, known or half made; then the finalizer. Waiting costs nothing: the end of a Node, and the cloud's news, are events. */
#include "nodes/instance_end.h"
#include "nodes/lifecycle.h"

#include "base/clock.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

/* When the drain has to be over, from the claim's grace period: written once, for the drain of its Node and for people to see. */
static int mark_end(struct claim_pass *p, struct err *err)
{
	int64_t grace_s, deleted_s = claim_view_time(json_text_at(p->claim, NULL, "metadata", "deletionTimestamp", NULL));
	char end[32];
	if (meta_annotation(p->claim, ANNOTATION_TERMINATION_TIME) || !nodes_duration_s(json_text_at(p->claim, "", "spec", "terminationGracePeriod", NULL), &grace_s))
		return 0;
	clock_rfc3339(deleted_s + grace_s, end);
	meta_set_annotation(p->claim, ANNOTATION_TERMINATION_TIME, end);
	if (lifecycle_store_metadata(p, err) < 0)
		return -1;
	event_emit(p->n->op.events, p->stored, "Warning", "TerminationGracePeriodExpiring", "All pods will be deleted by %s", end);
	return 0;
}

static bool owned(const json_t *node, const char *uid)
{
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(node, "metadata", "ownerReferences", NULL), i, owner)
		if (strcmp(json_text_at(owner, "", "uid", NULL), uid) == 0)
			return true;
	return false;
}

static int delete_node(struct claim_pass *p, const json_t *node, struct err *err)
{
	struct err why = ERR_INIT;
	if (meta_deleting(node) ||
	    kube_delete(p->n->op.kube, &KUBE_NODES, NULL, meta_name(node), &(struct kube_delete_options){.uid = meta_uid(node), .grace_s = -1}, &why) == 0)
		return 0;
	if (why.kind == ERR_NOT_FOUND || why.kind == ERR_CONFLICT)
		return 0; /* gone, or another Node of that name */
	*err = why;
	return err_wrap(err, "delete Node %s", meta_name(node));
}

/* The Nodes that were registered for the claim. Which they are they say themselves, as the claim may have been deleted, or this process
 * have died, between the Node's registration and the claim's own status. */
static json_t *registered_nodes(struct claim_pass *p)
{
	json_t *nodes = nodes_owned_by(p->n, meta_uid(p->claim)), *node;
	size_t i;
	if (!condition_set_is_true(&p->conditions, p->d->registered))
		return nodes;
	CLEANUP(json_decrefp) json_t *same = nodes_with_provider_id(p->n, json_text_at(p->claim, "", "status", "providerID", NULL));
	json_array_foreach(same, i, node)
		if (!owned(node, meta_uid(p->claim)))
			json_array_append(nodes, node);
	return nodes;
}

/* 1: Nodes are still there. */
static int let_nodes_go(struct claim_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *nodes = registered_nodes(p);
	const json_t *node;
	size_t i;
	json_array_foreach(nodes, i, node)
		if (delete_node(p, node, err) < 0)
			return -1;
	return json_array_size(nodes) > 0;
}

static void observe(struct claim_pass *p, enum nodes_metric row, const char *since)
{
	int64_t then = claim_view_time(since), now = clock_wall_s();
	CLEANUP(buf_done) struct buf labels = {0};
	nodes_metric_labels(p->stored, &labels);
	if (then)
		metrics_observe(p->n->op.metrics, row, labels.data, (double)(now > then ? now - then : 0));
}

static int let_go(struct claim_pass *p, struct err *err)
{
	if (object_let_go(&p->home, p->stored, FINALIZER_TERMINATION, err) < 0)
		return -1;
	CLEANUP(buf_done) struct buf labels = {0};
	const json_t *ending = condition_find(json_at(p->stored, "status", "conditions", NULL), "InstanceTerminating");
	nodes_metric_labels(p->stored, &labels);
	metrics_add(p->n->op.metrics, NODES_TERMINATED, labels.data, 1);
	observe(p, NODES_TERMINATION_SECONDS, json_text_at(p->stored, "", "metadata", "deletionTimestamp", NULL));
	observe(p, NODES_INSTANCE_SECONDS, json_text_at(ending, "", "lastTransitionTime", NULL));
	holdoff_forget(&p->n->holdoff, meta_uid(p->stored));
	return 0;
}

int lifecycle_finalize(struct claim_pass *p, struct err *err)
{
	int64_t retry_ms = 0;
	if (!meta_has_finalizer(p->stored, FINALIZER_TERMINATION))
		return 0;
	if (mark_end(p, err) < 0)
		return -1;
	int rc = let_nodes_go(p, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = instance_end_step(p->n, p->d, &p->stored, &retry_ms, err);
	if (rc < 0)
		return -1;
	lifecycle_again(p, retry_ms);
	return rc > 0 ? let_go(p, err) : 0;
}
