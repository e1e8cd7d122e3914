/* kwok.c: see kwok.h. The Node's name is the claim's, so a repeated creation meets itself; nothing has to survive a crash, and a memo is never
 * needed. */
#include "cloud/kwok.h"

#include "base/clock.h"
#include "base/mem.h"
#include "catalog/sku.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <string.h>
#include <strings.h>

#define PROVIDER "kwok://"
#define LABEL_UID "kwok.kaito.sh/claim-uid"
#define FAKE_KEY "kwok.x-k8s.io/node"
#define PODS "110"
#define LABEL_VALUE_MAX 63

struct kwok { /* immutable */
	struct cloud cloud;
	struct kwok_options options;
};

/* --- the Node ---------------------------------------------------------------------------------------------------- */

/* Of machines outside the catalogue nothing is known: a small one. */
static json_t *capacity_of(const char *instance_type, int64_t storage_bytes)
{
	const struct sku *sku = sku_find(NULL, instance_type);
	json_t *capacity = json_object();
	json_object_set_new(capacity, "cpu", json_sprintf("%d", sku && sku->cpus ? sku->cpus : 4));
	json_object_set_new(capacity, "memory", json_sprintf("%dMi", sku && sku->memory_gib > 0 ? (int)(sku->memory_gib * 1024) : 16384));
	json_object_set_new(capacity, "pods", json_string(PODS));
	json_object_set_new(capacity, "ephemeral-storage", json_sprintf("%lldMi", (long long)(storage_bytes > 0 ? storage_bytes >> 20 : 102400)));
	if (sku && sku->gpus > 0)
		json_object_set_new(capacity, "nvidia.com/gpu", json_sprintf("%d", sku->gpus));
	return capacity;
}

static json_t *labels_of(const struct kwok *k, const struct claim_view *claim)
{
	json_t *labels = claim->labels ? json_deep_copy(claim->labels) : json_object();
	CLEANUP(json_decrefp) json_t *required = claim_view_requirement_labels(claim);
	json_object_update_missing(labels, required);
	const char *region = k->options.region ? k->options.region : "kwok";
	CLEANUP(mem_freep) char *zone = claim->n_zones ? mem_strdup(claim->zones[0]) : mem_printf("%s-1", region);
	const struct { const char *key, *value; } OWN[] = {
		{LABEL_INSTANCE_TYPE, claim->instance_types[0]}, {LABEL_ZONE, zone}, {LABEL_REGION, region},
		{LABEL_CAPACITY_TYPE, claim->spot ? "spot" : "on-demand"}, {"kubernetes.io/os", claim->os}, {"kubernetes.io/arch", claim->arch},
		{"kubernetes.io/hostname", claim->name}, {LABEL_CLAIM_NAME, claim->name}, {LABEL_UID, claim->uid}, {FAKE_KEY, "fake"},
	};
	for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
		if (strlen(OWN[i].value) <= LABEL_VALUE_MAX)
			json_object_set_new(labels, OWN[i].key, json_string(OWN[i].value));
	return labels;
}

static json_t *taints_of(const struct claim_view *claim)
{
	json_t *taints = json_pack("[{s:s,s:s}]", "key", TAINT_UNREGISTERED, "effect", "NoExecute");
	if (claim->taints)
		json_array_extend(taints, (json_t *)(uintptr_t)claim->taints);
	if (claim->startup_taints)
		json_array_extend(taints, (json_t *)(uintptr_t)claim->startup_taints);
	return taints;
}

static json_t *node_of(const struct kwok *k, const struct claim_view *claim)
{
	json_t *node = meta_new(&KUBE_NODES, NULL, claim->name), *capacity = capacity_of(claim->instance_types[0], claim->storage_bytes);
	meta_set_annotation(node, FAKE_KEY, "fake");
	json_object_set_new(json_object_get(node, "metadata"), "labels", labels_of(k, claim));
	json_object_set_new(node, "spec", json_pack("{s:o,s:o}", "providerID", json_sprintf(PROVIDER "%s", claim->name), "taints", taints_of(claim)));
	json_object_set_new(node, "status", json_pack("{s:O,s:o}", "capacity", capacity, "allocatable", capacity));
	return node;
}

