/* condition_set.c: the conditions of a claim, by the rules of the Go library that Karpenter uses (operatorpkg): three dependents and the
 * root Ready computed from them. Clients match on reasons and messages here, and sort by the times; the same words again keep their time
 * and so compare equal.
 *
 * Machines have the older knative rules in two points: no observedGeneration, and a root that repeats its dependent's reason. */
#include "nodes/nodes.h"

#include "base/buf.h"
#include "kube/meta.h"
#include <string.h>

#define ROOT "Ready"
enum { DEPENDENTS = 3 };

static const char *text(const json_t *condition, const char *key)
{
	return json_text_at(condition, "", key, NULL);
}

static void dependents(const struct condition_set *s, const char *out[DEPENDENTS])
{
	out[0] = s->dialect->launched;
	out[1] = s->dialect->registered;
	out[2] = s->dialect->initialized;
}

static bool is_dependent(const struct condition_set *s, const char *type)
{
	const char *types[DEPENDENTS];
	dependents(s, types);
	for (size_t i = 0; i < DEPENDENTS; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static json_t *conditions_of(const struct condition_set *s)
{
	json_t *status = json_object_get(s->object, "status");
	if (!json_is_object(status))
		json_object_set_new(s->object, "status", status = json_object());
	json_t *list = json_object_get(status, "conditions");
	if (!json_is_array(list))
		json_object_set_new(status, "conditions", list = json_array());
	return list;
}

static json_t *find(const json_t *list, const char *type)
{
	json_t *c;
	size_t i;
	json_array_foreach(list, i, c)
		if (strcmp(text(c, "type"), type) == 0)
			return c;
	return NULL;
}

static void put(json_t *condition, const char *key, const char *value)
{
	json_object_set_new(condition, key, json_string(value));
}

static void observe(const struct condition_set *s, json_t *condition)
{
	if (!s->dialect->knative)
		json_object_set_new(condition, "observedGeneration", json_integer(meta_generation(s->object)));
}

/* A dependent has been waiting since the object was made; any other condition starts now. */
static json_t *begin(const struct condition_set *s, const char *type)
{
	const char *created = json_text_at(s->object, s->now, "metadata", "creationTimestamp", NULL);
	json_t *c = json_object();
	put(c, "type", type);
	put(c, "status", "Unknown");
	put(c, "lastTransitionTime", is_dependent(s, type) ? created : s->now);
	json_array_append_new(conditions_of(s), c);
	return c;
}

static void set(const struct condition_set *s, const char *type, const char *status, const char *reason, const char *message)
{
	json_t *c = find(conditions_of(s), type);
	if (!c)
		c = begin(s, type);
	if (strcmp(text(c, "status"), status) != 0)
		put(c, "lastTransitionTime", s->now);
	put(c, "status", status);
	put(c, "reason", reason);
	put(c, "message", message);
	observe(s, c);
}

void condition_set_true(struct condition_set *s, const char *type) { set(s, type, "True", type, ""); }

void condition_set_true_with(struct condition_set *s, const char *type, const char *reason, const char *message)
{
	set(s, type, "True", reason, message);
}

void condition_set_false(struct condition_set *s, const char *type, const char *reason, const char *message)
{
	set(s, type, "False", reason, message);
}

void condition_set_unknown(struct condition_set *s, const char *type, const char *reason, const char *message)
{
	set(s, type, "Unknown", reason, message);
}

void condition_set_keep(struct condition_set *s, const char *type)
{
	json_t *c = find(conditions_of(s), type);
	if (c)
		observe(s, c);
}

bool condition_set_is_true(const struct condition_set *s, const char *type)
{
	return strcmp(text(find(json_at(s->object, "status", "conditions", NULL), type), "status"), "True") == 0;
}

/* --- the root ------------------------------------------------------------------------------------------------------ */

static bool current(const struct condition_set *s, const json_t *condition)
{
	return s->dialect->knative || json_int_at(condition, 0, "observedGeneration", NULL) == meta_generation(s->object);
}

/* Dependents that are not True at this generation, the one that changed last first. */
static size_t unhealthy(const struct condition_set *s, const json_t *out[DEPENDENTS])
{
	const char *types[DEPENDENTS];
	size_t n = 0;
	dependents(s, types);
	for (size_t i = 0; i < DEPENDENTS; i++) {
		const json_t *c = find(conditions_of(s), types[i]);
		if (strcmp(text(c, "status"), "True") == 0 && current(s, c))
			continue;
		size_t at = n++;
		for (; at > 0 && strcmp(text(out[at - 1], "lastTransitionTime"), text(c, "lastTransitionTime")) < 0; at--)
			out[at] = out[at - 1];
		out[at] = c;
	}
	return n;
}

static const json_t *first_false(const struct condition_set *s, const json_t *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text(list[i], "status"), "False") == 0 && current(s, list[i]))
			return list[i];
	return NULL;
}

static void set_root(const struct condition_set *s)
{
	const json_t *list[DEPENDENTS];
	size_t n = unhealthy(s, list);
	if (n == 0) {
		set(s, ROOT, "True", ROOT, "");
		return;
	}
	const json_t *bad = first_false(s, list, n), *told = bad ? bad : list[0];
	CLEANUP(buf_done) struct buf message = {0};
	for (size_t i = 0; i < n; i++)
		buf_printf(&message, "%s%s=%s", i ? ", " : "", text(list[i], "type"), text(list[i], "status"));
	if (s->dialect->knative)
		set(s, ROOT, bad ? "False" : "Unknown", text(told, "reason"), text(told, "message"));
	else
		set(s, ROOT, bad ? "False" : "Unknown", bad ? "UnhealthyDependents" : "ReconcilingDependents", message.data);
}

/* --- order --------------------------------------------------------------------------------------------------------- */

static bool before(const json_t *a, const json_t *b)
{
	if (strcmp(text(a, "type"), ROOT) == 0 || strcmp(text(b, "type"), ROOT) == 0)
		return strcmp(text(b, "type"), ROOT) == 0 && strcmp(text(a, "type"), ROOT) != 0;
	return strcmp(text(a, "lastTransitionTime"), text(b, "lastTransitionTime")) < 0;
}

/* Insertion sort: stable, and nothing to do in the usual case. RFC 3339 times in UTC compare as text. */
static void sort(json_t *list)
{
	for (size_t i = 1; i < json_array_size(list); i++) {
		size_t at = i;
		while (at > 0 && before(json_array_get(list, i), json_array_get(list, at - 1)))
			at--;
		if (at == i)
			continue;
		json_t *moved = json_incref(json_array_get(list, i));
		json_array_remove(list, i);
		json_array_insert_new(list, at, moved);
	}
}

void condition_set_finish(struct condition_set *s)
{
	const char *types[DEPENDENTS];
	json_t *list = conditions_of(s), *c;
	size_t i;
	dependents(s, types);
	for (i = 0; i < DEPENDENTS; i++)
		if (!find(list, types[i]))
			set(s, types[i], "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation");
	if (meta_deleting(s->object))
		json_array_foreach(list, i, c)
			observe(s, c);
	set_root(s);
	sort(list);
}
