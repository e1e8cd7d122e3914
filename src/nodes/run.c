/* run.c: see run.h. What the cloud tells about a claim wakes the claim's reconcile and, while its Node goes, the Node's. */
#include "nodes/run.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/meta.h"

enum { EVENT_QUIET_MS = 120000 }; /* as Karpenter's recorder */

struct run {
	struct nodes n; /* first: the world is a struct nodes to the controllers */
	const struct nodes_run_options *o;
};

static void wake(struct nodes *n, const struct dialect *d, const char *name)
{
	struct informer *cache = nodes_claim_cache(n, d);
	CLEANUP(json_decrefp) json_t *claim = cache ? informer_get(cache, NULL, name) : NULL;
	if (!claim)
		return;
	CLEANUP(mem_freep) char *key = nodes_claim_key(d, name);
	operator_wake(&n->op, NODES_LIFECYCLE.name, key, 0);
	CLEANUP(json_decrefp) json_t *nodes = meta_deleting(claim) ? nodes_owned_by(n, meta_uid(claim)) : NULL;
	const json_t *node;
	size_t i;
	json_array_foreach(nodes, i, node)
		operator_wake(&n->op, NODES_TERMINATION.name, meta_name(node), 0);
}

static void changed(void *context, const char *claim)
{
	struct nodes *n = context;
	wake(n, &DIALECT_NODE_CLAIM, claim);
	wake(n, &DIALECT_MACHINE, claim);
}

static int prepare(void *world, struct err *err)
{
	struct run *r = world;
	const struct cloud_hooks hooks = {changed, &r->n, r->n.op.caches[NODES_NODES], &r->n.op.until_ms};
	r->n.started_ms = clock_now_ms();
	return r->o->open_cloud(r->o->context, r->n.op.kube, &hooks, &r->n.cloud, err);
}

/* The cloud's threads call the hooks: they end before caches and queues do. */
static void finish(void *world)
{
	struct run *r = world;
	if (r->n.cloud)
		r->n.cloud->ops->free(r->n.cloud);
	r->n.cloud = NULL;
}

static int ready(void *world, struct err *err)
{
	struct run *r = world;
	return r->n.cloud && r->n.cloud->ops->ready ? r->n.cloud->ops->ready(r->n.cloud, err) : 0;
}

static void collect_text(void *world, struct buf *out)
{
	struct run *r = world;
	if (r->n.cloud && r->n.cloud->ops->collect)
		r->n.cloud->ops->collect(r->n.cloud, out);
}

static bool cache_wanted(const void *world, int cache)
{
	const struct nodes_options *o = &((const struct nodes *)world)->options;
	if (cache == NODES_CLAIMS)
		return o->claims;
	if (cache == NODES_MACHINES)
		return o->machines;
	return cache != NODES_POOLS || (o->pools && o->claims); /* a pool's nodes are NodeClaims */
}

int nodes_run(const struct nodes_run_options *o, atomic_bool *stop, struct err *err)
{
	struct run r = {.n.options = o->nodes, .o = o};
	const struct operator_options options = {
		.name = "kaito-provisioner",
		.kubeconfig = o->kubeconfig,
		.qps = o->qps,
		.burst = o->burst,
		.health_address = o->health_address,
		.metrics_address = o->metrics_address,
		.profiling = o->profiling,
		.leader_elect = o->leader_elect,
		.lease_namespace = o->lease_namespace,
		.lease_name = o->lease_name,
		.event_component = "karpenter", .event_quiet_ms = EVENT_QUIET_MS,
		.caches = NODES_CACHES,
		.n_caches = NODES_CACHE_COUNT,
		.controllers = NODES_CONTROLLERS,
		.n_controllers = NODES_CONTROLLER_COUNT,
		.workers = o->nodes.workers,
		.cache_wanted = cache_wanted,
		.prepare = prepare,
		.finish = finish,
		.ready = ready,
		.collect = nodes_collect,
		.collect_text = collect_text,
	};
	return operator_run(&r.n.op, &options, &r, nodes_metrics_new(o->version), stop, err);
}
