/* lifecycle_initialization.c: from a Node to a usable one. A list of checks in Karpenter's order and words; the first that fails is the
 * condition's reason. To add one: a function and a row. */
#include "nodes/lifecycle.h"

#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include <string.h>

/* Whether it passes; otherwise `text` gets what is wrong. */
typedef bool check(const json_t *claim, const json_t *node, struct buf *text);

static const char *text_of(const json_t *object, const char *key) { return json_text_at(object, "", key, NULL); }

/* As Kubernetes writes a taint: key=value:effect. */
static void put_taint(struct buf *out, const char *what, const json_t *taint)
{
	const char *value = text_of(taint, "value");
	buf_printf(out, "%s \"%s%s%s:%s\" still exists", what, text_of(taint, "key"), value[0] ? "=" : "", value, text_of(taint, "effect"));
}

static bool is_ready(const json_t *claim, const json_t *node, struct buf *text)
{
	(void)claim;
	bool ready = condition_is(json_at(node, "status", "conditions", NULL), "Ready", "True");
	if (!ready)
		buf_puts(text, "Node status is NotReady");
	return ready;
}

static const json_t *same_taint(const json_t *list, const json_t *taint)
{
	const json_t *t;
	size_t i;
	json_array_foreach(list, i, t)
		if (taint_same(t, taint))
			return t;
	return NULL;
}

static bool startup_taints_gone(const json_t *claim, const json_t *node, struct buf *text)
{
	const json_t *t;
	size_t i;
	json_array_foreach(json_at(claim, "spec", "startupTaints", NULL), i, t)
		if (same_taint(json_at(node, "spec", "taints", NULL), t)) {
			put_taint(text, "StartupTaint", t);
			return false;
		}
	return true;
}

/* Taints that a Node has while it comes up; value NULL: any. To add one: a row. */
static const struct { const char *key, *value, *effect; } EPHEMERAL[] = {
	{"node.kubernetes.io/not-ready", NULL, "NoSchedule"},
	{"node.kubernetes.io/not-ready", NULL, "NoExecute"},
	{"node.kubernetes.io/unreachable", NULL, "NoSchedule"},
	{"node.cloudprovider.kubernetes.io/uninitialized", "true", "NoSchedule"},
	{TAINT_UNREGISTERED, NULL, "NoExecute"},
};

static bool is_ephemeral(const json_t *taint)
{
	for (size_t i = 0; i < sizeof EPHEMERAL / sizeof EPHEMERAL[0]; i++)
		if (strcmp(text_of(taint, "key"), EPHEMERAL[i].key) == 0 && strcmp(text_of(taint, "effect"), EPHEMERAL[i].effect) == 0 &&
		    (!EPHEMERAL[i].value || strcmp(text_of(taint, "value"), EPHEMERAL[i].value) == 0))
			return true;
	return false;
}

static bool ephemeral_taints_gone(const json_t *claim, const json_t *node, struct buf *text)
{
	(void)claim;
	const json_t *t;
	size_t i;
	json_array_foreach(json_at(node, "spec", "taints", NULL), i, t)
		if (is_ephemeral(t)) {
			put_taint(text, "KnownEphemeralTaint", t);
			return false;
		}
	return true;
}

static bool is_zero(const json_t *quantity)
{
	double value = 0;
	struct err ignored = ERR_INIT;
	if (json_is_number(quantity))
		return json_number_value(quantity) <= 0;
	const char *text = json_string_value(quantity);
	return !text || quantity_parse(text, &value, &ignored) < 0 || value <= 0;
}

/* `storage` is the size of the disk that is asked for; Nodes do not list it. */
static bool resources_there(const json_t *claim, const json_t *node, struct buf *text)
{
	const char *name;
	json_t *wanted;
	json_object_foreach(json_at(claim, "spec", "resources", "requests", NULL), name, wanted)
		if (strcmp(name, "storage") != 0 && !is_zero(wanted) && is_zero(json_at(node, "status", "allocatable", name, NULL))) {
			buf_printf(text, "Resource \"%s\" was requested but not registered", name);
			return false;
		}
	return true;
}

static const struct { const char *reason; check *passes; } CHECKS[] = {
	{"NodeNotReady", is_ready},
	{"StartupTaintsExist", startup_taints_gone},
	{"KnownEphemeralTaintsExist", ephemeral_taints_gone},
	{"ResourceNotRegistered", resources_there},
};

static bool passes(struct claim_pass *p)
{
	CLEANUP(buf_done) struct buf text = {.max = CLOUD_MESSAGE_MAX};
	for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS[0]; i++)
		if (!CHECKS[i].passes(p->claim, p->node, &text)) {
			condition_set_unknown(&p->conditions, p->d->initialized, CHECKS[i].reason, text.data ? text.data : "");
			return false;
		}
	return true;
}

static bool find_node(struct claim_pass *p)
{
	if (p->node)
		return true;
	CLEANUP(json_decrefp) json_t *nodes = lifecycle_nodes(p);
	if (json_array_size(nodes) == 1)
		lifecycle_take_node(p, json_array_get(nodes, 0));
	return p->node != NULL;
}

/* A Node tells what it has better than any catalogue, now that its device plug-ins run. */
static void refresh_amounts(struct claim_pass *p)
{
	static const char *const AMOUNTS[] = {"capacity", "allocatable"};
	json_t *status = json_object_get(p->claim, "status");
	for (size_t i = 0; i < sizeof AMOUNTS / sizeof AMOUNTS[0]; i++) {
		json_t *amounts = json_at(p->node, "status", AMOUNTS[i], NULL);
		if (amounts && !json_object_get(status, AMOUNTS[i]))
			json_object_set_new(status, AMOUNTS[i], json_object());
		json_object_update(json_object_get(status, AMOUNTS[i]), amounts);
	}
}

void lifecycle_initialize(struct claim_pass *p)
{
	if (condition_set_is_true(&p->conditions, p->d->initialized)) {
		condition_set_keep(&p->conditions, p->d->initialized);
		return;
	}
	if (!condition_set_is_true(&p->conditions, p->d->registered))
		return;
	if (!find_node(p)) {
		condition_set_unknown(&p->conditions, p->d->initialized, "NodeNotFound", "Node not registered with cluster");
		return;
	}
	if (!passes(p))
		return;
	meta_set_label(p->node, LABEL_INITIALIZED, "true");
	refresh_amounts(p);
	condition_set_true(&p->conditions, p->d->initialized);
}
