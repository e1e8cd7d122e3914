/* object_write.c: see object_write.h. */
#include "kube/object_write.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

static void diff_member(json_t *out, const char *key, const json_t *before, json_t *value)
{
	if (json_equal(value, before))
		return;
	if (json_is_object(value) && json_is_object(before))
		json_object_set_new(out, key, object_difference(before, value));
	else
		json_object_set(out, key, value);
}

json_t *object_difference(const json_t *old, const json_t *new)
{
	json_t *out = json_object(), *value;
	const char *key;
	json_object_foreach((json_t *)(uintptr_t)new, key, value)
		diff_member(out, key, json_object_get(old, key), value);
	json_object_foreach((json_t *)(uintptr_t)old, key, value)
		if (!json_object_get(new, key))
			json_object_set_new(out, key, json_null());
	return out;
}

static int patch(const struct object_home *home, json_t **object, const char *subresource, json_t *body, struct err *err)
{
	json_t *stored = NULL;
	if (kube_patch(home->kube, home->resource, meta_namespace(*object), meta_name(*object), subresource, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "write %s of %s %s", subresource ? subresource : "metadata", home->resource->kind, meta_name(*object));
	if (home->cache)
		informer_learn(home->cache, stored);
	json_decref(*object);
	*object = stored;
	return 0;
}

int object_write_metadata(const struct object_home *home, json_t **object, json_t *metadata, struct err *err)
{
	json_object_set_new(metadata, "resourceVersion", json_string(meta_version(*object)));
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:o}", "metadata", metadata);
	return patch(home, object, NULL, body, err);
}

int object_write_status(const struct object_home *home, json_t **object, const json_t *status, struct err *err)
{
	CLEANUP(json_decrefp) json_t *changed = object_difference(json_object_get(*object, "status"), status);
	if (json_object_size(changed) == 0)
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s},s:O}", "metadata", "resourceVersion", meta_version(*object), "status", changed);
	return patch(home, object, "status", body, err);
}

json_t *object_finalizers(const json_t *object, const char *name, bool with)
{
	json_t *kept = json_array(), *f;
	size_t i;
	json_array_foreach(json_at(object, "metadata", "finalizers", NULL), i, f)
		if (!json_is_string(f) || strcmp(json_string_value(f), name) != 0)
			json_array_append(kept, f);
	if (with)
		json_array_append_new(kept, json_string(name));
	return kept;
}

int object_let_go(const struct object_home *home, const json_t *object, const char *finalizer, struct err *err)
{
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s,s:o}}", "metadata", "resourceVersion", meta_version(object), "finalizers",
						       object_finalizers(object, finalizer, false));
	struct err why = ERR_INIT;
	if (kube_patch(home->kube, home->resource, meta_namespace(object), meta_name(object), NULL, KUBE_PATCH_MERGE, body, NULL, &why) < 0 && why.kind != ERR_NOT_FOUND) {
		*err = why;
		return err_wrap(err, "remove the finalizer of %s %s", home->resource->kind, meta_name(object));
	}
	return 0;
}

json_t *object_status_copy(const json_t *object)
{
	const json_t *old = json_object_get(object, "status");
	json_t *status = json_is_object(old) ? json_deep_copy(old) : json_object();
	if (!json_is_array(json_object_get(status, "conditions")))
		json_object_set_new(status, "conditions", json_array());
	return status;
}

bool object_worth_telling(enum err_kind kind)
{
	static const enum err_kind PASSING[] = {ERR_NONE, ERR_CONFLICT, ERR_CANCELLED, ERR_NETWORK, ERR_TIMEOUT, ERR_BUSY};
	for (size_t i = 0; i < sizeof PASSING / sizeof PASSING[0]; i++)
		if (PASSING[i] == kind)
			return false;
	return true;
}
