/* drift.c: nodes of an InferenceSet are renewed one replica at a time (Karpenter only). The pools of its replicas have a closed
 * disruption budget; when Karpenter marks claims as Drifted, this controller opens one pool, waits until nothing of it is drifted and
 * the replica is well again, closes it and takes the next. Which pool is open is read from the pools, so a restart goes on. */
#include "base/mem.h"
#include "control/control.h"
#include "control/inference_set.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "provision/pool.h"
#include <string.h>

enum { LOOK_AGAIN_MS = 30000 };

static struct node_request request_of(const json_t *child)
{
	return (struct node_request){.owner = child, .name = meta_name(child), .namespace_ = meta_namespace(child), .uid = meta_uid(child)};
}

static bool drifted(const json_t *claim)
{
	return !meta_deleting(claim) && condition_is(json_at(claim, "status", "conditions", NULL), "Drifted", "True");
}

static bool child_drifted(struct control *c, const json_t *child)
{
	CLEANUP(mem_freep) char *key = meta_key(child);
	CLEANUP(json_decrefp) json_t *claims = informer_find(c->op.caches[CACHE_NODE_CLAIMS], key);
	const json_t *claim;
	size_t i;
	json_array_foreach(claims, i, claim)
		if (drifted(claim))
			return true;
	return false;
}

static bool open_budget(const json_t *pool)
{
	return strcmp(json_text_at(pool, "0", "spec", "disruption", "budgets", "#0", "nodes", NULL), "0") != 0;
}

static bool child_open(struct control *c, const json_t *child)
{
	const struct node_request r = request_of(child);
	CLEANUP(json_decrefp) json_t *pool = pool_find(c->op.caches[CACHE_NODE_POOLS], &r);
	return pool && open_budget(pool);
}

static int set_budget(struct inference_set_pass *p, const json_t *child, int nodes, struct err *err)
{
	const struct node_request r = request_of(child);
	if (p->c->provisioner->set_drift_budget(&p->c->nodes, &r, nodes, err) < 0)
		return -1;
	if (nodes)
		event_emit(p->c->op.events, p->object, "Normal", "DriftStarted", "Nodes of Workspace %s are being replaced", meta_name(child));
	else
		event_emit(p->c->op.events, p->object, "Normal", "DriftComplete", "Nodes of Workspace %s have been replaced", meta_name(child));
	return 0;
}

/* 1: a pool is open and stays so; 0: none is open any more. */
static int close_finished(struct inference_set_pass *p, struct err *err)
{
	const json_t *child;
	size_t i;
	int busy = 0;
	json_array_foreach(p->children, i, child) {
		if (!child_open(p->c, child))
			continue;
		if (child_drifted(p->c, child) || !inference_set_child_ready(child))
			busy = 1;
		else if (set_budget(p, child, 0, err) < 0)
			return -1;
	}
	return busy;
}

/* 1: one was opened. */
static int open_next(struct inference_set_pass *p, struct err *err)
{
	const json_t *child;
	size_t i;
	json_array_foreach(p->children, i, child)
		if (child_drifted(p->c, child))
			return set_budget(p, child, 1, err) < 0 ? -1 : 1;
	return 0;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct control *c = world;
	struct inference_set_pass p CLEANUP(inference_set_done);
	if (!inference_set_read(&p, c, namespace_, name) || meta_deleting(p.object))
		return 0;
	int rc = close_finished(&p, err);
	if (rc == 0)
		rc = open_next(&p, err);
	if (rc > 0)
		out->requeue_ms = LOOK_AGAIN_MS;
	return rc < 0 ? -1 : 0;
}

/* Only drifted claims and open pools are of interest; while one is open the set looks again by itself. */
static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	const char *set = meta_label(object, LABEL_POOL_SET), *ns = meta_label(object, LABEL_POOL_SET_NAMESPACE);
	if (!set || !ns || !(cache == CACHE_NODE_CLAIMS ? drifted(object) : open_budget(object)))
		return;
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", ns, set);
	add(list, key);
}

static bool enabled(const void *world)
{
	const struct control_options *o = ((const struct control *)world)->options;
	return strcmp(o->node_provisioner, "karpenter") == 0 && o->gates[GATE_INFERENCE_SET];
}

static const int WATCHED[] = {CACHE_NODE_CLAIMS, CACHE_NODE_POOLS};
const struct operator_controller DRIFT_CONTROLLER = {
	.name = "drift",
	.workers = 5,
	.reconcile = reconcile,
	.keys = keys,
	.caches = WATCHED,
	.n_caches = sizeof WATCHED / sizeof WATCHED[0],
	.enabled = enabled,
};
