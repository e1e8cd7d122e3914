/* instance_gc.c: the controller instance.garbagecollection: instances of this cluster that no claim owns, left behind by a crash or by a
 * claim that was torn away, are deleted, and their Nodes with them. Only what the cloud lists as ours by its tags or labels comes into
 * question, and the API server itself is asked for the claim before anything is deleted, as the caches may be behind. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "kube/meta.h"
#include <string.h>

#define CONTROLLER "instance.garbagecollection"
enum { PER_ROUND = 20 };
static const int64_t LIST_AGE_MS = 10000; /* the list of the claims' collection, when both rounds fall together, will do */
static const struct dialect *const DIALECTS[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
enum { N_DIALECTS = sizeof DIALECTS / sizeof DIALECTS[0] };

struct orphan { char *name, *claim, *claim_uid, *provider_id, *image_id; enum instance_state state; int64_t created_s; json_t *labels; };
struct round {
	struct nodes *n;
	int64_t now_s;
	VEC(struct orphan) orphans;
};

/* The name of the claim that would own it. */
static const char *owner_of(const struct orphan *o) { return o->claim[0] ? o->claim : o->name; }

static void orphan_done(struct orphan *o)
{
	free(o->name), free(o->claim), free(o->claim_uid), free(o->provider_id), free(o->image_id);
	json_decref(o->labels);
}

/* Of an instance whose age the cloud does not tell it is known that it has not been here for longer than this process. */
static bool is_young(const struct round *r, const struct instance *i)
{
	int64_t age_ms = i->created_s ? (r->now_s - i->created_s) * 1000 : clock_now_ms() - r->n->started_ms;
	return age_ms < r->n->options.instance_gc_age_ms;
}

/* A later claim of the same name does not own what an earlier one left behind. An instance without a uid is the name's. */
static bool owns(const json_t *claim, const char *uid) { return !uid[0] || strcmp(meta_uid(claim), uid) == 0; }

static void on_instance(void *context, const struct instance *i)
{
	struct round *r = context;
	const struct dialect *d = NULL;
	if (i->state == INSTANCE_DELETING || is_young(r, i))
		return;
	CLEANUP(json_decrefp) json_t *owner = nodes_claim(r->n, i->claim[0] ? i->claim : i->name, &d);
	if (owner && owns(owner, i->claim_uid))
		return;
	vec_push(&r->orphans, (struct orphan){mem_strdup(i->name), mem_strdup(i->claim), mem_strdup(i->claim_uid), mem_strdup(i->provider_id), mem_strdup(i->image_id),
					      i->state, i->created_s, json_deep_copy(i->labels)});
}

/* 1: no claim that owns it exists, in either dialect; 0: one does; -1: not known. */
static int is_ownerless(const struct round *r, const struct orphan *o, struct err *err)
{
	for (size_t i = 0; i < N_DIALECTS; i++) {
		struct err why = ERR_INIT;
		CLEANUP(json_decrefp) json_t *claim = NULL;
		if (kube_get(r->n->op.kube, DIALECTS[i]->claims, NULL, owner_of(o), &claim, &why) == 0) {
			if (owns(claim, o->claim_uid))
				return 0;
		} else if (why.kind != ERR_NOT_FOUND) {
			*err = why;
			return err_wrap(err, "ask for %s %s", DIALECTS[i]->claims->kind, owner_of(o));
		}
	}
	return 1;
}

static int delete_nodes(const struct round *r, const char *provider_id, struct err *err)
{
	CLEANUP(json_decrefp) json_t *nodes = nodes_with_provider_id(r->n, provider_id);
	const json_t *node;
	size_t i;
	json_array_foreach(nodes, i, node) {
		struct err why = ERR_INIT;
		const struct kube_delete_options options = {.uid = meta_uid(node), .grace_s = -1};
		if (meta_deleting(node) || kube_delete(r->n->op.kube, &KUBE_NODES, NULL, meta_name(node), &options, &why) == 0 || why.kind == ERR_NOT_FOUND)
			continue;
		*err = why;
		return err_wrap(err, "delete node %s", meta_name(node));
	}
	return 0;
}

/* Told on the claim that is no more, as there is nothing else in the cluster that people would look at. */
static void tell(const struct round *r, const struct orphan *o, const char *what)
{
	CLEANUP(json_decrefp) json_t *claim = meta_new(&KUBE_NODE_CLAIMS, NULL, owner_of(o));
	json_object_set_new(json_object_get(claim, "metadata"), "uid", json_string(o->claim_uid));
	log_info(CONTROLLER ": instance %s has no claim: %s", o->name, what);
	event_emit(r->n->op.events, claim, "Warning", "InstanceWithoutClaim", "Instance %s has no claim: %s", o->name, what);
}

static int collect(const struct round *r, const struct orphan *o, struct err *err)
{
	int ownerless = is_ownerless(r, o, err);
	if (ownerless <= 0)
		return ownerless;
	if (r->n->options.gc_dry_run) {
		tell(r, o, "it would be deleted, but this is a dry run");
		return 0;
	}
	const struct instance i = {.name = o->name, .claim = o->claim, .claim_uid = o->claim_uid, .provider_id = o->provider_id, .image_id = o->image_id,
				   .state = o->state, .created_s = o->created_s, .labels = o->labels};
	if (nodes_cloud_reap(r->n, CONTROLLER, &i, err) < 0)
		return err_wrap(err, "delete instance %s, which has no claim", o->name);
	tell(r, o, "it is deleted");
	return delete_nodes(r, o->provider_id, err);
}

static int collect_all(const struct round *r, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < r->orphans.len && i < PER_ROUND; i++) {
		struct err why = ERR_INIT;
		if (collect(r, &r->orphans.data[i], &why) < 0) {
			*err = why;
			rc = -1;
		}
	}
	return rc;
}

static int tick(void *world, struct err *err)
{
	struct round r = {.n = world, .now_s = clock_wall_s()};
	if (clock_now_ms() - r.n->started_ms < r.n->options.instance_gc_delay_ms)
		return 0;
	int rc = nodes_cloud_list(r.n, CONTROLLER, LIST_AGE_MS, on_instance, &r, err);
	rc = rc < 0 ? err_wrap(err, "nothing is collected, the instances are not known") : collect_all(&r, err);
	for (size_t i = 0; i < r.orphans.len; i++)
		orphan_done(&r.orphans.data[i]);
	vec_done(&r.orphans);
	return rc;
}

static bool enabled(const void *world) { return ((const struct nodes *)world)->options.instance_gc_ms > 0; }
static int64_t period_ms(const void *world) { return ((const struct nodes *)world)->options.instance_gc_ms; }

const struct operator_controller NODES_INSTANCE_GC = {.name = CONTROLLER, .enabled = enabled, .tick = tick, .period_ms = period_ms};
