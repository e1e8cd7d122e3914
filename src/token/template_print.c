/* template_print.c: values as text: str() and repr() of Python, and json.dumps as transformers' tojson calls it. */
#include "token/template_eval.h"

#include "codec/json.h"
#include "token/unicode.h"
#include <math.h>
#include <stdio.h>

static void put_float(struct buf *out, double v)
{
	if (isnan(v))
		buf_puts(out, "nan");
	else if (isinf(v))
		buf_puts(out, v < 0 ? "-inf" : "inf");
	else
		json_put_double(out, v);
}

/* Single quotes unless the text has some and no double ones. */
static void put_quoted(struct buf *out, str s)
{
	char quote = memchr(s.data, '\'', s.len) && !memchr(s.data, '"', s.len) ? '"' : '\'';
	buf_putc(out, quote);
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == quote || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if ((unsigned char)c < 0x20 || c == 0x7F)
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
		else
			buf_putc(out, c);
	}
	buf_putc(out, quote);
}

static void put_list_repr(struct eval *ev, struct buf *out, struct value v, int depth)
{
	bool tuple = v.kind == VALUE_TUPLE;
	buf_putc(out, tuple ? '(' : '[');
	for (size_t i = 0; i < v.list->len && template_step(ev, 0); i++) {
		if (i)
			buf_puts(out, ", ");
		template_put_repr(ev, out, v.list->items[i], depth + 1);
	}
	buf_puts(out, tuple ? v.list->len == 1 ? ",)" : ")" : "]");
}

static void put_dict_repr(struct eval *ev, struct buf *out, struct value v, int depth)
{
	buf_putc(out, '{');
	for (size_t i = 0; i < v.dict->len && template_step(ev, 0); i++) {
		if (i)
			buf_puts(out, ", ");
		template_put_repr(ev, out, v.dict->items[i].key, depth + 1);
		buf_puts(out, ": ");
		template_put_repr(ev, out, v.dict->items[i].value, depth + 1);
	}
	buf_putc(out, '}');
}

void template_put_repr(struct eval *ev, struct buf *out, struct value v, int depth)
{
	if (depth > LIMIT_JSON_DEPTH) {
		template_error(ev, ERR_LIMIT, "a value is nested deeper than %d levels", LIMIT_JSON_DEPTH);
		return;
	}
	switch (v.kind) {
	case VALUE_UNDEFINED: buf_puts(out, depth ? "Undefined" : ""); break;
	case VALUE_NONE: buf_puts(out, "None"); break;
	case VALUE_BOOL: buf_puts(out, v.boolean ? "True" : "False"); break;
	case VALUE_INT: buf_printf(out, "%lld", (long long)v.integer); break;
	case VALUE_FLOAT: put_float(out, v.real); break;
	case VALUE_STRING: put_quoted(out, v.string); break;
	case VALUE_LIST: case VALUE_TUPLE: put_list_repr(ev, out, v, depth); break;
	case VALUE_DICT: put_dict_repr(ev, out, v, depth); break;
	case VALUE_NAMESPACE: case VALUE_LOOP: case VALUE_MACRO: case VALUE_FUNCTION: case VALUE_METHOD: buf_printf(out, "<%s>", template_kind(v)); break;
	}
}

void template_put(struct eval *ev, struct buf *out, struct value v)
{
	if (v.kind == VALUE_STRING)
		buf_put_str(out, v.string);
	else
		template_put_repr(ev, out, v, 0);
}

str template_text(struct eval *ev, struct value v)
{
	if (v.kind == VALUE_STRING)
		return v.string;
	struct buf b = {.max = LIMIT_TEMPLATE_OUTPUT};
	template_put(ev, &b, v);
	struct value text = template_take(ev, &b);
	return text.kind == VALUE_STRING ? text.string : STR("");
}

