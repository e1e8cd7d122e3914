/* template_list_filters.c: filters of lists and dicts. To add one: a function and a row in TEMPLATE_LIST_FILTERS. */
#include "token/template_filters.h"

#include "token/unicode.h"

#define FILTER(name) static struct value filter_##name(struct eval *ev, struct value v, const struct args *args)

static struct value as_text(str s) { return (struct value){VALUE_STRING, {.string = s}}; }

/* "a.b.0" of a value; no path: the value itself. */
static struct value follow(struct eval *ev, struct value v, struct value path)
{
	int64_t i;
	if (template_integer(path, &i))
		return template_item(ev, v, path);
	if (path.kind != VALUE_STRING)
		return v;
	for (size_t from = 0; from <= path.string.len && !ev->failed;) {
		size_t dot = str_find(path.string, '.', from);
		str part = str_sub(path.string, from, dot);
		v = template_item(ev, v, str_to_i64(part, &i) ? template_int(i) : as_text(part));
		from = dot + 1;
	}
	return v;
}

FILTER(length) { return (void)args, template_int(template_length(ev, v)); }

FILTER(list)
{
	struct value items = template_items(ev, v), out = template_list(ev, VALUE_LIST);
	(void)args;
	for (size_t i = 0; !ev->failed && i < items.list->len; i++)
		template_list_add(ev, &out, items.list->items[i]);
	return out;
}

FILTER(first)
{
	struct value items = template_items(ev, v);
	(void)args;
	return ev->failed || items.list->len == 0 ? template_undefined("the first item of an empty sequence") : items.list->items[0];
}

FILTER(last)
{
	struct value items = template_items(ev, v);
	(void)args;
	return ev->failed || items.list->len == 0 ? template_undefined("the last item of an empty sequence") : items.list->items[items.list->len - 1];
}

FILTER(reverse)
{
	struct value items = template_items(ev, v), out = template_list(ev, VALUE_LIST);
	(void)args;
	for (size_t i = ev->failed ? 0 : items.list->len; i-- > 0;)
		template_list_add(ev, &out, items.list->items[i]);
	if (v.kind != VALUE_STRING || ev->failed)
		return out;
	struct buf text = {.max = LIMIT_TEMPLATE_OUTPUT};
	for (size_t i = 0; i < out.list->len; i++)
		buf_put_str(&text, out.list->items[i].string);
	return template_take(ev, &text);
}

FILTER(join)
{
	str sep = template_arg_text(ev, args, 0, "d", "");
	struct value path = template_arg(args, 1, "attribute"), items = template_items(ev, v);
	struct buf out = {.max = LIMIT_TEMPLATE_OUTPUT};
	for (size_t i = 0; !ev->failed && i < items.list->len && template_step(ev, 0); i++) {
		if (i)
			buf_put_str(&out, sep);
		template_put(ev, &out, follow(ev, items.list->items[i], path));
	}
	return template_take(ev, &out);
}

static struct value pair_of(struct eval *ev, struct value a, struct value b)
{
	struct value pair = template_list(ev, VALUE_TUPLE);
	template_list_add(ev, &pair, a);
	template_list_add(ev, &pair, b);
	return pair;
}

FILTER(items)
{
	struct value out = template_list(ev, VALUE_LIST);
	(void)args;
	if (v.kind != VALUE_DICT && v.kind != VALUE_UNDEFINED)
		template_error(ev, ERR_INVALID, "items: a %s is no mapping", template_kind(v));
	for (size_t i = 0; !ev->failed && v.kind == VALUE_DICT && i < v.dict->len; i++)
		template_list_add(ev, &out, pair_of(ev, v.dict->items[i].key, v.dict->items[i].value));
	return out;
}

/* What values are compared by: text without case unless asked. */
static struct value sort_key(struct eval *ev, struct value v, bool case_sensitive)
{
	if (v.kind != VALUE_STRING || case_sensitive)
		return v;
	struct buf low = {.max = LIMIT_TEMPLATE_OUTPUT};
	unicode_lower(v.string, &low);
	return template_take(ev, &low);
}

struct sortable { struct value key, value; size_t at; };
struct sorting { struct eval *ev; bool reverse; };

