/* schema.c: from shapes to the OpenAPI schema of a version, as structural schemas want it. */
#include "crd/crd.h"
#include "crd/schema.h"
#include "crd/schema_json.h"

#include "base/str.h"
#include <string.h>

static json_t *shape_schema(const struct crd_shape *shape, enum crd_version v);

static void put(json_t *object, const char *key, json_t *value) { json_object_set_new(object, key, value); }

static void put_count(json_t *schema, const char *key, uint32_t n)
{
	if (n)
		put(schema, key, json_integer(n));
}

json_t *schema_words(const char *text)
{
	json_t *list = json_array();
	str s = str_of(text);
	for (size_t from = 0; from < s.len;) {
		size_t end = str_find(s, ' ', from);
		json_array_append_new(list, json_stringn(s.data + from, end - from));
		from = end + 1;
	}
	return list;
}

static json_t *rule_json(const struct crd_rule *r)
{
	static const char *const REASONS[] = {[CRD_FORBIDDEN] = "FieldValueForbidden", [CRD_REQUIRED] = "FieldValueRequired"};
	json_t *out = json_pack("{s:s,s:s}", "rule", r->rule, "message", r->message);
	if (r->message_cel)
		put(out, "messageExpression", json_string(r->message_cel));
	if (r->at)
		put(out, "fieldPath", json_string(r->at));
	if (r->reason)
		put(out, "reason", json_string(REASONS[r->reason]));
	if (r->create)
		put(out, "optionalOldSelf", json_true());
	return out;
}

static void add_rules(json_t *schema, const struct crd_rule *rules, enum crd_version v)
{
	json_t *list = json_object_get(schema, "x-kubernetes-validations");
	for (; rules && rules->rule; rules++) {
		if (!crd_in_version(rules->versions, v))
			continue;
		if (!list) {
			list = json_array();
			put(schema, "x-kubernetes-validations", list);
		}
		json_array_append_new(list, rule_json(rules));
	}
}

static json_t *text_schema(const struct crd_field *f)
{
	json_t *s = json_pack("{s:s}", "type", "string");
	put_count(s, "maxLength", f->max_length);
	put_count(s, "minLength", f->min_length);
	if (f->pattern)
		put(s, "pattern", json_string(f->pattern));
	if (f->choices)
		put(s, "enum", schema_words(f->choices));
	if (f->format)
		put(s, "format", json_string(f->format));
	return s;
}

static json_t *integer_schema(const struct crd_field *f)
{
	json_t *s = json_pack("{s:s}", "type", "integer");
	if (f->format)
		put(s, "format", json_string(f->format));
	if (f->has_minimum)
		put(s, "minimum", json_integer(f->minimum));
	if (f->maximum)
		put(s, "maximum", json_integer(f->maximum));
	return s;
}

/* Kubernetes' grammar of quantities. */
#define QUANTITY "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$"
static json_t *quantity_schema(void)
{
	return json_pack("{s:[{s:s},{s:s}],s:s,s:b}", "anyOf", "type", "integer", "type", "string", "pattern", QUANTITY, "x-kubernetes-int-or-string", 1);
}

static json_t *map_schema(const struct crd_field *f, enum crd_version v)
{
	json_t *values = f->type == CRD_QUANTITIES ? quantity_schema() : f->shape ? shape_schema(f->shape, v) : json_pack("{s:s}", "type", "string");
	put_count(values, "maxLength", f->max_length);
	json_t *s = json_pack("{s:s,s:o}", "type", "object", "additionalProperties", values);
	put_count(s, "maxProperties", f->max_items);
	return s;
}

/* Of one value, without what the list around it has. */
static json_t *value_schema(const struct crd_field *f, enum crd_version v)
{
	switch (f->type) {
	case CRD_STRING: return text_schema(f);
	case CRD_INTEGER: return integer_schema(f);
	case CRD_BOOLEAN: return json_pack("{s:s}", "type", "boolean");
	case CRD_OBJECT: return shape_schema(f->shape, v);
	case CRD_OPEN: return json_pack("{s:s,s:b}", "type", "object", "x-kubernetes-preserve-unknown-fields", 1);
	case CRD_MAP:
	case CRD_QUANTITIES: return map_schema(f, v);
	}
	return NULL;
}

static json_t *field_schema(const struct crd_field *f, enum crd_version v)
{
	json_t *s = value_schema(f, v);
	if (f->list) {
		s = json_pack("{s:s,s:o}", "type", "array", "items", s);
		put_count(s, "minItems", f->min_items);
		put_count(s, "maxItems", f->max_items);
		if (f->atomic)
			put(s, "x-kubernetes-list-type", json_string("atomic"));
	}
	put(s, "description", json_string(f->help));
	if (f->fallback)
		put(s, "default", json_loads(f->fallback, JSON_DECODE_ANY, NULL));
	add_rules(s, f->rules, v);
	return s;
}

static json_t *shape_schema(const struct crd_shape *shape, enum crd_version v)
{
	json_t *properties = json_object(), *required = json_array();
	for (const struct crd_field *f = shape->fields; f->name; f++) {
		if (!crd_in_version(f->versions, v))
			continue;
		put(properties, f->name, field_schema(f, v));
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	json_t *s = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
	if (json_array_size(required))
		put(s, "required", required);
	else
		json_decref(required);
	if (shape->atomic)
		put(s, "x-kubernetes-map-type", json_string("atomic"));
	add_rules(s, shape->rules, v);
	return s;
}

json_t *schema_of(const struct crd_definition *d, enum crd_version v)
{
	json_t *s = shape_schema(d->shape, v), *properties = json_object_get(s, "properties");
	put(properties, "apiVersion", json_pack("{s:s,s:s}", "type", "string", "description", "Group and version of this object."));
	put(properties, "kind", json_pack("{s:s,s:s}", "type", "string", "description", "Kind of this object."));
	put(properties, "metadata", json_pack("{s:s}", "type", "object"));
	put(s, "description", json_string(d->help));
	return s;
}
