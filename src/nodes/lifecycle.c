/* lifecycle.c: the life of a claim, Karpenter's controller nodeclaim.lifecycle: launch, registration, initialization, liveness, and the way
 * out. Each step is a file; here is the pass that they share: what it reads, the order of its writes, and what it tells about.
 *
 * Order of the writes. The Node first: a claim says Registered only when its Node shows it. Of the claim the metadata go first, as who
 * sees it launched expects its labels. A memo that is to be dropped goes last: a crash in between leaves it, and with it the cloud tells
 * its result again without a second request. */
#include "nodes/lifecycle.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

enum { CONFLICT_RETRY_MS = 50 };

void lifecycle_again(struct claim_pass *p, int64_t ms)
{
	if (ms > 0 && ms != HOLDOFF_NEVER && (!p->requeue_ms || ms < p->requeue_ms))
		p->requeue_ms = ms;
}

/* --- writes -------------------------------------------------------------------------------------------------------- */

/* What a pass edits; the rest of the metadata is the API server's. */
static json_t *editable(const json_t *object)
{
	static const char *const KEYS[] = {"labels", "annotations", "finalizers"};
	json_t *out = json_object();
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		json_object_set(out, KEYS[i], json_at(object, "metadata", KEYS[i], NULL));
	return out;
}

int lifecycle_store_metadata(struct claim_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *old = editable(p->stored), *new = editable(p->claim);
	json_t *edited = object_difference(old, new);
	if (json_object_size(edited) == 0) {
		json_decref(edited);
		return 0;
	}
	if (object_write_metadata(&p->home, &p->stored, edited, err) < 0)
		return -1;
	json_object_set_new(p->claim, "metadata", json_deep_copy(json_object_get(p->stored, "metadata")));
	return 0;
}

int lifecycle_store_status(struct claim_pass *p, struct err *err)
{
	return object_write_status(&p->home, &p->stored, json_object_get(p->claim, "status"), err);
}

int lifecycle_store_node(struct claim_pass *p, struct err *err)
{
	if (!p->node)
		return 0;
	CLEANUP(json_decrefp) json_t *body = object_difference(p->node_stored, p->node);
	if (json_object_size(body) == 0)
		return 0;
	struct object_home home = nodes_node_home(p->n);
	json_t *meta = json_object_get(body, "metadata"), *stored = NULL;
	if (!meta)
		json_object_set_new(body, "metadata", meta = json_object());
	json_object_set_new(meta, "resourceVersion", json_string(meta_version(p->node_stored)));
	if (kube_patch(home.kube, home.resource, NULL, meta_name(p->node), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "write Node %s", meta_name(p->node));
	if (home.cache)
		informer_learn(home.cache, stored);
	json_decref(stored);
	return 0;
}

static int store_claim(struct claim_pass *p, struct err *err)
{
	const char *memo = meta_annotation(p->stored, ANNOTATION_OPERATION);
	if (!memo || meta_annotation(p->claim, ANNOTATION_OPERATION))
		return lifecycle_store_metadata(p, err) < 0 || lifecycle_store_status(p, err) < 0 ? -1 : 0;
	meta_set_annotation(p->claim, ANNOTATION_OPERATION, memo);
	if (lifecycle_store_metadata(p, err) < 0 || lifecycle_store_status(p, err) < 0)
		return -1;
	json_object_del(json_at(p->claim, "metadata", "annotations", NULL), ANNOTATION_OPERATION);
	return lifecycle_store_metadata(p, err);
}

/* --- what a step has reached, told once: events in the words of Karpenter's, and the way's length ------------------------ */

static int64_t since(const struct claim_pass *p, const char *stamp)
{
	int64_t then = claim_view_time(stamp);
	return then && p->now_s > then ? p->now_s - then : 0;
}

static const char *reached_at(const json_t *claim, const char *type)
{
	return json_text_at(condition_find(json_at(claim, "status", "conditions", NULL), type), "", "lastTransitionTime", NULL);
}

static void tell(struct claim_pass *p, const json_t *before, const char *type, const char *from, enum nodes_metric row)
{
	const json_t *was = condition_find(json_at(before, "status", "conditions", NULL), type);
	const char *status = json_text_at(was, "Unknown", "status", NULL);
	if (strcmp(status, "True") == 0 || !condition_set_is_true(&p->conditions, type))
		return;
	event_emit(p->n->op.events, p->stored, "Normal", type, "Status condition transitioned, Type: %s, Status: %s -> True, Reason: %s", type, status, type);
	const char *instance_type = meta_label(p->claim, LABEL_INSTANCE_TYPE);
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "instance_type", instance_type ? instance_type : "");
	metrics_observe(p->n->op.metrics, row, labels.data, (double)since(p, from));
}

