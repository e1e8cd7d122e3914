/* template_methods.c: methods of strings, dicts, lists and loops, as Python's. To add one: a function and a row in its table. */
#include "token/template_eval.h"

#include "token/unicode.h"

#define METHOD(name) static struct value method_##name(struct eval *ev, struct value self, const struct args *args)

static struct value slice_of(str s, size_t from, size_t to) { return (struct value){VALUE_STRING, {.string = str_sub(s, from, to)}}; }

/* Work that grows with both lengths. */
static bool product_cost(struct eval *ev, str a, str b) { return template_step(ev, (a.len / 256 + 1) * (b.len / 16)); }

static bool in_set(str set, str s, size_t at, size_t len)
{
	return memmem(set.data, set.len, s.data + at, len) != NULL;
}

/* Without the characters of `chars` (white space when not given) at the ends. */
static struct value strip(struct eval *ev, struct value self, const struct args *args, bool left, bool right)
{
	struct value chars = template_arg(args, 0, "chars");
	str s = self.string;
	if (chars.kind != VALUE_STRING)
		return (struct value){VALUE_STRING, {.string = unicode_strip(s, left, right)}};
	if (!product_cost(ev, s, chars.string))
		return self;
	while (left && s.len && in_set(chars.string, s, 0, unicode_length(s, 0)))
		s = str_sub(s, unicode_length(s, 0), s.len);
	while (right && s.len) {
		size_t at = s.len - 1;
		while (at > 0 && ((unsigned char)s.data[at] & 0xC0) == 0x80)
			at--;
		if (!in_set(chars.string, s, at, s.len - at))
			break;
		s.len = at;
	}
	return (struct value){VALUE_STRING, {.string = s}};
}

METHOD(strip) { return strip(ev, self, args, true, true); }
METHOD(lstrip) { return strip(ev, self, args, true, false); }
METHOD(rstrip) { return strip(ev, self, args, false, true); }

/* The filter of the same name does the work. */
static struct value by_filter(struct eval *ev, struct value self, const struct args *args, const char *filter) { return template_apply(ev, filter, self, args); }
METHOD(upper) { return by_filter(ev, self, args, "upper"); }
METHOD(lower) { return by_filter(ev, self, args, "lower"); }
METHOD(capitalize) { return by_filter(ev, self, args, "capitalize"); }
METHOD(replace) { return by_filter(ev, self, args, "replace"); }
METHOD(join) /* sep.join(list) */
{
	struct value sep = self;
	struct args one = {.values = &sep, .names = (const char *[]){NULL}, .count = 1};
	return template_apply(ev, "join", template_arg(args, 0, "iterable"), &one);
}

/* Every run of letters begins with a capital, unlike the filter, for which only spaces and brackets separate. */
METHOD(title)
{
	struct buf out = {.max = LIMIT_TEMPLATE_OUTPUT};
	bool inside = false;
	(void)args;
	for (size_t i = 0, n; i < self.string.len; i += n) {
		int32_t c;
		n = unicode_next(self.string, i, &c);
		str one = str_sub(self.string, i, i + n);
		if (inside)
			unicode_lower(one, &out);
		else
			unicode_upper(one, &out);
		struct buf low = {0}, high = {0};
		unicode_lower(one, &low);
		unicode_upper(one, &high);
		inside = !str_eq(buf_str(&low), buf_str(&high));
		buf_done(&low);
		buf_done(&high);
	}
	return template_take(ev, &out);
}

static struct value split_spaces(struct eval *ev, str s, int64_t max)
{
	struct value out = template_list(ev, VALUE_LIST);
	for (int64_t k = 0; !ev->failed; k++) {
		int32_t c;
		size_t end = 0, n;
		s = unicode_strip(s, true, false);
		if (s.len == 0)
			break;
		while (end < s.len && (n = unicode_next(s, end, &c), !unicode_is_space(c)))
			end += n;
		if (max >= 0 && k == max)
			end = s.len;
		template_list_add(ev, &out, slice_of(s, 0, end));
		s = str_sub(s, end, s.len);
	}
	return out;
}

static size_t find(str s, str part, size_t from)
{
	const char *p = part.len <= s.len - from ? memmem(s.data + from, s.len - from, part.data, part.len) : NULL;
	return p ? (size_t)(p - s.data) : SIZE_MAX;
}

