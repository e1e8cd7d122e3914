/* template_filters.c: filters of text and numbers, and the look-up of all filters. To add one: a function and a row in FILTERS. */
#include "token/template_filters.h"

#include "token/unicode.h"
#include <math.h>
#include <stdio.h>

#define FILTER(name) static struct value filter_##name(struct eval *ev, struct value v, const struct args *args)

static struct buf text_buf(void) { return (struct buf){.max = LIMIT_TEMPLATE_OUTPUT}; }

FILTER(string) { return (void)args, (struct value){VALUE_STRING, {.string = template_text(ev, v)}}; }

FILTER(upper)
{
	struct buf out = text_buf();
	(void)args;
	unicode_upper(template_text(ev, v), &out);
	return template_take(ev, &out);
}

FILTER(lower)
{
	struct buf out = text_buf();
	(void)args;
	unicode_lower(template_text(ev, v), &out);
	return template_take(ev, &out);
}

FILTER(capitalize)
{
	struct buf out = text_buf();
	str s = template_text(ev, v);
	size_t first = s.len ? unicode_length(s, 0) : 0;
	(void)args;
	unicode_upper(str_sub(s, 0, first), &out);
	unicode_lower(str_sub(s, first, s.len), &out);
	return template_take(ev, &out);
}

/* Words begin after white space, brackets and hyphens. */
FILTER(title)
{
	struct buf out = text_buf();
	str s = template_text(ev, v);
	bool begins = true;
	(void)args;
	for (size_t i = 0, n; i < s.len; i += n) {
		int32_t c;
		n = unicode_next(s, i, &c);
		if (begins)
			unicode_upper(str_sub(s, i, i + n), &out);
		else
			unicode_lower(str_sub(s, i, i + n), &out);
		begins = unicode_is_space(c) || (c > 0 && c < 0x80 && strchr("-({[<", (char)c));
	}
	return template_take(ev, &out);
}

FILTER(trim)
{
	struct value text = {VALUE_STRING, {.string = template_text(ev, v)}};
	const struct builtin *strip = template_method(text, "strip");
	return strip->call(ev, text, args);
}

FILTER(replace)
{
	str s = template_text(ev, v), old = template_arg_text(ev, args, 0, "old", ""), new = template_arg_text(ev, args, 1, "new", "");
	int64_t count = template_arg_int(ev, args, 2, "count", -1);
	struct buf out = text_buf();
	size_t done = 0;
	while (count != 0 && done <= s.len && template_step(ev, 0)) {
		const char *hit = old.len && s.len > done ? memmem(s.data + done, s.len - done, old.data, old.len) : NULL;
		size_t at = old.len ? hit ? (size_t)(hit - s.data) : SIZE_MAX : done;
		if (at == SIZE_MAX)
			break;
		buf_put(&out, s.data + done, at - done);
		buf_put_str(&out, new);
		if (old.len == 0) { /* between all characters, and at both ends */
			size_t n = at < s.len ? unicode_length(s, at) : 0;
			buf_put(&out, s.data + at, n);
			done = at + n;
			if (n == 0)
				done = s.len + 1;
		} else {
			done = at + old.len;
		}
		count -= count > 0;
	}
	if (done < s.len)
		buf_put(&out, s.data + done, s.len - done);
	return template_take(ev, &out);
}

/* Lines but the first get the indent; empty ones only with blank. */
FILTER(indent)
{
	str s = template_text(ev, v);
	struct value width = template_arg(args, 0, "width");
	bool first = template_arg_bool(args, 1, "first", false), blank = template_arg_bool(args, 2, "blank", false);
	struct buf pad = {.max = LIMIT_TEMPLATE_BYTES}, out = text_buf();
	if (width.kind == VALUE_STRING)
		buf_put_str(&pad, width.string);
	else
		for (int64_t i = template_arg_int(ev, args, 0, "width", 4); i > 0 && !pad.overflow; i--)
			buf_putc(&pad, ' ');
	for (size_t from = 0, line = 0; from <= s.len && template_step(ev, 0); line++) {
		size_t end = str_find(s, '\n', from);
		if (line == 0 ? first : blank || end > from)
			buf_put_str(&out, buf_str(&pad));
		buf_put(&out, s.data + from, end - from);
		if (end < s.len)
			buf_putc(&out, '\n');
		from = end + 1;
	}
	if (pad.overflow)
		out.overflow = true;
	buf_done(&pad);
	return template_take(ev, &out);
}

