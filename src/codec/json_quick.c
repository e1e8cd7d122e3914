/* json_quick.c: see json_quick.h. One pass over the bytes; strings without escapes are copied once, straight from the text. */
#include "codec/json_quick.h"

#include "base/limits.h"
#include "base/mem.h"

struct quick { const char *at, *end; int depth; };

static json_t *value(struct quick *q);

static void space(struct quick *q)
{
	while (q->at < q->end && (*q->at == ' ' || *q->at == '\n' || *q->at == '\r' || *q->at == '\t'))
		q->at++;
}

static bool take(struct quick *q, char c)
{
	space(q);
	if (q->at >= q->end || *q->at != c)
		return false;
	q->at++;
	return true;
}

/* Finds the end of the string that starts after the quote; *plain: no escapes and no bytes past ASCII. NULL: none, or a control character. */
static const char *string_end(const struct quick *q, bool *plain, bool *ascii)
{
	*plain = *ascii = true;
	for (const char *p = q->at; p < q->end; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"')
			return p;
		if (c < 0x20)
			return NULL;
		if (c == '\\') {
			*plain = false;
			p++;
		} else if (c >= 0x80) {
			*ascii = false;
		}
	}
	return NULL;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \uXXXX below the surrogates and not zero, as UTF-8; 0: not one of those. */
static size_t unicode(const char *digits, char *out)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(digits[i]);
		if (d < 0)
			return 0;
		v = v << 4 | (unsigned)d;
	}
	if (v == 0 || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	if (v < 0x80) {
		out[0] = (char)v;
		return 1;
	}
	if (v < 0x800) {
		out[0] = (char)(0xc0 | v >> 6);
		out[1] = (char)(0x80 | (v & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | v >> 12);
	out[1] = (char)(0x80 | (v >> 6 & 0x3f));
	out[2] = (char)(0x80 | (v & 0x3f));
	return 3;
}

/* Writes what [p, end) means to out, which has room for as many bytes; the length, or SIZE_MAX for an escape of the unusual kind. */
static size_t unescape(const char *p, const char *end, char *out)
{
	static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
	size_t n = 0;
	while (p < end) {
		if (*p != '\\') {
			out[n++] = *p++;
			continue;
		}
		const char *known = p[1] ? strchr(FROM, p[1]) : NULL;
		if (known) {
			out[n++] = TO[known - FROM];
			p += 2;
			continue;
		}
		size_t bytes = p[1] == 'u' && end - p >= 6 ? unicode(p + 2, out + n) : 0;
		if (bytes == 0)
			return SIZE_MAX;
		n += bytes;
		p += 6;
	}
	return n;
}

/* After the opening quote: *text is the content, in the source or in *owned (freed by the caller). */
static bool string(struct quick *q, str *text, char **owned)
{
	bool plain, ascii;
	const char *end = string_end(q, &plain, &ascii);
	if (!end)
		return false;
	*text = (str){q->at, (size_t)(end - q->at)};
	if (!ascii && !str_is_utf8(*text, NULL))
		return false;
	if (!plain) {
		*owned = mem_alloc(text->len + 1);
		size_t n = unescape(q->at, end, *owned);
		if (n == SIZE_MAX)
			return false;
		*text = (str){*owned, n};
	}
	q->at = end + 1;
	return true;
}

static json_t *string_value(struct quick *q)
{
	CLEANUP(mem_freep) char *owned = NULL;
	str text;
	return string(q, &text, &owned) ? json_stringn_nocheck(text.data, text.len) : NULL;
}

static bool member(struct quick *q, json_t *object)
{
	CLEANUP(mem_freep) char *owned = NULL;
	str key;
	if (!take(q, '"') || !string(q, &key, &owned) || !take(q, ':'))
		return false;
	json_t *v = value(q);
	size_t before = json_object_size(object);
	return v && json_object_setn_new_nocheck(object, key.data, key.len, v) == 0 && json_object_size(object) == before + 1;
}

static json_t *object_value(struct quick *q)
{
	json_t *object = json_object();
	if (take(q, '}'))
		return object;
	do
		if (!member(q, object)) {
			json_decref(object);
			return NULL;
		}
	while (take(q, ','));
	if (take(q, '}'))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *array_value(struct quick *q)
{
	json_t *array = json_array();
	if (take(q, ']'))
		return array;
	do {
		json_t *v = value(q);
		if (!v || json_array_append_new(array, v) < 0) {
			json_decref(array);
			return NULL;
		}
	} while (take(q, ','));
	if (take(q, ']'))
		return array;
	json_decref(array);
	return NULL;
}

static json_t *integer_value(struct quick *q)
{
	const char *start = q->at;
	bool negative = *q->at == '-';
	q->at += negative;
	const char *digits = q->at;
	json_int_t v = 0;
	while (q->at < q->end && *q->at >= '0' && *q->at <= '9' && q->at - digits < 19) {
		v = q->at - digits < 18 ? v * 10 + (*q->at - '0') : v;
		q->at++;
	}
	size_t n = (size_t)(q->at - digits);
	bool fraction = q->at < q->end && (*q->at == '.' || *q->at == 'e' || *q->at == 'E');
	if (n == 0 || n > 18 || fraction || (*digits == '0' && (n > 1 || start != digits)))
		return NULL;
	return json_integer(negative ? -v : v);
}

static bool word(struct quick *q, const char *name, size_t n)
{
	if ((size_t)(q->end - q->at) < n || memcmp(q->at, name, n) != 0)
		return false;
	q->at += n;
	return true;
}

static json_t *nested(struct quick *q, json_t *(*read)(struct quick *q))
{
	if (q->depth >= LIMIT_JSON_DEPTH)
		return NULL;
	q->depth++;
	json_t *v = read(q);
	q->depth--;
	return v;
}

static json_t *value(struct quick *q)
{
	space(q);
	if (q->at >= q->end)
		return NULL;
	switch (*q->at) {
	case '"':
		q->at++;
		return string_value(q);
	case '{':
		q->at++;
		return nested(q, object_value);
	case '[':
		q->at++;
		return nested(q, array_value);
	case 't':
		return word(q, "true", 4) ? json_true() : NULL;
	case 'f':
		return word(q, "false", 5) ? json_false() : NULL;
	case 'n':
		return word(q, "null", 4) ? json_null() : NULL;
	default:
		return integer_value(q);
	}
}

json_t *json_quick(str text)
{
	struct quick q = {text.data, text.data + text.len, 0};
	json_t *root = text.len <= LIMIT_JSON_BYTES ? value(&q) : NULL;
	space(&q);
	if (q.at == q.end)
		return root;
	json_decref(root);
	return NULL;
}
