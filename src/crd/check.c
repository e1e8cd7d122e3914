/* check.c: an object against the shapes of its version, field by field: what a strict decoder and the schema would refuse. Rules in CEL
 * are not evaluated here; the admission rules say the same. */
#include "crd/crd.h"
#include "crd/schema.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include <stdarg.h>
#include <string.h>

struct check { enum crd_version v; struct buf *out; size_t count; };

static void check_shape(struct check *c, const struct crd_shape *shape, const json_t *object, const char *path, bool top);

static void complain(struct check *c, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void complain(struct check *c, const char *path, const char *fmt, ...)
{
	va_list ap;
	char why[512];
	c->count++;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	buf_printf(c->out, "%s: %s\n", path, why);
}

/* --- scalars ------------------------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, str word)
{
	str list = str_of(choices);
	for (size_t from = 0; from < list.len;) {
		size_t end = str_find(list, ' ', from);
		if (str_eq(str_sub(list, from, end), word))
			return true;
		from = end + 1;
	}
	return false;
}

/* Limits on lengths count characters, not bytes. */
static size_t characters(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
	return n;
}

static void check_string(struct check *c, const struct crd_field *f, const json_t *value, const char *path)
{
	str s = {json_string_value(value), json_string_length(value)};
	if (!json_is_string(value))
		complain(c, path, "must be a string, is %s", json_type_name(value));
	else if (f->choices && !is_choice(f->choices, s))
		complain(c, path, "'%.*s' is not one of: %s", STR_FMT(str_sub(s, 0, s.len > 64 ? 64 : s.len)), f->choices);
	else if (f->max_length && characters(s) > f->max_length)
		complain(c, path, "is longer than %u characters", f->max_length);
}

static void check_integer(struct check *c, const struct crd_field *f, const json_t *value, const char *path)
{
	double v = json_number_value(value);
	bool whole = json_is_integer(value) || (json_is_real(value) && v >= -9e15 && v <= 9e15 && v == (double)(int64_t)v);
	if (!whole)
		complain(c, path, "must be an integer, is %s", json_type_name(value));
	else if (f->has_minimum && v < (double)f->minimum)
		complain(c, path, "must be at least %lld", (long long)f->minimum);
	else if (f->maximum && v > (double)f->maximum)
		complain(c, path, "must be at most %lld", (long long)f->maximum);
	else if (f->format && strcmp(f->format, "int32") == 0 && (v > INT32_MAX || v < INT32_MIN))
		complain(c, path, "is out of range");
}

static void check_map(struct check *c, const struct crd_field *f, const json_t *value, const char *path)
{
	static const struct crd_field TEXT = {"", CRD_STRING, ""};
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)(uintptr_t)value, key, item) {
		CLEANUP(mem_freep) char *inner = mem_printf("%s.%s", path, key);
		if (f->shape)
			check_shape(c, f->shape, item, inner, false);
		else
			check_string(c, &TEXT, item, inner);
	}
}

static void check_quantities(struct check *c, const json_t *value, const char *path)
{
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)(uintptr_t)value, key, item)
		if (!json_is_string(item) && !json_is_integer(item)) {
			CLEANUP(mem_freep) char *inner = mem_printf("%s.%s", path, key);
			complain(c, inner, "must be a quantity, is %s", json_type_name(item));
		}
}

static void check_value(struct check *c, const struct crd_field *f, const json_t *value, const char *path)
{
	if ((f->type == CRD_MAP || f->type == CRD_OPEN || f->type == CRD_QUANTITIES) && !json_is_object(value)) {
		complain(c, path, "must be an object, is %s", json_type_name(value));
		return;
	}
	switch (f->type) {
	case CRD_STRING: check_string(c, f, value, path); break;
	case CRD_INTEGER: check_integer(c, f, value, path); break;
	case CRD_BOOLEAN:
		if (!json_is_boolean(value))
			complain(c, path, "must be a boolean, is %s", json_type_name(value));
		break;
	case CRD_OBJECT: check_shape(c, f->shape, value, path, false); break;
	case CRD_MAP: check_map(c, f, value, path); break;
	case CRD_QUANTITIES: check_quantities(c, value, path); break;
	case CRD_OPEN: break;
	}
}

/* --- lists and objects --------------------------------------------------------------------------------------- */

static void check_list(struct check *c, const struct crd_field *f, const json_t *list, const char *path)
{
	size_t i, n = json_array_size(list);
	const json_t *item;
	if (!json_is_array(list)) {
		complain(c, path, "must be an array, is %s", json_type_name(list));
		return;
	}
	if (n < f->min_items || (f->max_items && n > f->max_items)) {
		complain(c, path, "has %zu items; %u to %u are allowed", n, f->min_items, f->max_items);
		return;
	}
	json_array_foreach(list, i, item) {
		CLEANUP(mem_freep) char *inner = mem_printf("%s[%zu]", path, i);
		check_value(c, f, item, inner);
	}
}

static const struct crd_field *field_of(const struct crd_shape *shape, enum crd_version v, const char *name)
{
	for (const struct crd_field *f = shape->fields; f->name; f++)
		if (crd_in_version(f->versions, v) && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static const char *nearest(const struct crd_shape *shape, enum crd_version v, const char *name)
{
	const char *names[32] = {0};
	size_t n = 0;
	for (const struct crd_field *f = shape->fields; f->name && n < 31; f++)
		if (crd_in_version(f->versions, v))
			names[n++] = f->name;
	return str_nearest(str_of(name), names);
}

static void check_unknown(struct check *c, const struct crd_shape *shape, const char *name, const char *path, bool top)
{
	if (top && (strcmp(name, "apiVersion") == 0 || strcmp(name, "kind") == 0 || strcmp(name, "metadata") == 0))
		return;
	const char *near = nearest(shape, c->v, name);
	complain(c, path, "unknown field%s%s%s", near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void check_shape(struct check *c, const struct crd_shape *shape, const json_t *object, const char *path, bool top)
{
	const char *name, *dot = path[0] ? "." : "";
	json_t *value;
	if (!json_is_object(object)) {
		complain(c, path, "must be an object, is %s", json_type_name(object));
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		const struct crd_field *f = field_of(shape, c->v, name);
		CLEANUP(mem_freep) char *inner = mem_printf("%s%s%s", path, dot, name);
		if (!f)
			check_unknown(c, shape, name, inner, top);
		else if (f->list && !json_is_null(value))
			check_list(c, f, value, inner);
		else if (!json_is_null(value))
			check_value(c, f, value, inner);
	}
	for (const struct crd_field *f = shape->fields; f->name; f++) {
		value = json_object_get(object, f->name);
		if (!f->required || !crd_in_version(f->versions, c->v) || (value && !json_is_null(value)))
			continue;
		CLEANUP(mem_freep) char *inner = mem_printf("%s%s%s", path, dot, f->name);
		complain(c, inner, "required value");
	}
}

size_t crd_check(const char *kind, const char *api_version, const json_t *object, struct buf *out)
{
	struct check c = {.out = out};
	const struct crd_definition *d = crd_definition_find(api_version, kind, &c.v);
	if (!d) {
		buf_printf(out, "%.64s %.64s: not a kind and version of kaito.sh\n", api_version, kind);
		return 1;
	}
	check_shape(&c, d->shape, object, "", true);
	return c.count;
}