FILTER(center)
{
	str s = template_text(ev, v);
	int64_t width = template_arg_int(ev, args, 0, "width", 80), n = (int64_t)unicode_count(s), room = width - n;
	int64_t left = room > 0 ? room / 2 + (room & width & 1) : 0;
	struct buf out = text_buf();
	for (int64_t i = 0; i < left && !out.overflow; i++)
		buf_putc(&out, ' ');
	buf_put_str(&out, s);
	for (int64_t i = left; i < room && !out.overflow; i++)
		buf_putc(&out, ' ');
	return template_take(ev, &out);
}

FILTER(escape)
{
	static const struct { char c; const char *text; } ENTITIES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
	str s = template_text(ev, v);
	struct buf out = text_buf();
	(void)args;
	for (size_t i = 0; i < s.len; i++) {
		const char *text = NULL;
		for (size_t k = 0; k < sizeof ENTITIES / sizeof *ENTITIES; k++)
			if (s.data[i] == ENTITIES[k].c)
				text = ENTITIES[k].text;
		if (text)
			buf_puts(&out, text);
		else
			buf_putc(&out, s.data[i]);
	}
	return template_take(ev, &out);
}

FILTER(wordcount)
{
	str s = template_text(ev, v);
	int64_t n = 0;
	bool inside = false;
	(void)args;
	for (size_t i = 0; i < s.len;) {
		int32_t c;
		i += unicode_next(s, i, &c);
		bool word = unicode_is_word(c);
		n += word && !inside;
		inside = word;
	}
	return template_int(n);
}

FILTER(safe) { return (void)ev, (void)args, v; }

FILTER(default)
{
	bool boolean = template_arg_bool(args, 1, "boolean", false);
	if (v.kind != VALUE_UNDEFINED && !(boolean && !template_truth(v)))
		return v;
	struct value other = template_arg(args, 0, "default_value");
	return other.kind == VALUE_UNDEFINED ? template_string(ev, STR("")) : other;
}

FILTER(abs)
{
	(void)args;
	if (v.kind == VALUE_FLOAT)
		return template_float(fabs(v.real));
	int64_t i = 0;
	if (!template_integer(v, &i) || i == INT64_MIN)
		template_error(ev, ERR_INVALID, "abs: a %s is no number", template_kind(v));
	return template_int(i < 0 ? -i : i);
}

FILTER(int)
{
	int64_t i = template_arg_int(ev, args, 0, "default", 0), parsed;
	double d;
	if (template_integer(v, &parsed))
		return template_int(parsed);
	if (v.kind == VALUE_STRING && str_to_i64(str_trim(v.string), &parsed))
		return template_int(parsed);
	if (v.kind == VALUE_STRING ? str_to_f64(str_trim(v.string), &d) : template_number(v, &d))
		if (d > -9.2e18 && d < 9.2e18)
			return template_int((int64_t)d);
	return template_int(i);
}

FILTER(float)
{
	double d;
	(void)ev;
	if (v.kind == VALUE_STRING ? str_to_f64(str_trim(v.string), &d) : template_number(v, &d))
		return template_float(d);
	struct value other = template_arg(args, 0, "default");
	return other.kind == VALUE_UNDEFINED ? template_float(0) : other;
}

