/* static_pools.c: NodePools with spec.replicas: as many claims as are wanted, no more and no fewer, the pool's status, and the end of its
 * claims when it is deleted.
 *
 * Whether there is something to do is seen in the caches; what is done is decided on a list that the API server has just given, so that a
 * cache that lags behind neither buys a machine twice nor gives up one too many. A pass makes or gives up a batch and no more, so that a
 * number that was a mistake can be taken back. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "kube/meta.h"
#include "nodes/pool_claim.h"
#include "nodes/pool_plan.h"
#include "nodes/pool_status.h"
#include <stdio.h>
#include <string.h>

enum { BATCH = 64, AGAIN_MS = 1 };

struct pass { struct nodes *n; json_t *pool, *node_class, *claims; };

static void pass_done(struct pass *p)
{
	json_decref(p->pool);
	json_decref(p->node_class);
	json_decref(p->claims);
}

static struct object_home pool_home(struct nodes *n)
{
	return (struct object_home){n->op.kube, &KUBE_NODE_POOLS, n->op.caches[NODES_POOLS]};
}

/* Consumes `found`. */
static json_t *own_of(const json_t *pool, json_t *found)
{
	json_t *own = json_array(), *claim;
	size_t i;
	json_array_foreach(found, i, claim)
		if (pool_owns(pool, claim))
			json_array_append(own, claim);
	json_decref(found);
	return own;
}

/* The claims as the API server has them now. */
static int refresh(struct pass *p, struct err *err)
{
	CLEANUP(mem_freep) char *selector = mem_printf(LABEL_POOL "=%s", meta_name(p->pool));
	json_t *found = NULL;
	if (kube_list_array(p->n->op.kube, &KUBE_NODE_CLAIMS, NULL, selector, &found, err) < 0)
		return err_wrap(err, "list the claims of NodePool %s", meta_name(p->pool));
	json_decref(p->claims);
	p->claims = own_of(p->pool, found);
	return 0;
}

/* --- creating -------------------------------------------------------------------------------------------------- */

/* A claim of that name exists: 1 when it is the pool's, made by another leader a moment ago; 0 when the name is somebody else's. */
static int look_again(struct pass *p, const char *name, struct err *err)
{
	CLEANUP(json_decrefp) json_t *found = NULL;
	struct err why = ERR_INIT;
	if (kube_get(p->n->op.kube, &KUBE_NODE_CLAIMS, NULL, name, &found, &why) == 0)
		return pool_owns(p->pool, found);
	*err = why;
	return err_wrap(err, "look at the claim %s of NodePool %s", name, meta_name(p->pool));
}

/* 1: there is such a claim of the pool's now; 0: the name is somebody else's. */
static int create_one(struct pass *p, const char *name, struct err *err)
{
	CLEANUP(json_decrefp) json_t *body = pool_claim(p->pool, p->node_class, name), *stored = NULL;
	struct err why = ERR_INIT;
	if (kube_create(p->n->op.kube, &KUBE_NODE_CLAIMS, body, &stored, &why) < 0) {
		if (why.kind == ERR_EXISTS)
			return look_again(p, name, err);
		*err = why;
		return err_wrap(err, "create a claim of NodePool %s", meta_name(p->pool));
	}
	informer_learn(p->n->op.caches[NODES_CLAIMS], stored);
	return 1;
}

static int create(struct pass *p, int64_t count, struct err *err)
{
	char name[POOL_CLAIM_NAME];
	for (unsigned slot = 0; count > 0; slot++) {
		pool_claim_name(p->pool, slot, name);
		int rc = meta_named(p->claims, name) ? 0 : create_one(p, name, err);
		if (rc < 0)
			return -1;
		count -= rc;
	}
	return 0;
}

/* --- giving up ------------------------------------------------------------------------------------------------- */

struct pods { size_t working; };

static bool of_daemon_set(const json_t *pod)
{
	const json_t *owner = meta_controller(pod);
	return owner && strcmp(json_text_at(owner, "", "kind", NULL), "DaemonSet") == 0;
}

static void count_pod(void *context, json_t *pod)
{
	struct pods *pods = context;
	const char *phase = json_text_at(pod, "", "status", "phase", NULL);
	bool ended = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
	pods->working += !ended && !of_daemon_set(pod) && !meta_annotation(pod, "kubernetes.io/config.mirror");
	json_decref(pod);
}

