/* template_tests.c: what can stand after `is`. To add a test: a function and a row in TESTS. */
#include "token/template_eval.h"

#include "token/unicode.h"

#define TEST(name) static struct value test_##name(struct eval *ev, struct value v, const struct args *args)

static struct value first_arg(struct eval *ev, const struct args *args)
{
	if (args->count == 0)
		template_error(ev, ERR_INVALID, "a test lacks its argument");
	return args->count ? args->values[0] : template_undefined("argument");
}

static struct value is_kind(struct value v, unsigned kinds) { return template_bool(kinds >> v.kind & 1); }

TEST(defined) { return (void)ev, (void)args, template_bool(v.kind != VALUE_UNDEFINED); }
TEST(undefined) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_UNDEFINED); }
TEST(none) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_NONE); }
TEST(boolean) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_BOOL); }
TEST(true) { return (void)ev, (void)args, template_bool(v.kind == VALUE_BOOL && v.boolean); }
TEST(false) { return (void)ev, (void)args, template_bool(v.kind == VALUE_BOOL && !v.boolean); }
TEST(integer) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_INT); }
TEST(float) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_FLOAT); }
TEST(number) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_INT | 1u << VALUE_FLOAT | 1u << VALUE_BOOL); }
TEST(string) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_STRING); }
TEST(mapping) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_DICT); }
TEST(callable) { return (void)ev, (void)args, is_kind(v, 1u << VALUE_MACRO | 1u << VALUE_FUNCTION | 1u << VALUE_METHOD); }

TEST(sequence)
{
	return (void)ev, (void)args, is_kind(v, 1u << VALUE_STRING | 1u << VALUE_LIST | 1u << VALUE_TUPLE | 1u << VALUE_DICT | 1u << VALUE_UNDEFINED);
}

TEST(iterable)
{
	return (void)ev, (void)args,
	       is_kind(v, 1u << VALUE_STRING | 1u << VALUE_LIST | 1u << VALUE_TUPLE | 1u << VALUE_DICT | 1u << VALUE_UNDEFINED | 1u << VALUE_LOOP);
}

TEST(equal) { return template_bool(template_equal(ev, v, first_arg(ev, args))); }
TEST(unequal) { return template_bool(!template_equal(ev, v, first_arg(ev, args))); }
TEST(less) { return template_bool(template_order(ev, v, first_arg(ev, args)) < 0); }
TEST(less_or_equal) { return template_bool(template_order(ev, v, first_arg(ev, args)) <= 0); }
TEST(greater) { return template_bool(template_order(ev, v, first_arg(ev, args)) > 0); }
TEST(greater_or_equal) { return template_bool(template_order(ev, v, first_arg(ev, args)) >= 0); }
TEST(in) { return template_bool(template_contains(ev, first_arg(ev, args), v)); }

TEST(same)
{
	struct value other = first_arg(ev, args);
	return template_bool(v.kind == other.kind && template_equal(ev, v, other));
}

static struct value remainder_is(struct eval *ev, struct value v, int64_t divisor, int64_t want)
{
	int64_t i;
	if (!template_integer(v, &i) || divisor == 0 || divisor == -1) {
		template_error(ev, ERR_INVALID, "the test needs integers and a divisor that is not zero");
		return template_bool(false);
	}
	return template_bool(((i % divisor) + divisor) % divisor == want);
}

TEST(even) { return (void)args, remainder_is(ev, v, 2, 0); }
TEST(odd) { return (void)args, remainder_is(ev, v, 2, 1); }

TEST(divisibleby)
{
	int64_t by = 0;
	template_integer(first_arg(ev, args), &by);
	return remainder_is(ev, v, by, 0);
}

/* Whether the text is its own lower or upper case and has letters, as Python's islower and isupper. */
static struct value has_case(struct eval *ev, struct value v, bool upper)
{
	str s = template_text(ev, v);
	struct buf low = {.max = LIMIT_TEMPLATE_OUTPUT}, high = {.max = LIMIT_TEMPLATE_OUTPUT};
	unicode_lower(s, &low);
	unicode_upper(s, &high);
	bool is = str_eq(s, buf_str(upper ? &high : &low)) && !str_eq(buf_str(&low), buf_str(&high));
	buf_done(&low);
	buf_done(&high);
	return template_bool(is);
}

TEST(lower) { return (void)args, has_case(ev, v, false); }
TEST(upper) { return (void)args, has_case(ev, v, true); }

static const struct builtin TESTS[] = {
	{"boolean", test_boolean, ""}, {"callable", test_callable, ""}, {"defined", test_defined, ""}, {"divisibleby", test_divisibleby, "num"},
	{"eq", test_equal, "other"}, {"equalto", test_equal, "other"}, {"even", test_even, ""}, {"false", test_false, ""}, {"float", test_float, ""},
	{"ge", test_greater_or_equal, "other"}, {"greaterthan", test_greater, "other"}, {"gt", test_greater, "other"}, {"in", test_in, "seq"},
	{"integer", test_integer, ""}, {"iterable", test_iterable, ""}, {"le", test_less_or_equal, "other"}, {"lessthan", test_less, "other"},
	{"lower", test_lower, ""}, {"lt", test_less, "other"}, {"mapping", test_mapping, ""}, {"ne", test_unequal, "other"}, {"none", test_none, ""},
	{"number", test_number, ""}, {"odd", test_odd, ""}, {"sameas", test_same, "other"}, {"sequence", test_sequence, ""}, {"string", test_string, ""},
	{"true", test_true, ""}, {"undefined", test_undefined, ""}, {"upper", test_upper, ""},
};

const struct builtin *template_test(const char *name) { return template_find_builtin(TESTS, sizeof TESTS / sizeof *TESTS, name); }
