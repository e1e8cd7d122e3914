/* template_value.c: values of a rendering: making, comparing, iterating, as Python does it. */
#include "token/template_eval.h"

#include "token/unicode.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void template_error(struct eval *ev, enum err_kind kind, const char *fmt, ...)
{
	if (ev->failed)
		return;
	char text[ERR_MESSAGE_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ev->failed = true;
	err_set(ev->err, kind, "chat template line %d: %s", ev->line, text);
}

void *template_alloc(struct eval *ev, size_t bytes)
{
	if (!ev->failed && ev->arena.used_bytes + bytes > LIMIT_TEMPLATE_MEMORY)
		template_error(ev, ERR_LIMIT, "the values need more than the limit of %zu bytes", LIMIT_TEMPLATE_MEMORY);
	return ev->failed ? NULL : arena_alloc(&ev->arena, bytes);
}

bool template_step(struct eval *ev, size_t cost)
{
	ev->steps += 1 + (int64_t)cost;
	if (ev->steps > LIMIT_TEMPLATE_STEPS)
		template_error(ev, ERR_LIMIT, "the template takes more than the limit of %d steps", LIMIT_TEMPLATE_STEPS);
	return !ev->failed;
}

struct value template_undefined(const char *what) { return (struct value){VALUE_UNDEFINED, {.undefined = what}}; }
struct value template_bool(bool b) { return (struct value){VALUE_BOOL, {.boolean = b}}; }
struct value template_int(int64_t i) { return (struct value){VALUE_INT, {.integer = i}}; }
struct value template_float(double d) { return (struct value){VALUE_FLOAT, {.real = d}}; }

struct value template_string(struct eval *ev, str s)
{
	char *copy = template_alloc(ev, s.len + 1);
	if (!copy)
		return template_undefined("value");
	if (s.len)
		memcpy(copy, s.data, s.len);
	return (struct value){VALUE_STRING, {.string = {copy, s.len}}};
}

struct value template_take(struct eval *ev, struct buf *b)
{
	if (b->overflow)
		template_error(ev, ERR_LIMIT, "a text is larger than the limit");
	struct value v = template_string(ev, buf_str(b));
	buf_done(b);
	return v;
}

struct value template_list(struct eval *ev, enum value_kind kind)
{
	struct value_list *l = template_alloc(ev, sizeof *l);
	return l ? (struct value){kind, {.list = l}} : template_undefined("value");
}

void template_list_add(struct eval *ev, struct value *list, struct value item)
{
	if (ev->failed || !template_step(ev, 0))
		return;
	struct value_list *l = list->list;
	if (l->len == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct value *items = template_alloc(ev, cap * sizeof *items);
		if (!items)
			return;
		if (l->len)
			memcpy(items, l->items, l->len * sizeof *items);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->len++] = item;
}

struct value template_dict(struct eval *ev)
{
	struct value_dict *d = template_alloc(ev, sizeof *d);
	return d ? (struct value){VALUE_DICT, {.dict = d}} : template_undefined("value");
}

static struct value_pair *find_pair(struct eval *ev, const struct value_dict *d, struct value key)
{
	template_step(ev, d->len / 8);
	for (size_t i = 0; i < d->len; i++)
		if (template_equal(ev, d->items[i].key, key))
			return &d->items[i];
	return NULL;
}

struct value template_dict_get(struct eval *ev, const struct value_dict *d, struct value key, const char *what)
{
	const struct value_pair *pair = find_pair(ev, d, key);
	return pair ? pair->value : template_undefined(what);
}

static void dict_push(struct eval *ev, struct value_dict *d, struct value key, struct value value)
{
	if (d->len == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 4;
		struct value_pair *items = template_alloc(ev, cap * sizeof *items);
		if (!items)
			return;
		if (d->len)
			memcpy(items, d->items, d->len * sizeof *items);
		d->items = items;
		d->cap = cap;
	}
	d->items[d->len++] = (struct value_pair){key, value};
}

void template_dict_set(struct eval *ev, struct value *dict, struct value key, struct value value)
{
	if (ev->failed)
		return;
	if (key.kind == VALUE_LIST || key.kind == VALUE_DICT) {
		template_error(ev, ERR_INVALID, "a %s cannot be the key of a dict", template_kind(key));
		return;
	}
	struct value_pair *pair = find_pair(ev, dict->dict, key);
	if (pair)
		pair->value = value;
	else
		dict_push(ev, dict->dict, key, value);
}

struct value template_from_json(struct eval *ev, const json_t *json, int depth)
{
	if (ev->failed || depth > LIMIT_JSON_DEPTH) {
		template_error(ev, ERR_LIMIT, "the messages are nested deeper than %d levels", LIMIT_JSON_DEPTH);
		return template_undefined("value");
	}
	struct value v;
	const char *key;
	size_t i, key_len;
	json_t *item;
	switch (json_typeof(json)) {
	case JSON_NULL: return (struct value){.kind = VALUE_NONE};
	case JSON_TRUE: return template_bool(true);
	case JSON_FALSE: return template_bool(false);
	case JSON_INTEGER: return template_int(json_integer_value(json));
	case JSON_REAL: return template_float(json_real_value(json));
	case JSON_STRING: return (struct value){VALUE_STRING, {.string = {json_string_value(json), json_string_length(json)}}};
	case JSON_ARRAY:
		v = template_list(ev, VALUE_LIST);
		json_array_foreach(json, i, item)
			template_list_add(ev, &v, template_from_json(ev, item, depth + 1));
		return v;
	case JSON_OBJECT: break;
	}
	v = template_dict(ev);
	json_object_keylen_foreach((json_t *)json, key, key_len, item) {
		struct value name = {VALUE_STRING, {.string = {key, key_len}}}, value = template_from_json(ev, item, depth + 1);
		if (!ev->failed)
			dict_push(ev, v.dict, name, value);
	}
	return v;
}

bool template_truth(struct value v)
{
	switch (v.kind) {
	case VALUE_UNDEFINED: case VALUE_NONE: return false;
	case VALUE_BOOL: return v.boolean;
	case VALUE_INT: return v.integer != 0;
	case VALUE_FLOAT: return v.real != 0;
	case VALUE_STRING: return v.string.len > 0;
	case VALUE_LIST: case VALUE_TUPLE: return v.list->len > 0;
	case VALUE_DICT: return v.dict->len > 0;
	case VALUE_NAMESPACE: case VALUE_LOOP: case VALUE_MACRO: case VALUE_FUNCTION: case VALUE_METHOD: break;
	}
	return true;
}

bool template_integer(struct value v, int64_t *out)
{
	if (v.kind != VALUE_INT && v.kind != VALUE_BOOL)
		return false;
	*out = v.kind == VALUE_INT ? v.integer : v.boolean;
	return true;
}

bool template_number(struct value v, double *out)
{
	int64_t i;
	if (v.kind == VALUE_FLOAT)
		*out = v.real;
	else if (template_integer(v, &i))
		*out = (double)i;
	else
		return false;
	return true;
}

/* Comparing long texts costs steps too. */
static bool compare_cost(struct eval *ev, str a) { return a.len < 256 || template_step(ev, a.len / 256); }

/* False when values are nested too deep; then there is nothing to leave. */
static bool enter(struct eval *ev)
{
	if (ev->depth >= LIMIT_TEMPLATE_DEPTH)
		template_error(ev, ERR_LIMIT, "nested deeper than the limit of %d levels", LIMIT_TEMPLATE_DEPTH);
	ev->depth += !ev->failed;
	return !ev->failed;
}

static bool equal_lists(struct eval *ev, const struct value_list *a, const struct value_list *b)
{
	if (a->len != b->len || !enter(ev))
		return false;
	bool same = true;
	for (size_t i = 0; same && i < a->len && template_step(ev, 0); i++)
		same = template_equal(ev, a->items[i], b->items[i]);
	ev->depth--;
	return same;
}

static bool equal_dicts(struct eval *ev, const struct value_dict *a, const struct value_dict *b)
{
	if (a->len != b->len || !enter(ev))
		return false;
	bool same = true;
	for (size_t i = 0; same && i < a->len && template_step(ev, 0); i++) {
		const struct value_pair *pair = find_pair(ev, b, a->items[i].key);
		same = pair && template_equal(ev, a->items[i].value, pair->value);
	}
	ev->depth--;
	return same;
}

bool template_equal(struct eval *ev, struct value a, struct value b)
{
	double x, y;
	int64_t i, k;
	if (template_integer(a, &i) && template_integer(b, &k))
		return i == k;
	if (template_number(a, &x) && template_number(b, &y))
		return x == y;
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case VALUE_UNDEFINED: case VALUE_NONE: return true;
	case VALUE_STRING: return a.string.len == b.string.len && compare_cost(ev, a.string) && str_eq(a.string, b.string);
	case VALUE_LIST: case VALUE_TUPLE: return a.list == b.list || equal_lists(ev, a.list, b.list);
	case VALUE_DICT: return a.dict == b.dict || equal_dicts(ev, a.dict, b.dict);
	case VALUE_NAMESPACE: return a.dict == b.dict;
	case VALUE_LOOP: return a.loop == b.loop;
	case VALUE_MACRO: return a.macro == b.macro;
	case VALUE_FUNCTION: return a.function == b.function;
	case VALUE_METHOD: return a.method == b.method;
	case VALUE_BOOL: case VALUE_INT: case VALUE_FLOAT: break;
	}
	return false;
}