static void count_again(void *context) { ((struct pods *)context)->working = 0; }

static int is_empty(struct nodes *n, const json_t *claim, bool *empty, struct err *err)
{
	const char *node = json_text_at(claim, "", "status", "nodeName", NULL);
	struct pods pods = {0};
	CLEANUP(mem_freep) char *selector = mem_printf("spec.nodeName=%s", node);
	const struct kube_list_options options = {.field_selector = selector};
	if (node[0] && kube_list(n->op.kube, &KUBE_PODS, NULL, &options, count_pod, count_again, &pods, NULL, err) < 0)
		return err_wrap(err, "list the pods of Node %s", node);
	*empty = pods.working == 0;
	return 0;
}

/* Pods are only looked at when claims without machines do not suffice. */
static int remove_excess(struct pass *p, int64_t count, struct err *err)
{
	VEC(struct pool_candidate) list = {0};
	const json_t *claim;
	int64_t unlaunched = 0;
	int rc = 0;
	size_t i;
	json_array_foreach(p->claims, i, claim) {
		unlaunched += !meta_deleting(claim) && !pool_plan_launched(claim);
		if (!meta_deleting(claim))
			vec_push(&list, (struct pool_candidate){.claim = claim});
	}
	for (i = 0; i < list.len && rc == 0 && count > unlaunched; i++)
		if (pool_plan_launched(list.data[i].claim))
			rc = is_empty(p->n, list.data[i].claim, &list.data[i].empty, err);
	if (rc == 0 && list.len)
		pool_plan_sort(list.data, list.len);
	for (i = 0; i < list.len && rc == 0 && (int64_t)i < count; i++)
		rc = nodes_disrupt(p->n, &DIALECT_NODE_CLAIM, list.data[i].claim, "overprovisioned", err);
	vec_done(&list);
	return rc;
}

/* Creation times compare as text. */
static size_t oldest_drifted(const json_t *claims)
{
	const json_t *claim;
	size_t i, best = SIZE_MAX;
	const char *least = "";
	json_array_foreach(claims, i, claim) {
		const char *created = json_text_at(claim, "", "metadata", "creationTimestamp", NULL);
		if (pool_plan_drifted(claim) && (best == SIZE_MAX || strcmp(created, least) < 0)) {
			best = i;
			least = created;
		}
	}
	return best;
}

static int replace(struct pass *p, int64_t count, struct err *err)
{
	for (; count > 0; count--) {
		size_t at = oldest_drifted(p->claims);
		if (at == SIZE_MAX)
			return 0;
		if (nodes_disrupt(p->n, &DIALECT_NODE_CLAIM, json_array_get(p->claims, at), "drifted", err) < 0)
			return -1;
		json_array_remove(p->claims, at);
	}
	return 0;
}

static int64_t batch(int64_t count) { return count < BATCH ? count : BATCH; }

static int balance(struct pass *p, bool ready, struct outcome *out, struct err *err)
{
	bool drift = p->n->options.drift;
	struct pool_plan plan = pool_plan(p->pool, p->claims, drift);
	if (plan.remove == 0 && (!ready || (plan.create == 0 && plan.replace == 0)))
		return 0;
	if (refresh(p, err) < 0)
		return -1;
	plan = pool_plan(p->pool, p->claims, drift);
	if (plan.remove > BATCH || (ready && plan.create > BATCH))
		out->requeue_ms = AGAIN_MS;
	if (plan.remove && remove_excess(p, batch(plan.remove), err) < 0)
		return -1;
	if (ready && plan.create && create(p, batch(plan.create), err) < 0)
		return -1;
	return ready && plan.replace ? replace(p, plan.replace, err) : 0;
}

/* --- the pool itself ------------------------------------------------------------------------------------------- */

