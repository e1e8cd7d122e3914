/* taint.c: taints of Nodes and what pods tolerate (Kubernetes' rules). Taints are the same when key and effect are; the value is not
 * looked at, as in Kubernetes' own Taint.MatchTaint. */
#include "nodes/nodes.h"

#include "kube/meta.h"
#include <string.h>

static const char *text(const json_t *object, const char *key)
{
	return json_text_at(object, "", key, NULL);
}

bool taint_same(const json_t *a, const json_t *b)
{
	return strcmp(text(a, "key"), text(b, "key")) == 0 && strcmp(text(a, "effect"), text(b, "effect")) == 0;
}

bool taints_have(const json_t *taints, const char *key, const char *effect)
{
	const json_t *t;
	size_t i;
	json_array_foreach(taints, i, t)
		if (strcmp(text(t, "key"), key) == 0 && strcmp(text(t, "effect"), effect) == 0)
			return true;
	return false;
}

void taints_merge(json_t *into, const json_t *from)
{
	json_t *t;
	size_t i;
	json_array_foreach(from, i, t)
		if (json_is_object(t) && !taints_have(into, text(t, "key"), text(t, "effect")))
			json_array_append_new(into, json_deep_copy(t));
}

/* An empty effect or key (with Exists) matches all. */
static bool tolerates(const json_t *toleration, const char *key, const char *value, const char *effect)
{
	const char *wanted_effect = text(toleration, "effect"), *wanted_key = text(toleration, "key"), *op = text(toleration, "operator");
	bool exists = strcmp(op, "Exists") == 0;
	if (wanted_effect[0] && strcmp(wanted_effect, effect) != 0)
		return false;
	if (wanted_key[0] ? strcmp(wanted_key, key) != 0 : !exists)
		return false;
	return exists || ((!op[0] || strcmp(op, "Equal") == 0) && strcmp(text(toleration, "value"), value) == 0);
}

bool pod_tolerates(const json_t *pod, const char *key, const char *value, const char *effect)
{
	const json_t *t;
	size_t i;
	json_array_foreach(json_at(pod, "spec", "tolerations", NULL), i, t)
		if (tolerates(t, key, value, effect))
			return true;
	return false;
}