static int order_lists(struct eval *ev, const struct value_list *a, const struct value_list *b)
{
	int order = a->len < b->len ? -1 : a->len > b->len;
	if (!enter(ev))
		return 0;
	for (size_t i = 0; i < a->len && i < b->len && template_step(ev, 0); i++)
		if (!template_equal(ev, a->items[i], b->items[i])) {
			order = template_order(ev, a->items[i], b->items[i]);
			break;
		}
	ev->depth--;
	return order;
}

int template_order(struct eval *ev, struct value a, struct value b)
{
	double x, y;
	if (template_number(a, &x) && template_number(b, &y))
		return x < y ? -1 : x > y;
	if (a.kind == VALUE_STRING && b.kind == VALUE_STRING) {
		compare_cost(ev, a.string);
		int c = str_cmp(a.string, b.string);
		return c < 0 ? -1 : c > 0;
	}
	if (a.kind == b.kind && (a.kind == VALUE_LIST || a.kind == VALUE_TUPLE))
		return order_lists(ev, a.list, b.list);
	template_error(ev, ERR_INVALID, "a %s and a %s have no order", template_kind(a), template_kind(b));
	return 0;
}

bool template_contains(struct eval *ev, struct value box, struct value item)
{
	switch (box.kind) {
	case VALUE_UNDEFINED: return false;
	case VALUE_STRING:
		if (item.kind == VALUE_STRING)
			return item.string.len == 0 || memmem(box.string.data, box.string.len, item.string.data, item.string.len);
		break;
	case VALUE_LIST: case VALUE_TUPLE:
		for (size_t i = 0; i < box.list->len && template_step(ev, 0); i++)
			if (template_equal(ev, box.list->items[i], item))
				return true;
		return false;
	case VALUE_DICT: return find_pair(ev, box.dict, item) != NULL;
	case VALUE_NONE: case VALUE_BOOL: case VALUE_INT: case VALUE_FLOAT: case VALUE_NAMESPACE: case VALUE_LOOP: case VALUE_MACRO: case VALUE_FUNCTION:
	case VALUE_METHOD: break;
	}
	template_error(ev, ERR_INVALID, "'in' cannot look for a %s in a %s", template_kind(item), template_kind(box));
	return false;
}