static int by_sort_key(const void *a, const void *b, void *arg)
{
	const struct sortable *x = a, *y = b;
	const struct sorting *s = arg;
	int order = s->ev->failed || !template_step(s->ev, 0) ? 0 : template_order(s->ev, x->key, y->key);
	if (order == 0)
		return x->at < y->at ? -1 : 1; /* stable, also when reversed */
	return s->reverse ? -order : order;
}

/* Sort items by keys[i] (both lists of the same length). */
static struct value sorted(struct eval *ev, const struct value_list *items, const struct value_list *keys, bool case_sensitive, bool reverse)
{
	struct value out = template_list(ev, VALUE_LIST);
	size_t n = items->len;
	struct sortable *rows = n ? template_alloc(ev, n * sizeof *rows) : NULL;
	for (size_t i = 0; rows && i < n && !ev->failed; i++)
		rows[i] = (struct sortable){sort_key(ev, keys->items[i], case_sensitive), items->items[i], i};
	if (rows && !ev->failed)
		qsort_r(rows, n, sizeof *rows, by_sort_key, &(struct sorting){ev, reverse});
	for (size_t i = 0; rows && i < n && !ev->failed; i++)
		template_list_add(ev, &out, rows[i].value);
	return out;
}

static struct value keys_of(struct eval *ev, struct value items, struct value path)
{
	struct value keys = template_list(ev, VALUE_LIST);
	for (size_t i = 0; !ev->failed && i < items.list->len; i++)
		template_list_add(ev, &keys, follow(ev, items.list->items[i], path));
	return keys;
}

FILTER(sort)
{
	struct value items = template_items(ev, v), keys = ev->failed ? v : keys_of(ev, items, template_arg(args, 2, "attribute"));
	if (ev->failed)
		return template_undefined("value");
	return sorted(ev, items.list, keys.list, template_arg_bool(args, 1, "case_sensitive", false), template_arg_bool(args, 0, "reverse", false));
}

FILTER(dictsort)
{
	struct value pairs = filter_items(ev, v, &(struct args){0});
	str by = template_arg_text(ev, args, 1, "by", "key");
	struct value keys = ev->failed ? v : keys_of(ev, pairs, template_int(str_eqz(by, "value")));
	if (ev->failed)
		return template_undefined("value");
	return sorted(ev, pairs.list, keys.list, template_arg_bool(args, 0, "case_sensitive", false), template_arg_bool(args, 2, "reverse", false));
}

FILTER(unique)
{
	bool case_sensitive = template_arg_bool(args, 0, "case_sensitive", false);
	struct value path = template_arg(args, 1, "attribute"), items = template_items(ev, v);
	struct value seen = template_list(ev, VALUE_LIST), out = template_list(ev, VALUE_LIST);
	for (size_t i = 0; !ev->failed && i < items.list->len; i++) {
		struct value key = sort_key(ev, follow(ev, items.list->items[i], path), case_sensitive);
		if (ev->failed || template_contains(ev, seen, key))
			continue;
		template_list_add(ev, &seen, key);
		template_list_add(ev, &out, items.list->items[i]);
	}
	return out;
}

static struct value extreme(struct eval *ev, struct value v, const struct args *args, int wanted)
{
	bool case_sensitive = template_arg_bool(args, 0, "case_sensitive", false);
	struct value path = template_arg(args, 1, "attribute"), items = template_items(ev, v);
	if (ev->failed || items.list->len == 0)
		return template_undefined("an item of an empty sequence");
	struct value best = items.list->items[0];
	for (size_t i = 1; i < items.list->len && !ev->failed; i++) {
		struct value a = sort_key(ev, follow(ev, items.list->items[i], path), case_sensitive), b = sort_key(ev, follow(ev, best, path), case_sensitive);
		if (!ev->failed && template_order(ev, a, b) == wanted)
			best = items.list->items[i];
	}
	return best;
}

FILTER(max) { return extreme(ev, v, args, 1); }
FILTER(min) { return extreme(ev, v, args, -1); }

