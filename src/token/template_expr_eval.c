/* template_expr_eval.c: the value of an expression. */
#include "token/template_eval.h"

#include "token/unicode.h"

static struct value nothing(void) { return template_undefined("value"); }

struct args template_args(struct eval *ev, const struct expr *e)
{
	struct args a = {.names = e->names, .count = e->count};
	a.values = e->count ? template_alloc(ev, e->count * sizeof *a.values) : NULL;
	if (!a.values)
		a.count = 0;
	for (size_t i = 0; i < a.count; i++)
		a.values[i] = template_eval(ev, e->items[i]);
	return a;
}

static struct value name_value(struct eval *ev, const char *name)
{
	struct value v;
	if (template_lookup(ev, name, &v))
		return v;
	const struct builtin *global = template_global(name);
	return global ? (struct value){VALUE_FUNCTION, {.function = global}} : template_undefined(name);
}

static struct value list_value(struct eval *ev, const struct expr *e)
{
	struct value out = template_list(ev, e->kind == EXPR_LIST ? VALUE_LIST : VALUE_TUPLE);
	for (size_t i = 0; i < e->count && !ev->failed; i++)
		template_list_add(ev, &out, template_eval(ev, e->items[i]));
	return out;
}

static struct value dict_value(struct eval *ev, const struct expr *e)
{
	struct value out = template_dict(ev);
	for (size_t i = 0; i + 1 < e->count && !ev->failed; i += 2) {
		struct value key = template_eval(ev, e->items[i]);
		template_dict_set(ev, &out, key, template_eval(ev, e->items[i + 1]));
	}
	return out;
}

static bool undefined_object(struct eval *ev, struct value object)
{
	if (object.kind == VALUE_UNDEFINED)
		template_error(ev, ERR_INVALID, "'%s' is undefined", object.undefined);
	return ev->failed;
}

static struct value loop_value(struct eval *ev, const struct loop *l, const char *name)
{
	int64_t i = (int64_t)l->index0, n = (int64_t)l->items->len;
	const struct { const char *name; struct value value; } FIELDS[] = {
		{"index", template_int(i + 1)}, {"index0", template_int(i)}, {"first", template_bool(i == 0)}, {"last", template_bool(i == n - 1)},
		{"length", template_int(n)}, {"revindex", template_int(n - i)}, {"revindex0", template_int(n - i - 1)}, {"depth", template_int(1)},
		{"depth0", template_int(0)}, /* of recursion, not of nesting */
		{"previtem", i > 0 ? l->items->items[i - 1] : template_undefined("there is no previous item")},
		{"nextitem", i + 1 < n ? l->items->items[i + 1] : template_undefined("there is no next item")},
	};
	(void)ev;
	for (size_t k = 0; k < sizeof FIELDS / sizeof *FIELDS; k++)
		if (strcmp(name, FIELDS[k].name) == 0)
			return FIELDS[k].value;
	return template_undefined(name);
}

struct value template_attribute(struct eval *ev, struct value object, const char *name)
{
	if (undefined_object(ev, object))
		return nothing();
	const struct builtin *method = template_method(object, name);
	if (method) {
		struct method *m = template_alloc(ev, sizeof *m);
		if (!m)
			return nothing();
		*m = (struct method){object, method};
		return (struct value){VALUE_METHOD, {.method = m}};
	}
	if (object.kind == VALUE_LOOP)
		return loop_value(ev, object.loop, name);
	if (object.kind == VALUE_MACRO && strcmp(name, "name") == 0)
		return (struct value){VALUE_STRING, {.string = str_of(object.macro->name)}};
	if (object.kind == VALUE_DICT || object.kind == VALUE_NAMESPACE)
		return template_dict_get(ev, object.dict, (struct value){VALUE_STRING, {.string = str_of(name)}}, name);
	return template_undefined(name);
}

/* object["name"] where there is no such item: an attribute, as in Jinja. */
static struct value named_item(struct eval *ev, struct value object, struct value key)
{
	struct value name = template_string(ev, key.string); /* a slice may lack the final NUL */
	return ev->failed ? nothing() : template_attribute(ev, object, name.string.data);
}

struct value template_item(struct eval *ev, struct value object, struct value key)
{
	int64_t i;
	if (undefined_object(ev, object))
		return nothing();
	if (object.kind == VALUE_DICT || object.kind == VALUE_NAMESPACE) {
		struct value v = template_dict_get(ev, object.dict, key, "item");
		return v.kind == VALUE_UNDEFINED && key.kind == VALUE_STRING ? named_item(ev, object, key) : v;
	}
	if (template_integer(key, &i) && (object.kind == VALUE_LIST || object.kind == VALUE_TUPLE || object.kind == VALUE_STRING)) {
		int64_t n = template_length(ev, object);
		i += i < 0 ? n : 0;
		if (i < 0 || i >= n)
			return template_undefined("list index out of range");
		if (object.kind != VALUE_STRING)
			return object.list->items[i];
		template_step(ev, object.string.len / 256);
		size_t from = unicode_offset(object.string, (size_t)i);
		return (struct value){VALUE_STRING, {.string = str_sub(object.string, from, from + unicode_length(object.string, from))}};
	}
	return key.kind == VALUE_STRING ? named_item(ev, object, key) : template_undefined("item");
}

