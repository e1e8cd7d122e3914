/* test_str.c: borrowed strings, numbers, UTF-8 validation, nearest names. */
#include "base/str.h"
#include "check_main.h"

START_TEST(str_numbers_take_the_whole_string_or_nothing)
{
	int64_t i = 0;
	double d = 0;
	ck_assert(str_to_i64(STR("-42"), &i) && i == -42);
	ck_assert(str_to_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
	ck_assert(!str_to_i64(STR("9223372036854775808"), &i));
	ck_assert(!str_to_i64(STR("4x"), &i) && !str_to_i64(STR(" 4"), &i) && !str_to_i64(STR(""), &i));
	ck_assert(str_to_f64(STR("2e-4"), &d) && d == 2e-4);
	ck_assert(!str_to_f64(STR("2e-4 "), &d));
}
END_TEST

START_TEST(str_nearest_finds_a_typo_and_refuses_a_stranger)
{
	const char *const names[] = {"learning_rate", "lora_alpha", "lora_dropout", NULL};
	ck_assert_str_eq(str_nearest(STR("lora_alfa"), names), "lora_alpha");
	ck_assert_ptr_null(str_nearest(STR("banana"), names));
}
END_TEST

START_TEST(str_utf8_refuses_overlongs_surrogates_and_truncation)
{
	size_t bad = 99;
	ck_assert(str_is_utf8(STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), &bad));
	ck_assert(!str_is_utf8(STR("ab\xC0\xAF"), &bad) && bad == 2);
	ck_assert(!str_is_utf8(STR("\xED\xA0\x80"), &bad) && bad == 0);
	ck_assert(!str_is_utf8(STR("x\xF0\x9F\x98"), &bad) && bad == 1);
	ck_assert(!str_is_utf8(STR("\xF4\x90\x80\x80"), &bad));
}
END_TEST

START_TEST(str_parts_and_order)
{
	ck_assert(str_eq(str_trim(STR(" \t a b\n")), STR("a b")));
	ck_assert_uint_eq(str_find(STR("a,b,c"), ',', 2), 3);
	ck_assert_uint_eq(str_find(STR("abc"), ',', 0), 3);
	ck_assert(str_cmp(STR("ab"), STR("abc")) < 0 && str_cmp(STR("b"), STR("abc")) > 0 && str_cmp(STR("x"), STR("x")) == 0);
	ck_assert(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")) && str_ends(STR("abc"), STR("bc")));
}
END_TEST

int main(void)
{
	CHECK_RUN("base/str", 10, str_numbers_take_the_whole_string_or_nothing, str_nearest_finds_a_typo_and_refuses_a_stranger,
		  str_utf8_refuses_overlongs_surrogates_and_truncation, str_parts_and_order);
}