int64_t template_length(struct eval *ev, struct value v)
{
	switch (v.kind) {
	case VALUE_UNDEFINED: return 0;
	case VALUE_STRING: return (int64_t)unicode_count(v.string);
	case VALUE_LIST: case VALUE_TUPLE: return (int64_t)v.list->len;
	case VALUE_DICT: return (int64_t)v.dict->len;
	case VALUE_LOOP: return (int64_t)v.loop->items->len;
	case VALUE_NONE: case VALUE_BOOL: case VALUE_INT: case VALUE_FLOAT: case VALUE_NAMESPACE: case VALUE_MACRO: case VALUE_FUNCTION: case VALUE_METHOD: break;
	}
	template_error(ev, ERR_INVALID, "a %s has no length", template_kind(v));
	return 0;
}

struct value template_items(struct eval *ev, struct value v)
{
	if (v.kind == VALUE_LIST || v.kind == VALUE_TUPLE)
		return v;
	struct value out = template_list(ev, VALUE_LIST);
	if (v.kind == VALUE_DICT) {
		for (size_t i = 0; i < v.dict->len && !ev->failed; i++)
			template_list_add(ev, &out, v.dict->items[i].key);
	} else if (v.kind == VALUE_STRING) {
		for (size_t i = 0, n; i < v.string.len && !ev->failed; i += n) {
			n = unicode_length(v.string, i);
			template_list_add(ev, &out, (struct value){VALUE_STRING, {.string = str_sub(v.string, i, i + n)}});
		}
	} else if (v.kind != VALUE_UNDEFINED) {
		template_error(ev, ERR_INVALID, "a %s cannot be iterated", template_kind(v));
	}
	return out;
}

const char *template_kind(struct value v)
{
	static const char *const NAMES[] = {
		[VALUE_UNDEFINED] = "undefined value", [VALUE_NONE] = "none", [VALUE_BOOL] = "boolean", [VALUE_INT] = "integer", [VALUE_FLOAT] = "float",
		[VALUE_STRING] = "string", [VALUE_LIST] = "list", [VALUE_TUPLE] = "tuple", [VALUE_DICT] = "dict", [VALUE_NAMESPACE] = "namespace",
		[VALUE_LOOP] = "loop", [VALUE_MACRO] = "macro", [VALUE_FUNCTION] = "function", [VALUE_METHOD] = "method",
	};
	return NAMES[v.kind];
}
