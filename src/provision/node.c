/* node.c: see node.h. The cache keeps of a Node only what the functions here read, which is about a twentieth of the object; heartbeats
 * then leave its text unchanged and raise no event. */
#include "provision/node.h"

#include "base/mem.h"
#include "catalog/sku.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

static const char *const PRESSURES[] = {"DiskPressure", "MemoryPressure", "PIDPressure"};

static json_t *pick(const json_t *from, const char *const *names)
{
	json_t *out = json_object();
	for (size_t i = 0; names[i]; i++) {
		json_t *value = json_object_get(from, names[i]);
		if (value)
			json_object_set(out, names[i], value);
	}
	return out;
}

static bool condition_used(const char *type)
{
	bool used = strcmp(type, "Ready") == 0;
	for (size_t i = 0; i < sizeof PRESSURES / sizeof PRESSURES[0]; i++)
		used = used || strcmp(type, PRESSURES[i]) == 0;
	return used;
}

static json_t *pick_conditions(const json_t *conditions)
{
	json_t *out = json_array();
	const json_t *c;
	size_t i;
	json_array_foreach(conditions, i, c)
		if (condition_used(json_text_at(c, "", "type", NULL)))
			json_array_append_new(out, pick(c, (const char *const[]){"type", "status", NULL}));
	return out;
}

bool node_transform(json_t *node)
{
	const json_t *status = json_object_get(node, "status");
	json_t *meta = pick(json_object_get(node, "metadata"), (const char *const[]){"name", "uid", "resourceVersion", "labels", "deletionTimestamp", NULL});
	json_t *kept = json_object(), *taints = json_incref(json_at(node, "spec", "taints", NULL));
	json_object_set_new(kept, "capacity", pick(json_object_get(status, "capacity"), (const char *const[]){"nvidia.com/gpu", "cpu", "memory", NULL}));
	json_object_set_new(kept, "conditions", pick_conditions(json_object_get(status, "conditions")));
	json_object_clear(node);
	json_object_set_new(node, "metadata", meta);
	json_object_set_new(node, "status", kept);
	if (json_array_size(taints) > 0)
		json_object_set_new(node, "spec", json_pack("{s:O}", "taints", taints));
	json_decref(taints);
	return true;
}

void node_index(const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	identity_index(node, add, list);
}

bool node_ready(const json_t *node)
{
	return condition_is(json_at(node, "status", "conditions", NULL), "Ready", "True");
}

bool node_own(const json_t *node)
{
	return !meta_label(node, "karpenter.sh/nodepool") && !meta_label(node, "karpenter.sh/provisioner-name");
}

int64_t node_gpus(const json_t *node)
{
	int64_t n;
	return str_to_i64(str_of(json_text_at(node, "", "status", "capacity", "nvidia.com/gpu", NULL)), &n) && n > 0 ? n : 0;
}

/* Taints that the pods of every runtime tolerate. To add one: a row. */
static const struct { const char *key, *value; } TOLERATED[] = {
	{"nvidia.com/gpu", NULL}, {"sku", "gpu"}, {"kubernetes.azure.com/scalesetpriority", "spot"},
};

/* Kubernetes' own taints come and go with a node's state; node_ready tells of those that matter. */
static bool tolerated(const json_t *taint)
{
	const char *key = json_text_at(taint, "", "key", NULL), *value = json_text_at(taint, "", "value", NULL);
	if (strcmp(json_text_at(taint, "", "effect", NULL), "PreferNoSchedule") == 0 || strncmp(key, "node.kubernetes.io/", 19) == 0)
		return true;
	for (size_t i = 0; i < sizeof TOLERATED / sizeof TOLERATED[0]; i++)
		if (strcmp(TOLERATED[i].key, key) == 0 && (!TOLERATED[i].value || strcmp(TOLERATED[i].value, value) == 0))
			return strcmp(json_text_at(taint, "", "effect", NULL), "NoExecute") != 0;
	return false;
}

bool node_takes_pods(const json_t *node)
{
	const json_t *taint;
	size_t i;
	json_array_foreach(json_at(node, "spec", "taints", NULL), i, taint)
		if (!tolerated(taint))
			return false;
	return true;
}

static bool matches(const json_t *node, const json_t *match_labels)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)match_labels, key, value) {
		const char *has = meta_label(node, key), *wanted = json_string_value(value);
		if (!has || !wanted || strcmp(has, wanted) != 0)
			return false;
	}
	return true;
}

static bool is_type(const json_t *node, const char *instance_type)
{
	const char *has = meta_label(node, "node.kubernetes.io/instance-type");
	return !instance_type[0] || (has && sku_same(has, instance_type));
}

json_t *node_usable(const json_t *candidates, const struct node_request *r, const struct identity_labels *pair)
{
	json_t *out = json_array(), *node;
	size_t i;
	json_array_foreach(candidates, i, node)
		if (node_ready(node) && !meta_deleting(node) && is_type(node, r->instance_type) && matches(node, r->match_labels) &&
		    (!pair || identity_owns(pair, r, node)))
			json_array_append(out, node);
	return out;
}

void node_pressure(const json_t *node, struct buf *out)
{
	const json_t *conditions = json_at(node, "status", "conditions", NULL);
	bool any = false;
	for (size_t i = 0; i < sizeof PRESSURES / sizeof PRESSURES[0]; i++) {
		if (!condition_is(conditions, PRESSURES[i], "True"))
			continue;
		if (any)
			buf_printf(out, ", %s", PRESSURES[i]);
		else
			buf_printf(out, "%s%s (%s", out->len ? ", " : "", meta_name(node), PRESSURES[i]);
		any = true;
	}
	if (any)
		buf_putc(out, ')');
}