/* What kubelet would report. */
static int make_ready(const struct kwok *k, const char *name, struct err *err)
{
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	CLEANUP(json_decrefp) json_t *patch = json_pack("{s:{s:[{s:s,s:s,s:s,s:s,s:s,s:s}]}}", "status", "conditions", "type", "Ready", "status", "True", "reason",
							"KubeletReady", "message", "a Node without a machine", "lastHeartbeatTime", now, "lastTransitionTime", now);
	return kube_patch(k->options.kube, &KUBE_NODES, NULL, name, "status", KUBE_PATCH_MERGE, patch, NULL, err);
}

static const char *owner_of(const json_t *node)
{
	const char *uid = meta_label(node, LABEL_UID);
	return uid ? uid : "";
}

/* --- launch ------------------------------------------------------------------------------------------------------ */

static int fail(struct launch_result *out, const char *reason, const char *message)
{
	out->step = STEP_FAILED;
	snprintf(out->reason, sizeof out->reason, "%s", reason);
	snprintf(out->message, sizeof out->message, "%s: %s", reason, message);
	snprintf(out->event, sizeof out->event, "%s", reason);
	return 0;
}

/* The stored Node of that name, made unless it is there. ERR_EXISTS: it is another claim's. */
static int obtain(const struct kwok *k, const struct claim_view *claim, json_t **node, struct err *err)
{
	CLEANUP(json_decrefp) json_t *wanted = node_of(k, claim);
	int made = kube_create(k->options.kube, &KUBE_NODES, wanted, node, err);
	if (made < 0 && err->kind == ERR_EXISTS)
		made = kube_get(k->options.kube, &KUBE_NODES, NULL, claim->name, node, err);
	if (made == 0 && strcmp(owner_of(*node), claim->uid) != 0) {
		json_decref(*node);
		*node = NULL;
		return err_set(err, ERR_EXISTS, "a Node named %s exists and is not this claim's; it is not touched", claim->name);
	}
	return made;
}

