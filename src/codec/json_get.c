/* json_get.c: typed members of a JSON object; one place makes the message that names the path and both types. */
#include "codec/json.h"

#include <math.h>

const char *json_type_name(const json_t *value)
{
	static const char *const NAMES[] = {
		[JSON_OBJECT] = "object", [JSON_ARRAY] = "array", [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
		[JSON_REAL] = "number", [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
	};
	return value ? NAMES[json_typeof(value)] : "nothing";
}

static int wrong(const char *key, const char *where, const char *expected, const json_t *got, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s%s%s must be %s, not %s", where, where[0] ? "." : "", key, expected, json_type_name(got));
}

/* The member, or NULL when absent or null. */
static const json_t *member(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);
	return json_is_null(v) ? NULL : v;
}

int json_get_str(const json_t *obj, const char *key, const char *where, str *out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	if (!json_is_string(v))
		return wrong(key, where, "a string", v, err);
	*out = (str){json_string_value(v), json_string_length(v)};
	return 0;
}

int json_get_string(const json_t *obj, const char *key, const char *where, const char **out, struct err *err)
{
	str s = {0};
	if (json_get_str(obj, key, where, &s, err) < 0)
		return -1;
	if (s.data)
		*out = s.data;
	return 0;
}

int json_get_int(const json_t *obj, const char *key, const char *where, int64_t *out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	double real = json_number_value(v);
	if (json_is_integer(v))
		*out = json_integer_value(v);
	else if (json_is_real(v) && real == floor(real) && fabs(real) < 0x1p63)
		*out = (int64_t)real;
	else
		return wrong(key, where, "a whole number", v, err);
	return 0;
}

int json_get_int_in(const json_t *obj, const char *key, const char *where, int64_t min, int64_t max, int64_t *out, struct err *err)
{
	int64_t v = *out;
	if (json_get_int(obj, key, where, &v, err) < 0)
		return -1;
	if (member(obj, key) && (v < min || v > max))
		return err_set(err, ERR_INVALID, "%s%s%s is %lld, must be between %lld and %lld", where, where[0] ? "." : "", key, (long long)v,
			       (long long)min, (long long)max);
	*out = v;
	return 0;
}

int json_get_double(const json_t *obj, const char *key, const char *where, double *out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	if (!json_is_number(v))
		return wrong(key, where, "a number", v, err);
	*out = json_number_value(v);
	return 0;
}

int json_get_bool(const json_t *obj, const char *key, const char *where, bool *out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return wrong(key, where, "true or false", v, err);
	*out = json_is_true(v);
	return 0;
}

int json_get_array(const json_t *obj, const char *key, const char *where, const json_t **out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	if (!json_is_array(v))
		return wrong(key, where, "an array", v, err);
	*out = v;
	return 0;
}

int json_get_object(const json_t *obj, const char *key, const char *where, const json_t **out, struct err *err)
{
	const json_t *v = member(obj, key);
	if (!v)
		return 0;
	if (!json_is_object(v))
		return wrong(key, where, "an object", v, err);
	*out = v;
	return 0;
}

int json_require(const json_t *obj, const char *key, const char *where, struct err *err)
{
	if (!json_is_object(obj))
		return err_set(err, ERR_INVALID, "%s must be an object, not %s", where[0] ? where : "the document", json_type_name(obj));
	if (member(obj, key))
		return 0;
	return err_set(err, ERR_INVALID, "%s%s%s is missing", where, where[0] ? "." : "", key);
}