static void tell_all(struct claim_pass *p, const json_t *before)
{
	const char *created = json_text_at(p->claim, "", "metadata", "creationTimestamp", NULL);
	tell(p, before, p->d->launched, created, NODES_LAUNCH_SECONDS);
	tell(p, before, p->d->registered, reached_at(p->claim, p->d->launched), NODES_REGISTRATION_SECONDS);
	tell(p, before, p->d->initialized, reached_at(p->claim, p->d->registered), NODES_INITIALIZATION_SECONDS);
	tell(p, before, "Ready", created, NODES_READY_SECONDS);
}

static void count(struct claim_pass *p, const json_t *before)
{
	CLEANUP(buf_done) struct buf labels = {0};
	nodes_metric_labels(p->claim, &labels);
	if (!meta_has_finalizer(before, FINALIZER_TERMINATION) && meta_has_finalizer(p->claim, FINALIZER_TERMINATION))
		metrics_add(p->n->op.metrics, NODES_CREATED, labels.data, 1);
	if (!condition_is(json_at(before, "status", "conditions", NULL), p->d->registered, "True") && condition_set_is_true(&p->conditions, p->d->registered))
		metrics_add(p->n->op.metrics, NODES_NODES_CREATED, labels.data, 1);
}

/* --- the pass ------------------------------------------------------------------------------------------------------ */

static void take_up(struct claim_pass *p)
{
	if (!meta_has_finalizer(p->claim, FINALIZER_TERMINATION))
		json_object_set_new(json_object_get(p->claim, "metadata"), "finalizers", object_finalizers(p->claim, FINALIZER_TERMINATION, true));
}

/* Registration and initialization with what they write to the Node. When that fails they have not happened, but a launch is kept. */
static int join(struct claim_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *before = json_deep_copy(p->claim);
	lifecycle_register(p);
	lifecycle_initialize(p);
	if (lifecycle_store_node(p, err) == 0)
		return 0;
	json_object_clear(p->claim);
	json_object_update(p->claim, before);
	return -1;
}

/* The first words about a claim are worth a write when they say more than that it waits. */
static bool worth_a_status(const struct claim_pass *p)
{
	const json_t *c;
	size_t i;
	if (json_at(p->stored, "status", "conditions", NULL))
		return true;
	json_array_foreach(json_at(p->claim, "status", "conditions", NULL), i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), "Ready") != 0 && strcmp(json_text_at(c, "", "reason", NULL), "AwaitingReconciliation") != 0)
			return true;
	return false;
}

/* Somebody else wrote the object a moment ago, as kubelets do when a Node joins: its new version is on the way here; or it is gone, which
 * the watch will tell. */
static int write_failed(struct claim_pass *p, const struct err *why, struct err *err)
{
	if (why->kind == ERR_NOT_FOUND)
		return 0;
	if (why->kind == ERR_CONFLICT) {
		lifecycle_again(p, CONFLICT_RETRY_MS);
		return 0;
	}
	*err = *why;
	return -1;
}

/* Nothing to say, and nothing made that the finalizer would protect: no write. */
static void say_nothing(struct claim_pass *p)
{
	json_object_del(p->claim, "status");
	if (meta_has_finalizer(p->stored, FINALIZER_TERMINATION) || meta_annotation(p->claim, ANNOTATION_OPERATION))
		return;
	json_t *kept = object_finalizers(p->claim, FINALIZER_TERMINATION, false);
	if (json_array_size(kept) > 0)
		json_object_set(json_object_get(p->claim, "metadata"), "finalizers", kept);
	else
		json_object_del(json_object_get(p->claim, "metadata"), "finalizers");
	json_decref(kept);
}