static int launch(struct cloud *c, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	int64_t early_ms = claim->created_s * 1000 + k->options.join_ms - clock_wall_s() * 1000;
	CLEANUP(json_decrefp) json_t *node = NULL;
	*out = (struct launch_result){.step = STEP_WAIT};
	if (claim->n_instance_types == 0)
		return fail(out, "InvalidClaim", "the claim names no instance type");
	if (early_ms > 0 && k->options.join_ms > 0)
		return out->retry_ms = early_ms, 0;
	if (obtain(k, claim, &node, err) < 0)
		return err->kind == ERR_EXISTS ? fail(out, "NodeNameConflict", err->message) : -1;
	if (k->options.ready && make_ready(k, claim->name, err) < 0)
		return -1;
	informer_learn(k->options.hooks.nodes, node);
	out->step = STEP_DONE;
	out->provider_id = mem_strdup(json_text_at(node, "", "spec", "providerID", NULL));
	out->labels = labels_of(k, claim);
	json_object_del(out->labels, FAKE_KEY);
	out->capacity = json_incref(json_at(node, "status", "capacity", NULL));
	out->allocatable = json_incref(json_at(node, "status", "allocatable", NULL));
	return 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

/* Deleting the Node is deleting the machine; its finalizer, if any, is let go by the Node's own controller. */
static int remove_node(const struct kwok *k, const json_t *node, struct err *err)
{
	const struct kube_delete_options options = {.uid = meta_uid(node)[0] ? meta_uid(node) : NULL, .grace_s = -1};
	if (meta_deleting(node) || kube_delete(k->options.kube, &KUBE_NODES, NULL, meta_name(node), &options, err) == 0)
		return 0;
	return err->kind == ERR_NOT_FOUND ? 0 : -1;
}

static int terminate(struct cloud *c, const struct claim_view *claim, struct terminate_result *out, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	CLEANUP(json_decrefp) json_t *node = informer_get(k->options.hooks.nodes, NULL, claim->name);
	*out = (struct terminate_result){.step = STEP_DONE};
	/* A Node that is being deleted waits for this answer: there is no machine any more. */
	if (!node || meta_deleting(node) || strcmp(owner_of(node), claim->uid) != 0)
		return 0;
	return remove_node(k, node, err);
}

/* --- what there is ------------------------------------------------------------------------------------------------- */

static bool is_ours(const json_t *node) { return strncmp(json_text_at(node, "", "spec", "providerID", NULL), PROVIDER, sizeof PROVIDER - 1) == 0 && meta_label(node, LABEL_UID); }

static void fill(struct instance *i, const json_t *node)
{
	*i = (struct instance){
		.name = meta_name(node), .claim = meta_name(node), .claim_uid = owner_of(node), .provider_id = json_text_at(node, "", "spec", "providerID", NULL), .image_id = "",
		.state = meta_deleting(node) ? INSTANCE_DELETING : INSTANCE_RUNNING,
		.created_s = claim_view_time(json_text_at(node, NULL, "metadata", "creationTimestamp", NULL)), .labels = json_at(node, "metadata", "labels", NULL),
	};
}

/* A Node that is being deleted has no machine any more, so that its finalizer can go. */
static int get(struct cloud *c, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	(void)err;
	if (!provider_id || strncmp(provider_id, PROVIDER, sizeof PROVIDER - 1) != 0)
		return 1;
	CLEANUP(json_decrefp) json_t *node = informer_get(k->options.hooks.nodes, NULL, provider_id + sizeof PROVIDER - 1);
	if (!node || !is_ours(node) || meta_deleting(node))
		return 1;
	struct instance i;
	fill(&i, node);
	fn(context, &i);
	return 0;
}

struct listing { void (*fn)(void *context, const struct instance *i); void *context; };

static void show(void *context, const json_t *node)
{
	const struct listing *l = context;
	struct instance i;
	if (!is_ours(node))
		return;
	fill(&i, node);
	l->fn(l->context, &i);
}

/* One Node at a time: a tree of all of them would be many times their text. */
static int list(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	struct listing l = {fn, context};
	(void)max_age_ms;
	(void)err;
	informer_each(k->options.hooks.nodes, show, &l);
	return 0;
}

static int reap(struct cloud *c, const struct instance *i, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	CLEANUP(json_decrefp) json_t *node = informer_get(k->options.hooks.nodes, NULL, i->name);
	return node && strcmp(owner_of(node), i->claim_uid) == 0 ? remove_node(k, node, err) : 0;
}

static char *claim_of_node(struct cloud *c, const json_t *node)
{
	(void)c;
	return is_ours(node) ? mem_strdup(meta_name(node)) : NULL;
}

static int explain(struct cloud *c, const struct claim_view *claim, struct buf *out, struct err *err)
{
	const struct kwok *k = (const struct kwok *)c;
	if (claim->n_instance_types == 0)
		return err_set(err, ERR_INVALID, "the claim names no instance type");
	CLEANUP(json_decrefp) json_t *node = node_of(k, claim);
	buf_puts(out, "POST /api/v1/nodes\n\n");
	json_print(node, JSON_PRINT_INDENT, out);
	buf_puts(out, "\n\nwhy\nno machine is made: the Node is an object that kwok keeps alive\n");
	return 0;
}

static int check_class(struct cloud *c, const json_t *node_class, struct err *err) { return (void)c, (void)node_class, (void)err, 0; }
static int ready(struct cloud *c, struct err *err) { return (void)c, (void)err, 0; }
static void kwok_free(struct cloud *c) { free(c); }

static const struct repair_policy REPAIR[] = {{"Ready", "False", 600}, {"Ready", "Unknown", 600}, {NULL, NULL, 0}};
static const struct cloud_ops OPS = {
	.name = "kwok",
	.launch = launch,
	.terminate = terminate,
	.get = get,
	.list = list,
	.reap = reap,
	.claim_of_node = claim_of_node,
	.check_class = check_class,
	.explain = explain,
	.ready = ready,
	.repair = REPAIR,
	.free = kwok_free,
};

struct cloud *kwok_new(const struct kwok_options *o)
{
	struct kwok *k = mem_alloc(sizeof *k);
	k->cloud.ops = &OPS;
	k->options = *o;
	return &k->cloud;
}