/* A bound of a slice, brought into [low, high]. */
static int64_t bound(struct eval *ev, const struct expr *e, int64_t n, int64_t otherwise, int64_t low, int64_t high)
{
	int64_t i;
	struct value v = e ? template_eval(ev, e) : (struct value){.kind = VALUE_NONE};
	if (v.kind == VALUE_NONE)
		return otherwise;
	if (!template_integer(v, &i)) {
		template_error(ev, ERR_INVALID, "a slice needs integers, not a %s", template_kind(v));
		return otherwise;
	}
	if (i < 0)
		i = i < -n ? low : i + n;
	return i < low ? low : i > high ? high : i;
}

static struct value slice_value(struct eval *ev, const struct expr *e)
{
	struct value object = template_eval(ev, e->a);
	if (undefined_object(ev, object))
		return nothing();
	if (object.kind != VALUE_LIST && object.kind != VALUE_TUPLE && object.kind != VALUE_STRING) {
		template_error(ev, ERR_INVALID, "a %s cannot be sliced", template_kind(object));
		return nothing();
	}
	int64_t n = template_length(ev, object), step = 1;
	struct value third = e->items[2] ? template_eval(ev, e->items[2]) : template_int(1);
	if (third.kind != VALUE_NONE && (!template_integer(third, &step) || step == 0 || step == INT64_MIN)) {
		template_error(ev, ERR_INVALID, "the step of a slice is no integer, or zero");
		return nothing();
	}
	bool down = step < 0;
	int64_t from = bound(ev, e->items[0], n, down ? n - 1 : 0, down ? -1 : 0, down ? n - 1 : n);
	int64_t to = bound(ev, e->items[1], n, down ? -1 : n, down ? -1 : 0, down ? n - 1 : n);
	if (object.kind == VALUE_STRING && step == 1) {
		size_t start = unicode_offset(object.string, (size_t)from), end = unicode_offset(object.string, (size_t)to);
		template_step(ev, object.string.len / 256);
		return (struct value){VALUE_STRING, {.string = str_sub(object.string, start, end < start ? start : end)}};
	}
	struct value items = template_items(ev, object), out = template_list(ev, items.kind);
	int64_t count = down ? (from - to + -step - 1) / -step : (to - from + step - 1) / step;
	for (int64_t k = 0; k < count && !ev->failed; k++)
		template_list_add(ev, &out, items.list->items[from + k * step]);
	if (object.kind != VALUE_STRING || ev->failed)
		return out;
	struct buf text = {.max = LIMIT_TEMPLATE_OUTPUT};
	for (size_t k = 0; k < out.list->len; k++)
		buf_put_str(&text, out.list->items[k].string);
	return template_take(ev, &text);
}

struct value template_call(struct eval *ev, struct value callee, const struct args *args, const struct macro *caller)
{
	if (ev->failed)
		return nothing();
	if (callee.kind == VALUE_MACRO)
		return template_macro_call(ev, callee.macro, args, caller);
	if (callee.kind == VALUE_FUNCTION && template_args_fit(ev, callee.function, args))
		return callee.function->call(ev, nothing(), args);
	if (callee.kind == VALUE_METHOD && template_args_fit(ev, callee.method->builtin, args))
		return callee.method->builtin->call(ev, callee.method->self, args);
	if (callee.kind == VALUE_UNDEFINED)
		template_error(ev, ERR_INVALID, "'%s' is undefined", callee.undefined);
	template_error(ev, ERR_INVALID, "a %s cannot be called", template_kind(callee));
	return nothing();
}

struct value template_apply(struct eval *ev, const char *name, struct value operand, const struct args *args)
{
	const struct builtin *filter = template_filter(name);
	if (!filter)
		template_error(ev, ERR_INVALID, "there is no filter '%.60s'", name);
	if (operand.kind == VALUE_STRING) /* map() gives operands that no expression was evaluated for */
		template_step(ev, operand.string.len / 256);
	if (ev->failed || !template_args_fit(ev, filter, args))
		return nothing();
	return filter->call(ev, operand, args);
}

bool template_check(struct eval *ev, const char *name, struct value operand, const struct args *args)
{
	const struct builtin *test = template_test(name);
	if (!test)
		template_error(ev, ERR_INVALID, "there is no test '%.60s'", name);
	if (ev->failed || !template_args_fit(ev, test, args))
		return false;
	return template_truth(test->call(ev, operand, args));
}

