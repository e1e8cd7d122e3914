/* yaml_scalar.c: what a plain YAML scalar means (see yaml.h for the schema). */
#include "codec/yaml.h"

#include <math.h>

static bool among(str s, const char *const *words)
{
	for (; *words; words++)
		if (str_eqz(s, *words))
			return true;
	return false;
}

static bool all_digits(str s, const char *digits)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.data[i] || !strchr(digits, s.data[i]))
			return false;
	return s.len > 0;
}

/* 0x and 0o integers; NULL when it is neither or does not fit. */
static json_t *prefixed_integer(str s)
{
	bool hex = str_starts(s, STR("0x")), octal = str_starts(s, STR("0o"));
	if ((!hex && !octal) || s.len > 18 || !all_digits(str_sub(s, 2, s.len), hex ? "0123456789abcdefABCDEF" : "01234567"))
		return NULL;
	char text[32] = {0};
	memcpy(text, s.data + 2, s.len - 2);
	unsigned long long v = strtoull(text, NULL, hex ? 16 : 8);
	return v <= INT64_MAX ? json_integer((json_int_t)v) : json_real((double)v);
}

/* Copies s without the underscores that separate digits; false when one stands elsewhere or s is too long. */
static bool without_underscores(str s, char out[64], size_t *len)
{
	*len = 0;
	if (s.len >= 64)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] != '_') {
			out[(*len)++] = s.data[i];
			continue;
		}
		if (i == 0 || i + 1 == s.len || !strchr("0123456789", s.data[i - 1]) || !strchr("0123456789_", s.data[i + 1]))
			return false;
	}
	out[*len] = 0;
	return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? ; *integer when there is neither point nor exponent. */
static bool number_syntax(const char *p, bool *integer)
{
	size_t before, after = 0;
	p += *p == '-' || *p == '+';
	p += before = strspn(p, "0123456789");
	*integer = *p == 0;
	if (*p == '.') {
		p++;
		p += after = strspn(p, "0123456789");
	}
	if (before + after == 0)
		return false;
	if (*p != 'e' && *p != 'E')
		return *p == 0;
	p++;
	p += *p == '-' || *p == '+';
	size_t digits = strspn(p, "0123456789");
	return digits > 0 && p[digits] == 0;
}

static json_t *number(str s)
{
	char text[64];
	size_t len;
	bool integer;
	int64_t i;
	if (!without_underscores(s, text, &len) || !number_syntax(text, &integer))
		return NULL;
	if (integer && str_to_i64((str){text, len}, &i))
		return json_integer(i);
	double v = strtod(text, NULL);
	return isfinite(v) ? json_real(v) : NULL;
}

json_t *yaml_scalar(str s)
{
	static const char *const NULLS[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const TRUES[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", NULL};
	static const char *const FALSES[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", NULL};
	if (among(s, NULLS))
		return json_null();
	if (among(s, TRUES))
		return json_true();
	if (among(s, FALSES))
		return json_false();
	json_t *v = prefixed_integer(s);
	if (!v)
		v = number(s);
	return v ? v : json_stringn(s.data, s.len);
}
