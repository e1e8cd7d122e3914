/* claim_gc.c: the controller nodeclaim.garbagecollection: claims whose instance vanished behind everybody's back are deleted, so that who
 * made them makes new ones. A stopped cluster, an API that fails or a list that came too early look much the same as a vanished instance,
 * and a mistake costs a machine; so all of these must agree: the claim had been registered, it is old enough, a fresh list lacks its
 * instance by name and by providerID, the cloud says of the very id that it is gone, and its Node is gone or not Ready. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"

#define CONTROLLER "nodeclaim.garbagecollection"
enum { PER_ROUND = 20 };

struct round {
	struct nodes *n;
	const struct dialect *dialect;   /* of the claims being looked at */
	struct map listed;               /* index keys of providerIDs, and "claim:NAME" */
	size_t instances;
	int64_t now_s;
	json_t *missing;
};

static void remember(struct round *r, const char *prefix, const char *value)
{
	CLEANUP(mem_freep) char *key = nodes_index_key(prefix, value);
	map_put(&r->listed, str_of(key), r);
}

static bool is_listed(const struct round *r, const char *prefix, const char *value)
{
	CLEANUP(mem_freep) char *key = nodes_index_key(prefix, value);
	return map_has(&r->listed, str_of(key));
}

static void on_instance(void *context, const struct instance *i)
{
	struct round *r = context;
	r->instances++;
	remember(r, NODE_KEY_PROVIDER, i->provider_id);
	remember(r, "claim:", i->claim[0] ? i->claim : i->name);
}

static bool is_registered(const struct round *r, const json_t *claim)
{
	return condition_is(json_at(claim, "status", "conditions", NULL), r->dialect->registered, "True");
}

static void on_claim(void *context, const json_t *claim)
{
	struct round *r = context;
	const char *id = json_text_at(claim, "", "status", "providerID", NULL);
	int64_t age_s = r->now_s - claim_view_time(json_text_at(claim, NULL, "metadata", "creationTimestamp", NULL));
	if (meta_deleting(claim) || !id[0] || !is_registered(r, claim) || age_s * 1000 < r->n->options.instance_gc_age_ms)
		return;
	if (!is_listed(r, NODE_KEY_PROVIDER, id) && !is_listed(r, "claim:", meta_name(claim)))
		json_array_append_new(r->missing, json_deep_copy(claim));
}

static bool has_ready_node(const struct round *r, const char *provider_id)
{
	CLEANUP(json_decrefp) json_t *nodes = nodes_with_provider_id(r->n, provider_id);
	const json_t *node;
	size_t i;
	json_array_foreach(nodes, i, node)
		if (condition_is(json_at(node, "status", "conditions", NULL), "Ready", "True"))
			return true;
	return false;
}

static void ignore(void *context, const struct instance *i) { (void)context, (void)i; }

static int collect(struct round *r, const json_t *claim, struct err *err)
{
	const char *id = json_text_at(claim, "", "status", "providerID", NULL);
	if (has_ready_node(r, id))
		return 0;
	int gone = nodes_cloud_get(r->n, CONTROLLER, id, ignore, NULL, err);
	if (gone < 0)
		return err_wrap(err, "ask for the instance of %s", meta_name(claim));
	return gone == 0 ? 0 : nodes_disrupt(r->n, dialect_of(claim), claim, "garbage_collected", err);
}

/* One claim that cannot be judged does not keep the others from it; its error is the round's. */
static int collect_all(struct round *r, struct err *err)
{
	const json_t *claim;
	size_t i;
	int rc = 0;
	json_array_foreach(r->missing, i, claim) {
		struct err why = ERR_INIT;
		if (i == PER_ROUND)
			break;
		if (collect(r, claim, &why) < 0) {
			*err = why;
			rc = -1;
		}
	}
	return rc;
}

static void find_missing(struct round *r)
{
	const struct dialect *const dialects[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
	for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
		struct informer *cache = nodes_claim_cache(r->n, r->dialect = dialects[i]);
		if (cache)
			informer_each(cache, on_claim, r);
	}
}

static bool is_first_round(const struct nodes *n) { return clock_now_ms() - n->started_ms < n->options.claim_gc_ms; }

static int run(struct round *r, struct err *err)
{
	if (nodes_cloud_list(r->n, CONTROLLER, 0, on_instance, r, err) < 0)
		return err_wrap(err, "nothing is collected, the instances are not known");
	find_missing(r);
	size_t missing = json_array_size(r->missing);
	if (missing && !r->instances && is_first_round(r->n)) {
		log_warning(CONTROLLER ": the cloud lists no instance at all, but there are %zu claims: the next round decides", missing);
		return 0;
	}
	return collect_all(r, err);
}

static int tick(void *world, struct err *err)
{
	struct round r = {.n = world, .now_s = clock_wall_s(), .missing = json_array()};
	int rc = run(&r, err);
	map_done(&r.listed);
	json_decref(r.missing);
	return rc;
}

static bool enabled(const void *world) { return ((const struct nodes *)world)->options.claim_gc_ms > 0; }
static int64_t period_ms(const void *world) { return ((const struct nodes *)world)->options.claim_gc_ms; }

const struct operator_controller NODES_CLAIM_GC = {.name = CONTROLLER, .enabled = enabled, .tick = tick, .period_ms = period_ms};
