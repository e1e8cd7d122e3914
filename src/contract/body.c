/* body.c: the decoder and the schema writer behind body.h. */
#include "contract/body.h"

#include "codec/json.h"
#include <math.h>
#include <string.h>

static const char *const KINDS[] = {
	[BODY_BOOL] = "boolean", [BODY_INT] = "integer", [BODY_FLOAT] = "number", [BODY_STRING] = "string",
	[BODY_ARRAY] = "array", [BODY_OBJECT] = "object", [BODY_ANY] = "any", [BODY_UNUSED] = "any",
};
const char *body_kind_name(enum body_kind kind) { return KINDS[kind]; }

static int wrong_type(const struct body_field *f, const char *where, const json_t *v, struct err *err)
{
	return err_set(err, ERR_INVALID, "'%s%s': must be %s %s, not %s", where, f->name,
		       strchr("aio", KINDS[f->kind][0]) ? "an" : "a", KINDS[f->kind], json_type_name(v));
}

static int check_range(const struct body_field *f, const char *where, double v, struct err *err)
{
	if (f->min < f->max && !(v >= f->min && v <= f->max))
		return err_set(err, ERR_INVALID, "'%s%s': must be between %g and %g, not %g", where, f->name, f->min, f->max, v);
	return 0;
}

static int decode_int(const struct body_field *f, const json_t *v, const char *where, void *at, struct err *err)
{
	double real = json_number_value(v);
	if (!json_is_number(v) || real != floor(real))
		return wrong_type(f, where, v, err);
	if (json_is_real(v) && fabs(real) > 9e15)
		return err_set(err, ERR_INVALID, "'%s%s': %g is out of range", where, f->name, real);
	if (check_range(f, where, real, err) < 0)
		return -1;
	*(int64_t *)at = json_is_integer(v) ? json_integer_value(v) : (int64_t)real;
	return 0;
}

static int decode_one(const struct body_field *f, const json_t *v, const char *where, void *out, struct err *err)
{
	void *at = (char *)out + f->offset;
	switch (f->kind) {
	case BODY_BOOL:
		if (!json_is_boolean(v))
			return wrong_type(f, where, v, err);
		*(bool *)at = json_is_true(v);
		return 0;
	case BODY_INT:
		return decode_int(f, v, where, at, err);
	case BODY_FLOAT:
		if (!json_is_number(v))
			return wrong_type(f, where, v, err);
		*(double *)at = json_number_value(v);
		return check_range(f, where, *(double *)at, err);
	case BODY_STRING:
		if (!json_is_string(v))
			return wrong_type(f, where, v, err);
		*(const char **)at = json_string_value(v);
		return 0;
	case BODY_ARRAY:
	case BODY_OBJECT:
		if (!(f->kind == BODY_ARRAY ? json_is_array(v) : json_is_object(v)))
			return wrong_type(f, where, v, err);
		*(const json_t **)at = v;
		return 0;
	case BODY_ANY:
		*(const json_t **)at = v;
		return 0;
	case BODY_UNUSED:
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "field '%s' has no kind", f->name);
}

int body_decode(const struct body_table *table, const json_t *obj, const char *where, void *out, struct err *err)
{
	if (!json_is_object(obj))
		return err_set(err, ERR_INVALID, "the request body must be a JSON object, not %s", json_type_name(obj));
	for (size_t i = 0; i < table->n; i++) {
		const struct body_field *f = &table->rows[i];
		const json_t *v = json_object_get(obj, f->name);
		if (v && !json_is_null(v)) {
			if (decode_one(f, v, where, out, err) < 0)
				return -1;
		} else if (f->required) {
			return err_set(err, ERR_INVALID, "'%s%s': is required", where, f->name);
		}
	}
	return 0;
}

static json_t *row_schema(const struct body_field *f)
{
	json_t *p = json_object();
	if (f->kind != BODY_ANY && f->kind != BODY_UNUSED)
		json_object_set_new(p, "type", json_string(KINDS[f->kind]));
	if (f->min < f->max) {
		json_object_set_new(p, "minimum", f->kind == BODY_INT ? json_integer((json_int_t)f->min) : json_real(f->min));
		if (f->max < 9e15)
			json_object_set_new(p, "maximum", f->kind == BODY_INT ? json_integer((json_int_t)f->max) : json_real(f->max));
	}
	json_t *initial = f->initial ? json_loads(f->initial, JSON_DECODE_ANY, NULL) : NULL;
	if (initial)
		json_object_set_new(p, "default", initial);
	json_object_set_new(p, "description", json_string(f->help));
	return p;
}

json_t *body_schema(const struct body_table *const *tables)
{
	json_t *properties = json_object(), *required = json_array();
	for (; *tables; tables++) {
		for (size_t i = 0; i < (*tables)->n; i++) {
			const struct body_field *f = &(*tables)->rows[i];
			json_object_set_new(properties, f->name, row_schema(f));
			if (f->required)
				json_array_append_new(required, json_string(f->name));
		}
	}
	json_t *schema = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
	if (json_array_size(required) > 0)
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}