static size_t find_last(struct eval *ev, str s, str part)
{
	if (!product_cost(ev, s, part))
		return SIZE_MAX;
	for (size_t at = part.len <= s.len ? s.len - part.len + 1 : 0; at-- > 0;)
		if (memcmp(s.data + at, part.data, part.len) == 0)
			return at;
	return SIZE_MAX;
}

static str separator(struct eval *ev, const struct args *args, const char *name)
{
	struct value v = template_arg(args, 0, name);
	if (v.kind != VALUE_STRING || v.string.len == 0)
		template_error(ev, ERR_INVALID, "the separator is no text, or empty");
	return v.kind == VALUE_STRING && v.string.len ? v.string : STR(" ");
}

METHOD(split)
{
	int64_t max = template_arg_int(ev, args, 1, "maxsplit", -1);
	struct value sep = template_arg(args, 0, "sep");
	if (sep.kind == VALUE_UNDEFINED || sep.kind == VALUE_NONE)
		return split_spaces(ev, self.string, max);
	str part = separator(ev, args, "sep");
	struct value out = template_list(ev, VALUE_LIST);
	size_t from = 0, at;
	for (int64_t k = 0; !ev->failed && (max < 0 || k < max) && (at = find(self.string, part, from)) != SIZE_MAX; k++) {
		template_list_add(ev, &out, slice_of(self.string, from, at));
		from = at + part.len;
	}
	template_list_add(ev, &out, slice_of(self.string, from, self.string.len));
	return out;
}

METHOD(rsplit)
{
	int64_t max = template_arg_int(ev, args, 1, "maxsplit", -1);
	if (max < 0)
		return method_split(ev, self, args);
	str part = separator(ev, args, "sep"), s = self.string;
	struct value back = template_list(ev, VALUE_LIST), out = template_list(ev, VALUE_LIST);
	for (size_t at; !ev->failed && max-- > 0 && (at = find_last(ev, s, part)) != SIZE_MAX; s.len = at)
		template_list_add(ev, &back, slice_of(s, at + part.len, s.len));
	template_list_add(ev, &out, slice_of(s, 0, s.len));
	for (size_t i = ev->failed ? 0 : back.list->len; i-- > 0;)
		template_list_add(ev, &out, back.list->items[i]);
	return out;
}

METHOD(splitlines)
{
	struct value out = template_list(ev, VALUE_LIST);
	bool keep = template_arg_bool(args, 0, "keepends", false);
	str s = self.string;
	for (size_t from = 0, at; from < s.len && !ev->failed; from = at) {
		at = from;
		while (at < s.len && s.data[at] != '\n' && s.data[at] != '\r')
			at++;
		size_t end = at;
		at += at + 1 < s.len && s.data[at] == '\r' && s.data[at + 1] == '\n' ? 2 : at < s.len;
		template_list_add(ev, &out, slice_of(s, from, keep ? at : end));
	}
	return out;
}

static struct value three(struct eval *ev, struct value a, struct value b, struct value c)
{
	struct value out = template_list(ev, VALUE_TUPLE);
	template_list_add(ev, &out, a);
	template_list_add(ev, &out, b);
	template_list_add(ev, &out, c);
	return out;
}

METHOD(partition)
{
	str s = self.string, part = separator(ev, args, "sep");
	size_t at = find(s, part, 0);
	if (at == SIZE_MAX)
		return three(ev, self, slice_of(s, 0, 0), slice_of(s, 0, 0));
	return three(ev, slice_of(s, 0, at), slice_of(s, at, at + part.len), slice_of(s, at + part.len, s.len));
}

METHOD(rpartition)
{
	str s = self.string, part = separator(ev, args, "sep");
	size_t at = find_last(ev, s, part);
	if (at == SIZE_MAX)
		return three(ev, slice_of(s, 0, 0), slice_of(s, 0, 0), self);
	return three(ev, slice_of(s, 0, at), slice_of(s, at, at + part.len), slice_of(s, at + part.len, s.len));
}