/* The finalizer, so that a deleted pool stays until its claims are gone, and the hash by which its claims are compared. */
static int mark(struct pass *p, struct err *err)
{
	char hash[POOL_HASH];
	pool_hash(p->pool, hash);
	const char *old = meta_annotation(p->pool, ANNOTATION_POOL_HASH), *version = meta_annotation(p->pool, ANNOTATION_POOL_HASH_VERSION);
	json_t *metadata = json_object();
	if (!old || strcmp(old, hash) != 0 || !version || strcmp(version, POOL_HASH_VERSION) != 0)
		json_object_set_new(metadata, "annotations", json_pack("{s:s,s:s}", ANNOTATION_POOL_HASH, hash, ANNOTATION_POOL_HASH_VERSION, POOL_HASH_VERSION));
	if (!meta_has_finalizer(p->pool, FINALIZER_TERMINATION))
		json_object_set_new(metadata, "finalizers", object_finalizers(p->pool, FINALIZER_TERMINATION, true));
	if (json_object_size(metadata) == 0) {
		json_decref(metadata);
		return 0;
	}
	const struct object_home home = pool_home(p->n);
	return object_write_metadata(&home, &p->pool, metadata, err);
}

/* The finalizer goes when the API server says that no claim is left: their own ends bring the pool here again. */
static int release(struct pass *p, struct err *err)
{
	const json_t *claim;
	size_t i;
	if (!meta_has_finalizer(p->pool, FINALIZER_TERMINATION))
		return 0;
	if (refresh(p, err) < 0)
		return -1;
	json_array_foreach(p->claims, i, claim)
		if (nodes_disrupt(p->n, &DIALECT_NODE_CLAIM, claim, "nodepool_deleted", err) < 0)
			return -1;
	if (json_array_size(p->claims))
		return 0;
	const struct object_home home = pool_home(p->n);
	return object_let_go(&home, p->pool, FINALIZER_TERMINATION, err);
}

static int write_status(struct pass *p, bool *ready, struct err *err)
{
	char now[32];
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->pool);
	const struct object_home home = pool_home(p->n);
	clock_rfc3339(clock_wall_s(), now);
	*ready = pool_status_fill(&(struct pool_view){p->pool, p->claims, p->node_class}, status, now);
	return object_write_status(&home, &p->pool, status, err);
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	(void)namespace_;
	struct nodes *n = world;
	bool ready = false;
	CLEANUP(pass_done) struct pass p = {.n = n, .pool = informer_get(n->op.caches[NODES_POOLS], NULL, name)};
	if (!p.pool || !pool_is_static(p.pool))
		return 0;
	p.claims = own_of(p.pool, nodes_claims_by(n, &DIALECT_NODE_CLAIM, CLAIM_KEY_POOL, name));
	p.node_class = n->op.caches[NODES_CLASSES] ? informer_get(n->op.caches[NODES_CLASSES], NULL, pool_class_name(p.pool)) : NULL;
	if (meta_deleting(p.pool))
		return release(&p, err);
	struct err why = ERR_INIT;
	if (mark(&p, &why) < 0 || write_status(&p, &ready, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			return 0; /* gone meanwhile */
		*err = why;
		return -1;
	}
	return balance(&p, ready, out, err);
}

/* --- what wakes it --------------------------------------------------------------------------------------------- */

struct users { const char *class_name; void (*add)(void *list, const char *key); void *list; };

static void add_user(void *context, const json_t *pool)
{
	const struct users *u = context;
	if (pool_is_static(pool) && strcmp(pool_class_name(pool), u->class_name) == 0)
		u->add(u->list, meta_name(pool));
}

static void add_owner(const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(claim, "metadata", "ownerReferences", NULL), i, owner)
		if (strcmp(json_text_at(owner, "", "kind", NULL), KUBE_NODE_POOLS.kind) == 0)
			add(list, json_text_at(owner, "", "name", NULL));
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	const struct nodes *n = world;
	struct users users = {meta_name(object), add, list};
	if (cache == NODES_CLAIMS)
		add_owner(object, add, list);
	else if (cache == NODES_CLASSES && n->op.caches[NODES_POOLS])
		informer_each(n->op.caches[NODES_POOLS], add_user, &users);
	else if (cache == NODES_POOLS && pool_is_static(object))
		add(list, meta_name(object));
}

static bool enabled(const void *world)
{
	const struct nodes *n = world;
	return n->options.pools && n->options.claims;
}

static const int CACHES[] = {NODES_POOLS, NODES_CLAIMS, NODES_CLASSES};
const struct operator_controller NODES_STATIC_POOLS = {
	.name = "static.provisioning",
	.workers = 2,
	.reconcile = reconcile,
	.keys = keys,
	.caches = CACHES,
	.n_caches = sizeof CACHES / sizeof CACHES[0],
	.enabled = enabled,
};