/* An integer stays one; half goes to even. */
static struct value round_integer(struct eval *ev, int64_t i, int64_t precision)
{
	int64_t unit = 1;
	for (; precision < 0 && unit < INT64_MAX / 10; precision++)
		unit *= 10;
	if (precision < 0)
		return template_int(0);
	int64_t down = i / unit - (i % unit < 0), up, rest = i - down * unit;
	down += rest > unit - rest || (rest == unit - rest && (down & 1));
	if (__builtin_mul_overflow(down, unit, &up))
		template_error(ev, ERR_LIMIT, "an integer does not fit 64 bits");
	return template_int(ev->failed ? 0 : up);
}

FILTER(round)
{
	int64_t whole;
	int64_t precision = template_arg_int(ev, args, 0, "precision", 0);
	str method = template_arg_text(ev, args, 1, "method", "common");
	double d = 0;
	if (!template_number(v, &d) || precision < -300 || precision > 300)
		template_error(ev, ERR_INVALID, "round: not a number, or a precision out of range");
	if (ev->failed)
		return template_undefined("value");
	if (str_eqz(method, "common") && template_integer(v, &whole))
		return round_integer(ev, whole, precision);
	double scale = pow(10, (double)precision);
	if (str_eqz(method, "ceil"))
		return template_float(ceil(d * scale) / scale);
	if (str_eqz(method, "floor"))
		return template_float(floor(d * scale) / scale);
	if (precision <= 0 || !isfinite(d))
		return template_float(nearbyint(d * scale) / scale);
	char text[700]; /* the exact decimal value rounded, as Python does */
	snprintf(text, sizeof text, "%.*f", (int)precision, d);
	return template_float(strtod(text, NULL));
}

FILTER(tojson)
{
	struct value indent = template_arg(args, 0, "indent"), separators = template_arg(args, 2, "separators");
	struct json_style style = {.indent = -1, .ascii = template_arg_bool(args, 1, "ensure_ascii", false), .sort = template_arg_bool(args, 3, "sort_keys", false)};
	if (indent.kind != VALUE_UNDEFINED && indent.kind != VALUE_NONE) {
		int64_t width = template_arg_int(ev, args, 0, "indent", 0);
		style.indent = (int)(width < 0 ? 0 : width > 64 ? 64 : width);
	}
	style.item = style.indent < 0 ? STR(", ") : STR(",");
	style.pair = STR(": ");
	if ((separators.kind == VALUE_TUPLE || separators.kind == VALUE_LIST) && separators.list->len == 2) {
		style.item = template_text(ev, separators.list->items[0]);
		style.pair = template_text(ev, separators.list->items[1]);
	}
	struct buf out = text_buf();
	template_put_json(ev, &out, v, &style, 0);
	return template_take(ev, &out);
}

static const struct builtin FILTERS[] = {
	{"abs", filter_abs, ""}, {"capitalize", filter_capitalize, ""}, {"center", filter_center, "width"}, {"d", filter_default, "default_value boolean"},
	{"default", filter_default, "default_value boolean"}, {"e", filter_escape, ""}, {"escape", filter_escape, ""}, {"float", filter_float, "default"},
	{"indent", filter_indent, "width first blank"}, {"int", filter_int, "default base"}, {"lower", filter_lower, ""},
	{"replace", filter_replace, "old new count"}, {"round", filter_round, "precision method"}, {"safe", filter_safe, ""}, {"string", filter_string, ""},
	{"title", filter_title, ""}, {"tojson", filter_tojson, "indent ensure_ascii separators sort_keys"}, {"trim", filter_trim, "chars"},
	{"upper", filter_upper, ""}, {"wordcount", filter_wordcount, ""},
};

const struct builtin *template_filter(const char *name)
{
	const struct builtin *found = template_find_builtin(FILTERS, sizeof FILTERS / sizeof *FILTERS, name);
	return found ? found : template_find_builtin(TEMPLATE_LIST_FILTERS, TEMPLATE_LIST_FILTER_COUNT, name);
}
