/* object_text.c: see object_text.h. */
#include "kube/object_text.h"

#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_quick.h"
#include <stdatomic.h>

struct object_text { atomic_int references; size_t len; char text[]; };

void object_text_print(const json_t *object, struct buf *out)
{
	CLEANUP(json_decrefp) json_t *rest = json_copy((json_t *)(uintptr_t)object);
	json_t *meta = json_copy(json_object_get(object, "metadata"));
	json_object_del(meta, "resourceVersion");
	json_object_set_new(rest, "metadata", meta);
	json_object_del(rest, "kind");
	json_object_del(rest, "apiVersion");
	json_print(rest, JSON_PRINT_COMPACT, out);
}

struct object_text *object_text_new(str printed)
{
	struct object_text *t = mem_alloc(sizeof *t + printed.len);
	atomic_init(&t->references, 1);
	t->len = printed.len;
	memcpy(t->text, printed.data, printed.len);
	return t;
}

bool object_text_equals(const struct object_text *t, str printed) { return t && str_eq((str){t->text, t->len}, printed); }

struct object_text *object_text_ref(struct object_text *t)
{
	atomic_fetch_add(&t->references, 1);
	return t;
}

void object_text_unref(struct object_text *t)
{
	if (t && atomic_fetch_sub(&t->references, 1) == 1)
		free(t);
}

json_t *object_text_parse(const struct object_text *t, const struct kube_resource *r, const char *version)
{
	CLEANUP(mem_freep) char *api_version = kube_api_version(r);
	json_t *object = json_quick((str){t->text, t->len});
	if (!object)
		object = json_loadb(t->text, t->len, JSON_ALLOW_NUL, NULL);
	json_t *meta = json_object_get(object, "metadata");
	json_object_set_new(object, "apiVersion", json_string(api_version));
	json_object_set_new(object, "kind", json_string(r->kind));
	if (meta && version[0])
		json_object_set_new(meta, "resourceVersion", json_string(version));
	return object;
}
