/* condition.c: see condition.h. A condition that would say the same again is not touched, so that a status that did not
 * change compares equal and is not written. */
#include "kube/condition.h"

#include <string.h>

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

static json_t *find(const json_t *conditions, const char *type, size_t *at)
{
	json_t *item;
	size_t i;
	json_array_foreach(conditions, i, item)
		if (strcmp(text(item, "type"), type) == 0) {
			*at = i;
			return item;
		}
	return NULL;
}

const json_t *condition_find(const json_t *conditions, const char *type)
{
	size_t at;
	return find(conditions, type, &at);
}

bool condition_is(const json_t *conditions, const char *type, const char *status)
{
	const json_t *found = condition_find(conditions, type);
	return found && strcmp(text(found, "status"), status) == 0;
}

static bool put_text(json_t *item, const char *key, const char *value)
{
	const char *old = json_string_value(json_object_get(item, key));
	value = value ? value : "";
	if (old && strcmp(old, value) == 0)
		return false;
	json_object_set_new(item, key, json_string(value));
	return true;
}

/* 0 means that the owner has no generation to report, and is left out as metav1.Condition does. */
static bool put_generation(json_t *item, int64_t generation)
{
	if (json_integer_value(json_object_get(item, "observedGeneration")) == generation)
		return false;
	if (generation)
		json_object_set_new(item, "observedGeneration", json_integer(generation));
	else
		json_object_del(item, "observedGeneration");
	return true;
}

bool condition_set(json_t *conditions, const struct condition *c, int64_t observed_generation, const char *now)
{
	size_t at;
	json_t *item = find(conditions, c->type, &at);
	if (!item) {
		item = json_object();
		json_array_append_new(conditions, item);
	}
	bool changed = put_text(item, "type", c->type);
	if (put_text(item, "status", c->status))
		changed = put_text(item, "lastTransitionTime", now) || true;
	changed |= put_generation(item, observed_generation);
	changed |= put_text(item, "reason", c->reason);
	changed |= put_text(item, "message", c->message);
	return changed;
}

bool condition_remove(json_t *conditions, const char *type)
{
	size_t at;
	return find(conditions, type, &at) && json_array_remove(conditions, at) == 0;
}