static void put_json_string(struct buf *out, str s, bool ascii)
{
	static const char FROM[] = "\"\\\b\f\n\r\t", TO[] = "\"\\bfnrt";
	buf_putc(out, '"');
	for (size_t i = 0, n; i < s.len; i += n) {
		int32_t c;
		n = unicode_next(s, i, &c);
		const char *found = c > 0 && c < 0x80 ? strchr(FROM, (char)c) : NULL;
		if (found)
			buf_printf(out, "\\%c", TO[found - FROM]);
		else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000 && c != 0x7F))
			buf_printf(out, "\\u%04x", (unsigned)c);
		else if (ascii && c >= 0x10000)
			buf_printf(out, "\\u%04x\\u%04x", 0xD800u + ((unsigned)(c - 0x10000) >> 10), 0xDC00u + ((unsigned)(c - 0x10000) & 0x3FF));
		else
			buf_put(out, s.data + i, n);
	}
	buf_putc(out, '"');
}

static void put_break(struct buf *out, const struct json_style *style, int depth)
{
	if (style->indent < 0)
		return;
	buf_putc(out, '\n');
	for (int64_t i = 0; i < (int64_t)style->indent * depth; i++)
		buf_putc(out, ' ');
}

static void put_json_list(struct eval *ev, struct buf *out, const struct value_list *l, const struct json_style *style, int depth)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < l->len && template_step(ev, 0); i++) {
		if (i)
			buf_put_str(out, style->item);
		put_break(out, style, depth + 1);
		template_put_json(ev, out, l->items[i], style, depth + 1);
	}
	if (l->len)
		put_break(out, style, depth);
	buf_putc(out, ']');
}

static int by_key(const void *a, const void *b)
{
	const struct value_pair *x = a, *y = b;
	if (x->key.kind == VALUE_STRING && y->key.kind == VALUE_STRING)
		return str_cmp(x->key.string, y->key.string);
	return (int)x->key.kind - (int)y->key.kind;
}

/* Keys that are no strings become their text, as in Python. */
static void put_json_key(struct eval *ev, struct buf *out, struct value key, const struct json_style *style)
{
	if (key.kind == VALUE_STRING) {
		put_json_string(out, key.string, style->ascii);
		return;
	}
	buf_putc(out, '"');
	template_put_json(ev, out, key, style, 0);
	buf_putc(out, '"');
}

static void put_json_dict(struct eval *ev, struct buf *out, const struct value_dict *d, const struct json_style *style, int depth)
{
	struct value_pair *items = d->items;
	if (style->sort && d->len) {
		items = template_alloc(ev, d->len * sizeof *items);
		if (!items)
			return;
		memcpy(items, d->items, d->len * sizeof *items);
		qsort(items, d->len, sizeof *items, by_key);
	}
	buf_putc(out, '{');
	for (size_t i = 0; i < d->len && template_step(ev, 0); i++) {
		if (i)
			buf_put_str(out, style->item);
		put_break(out, style, depth + 1);
		put_json_key(ev, out, items[i].key, style);
		buf_put_str(out, style->pair);
		template_put_json(ev, out, items[i].value, style, depth + 1);
	}
	if (d->len)
		put_break(out, style, depth);
	buf_putc(out, '}');
}

void template_put_json(struct eval *ev, struct buf *out, struct value v, const struct json_style *style, int depth)
{
	if (depth > LIMIT_JSON_DEPTH) {
		template_error(ev, ERR_LIMIT, "tojson: a value is nested deeper than %d levels", LIMIT_JSON_DEPTH);
		return;
	}
	switch (v.kind) {
	case VALUE_NONE: buf_puts(out, "null"); return;
	case VALUE_BOOL: buf_puts(out, v.boolean ? "true" : "false"); return;
	case VALUE_INT: buf_printf(out, "%lld", (long long)v.integer); return;
	case VALUE_FLOAT:
		if (isfinite(v.real))
			put_float(out, v.real);
		else
			buf_puts(out, isnan(v.real) ? "NaN" : v.real < 0 ? "-Infinity" : "Infinity");
		return;
	case VALUE_STRING: put_json_string(out, v.string, style->ascii); return;
	case VALUE_LIST: case VALUE_TUPLE: put_json_list(ev, out, v.list, style, depth); return;
	case VALUE_DICT: put_json_dict(ev, out, v.dict, style, depth); return;
	case VALUE_UNDEFINED: case VALUE_NAMESPACE: case VALUE_LOOP: case VALUE_MACRO: case VALUE_FUNCTION: case VALUE_METHOD: break;
	}
	template_error(ev, ERR_INVALID, "tojson: %s is not JSON serializable", v.kind == VALUE_UNDEFINED ? v.undefined : template_kind(v));
}
