/* expiration.c: the controller nodeclaim.expiration: a claim is deleted when it has lived for as long as its expireAfter says. Machines
 * have none. A claim that must not be disrupted is left alone, as expiry is nothing that has to be now. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

#define CONTROLLER "nodeclaim.expiration"

/* When the claim ends by itself, in Unix time; 0: never. */
static int64_t end_s(const json_t *claim)
{
	int64_t after_s, created_s = claim_view_time(json_text_at(claim, NULL, "metadata", "creationTimestamp", NULL));
	if (!created_s || !nodes_duration_s(json_text_at(claim, "", "spec", "expireAfter", NULL), &after_s))
		return 0;
	return created_s + after_s;
}

static bool must_stay(const json_t *claim)
{
	const char *value = meta_annotation(claim, ANNOTATION_DO_NOT_DISRUPT);
	return value && strcmp(value, "true") == 0;
}

static int expire(struct nodes *n, const struct dialect *d, const json_t *claim, struct outcome *out, struct err *err)
{
	int64_t end = end_s(claim), left_s = end - clock_wall_s();
	if (meta_deleting(claim) || !end)
		return 0;
	if (left_s > 0) {
		out->requeue_ms = left_s * 1000;
		return 0;
	}
	if (must_stay(claim)) {
		event_emit(n->op.events, claim, "Normal", "DisruptionBlocked", "%s has expired, but it is annotated " ANNOTATION_DO_NOT_DISRUPT, d->claims->kind);
		return 0;
	}
	return nodes_disrupt(n, d, claim, "expired", err);
}

static int reconcile(void *world, const char *dialect, const char *name, struct outcome *out, struct err *err)
{
	struct nodes *n = world;
	const struct dialect *d = dialect_find(dialect);
	struct informer *cache = d ? nodes_claim_cache(n, d) : NULL;
	CLEANUP(json_decrefp) json_t *claim = cache ? informer_get(cache, NULL, name) : NULL;
	return claim ? expire(n, d, claim, out, err) : 0;
}

static void keys(void *world, int cache, const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	(void)world, (void)cache;
	if (meta_deleting(claim) || !end_s(claim))
		return;
	CLEANUP(mem_freep) char *key = nodes_claim_key(&DIALECT_NODE_CLAIM, meta_name(claim));
	add(list, key);
}

static const int CACHES[] = {NODES_CLAIMS};
const struct operator_controller NODES_EXPIRATION = {
	.name = CONTROLLER, .workers = 1, .reconcile = reconcile, .keys = keys, .caches = CACHES, .n_caches = 1,
};