static int live(struct claim_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *before = json_incref(p->stored);
	struct err launch = ERR_INIT, node = ERR_INIT, write = ERR_INIT;
	take_up(p);
	int launched = lifecycle_launch(p, &launch);
	if (launched < 0)
		return write_failed(p, &launch, err);
	int joined = join(p, &node);
	lifecycle_liveness(p);
	condition_set_finish(&p->conditions);
	if (!worth_a_status(p))
		say_nothing(p);
	if (store_claim(p, &write) < 0)
		return write_failed(p, &write, err);
	count(p, before);
	tell_all(p, before);
	if (p->disrupt && nodes_disrupt(p->n, p->d, p->stored, p->disrupt, err) < 0)
		return -1;
	if (launched > 0)
		*err = launch;
	return launched > 0 ? -1 : joined < 0 ? write_failed(p, &node, err) : 0;
}

static struct claim_pass pass_begin(struct nodes *n, const struct dialect *d, json_t *stored)
{
	struct claim_pass p = {.n = n, .d = d, .home = nodes_claim_home(n, d), .stored = stored, .claim = json_deep_copy(stored), .now_s = clock_wall_s()};
	clock_rfc3339(p.now_s, p.now);
	return p;
}

static void pass_end(struct claim_pass *p)
{
	json_decref(p->stored);
	json_decref(p->claim);
	json_decref(p->node_stored);
	json_decref(p->node);
}

static int reconcile(void *world, const char *dialect, const char *name, struct outcome *out, struct err *err)
{
	struct nodes *n = world;
	const struct dialect *d = dialect_find(dialect);
	struct informer *cache = d ? nodes_claim_cache(n, d) : NULL;
	json_t *stored = cache ? informer_get(cache, NULL, name) : NULL;
	if (!stored || !claim_managed(stored)) {
		json_decref(stored);
		return 0;
	}
	CLEANUP(pass_end) struct claim_pass p = pass_begin(n, d, stored);
	p.conditions = (struct condition_set){p.claim, d, p.now};
	int rc = meta_deleting(stored) ? lifecycle_finalize(&p, err) : live(&p, err);
	out->requeue_ms = p.requeue_ms;
	return rc;
}

/* --- what leads to a pass ------------------------------------------------------------------------------------------ */

static void add_claim(const struct dialect *d, const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	CLEANUP(mem_freep) char *key = nodes_claim_key(d, meta_name(claim));
	add(list, key);
}

/* Claims of a class that wait for it; those that have their machine are drift's. */
static void add_of_class(const struct nodes *n, const json_t *class, void (*add)(void *list, const char *key), void *list)
{
	const struct dialect *const dialects[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
	for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
		CLEANUP(json_decrefp) json_t *claims = nodes_claims_by(n, dialects[i], CLAIM_KEY_CLASS, meta_name(class));
		const json_t *claim;
		size_t at;
		json_array_foreach(claims, at, claim)
			if (!condition_is(json_at(claim, "status", "conditions", NULL), dialects[i]->launched, "True"))
				add_claim(dialects[i], claim, add, list);
	}
}

static void add_of_node(const struct nodes *n, const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	const struct dialect *d = NULL;
	CLEANUP(json_decrefp) json_t *claim = nodes_claim_of_node(n, node, &d);
	if (claim)
		add_claim(d, claim, add, list);
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	struct nodes *n = world;
	if (cache == NODES_NODES) {
		add_of_node(n, object, add, list);
		return;
	}
	if (cache == NODES_CLASSES || cache == NODES_AKS_CLASSES) {
		add_of_class(n, object, add, list);
		return;
	}
	atomic_store(&n->claims_changed, true);
	if (claim_managed(object))
		add_claim(cache == NODES_MACHINES ? &DIALECT_MACHINE : &DIALECT_NODE_CLAIM, object, add, list);
}

static bool enabled(const void *world)
{
	const struct nodes *n = world;
	return n->options.claims || n->options.machines;
}

static const int CACHES[] = {NODES_CLAIMS, NODES_MACHINES, NODES_NODES, NODES_CLASSES, NODES_AKS_CLASSES};
const struct operator_controller NODES_LIFECYCLE = {
	.name = LIFECYCLE_NAME, .workers = 16, .workers_scale = true, .reconcile = reconcile, .keys = keys, .caches = CACHES, .n_caches = sizeof CACHES / sizeof CACHES[0],
	.enabled = enabled, .backoff_first_ms = HOLDOFF_FIRST_MS, .backoff_max_ms = HOLDOFF_MAX_MS,
};
