/* json_print.c: the printing side of json.h. Jansson's own printer writes %.17g; ours finds the shortest text.
 * Care: any decimal of at most 15 digits survives text -> double -> %.15g (DBL_DIG), so trying 15, 16, 17 digits
 * finds the shortest for normal numbers; subnormals have fewer good digits and start at 1. */
#include "codec/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* "1" becomes "1.0", so that a real stays a real; "1e-05" and "0.1" stay. */
static void finish_real(struct buf *out, const char *text)
{
	buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}

void json_put_double(struct buf *out, double v)
{
	char text[40];
	if (!isfinite(v)) {
		buf_puts(out, "null");
		return;
	}
	int digits = v != 0 && fabs(v) < DBL_MIN ? 1 : DBL_DIG;
	do
		snprintf(text, sizeof text, "%.*g", digits, v);
	while (digits++ < DBL_DECIMAL_DIG && strtod(text, NULL) != v);
	/* Python writes whole numbers below 1e16 without an exponent; %.15g would give 1e+15. */
	if (strchr(text, 'e') && fabs(v) >= 1e15 && fabs(v) < 1e16)
		snprintf(text, sizeof text, "%.0f", v);
	finish_real(out, text);
}

void json_put_float(struct buf *out, float v)
{
	char text[40];
	if (!isfinite(v)) {
		buf_puts(out, "null");
		return;
	}
	int digits = v != 0 && fabsf(v) < FLT_MIN ? 1 : FLT_DIG;
	do
		snprintf(text, sizeof text, "%.*g", digits, (double)v);
	while (digits++ < FLT_DECIMAL_DIG && strtof(text, NULL) != v);
	finish_real(out, text);
}

/* One UTF-8 sequence at p (n > 0 bytes left): its code point and length; U+FFFD and 1 when malformed. */
static uint32_t decode(const char *p, size_t n, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;
	*len = 1;
	if (u[0] < 0x80)
		return u[0];
	size_t want = u[0] >= 0xF0 ? 4 : u[0] >= 0xE0 ? 3 : 2;
	if (want > n || !str_is_utf8((str){p, want}, NULL))
		return 0xFFFD;
	*len = want;
	uint32_t c = u[0] & (0x7Fu >> want);
	for (size_t i = 1; i < want; i++)
		c = c << 6 | (u[i] & 0x3F);
	return c;
}

static void put_escape(struct buf *out, uint32_t c)
{
	static const char SHORT[] = "\"\\\b\f\n\r\t", LETTER[] = "\"\\bfnrt";
	const char *p = c && c < 0x80 ? strchr(SHORT, (int)c) : NULL;
	if (p)
		buf_printf(out, "\\%c", LETTER[p - SHORT]);
	else if (c >= 0x10000)
		buf_printf(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + (c & 0x3FF));
	else
		buf_printf(out, "\\u%04x", c);
}

static void put_string(struct buf *out, str s, bool ascii)
{
	size_t plain = 0; /* start of the run not yet written */
	buf_putc(out, '"');
	for (size_t i = 0, len; i < s.len; i += len) {
		uint32_t c = decode(s.data + i, s.len - i, &len);
		bool bad = c == 0xFFFD && len == 1;
		if (c >= 0x20 && c != '"' && c != '\\' && !bad && !(ascii && c >= 0x80))
			continue;
		buf_put(out, s.data + plain, i - plain);
		plain = i + len;
		if (bad && !ascii)
			buf_puts(out, "\xEF\xBF\xBD");
		else
			put_escape(out, c);
	}
	buf_put(out, s.data + plain, s.len - plain);
	buf_putc(out, '"');
}

void json_put_string(struct buf *out, str s) { put_string(out, s, false); }

static void new_line(struct buf *out, unsigned flags, int depth, bool after_comma)
{
	if (flags & JSON_PRINT_INDENT)
		buf_printf(out, "\n%*s", depth * 2, "");
	else if (after_comma && (flags & JSON_PRINT_SPACED))
		buf_putc(out, ' ');
}

static void print(const json_t *v, unsigned flags, int depth, struct buf *out);

static void print_array(const json_t *v, unsigned flags, int depth, struct buf *out)
{
	size_t n = json_array_size(v);
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(out, ',');
		new_line(out, flags, depth + 1, i > 0);
		print(json_array_get(v, i), flags, depth + 1, out);
	}
	if (n)
		new_line(out, flags, depth, false);
	buf_putc(out, ']');
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void print_object(const json_t *v, unsigned flags, int depth, struct buf *out)
{
	size_t n = 0, count = json_object_size(v);
	CLEANUP(mem_freep) const char **keys = mem_array(count + 1, sizeof *keys);
	json_t *object = (json_t *)(uintptr_t)v; /* Jansson's iterator wants a non-const object; nothing is changed */
	for (void *it = json_object_iter(object); it && n < count; it = json_object_iter_next(object, it))
		keys[n++] = json_object_iter_key(it);
	if (flags & JSON_PRINT_SORTED)
		qsort(keys, n, sizeof *keys, by_bytes);
	buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(out, ',');
		new_line(out, flags, depth + 1, i > 0);
		put_string(out, str_of(keys[i]), flags & JSON_PRINT_ASCII);
		buf_puts(out, flags & (JSON_PRINT_SPACED | JSON_PRINT_INDENT) ? ": " : ":");
		print(json_object_get(v, keys[i]), flags, depth + 1, out);
	}
	if (n)
		new_line(out, flags, depth, false);
	buf_putc(out, '}');
}

static void print(const json_t *v, unsigned flags, int depth, struct buf *out)
{
	if (depth > 4 * LIMIT_JSON_DEPTH) {
		out->overflow = true;
		return;
	}
	if (!v) {
		buf_puts(out, "null");
		return;
	}
	switch (json_typeof(v)) {
	case JSON_OBJECT: print_object(v, flags, depth, out); return;
	case JSON_ARRAY: print_array(v, flags, depth, out); return;
	case JSON_STRING: put_string(out, (str){json_string_value(v), json_string_length(v)}, flags & JSON_PRINT_ASCII); return;
	case JSON_INTEGER: buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); return;
	case JSON_REAL: json_put_double(out, json_real_value(v)); return;
	case JSON_TRUE: buf_puts(out, "true"); return;
	case JSON_FALSE: buf_puts(out, "false"); return;
	case JSON_NULL: buf_puts(out, "null"); return;
	}
}

void json_print(const json_t *value, unsigned flags, struct buf *out) { print(value, flags, 0, out); }
