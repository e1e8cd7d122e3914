/* default.c: what the API server does with an object before it is stored: nulls are dropped and defaults filled in, from the shapes. */
#include "crd/crd.h"
#include "crd/schema.h"

static void fill(const struct crd_shape *shape, enum crd_version v, json_t *object);

static void fill_each(const struct crd_field *f, enum crd_version v, json_t *value)
{
	size_t i;
	const char *key;
	json_t *item;
	if (f->list)
		json_array_foreach(value, i, item)
			fill(f->shape, v, item);
	else if (f->type == CRD_MAP)
		json_object_foreach(value, key, item)
			fill(f->shape, v, item);
	else
		fill(f->shape, v, value);
}

static void fill(const struct crd_shape *shape, enum crd_version v, json_t *object)
{
	if (!json_is_object(object))
		return;
	for (const struct crd_field *f = shape->fields; f->name; f++) {
		json_t *value = json_object_get(object, f->name);
		if (!crd_in_version(f->versions, v))
			continue;
		if (json_is_null(value)) {
			json_object_del(object, f->name);
			value = NULL;
		}
		if (!value && f->fallback)
			json_object_set_new(object, f->name, json_loads(f->fallback, JSON_DECODE_ANY, NULL));
		else if (value && f->shape)
			fill_each(f, v, value);
	}
}

void crd_default(const char *kind, const char *api_version, json_t *object)
{
	enum crd_version v = 0;
	const struct crd_definition *d = crd_definition_find(api_version, kind, &v);
	if (d)
		fill(d->shape, v, object);
}