static struct value call_value(struct eval *ev, const struct expr *e)
{
	struct value callee = template_eval(ev, e->a);
	struct args args = template_args(ev, e);
	ev->line = e->line;
	return template_call(ev, callee, &args, NULL);
}

struct value template_filter_chain(struct eval *ev, const struct expr *e, struct value operand)
{
	if (!e)
		return operand;
	struct value inner = template_filter_chain(ev, e->a, operand);
	struct args args = template_args(ev, e);
	return template_apply(ev, e->name, inner, &args);
}

static struct value filter_value(struct eval *ev, const struct expr *e)
{
	struct value operand = template_eval(ev, e->a);
	struct args args = template_args(ev, e);
	ev->line = e->line;
	return template_apply(ev, e->name, operand, &args);
}

static struct value test_value(struct eval *ev, const struct expr *e)
{
	struct value operand = template_eval(ev, e->a);
	struct args args = template_args(ev, e);
	ev->line = e->line;
	return template_bool(template_check(ev, e->name, operand, &args));
}

static struct value unary_value(struct eval *ev, const struct expr *e)
{
	struct value v = template_eval(ev, e->a);
	if (e->op == OP_SUB)
		return v.kind == VALUE_FLOAT ? template_float(-v.real) : template_arithmetic(ev, OP_SUB, template_int(0), v);
	return template_arithmetic(ev, OP_ADD, template_int(0), v);
}

static bool compare(struct eval *ev, enum operator op, struct value a, struct value b)
{
	if (op == OP_EQ || op == OP_NE)
		return template_equal(ev, a, b) == (op == OP_EQ);
	if (op == OP_IN || op == OP_NOT_IN)
		return template_contains(ev, b, a) == (op == OP_IN);
	if (undefined_object(ev, a) || undefined_object(ev, b))
		return false;
	int order = template_order(ev, a, b);
	return op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
}

static struct value compare_value(struct eval *ev, const struct expr *e)
{
	struct value left = template_eval(ev, e->a);
	bool holds = true;
	for (size_t i = 0; holds && i < e->count && !ev->failed; i++) {
		struct value right = template_eval(ev, e->items[i]);
		holds = compare(ev, e->ops[i], left, right);
		left = right;
	}
	return template_bool(holds);
}

static struct value eval_kind(struct eval *ev, const struct expr *e)
{
	struct value v;
	switch (e->kind) {
	case EXPR_CONST: return e->value;
	case EXPR_NAME: return name_value(ev, e->name);
	case EXPR_LIST: case EXPR_TUPLE: return list_value(ev, e);
	case EXPR_DICT: return dict_value(ev, e);
	case EXPR_ATTR: return template_attribute(ev, template_eval(ev, e->a), e->name);
	case EXPR_INDEX: v = template_eval(ev, e->a); return template_item(ev, v, template_eval(ev, e->b));
	case EXPR_SLICE: return slice_value(ev, e);
	case EXPR_CALL: return call_value(ev, e);
	case EXPR_FILTER: return filter_value(ev, e);
	case EXPR_TEST: return test_value(ev, e);
	case EXPR_UNARY: return unary_value(ev, e);
	case EXPR_BINARY: v = template_eval(ev, e->a); return template_arithmetic(ev, e->op, v, template_eval(ev, e->b));
	case EXPR_AND: v = template_eval(ev, e->a); return template_truth(v) ? template_eval(ev, e->b) : v;
	case EXPR_OR: v = template_eval(ev, e->a); return template_truth(v) ? v : template_eval(ev, e->b);
	case EXPR_NOT: return template_bool(!template_truth(template_eval(ev, e->a)));
	case EXPR_COMPARE: return compare_value(ev, e);
	case EXPR_COND:
		if (template_truth(template_eval(ev, e->b)))
			return template_eval(ev, e->a);
		return e->c ? template_eval(ev, e->c) : template_undefined("the inline if without else");
	}
	return nothing();
}

struct value template_eval(struct eval *ev, const struct expr *e)
{
	if (ev->failed || !template_step(ev, 0))
		return nothing();
	ev->line = e->line;
	if (++ev->depth > LIMIT_TEMPLATE_DEPTH)
		template_error(ev, ERR_LIMIT, "nested deeper than the limit of %d levels", LIMIT_TEMPLATE_DEPTH);
	struct value v = ev->failed ? nothing() : eval_kind(ev, e);
	ev->depth--;
	if (v.kind == VALUE_STRING && v.string.len >= 256) /* whoever uses it may walk it */
		template_step(ev, v.string.len / 256);
	return ev->failed ? nothing() : v;
}
