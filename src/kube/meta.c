/* meta.c: see meta.h. Objects come from an API server that others write to, so every getter takes any JSON at all. */
#include "kube/meta.h"

#include "base/mem.h"
#include "base/str.h"
#include <stdarg.h>
#include <string.h>

static const json_t *metadata(const json_t *object) { return json_object_get(object, "metadata"); }

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

const char *meta_name(const json_t *object) { return text(metadata(object), "name"); }
const char *meta_namespace(const json_t *object) { return text(metadata(object), "namespace"); }
const char *meta_uid(const json_t *object) { return text(metadata(object), "uid"); }
const char *meta_version(const json_t *object) { return text(metadata(object), "resourceVersion"); }
int64_t meta_generation(const json_t *object) { return json_integer_value(json_object_get(metadata(object), "generation")); }

const char *meta_label(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(metadata(object), "labels"), key));
}

const char *meta_annotation(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(metadata(object), "annotations"), key));
}

bool meta_deleting(const json_t *object) { return text(metadata(object), "deletionTimestamp")[0] != 0; }

bool meta_has_finalizer(const json_t *object, const char *finalizer)
{
	const json_t *list = json_object_get(metadata(object), "finalizers"), *item;
	size_t i;
	json_array_foreach(list, i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), finalizer) == 0)
			return true;
	return false;
}

const json_t *meta_controller(const json_t *object)
{
	const json_t *list = json_object_get(metadata(object), "ownerReferences"), *item;
	size_t i;
	json_array_foreach(list, i, item)
		if (json_is_true(json_object_get(item, "controller")))
			return item;
	return NULL;
}

bool meta_controlled_by(const json_t *object, const char *uid)
{
	const json_t *owner = meta_controller(object);
	return owner && strcmp(text(owner, "uid"), uid) == 0;
}

json_t *meta_named(const json_t *list, const char *name)
{
	json_t *object;
	size_t i;
	json_array_foreach(list, i, object)
		if (strcmp(meta_name(object), name) == 0)
			return object;
	return NULL;
}

void meta_keep_only(json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(object, next, key, value) {
		bool wanted = false;
		for (size_t i = 0; names[i] && !wanted; i++)
			wanted = strcmp(names[i], key) == 0;
		if (!wanted)
			json_object_del(object, key);
	}
}

static json_t *step(const json_t *at, const char *name)
{
	int64_t index;
	if (name[0] == '#' && str_to_i64(str_of(name + 1), &index) && index >= 0)
		return json_array_get(at, (size_t)index);
	return json_object_get(at, name);
}

static json_t *walk(const json_t *object, va_list steps)
{
	const json_t *at = object;
	for (const char *name = va_arg(steps, const char *); name && at; name = va_arg(steps, const char *))
		at = step(at, name);
	return (json_t *)(uintptr_t)at;
}

json_t *json_at(const json_t *object, ...)
{
	va_list steps;
	va_start(steps, object);
	json_t *found = walk(object, steps);
	va_end(steps);
	return found;
}

const char *json_text_at(const json_t *object, const char *fallback, ...)
{
	va_list steps;
	va_start(steps, fallback);
	const char *found = json_string_value(walk(object, steps));
	va_end(steps);
	return found ? found : fallback;
}

int64_t json_int_at(const json_t *object, int64_t fallback, ...)
{
	va_list steps;
	va_start(steps, fallback);
	const json_t *found = walk(object, steps);
	va_end(steps);
	return json_is_integer(found) ? (int64_t)json_integer_value(found) : fallback;
}

static void put_text(json_t *object, const char *key, const char *value) { json_object_set_new(object, key, json_string(value)); }

json_t *meta_new(const struct kube_resource *r, const char *namespace_, const char *name)
{
	CLEANUP(mem_freep) char *version = kube_api_version(r);
	json_t *object = json_object(), *meta = json_object();
	put_text(object, "apiVersion", version);
	put_text(object, "kind", r->kind);
	put_text(meta, "name", name);
	if (namespace_)
		put_text(meta, "namespace", namespace_);
	json_object_set_new(object, "metadata", meta);
	return object;
}

/* The member, made (or remade, when it is of another type) as an empty object or array. */
static json_t *member(json_t *object, const char *key, json_type type)
{
	json_t *found = json_object_get(object, key);
	if (found && json_typeof(found) == type)
		return found;
	found = type == JSON_ARRAY ? json_array() : json_object();
	json_object_set_new(object, key, found);
	return found;
}

void meta_own(json_t *object, const struct kube_resource *r, const json_t *owner)
{
	CLEANUP(mem_freep) char *version = kube_api_version(r);
	json_t *reference = json_object();
	put_text(reference, "apiVersion", version);
	put_text(reference, "kind", r->kind);
	put_text(reference, "name", meta_name(owner));
	put_text(reference, "uid", meta_uid(owner));
	json_object_set_new(reference, "controller", json_true());
	json_object_set_new(reference, "blockOwnerDeletion", json_true());
	json_array_append_new(member(member(object, "metadata", JSON_OBJECT), "ownerReferences", JSON_ARRAY), reference);
}

void meta_set_label(json_t *object, const char *key, const char *value)
{
	put_text(member(member(object, "metadata", JSON_OBJECT), "labels", JSON_OBJECT), key, value);
}

void meta_set_annotation(json_t *object, const char *key, const char *value)
{
	put_text(member(member(object, "metadata", JSON_OBJECT), "annotations", JSON_OBJECT), key, value);
}

char *meta_key(const json_t *object)
{
	const char *space = meta_namespace(object), *name = meta_name(object);
	return space[0] ? mem_printf("%s/%s", space, name) : mem_strdup(name);
}