FILTER(sum)
{
	struct value path = template_arg(args, 0, "attribute"), total = template_arg(args, 1, "start"), items = template_items(ev, v);
	if (total.kind == VALUE_UNDEFINED)
		total = template_int(0);
	for (size_t i = 0; !ev->failed && i < items.list->len; i++)
		total = template_arithmetic(ev, OP_ADD, total, follow(ev, items.list->items[i], path));
	return total;
}

/* The arguments after the first n. */
static struct args rest(const struct args *args, size_t n)
{
	if (args->count <= n)
		return (struct args){0};
	return (struct args){args->values + n, args->names + n, args->count - n};
}

static const char *name_arg(struct eval *ev, const struct args *args, size_t i, const char *what)
{
	if (i >= args->count || args->names[i] || args->values[i].kind != VALUE_STRING)
		template_error(ev, ERR_INVALID, "%s is missing", what);
	struct value name = ev->failed ? template_undefined("name") : template_string(ev, args->values[i].string);
	return ev->failed ? "" : name.string.data;
}

FILTER(map)
{
	struct value path = template_arg(args, SIZE_MAX, "attribute"), other = template_arg(args, SIZE_MAX, "default");
	struct value items = template_items(ev, v), out = template_list(ev, VALUE_LIST);
	bool by_path = path.kind != VALUE_UNDEFINED;
	const char *name = by_path ? "" : name_arg(ev, args, 0, "map: a filter's name");
	struct args more = rest(args, 1);
	for (size_t i = 0; !ev->failed && i < items.list->len; i++) {
		struct value one = items.list->items[i];
		one = by_path ? follow(ev, one, path) : template_apply(ev, name, one, &more);
		template_list_add(ev, &out, by_path && one.kind == VALUE_UNDEFINED && other.kind != VALUE_UNDEFINED ? other : one);
	}
	return out;
}

/* select, reject: (test, its arguments); selectattr, rejectattr: (attribute, test, its arguments). No test: truth. */
static struct value choose(struct eval *ev, struct value v, const struct args *args, bool attribute, bool keep)
{
	struct value items = template_items(ev, v), out = template_list(ev, VALUE_LIST);
	struct value path = attribute ? args->count ? args->values[0] : template_undefined("attribute") : (struct value){.kind = VALUE_NONE};
	size_t at = attribute;
	const char *test = args->count > at ? name_arg(ev, args, at, "a test's name") : NULL;
	struct args more = rest(args, at + 1);
	if (path.kind == VALUE_UNDEFINED)
		template_error(ev, ERR_INVALID, "selectattr: the attribute's name is missing");
	for (size_t i = 0; !ev->failed && i < items.list->len; i++) {
		struct value one = follow(ev, items.list->items[i], path);
		bool holds = test ? template_check(ev, test, one, &more) : template_truth(one);
		if (holds == keep)
			template_list_add(ev, &out, items.list->items[i]);
	}
	return out;
}

FILTER(select) { return choose(ev, v, args, false, true); }
FILTER(reject) { return choose(ev, v, args, false, false); }
FILTER(selectattr) { return choose(ev, v, args, true, true); }
FILTER(rejectattr) { return choose(ev, v, args, true, false); }

const struct builtin TEMPLATE_LIST_FILTERS[] = {
	{"count", filter_length, ""}, {"dictsort", filter_dictsort, "case_sensitive by reverse"}, {"first", filter_first, ""},
	{"items", filter_items, ""}, {"join", filter_join, "d attribute"}, {"last", filter_last, ""}, {"length", filter_length, ""}, {"list", filter_list, ""},
	{"map", filter_map, "*"}, {"max", filter_max, "case_sensitive attribute"}, {"min", filter_min, "case_sensitive attribute"}, {"reject", filter_reject, "*"},
	{"rejectattr", filter_rejectattr, "*"}, {"reverse", filter_reverse, ""}, {"select", filter_select, "*"}, {"selectattr", filter_selectattr, "*"},
	{"sort", filter_sort, "reverse case_sensitive attribute"}, {"sum", filter_sum, "attribute start"}, {"unique", filter_unique, "case_sensitive attribute"},
};
const size_t TEMPLATE_LIST_FILTER_COUNT = sizeof TEMPLATE_LIST_FILTERS / sizeof *TEMPLATE_LIST_FILTERS;
