/* drift.c: whether a claim is what would be made today: its pool's template, its pool's requirements and its node class have hashes or
 * labels on the claim to be compared with. The finding is the condition Drifted; static pools replace such claims (static_pools.c), a
 * Workspace's claims keep it for the Workspace's controller to see. Images are not compared: the cloud upgrades them by its own rules. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "nodes/pool_claim.h"
#include <string.h>

#define DRIFTED "Drifted"

/* A claim without the annotation, or with one that another program made, is not comparable. */
static bool differs(const json_t *claim, const char *key, const char *version_key, const char *hash)
{
	const char *stamped = meta_annotation(claim, key), *version = meta_annotation(claim, version_key);
	return stamped && version && strcmp(version, POOL_HASH_VERSION) == 0 && strcmp(stamped, hash) != 0;
}

/* The claim's labels say what it became; a requirement that was tightened since may exclude that. */
static bool outside_requirements(const json_t *claim, const json_t *pool)
{
	struct claim_view view = {0};
	struct err why = ERR_INIT;
	CLEANUP(json_decrefp) json_t *today = pool_claim(pool, NULL, meta_name(claim));
	const json_t *requirement;
	bool outside = false;
	size_t i;
	if (claim_view_init(&view, today, &why) < 0)
		return false; /* the pool says so in its own status */
	json_array_foreach(json_at(today, "spec", "requirements", NULL), i, requirement) {
		const char *key = json_text_at(requirement, "", "key", NULL), *label = meta_label(claim, key);
		outside |= label && !claim_view_allows(&view, key, label);
	}
	claim_view_done(&view);
	return outside;
}

static json_t *pool_of(const struct nodes *n, const json_t *claim)
{
	const char *name = meta_label(claim, LABEL_POOL);
	struct informer *pools = n->op.caches[NODES_POOLS];
	json_t *pool = name && pools ? informer_get(pools, NULL, name) : NULL;
	if (pool && pool_is_static(pool) && pool_owns(pool, claim))
		return pool;
	json_decref(pool);
	return NULL;
}

/* The reason, or NULL. */
static const char *drift_of(const json_t *claim, const json_t *pool, const char *class_hash)
{
	char hash[POOL_HASH];
	if (pool) {
		pool_hash(pool, hash);
		if (differs(claim, ANNOTATION_POOL_HASH, ANNOTATION_POOL_HASH_VERSION, hash))
			return "NodePoolDrifted";
		if (outside_requirements(claim, pool))
			return "RequirementsDrifted";
	}
	return differs(claim, ANNOTATION_CLASS_HASH, ANNOTATION_CLASS_HASH_VERSION, class_hash) ? "NodeClassDrifted" : NULL;
}

/* A claim that nobody has stamped yet (a Workspace's, or one from before) counts as made from today's class. */
static int stamp(struct nodes *n, json_t **claim, const char *class_hash, struct err *err)
{
	const struct object_home home = nodes_claim_home(n, &DIALECT_NODE_CLAIM);
	json_t *metadata = json_pack("{s:{s:s,s:s}}", "annotations", ANNOTATION_CLASS_HASH, class_hash, ANNOTATION_CLASS_HASH_VERSION, POOL_HASH_VERSION);
	return object_write_metadata(&home, claim, metadata, err);
}

static int tell(struct nodes *n, json_t **claim, const char *reason, struct err *err)
{
	const struct object_home home = nodes_claim_home(n, &DIALECT_NODE_CLAIM);
	const json_t *old = condition_find(json_at(*claim, "status", "conditions", NULL), DRIFTED);
	CLEANUP(json_decrefp) json_t *edited = json_deep_copy(*claim);
	char now[32];
	if (!reason && !old)
		return 0;
	clock_rfc3339(clock_wall_s(), now);
	struct condition_set set = {edited, &DIALECT_NODE_CLAIM, now};
	if (reason) {
		condition_set_true_with(&set, DRIFTED, reason, reason);
		condition_set_finish(&set);
	} else
		condition_remove(json_at(edited, "status", "conditions", NULL), DRIFTED);
	if (object_write_status(&home, claim, json_object_get(edited, "status"), err) < 0)
		return -1;
	if (reason && !old)
		event_emit(n->op.events, *claim, "Normal", DRIFTED, "what would be made today is different: %s", reason);
	return 0;
}

static bool uses_kaito_class(const json_t *claim)
{
	const json_t *ref = json_at(claim, "spec", "nodeClassRef", NULL);
	return strcmp(json_text_at(ref, "", "group", NULL), KUBE_NODE_CLASSES.group) == 0 && strcmp(json_text_at(ref, "", "kind", NULL), KUBE_NODE_CLASSES.kind) == 0;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	(void)out;
	struct nodes *n = world;
	char class_hash[POOL_HASH];
	if (strcmp(namespace_, DIALECT_NODE_CLAIM.name) != 0)
		return 0;
	CLEANUP(json_decrefp) json_t *claim = informer_get(n->op.caches[NODES_CLAIMS], NULL, name);
	if (!claim || meta_deleting(claim) || !uses_kaito_class(claim) || !condition_is(json_at(claim, "status", "conditions", NULL), "Launched", "True"))
		return 0;
	const char *class_name = json_text_at(claim, "", "spec", "nodeClassRef", "name", NULL);
	CLEANUP(json_decrefp) json_t *pool = pool_of(n, claim);
	CLEANUP(json_decrefp) json_t *class = n->op.caches[NODES_CLASSES] ? informer_get(n->op.caches[NODES_CLASSES], NULL, class_name) : NULL;
	if (!class && strcmp(class_name, POOL_CLASS_DEFAULT) != 0)
		return 0; /* a class that is away for a while is no new class */
	pool_class_hash(class, class_hash);
	if (!meta_annotation(claim, ANNOTATION_CLASS_HASH) && stamp(n, &claim, class_hash, err) < 0)
		return -1;
	return tell(n, &claim, drift_of(claim, pool, class_hash), err);
}

/* --- what wakes it --------------------------------------------------------------------------------------------- */

static void add_claim(const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	CLEANUP(mem_freep) char *key = nodes_claim_key(&DIALECT_NODE_CLAIM, meta_name(claim));
	add(list, key);
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	const json_t *claim;
	size_t i;
	if (cache == NODES_CLAIMS) {
		add_claim(object, add, list);
		return;
	}
	CLEANUP(json_decrefp) json_t *claims =
		nodes_claims_by(world, &DIALECT_NODE_CLAIM, cache == NODES_POOLS ? CLAIM_KEY_POOL : CLAIM_KEY_CLASS, meta_name(object));
	json_array_foreach(claims, i, claim)
		add_claim(claim, add, list);
}

static bool enabled(const void *world)
{
	const struct nodes *n = world;
	return n->options.drift && n->options.claims;
}

static const int CACHES[] = {NODES_CLAIMS, NODES_POOLS, NODES_CLASSES};
const struct operator_controller NODES_DRIFT = {
	.name = "nodeclaim.disruption",
	.workers = 1,
	.reconcile = reconcile,
	.keys = keys,
	.caches = CACHES,
	.n_caches = sizeof CACHES / sizeof CACHES[0],
	.enabled = enabled,
};