/* startswith and endswith take one text or a tuple of them. */
static struct value has_end(struct eval *ev, str s, struct value what, bool (*has)(str, str))
{
	bool one = what.kind == VALUE_STRING;
	if (!one && what.kind != VALUE_TUPLE)
		template_error(ev, ERR_INVALID, "startswith and endswith need a text or a tuple of texts");
	if (ev->failed)
		return template_bool(false);
	for (size_t i = 0; i < (one ? 1 : what.list->len); i++) {
		struct value v = one ? what : what.list->items[i];
		if (v.kind == VALUE_STRING && has(s, v.string))
			return template_bool(true);
	}
	return template_bool(false);
}

METHOD(startswith) { return has_end(ev, self.string, template_arg(args, 0, "prefix"), str_starts); }
METHOD(endswith) { return has_end(ev, self.string, template_arg(args, 0, "suffix"), str_ends); }

METHOD(removeprefix)
{
	str part = template_arg_text(ev, args, 0, "prefix", "");
	return str_starts(self.string, part) ? slice_of(self.string, part.len, self.string.len) : self;
}

METHOD(removesuffix)
{
	str part = template_arg_text(ev, args, 0, "suffix", "");
	return str_ends(self.string, part) ? slice_of(self.string, 0, self.string.len - part.len) : self;
}

static struct value place(str s, size_t at) { return template_int(at == SIZE_MAX ? -1 : (int64_t)unicode_count(str_sub(s, 0, at))); }
METHOD(find) { return place(self.string, find(self.string, template_arg_text(ev, args, 0, "sub", ""), 0)); }
METHOD(rfind) { return place(self.string, find_last(ev, self.string, template_arg_text(ev, args, 0, "sub", ""))); }

METHOD(count)
{
	if (self.kind == VALUE_STRING) {
		str part = separator(ev, args, "sub");
		int64_t n = 0;
		for (size_t at = 0; (at = find(self.string, part, at)) != SIZE_MAX; at += part.len)
			n++;
		return template_int(n);
	}
	int64_t n = 0;
	for (size_t i = 0; i < self.list->len && template_step(ev, 0); i++)
		n += template_equal(ev, self.list->items[i], template_arg(args, 0, "value"));
	return template_int(n);
}

METHOD(index)
{
	struct value what = template_arg(args, 0, "value");
	if (self.kind == VALUE_STRING) {
		size_t at = find(self.string, template_text(ev, what), 0);
		if (at == SIZE_MAX)
			template_error(ev, ERR_INVALID, "index: the text is not there");
		return place(self.string, at);
	}
	for (size_t i = 0; i < self.list->len && template_step(ev, 0); i++)
		if (template_equal(ev, self.list->items[i], what))
			return template_int((int64_t)i);
	template_error(ev, ERR_INVALID, "index: the value is not in the list");
	return template_int(-1);
}

/* Whether the text is not empty and every character passes. */
static struct value every(str s, bool (*is)(int32_t))
{
	bool all = s.len > 0;
	for (size_t i = 0; all && i < s.len;) {
		int32_t c;
		i += unicode_next(s, i, &c);
		all = is(c);
	}
	return template_bool(all);
}

METHOD(isdigit) { return (void)ev, (void)args, every(self.string, unicode_is_digit); }
METHOD(isalpha) { return (void)ev, (void)args, every(self.string, unicode_is_letter); }
METHOD(isalnum) { return (void)ev, (void)args, every(self.string, unicode_is_alnum); }
METHOD(isspace) { return (void)ev, (void)args, every(self.string, unicode_is_space); }
METHOD(isupper) { return (void)args, template_bool(template_check(ev, "upper", self, &(struct args){0})); }
METHOD(islower) { return (void)args, template_bool(template_check(ev, "lower", self, &(struct args){0})); }

METHOD(zfill)
{
	struct buf out = {.max = LIMIT_TEMPLATE_OUTPUT};
	str s = self.string;
	int64_t width = template_arg_int(ev, args, 0, "width", 0), n = (int64_t)unicode_count(s);
	if (s.len && (s.data[0] == '-' || s.data[0] == '+')) {
		buf_putc(&out, s.data[0]);
		s = str_sub(s, 1, s.len);
	}
	for (; n < width && !out.overflow; n++)
		buf_putc(&out, '0');
	buf_put_str(&out, s);
	return template_take(ev, &out);
}

