/* template_arith.c: + - * / // % ** ~ with Python's meaning; integers that would leave 64 bits are an error. */
#include "token/template_eval.h"

#include "token/unicode.h"
#include <math.h>

static struct value type_error(struct eval *ev, const char *op, struct value a, struct value b)
{
	if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED)
		template_error(ev, ERR_INVALID, "'%s' is undefined", a.kind == VALUE_UNDEFINED ? a.undefined : b.undefined);
	template_error(ev, ERR_INVALID, "'%s' does not work on a %s and a %s", op, template_kind(a), template_kind(b));
	return template_undefined("value");
}

static struct value out_of_range(struct eval *ev)
{
	template_error(ev, ERR_LIMIT, "an integer does not fit 64 bits");
	return template_undefined("value");
}

static struct value by_zero(struct eval *ev)
{
	template_error(ev, ERR_INVALID, "division by zero");
	return template_undefined("value");
}

static struct value join_lists(struct eval *ev, struct value a, struct value b)
{
	struct value out = template_list(ev, a.kind);
	for (size_t i = 0; i < a.list->len && !ev->failed; i++)
		template_list_add(ev, &out, a.list->items[i]);
	for (size_t i = 0; i < b.list->len && !ev->failed; i++)
		template_list_add(ev, &out, b.list->items[i]);
	return out;
}

static struct value join_strings(struct eval *ev, str a, str b)
{
	char *text = template_alloc(ev, a.len + b.len + 1);
	template_step(ev, (a.len + b.len) / 4096);
	if (!text)
		return template_undefined("value");
	memcpy(text, a.data, a.len);
	memcpy(text + a.len, b.data, b.len);
	return (struct value){VALUE_STRING, {.string = {text, a.len + b.len}}};
}

static struct value repeat(struct eval *ev, struct value v, int64_t times)
{
	if (v.kind == VALUE_STRING) {
		struct buf b = {.max = LIMIT_TEMPLATE_OUTPUT};
		for (int64_t i = 0; i < times && v.string.len && !b.overflow && template_step(ev, 0); i++)
			buf_put_str(&b, v.string);
		return template_take(ev, &b);
	}
	struct value out = template_list(ev, v.kind);
	for (int64_t i = 0; i < times && v.list->len && !ev->failed; i++)
		for (size_t k = 0; k < v.list->len && !ev->failed; k++)
			template_list_add(ev, &out, v.list->items[k]);
	return out;
}

static bool is_sequence(struct value v) { return v.kind == VALUE_STRING || v.kind == VALUE_LIST || v.kind == VALUE_TUPLE; }

static struct value floor_div(struct eval *ev, int64_t a, int64_t b, bool modulo)
{
	if (b == 0)
		return by_zero(ev);
	if (b == -1)
		return modulo ? template_int(0) : a == INT64_MIN ? out_of_range(ev) : template_int(-a);
	int64_t q = a / b, r = a % b;
	bool adjust = r != 0 && (r < 0) != (b < 0);
	return template_int(modulo ? r + (adjust ? b : 0) : q - adjust);
}

static struct value power(struct eval *ev, int64_t base, int64_t exponent)
{
	if (exponent < 0)
		return template_float(pow((double)base, (double)exponent));
	int64_t result = 1;
	for (; exponent > 0 && template_step(ev, 0); exponent--) {
		if (__builtin_mul_overflow(result, base, &result))
			return out_of_range(ev);
		if (result == 0 || (result == 1 && base == 1))
			break;
	}
	return template_int(result);
}

static struct value on_integers(struct eval *ev, enum operator op, int64_t a, int64_t b)
{
	int64_t r = 0;
	bool bad = false;
	if (op == OP_ADD)
		bad = __builtin_add_overflow(a, b, &r);
	else if (op == OP_SUB)
		bad = __builtin_sub_overflow(a, b, &r);
	else if (op == OP_MUL)
		bad = __builtin_mul_overflow(a, b, &r);
	else if (op == OP_DIV)
		return b == 0 ? by_zero(ev) : template_float((double)a / (double)b);
	else if (op == OP_POW)
		return power(ev, a, b);
	else
		return floor_div(ev, a, b, op == OP_MOD);
	return bad ? out_of_range(ev) : template_int(r);
}

static struct value on_floats(struct eval *ev, enum operator op, double a, double b)
{
	if (op == OP_ADD)
		return template_float(a + b);
	if (op == OP_SUB)
		return template_float(a - b);
	if (op == OP_MUL)
		return template_float(a * b);
	if (op == OP_POW)
		return template_float(pow(a, b));
	if (b == 0)
		return by_zero(ev);
	if (op == OP_DIV)
		return template_float(a / b);
	double q = floor(a / b);
	return template_float(op == OP_FLOORDIV ? q : a - q * b);
}

struct value template_arithmetic(struct eval *ev, enum operator op, struct value a, struct value b)
{
	static const char *const SIGNS[] = {[OP_ADD] = "+", [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/", [OP_FLOORDIV] = "//", [OP_MOD] = "%", [OP_POW] = "**"};
	int64_t i, k;
	double x, y;
	if (ev->failed)
		return template_undefined("value");
	if (op == OP_CONCAT)
		return join_strings(ev, template_text(ev, a), template_text(ev, b));
	if (template_integer(a, &i) && template_integer(b, &k))
		return on_integers(ev, op, i, k);
	if (template_number(a, &x) && template_number(b, &y))
		return on_floats(ev, op, x, y);
	if (op == OP_ADD && a.kind == b.kind && a.kind == VALUE_STRING)
		return join_strings(ev, a.string, b.string);
	if (op == OP_ADD && a.kind == b.kind && is_sequence(a))
		return join_lists(ev, a, b);
	if (op == OP_MUL && is_sequence(a) && template_integer(b, &k))
		return repeat(ev, a, k);
	if (op == OP_MUL && template_integer(a, &i) && is_sequence(b))
		return repeat(ev, b, i);
	return type_error(ev, SIGNS[op], a, b);
}