METHOD(get)
{
	struct value v = template_dict_get(ev, self.dict, template_arg(args, 0, "key"), "item");
	if (v.kind != VALUE_UNDEFINED)
		return v;
	v = template_arg(args, 1, "default");
	return v.kind == VALUE_UNDEFINED ? (struct value){.kind = VALUE_NONE} : v;
}

METHOD(keys) { return (void)args, template_items(ev, self); }
METHOD(items) { return by_filter(ev, self, args, "items"); }

METHOD(values)
{
	struct value out = template_list(ev, VALUE_LIST);
	(void)args;
	for (size_t i = 0; i < self.dict->len && !ev->failed; i++)
		template_list_add(ev, &out, self.dict->items[i].value);
	return out;
}

METHOD(copy)
{
	struct value pair = self;
	struct args one = {.values = &pair, .names = (const char *[]){NULL}, .count = 1};
	(void)args;
	return template_call(ev, (struct value){VALUE_FUNCTION, {.function = template_global("dict")}}, &one, NULL);
}

METHOD(cycle)
{
	if (args->count == 0)
		template_error(ev, ERR_INVALID, "loop.cycle needs values");
	return args->count ? args->values[self.loop->index0 % args->count] : template_undefined("cycle");
}

METHOD(changed)
{
	struct value now = template_list(ev, VALUE_TUPLE);
	for (size_t i = 0; i < args->count && !ev->failed; i++)
		template_list_add(ev, &now, args->values[i]);
	bool same = ev->failed || (self.loop->changed.kind == VALUE_TUPLE && template_equal(ev, self.loop->changed, now));
	self.loop->changed = now;
	return template_bool(!same);
}

static const struct builtin STRINGS[] = {
	{"capitalize", method_capitalize, ""}, {"count", method_count, "sub"}, {"endswith", method_endswith, "suffix"}, {"find", method_find, "sub"},
	{"index", method_index, "value"}, {"isalnum", method_isalnum, ""}, {"isalpha", method_isalpha, ""}, {"isdigit", method_isdigit, ""},
	{"islower", method_islower, ""}, {"isspace", method_isspace, ""}, {"isupper", method_isupper, ""}, {"join", method_join, "iterable"},
	{"lower", method_lower, ""}, {"lstrip", method_lstrip, "chars"}, {"partition", method_partition, "sep"}, {"removeprefix", method_removeprefix, "prefix"},
	{"removesuffix", method_removesuffix, "suffix"}, {"replace", method_replace, "old new count"}, {"rfind", method_rfind, "sub"},
	{"rpartition", method_rpartition, "sep"}, {"rsplit", method_rsplit, "sep maxsplit"}, {"rstrip", method_rstrip, "chars"},
	{"split", method_split, "sep maxsplit"}, {"splitlines", method_splitlines, "keepends"}, {"startswith", method_startswith, "prefix"},
	{"strip", method_strip, "chars"}, {"title", method_title, ""}, {"upper", method_upper, ""}, {"zfill", method_zfill, "width"},
};
static const struct builtin DICTS[] = {
	{"copy", method_copy, ""}, {"get", method_get, "key default"}, {"items", method_items, ""}, {"keys", method_keys, ""}, {"values", method_values, ""},
};
static const struct builtin LISTS[] = {{"count", method_count, "value"}, {"index", method_index, "value"}};
static const struct builtin LOOPS[] = {{"changed", method_changed, "*"}, {"cycle", method_cycle, "*"}};

const struct builtin *template_method(struct value object, const char *name)
{
	static const struct { const struct builtin *table; size_t count; } TABLES[VALUE_METHOD + 1] = {
		[VALUE_STRING] = {STRINGS, sizeof STRINGS / sizeof *STRINGS},
		[VALUE_DICT] = {DICTS, sizeof DICTS / sizeof *DICTS},
		[VALUE_LIST] = {LISTS, sizeof LISTS / sizeof *LISTS},
		[VALUE_TUPLE] = {LISTS, sizeof LISTS / sizeof *LISTS},
		[VALUE_LOOP] = {LOOPS, sizeof LOOPS / sizeof *LOOPS},
	};
	return template_find_builtin(TABLES[object.kind].table, TABLES[object.kind].count, name);
}
