/* JSON text in and out under our rules: limits, positions in errors, big integers, shortest numbers, typed members. */
#include "codec/json.h"

#include "base/fd.h"
#include <check.h>
#include <math.h>
#include <stdio.h>

static struct err err;

static json_t *parse(const char *text)
{
	json_t *v = NULL;
	err = ERR_INIT;
	ck_assert_msg(json_parse(&v, str_of(text), "test.json", &err) == 0, "%s: %s", text, err.message);
	return v;
}

static void refuse(const char *text, enum err_kind kind, const char *part)
{
	json_t *v = NULL;
	err = ERR_INIT;
	ck_assert_int_eq(json_parse(&v, str_of(text), "test.json", &err), -1);
	ck_assert_ptr_null(v);
	ck_assert_int_eq(err.kind, kind);
	ck_assert_msg(strstr(err.message, part), "'%s' lacks '%s'", err.message, part);
}

static void prints(json_t *v, unsigned flags, const char *expected)
{
	struct buf out = {0};
	json_print(v, flags, &out);
	ck_assert_str_eq(buf_str(&out).data, expected);
	buf_done(&out);
	json_decref(v);
}

START_TEST(parse_accepts_every_kind_of_value)
{
	prints(parse("{\"a\":[1,-2.5,true,false,null,\"x\"],\"b\":{}}"), 0, "{\"a\":[1,-2.5,true,false,null,\"x\"],\"b\":{}}");
	prints(parse(" 7 "), 0, "7");
	prints(parse("\xEF\xBB\xBF[]"), 0, "[]");
}
END_TEST

START_TEST(parse_error_names_file_line_and_column)
{
	refuse("{\n  \"a\": 1,\n  \"b\" 2\n}", ERR_INVALID, "'test.json' line 3 column");
	refuse("", ERR_INVALID, "'test.json' line 1 column 1");
	refuse("[1] x", ERR_INVALID, "end of file expected");
	refuse("\"\xff\"", ERR_INVALID, "line 1");
	refuse("\"a\\u0000b\"", ERR_INVALID, "u0000");
}
END_TEST

START_TEST(parse_line_numbers_can_start_later)
{
	json_t *v = NULL;
	err = ERR_INIT;
	ck_assert_int_eq(json_parse_with(&v, STR("{,"), "rows.jsonl", &(struct json_rules){.first_line = 41}, &err), -1);
	ck_assert_msg(strstr(err.message, "'rows.jsonl' line 41"), "%s", err.message);
}
END_TEST

START_TEST(parse_refuses_duplicate_keys)
{
	refuse("{\"a\":1,\"a\":2}", ERR_INVALID, "duplicate");
}
END_TEST

START_TEST(parse_depth_is_limited_with_a_clean_error)
{
	struct buf b = {0};
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_putc(&b, '[');
	for (int i = 0; i < LIMIT_JSON_DEPTH; i++)
		buf_putc(&b, ']');
	json_decref(parse(b.data));
	buf_clear(&b);
	for (int i = 0; i < 10000; i++)
		buf_puts(&b, i % 2 ? "[" : "{\"a\":");
	refuse(b.data, ERR_LIMIT, "deeper than the limit of 128");
	buf_clear(&b);
	for (int i = 0; i <= LIMIT_JSON_DEPTH; i++)
		buf_putc(&b, '[');
	refuse(b.data, ERR_LIMIT, "line 1 column 129");
	buf_done(&b);
	json_decref(parse("\"[[[ \\\" [[[\""));
}
END_TEST

START_TEST(parse_size_is_limited)
{
	json_t *v = NULL;
	struct json_rules rules = {.max_bytes = 4};
	err = ERR_INIT;
	ck_assert_int_eq(json_parse_with(&v, STR("[12]"), "t", &rules, &err), 0);
	json_decref(v);
	ck_assert_int_eq(json_parse_with(&v, STR("[123]"), "t", &rules, &err), -1);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
}
END_TEST

START_TEST(parse_big_integers_become_doubles)
{
	prints(parse("[9223372036854775807,-9223372036854775808]"), 0, "[9223372036854775807,-9223372036854775808]");
	prints(parse("[9223372036854775808, 18446744073709551615]"), 0, "[9.223372036854776e+18,1.8446744073709552e+19]");
	prints(parse("{\"12345678901234567890\": -12345678901234567890}"), 0, "{\"12345678901234567890\":-1.2345678901234567e+19}");
	refuse("1e999", ERR_INVALID, "overflow");
}
END_TEST

START_TEST(parse_can_keep_nul_bytes)
{
	json_t *v = NULL;
	err = ERR_INIT;
	ck_assert_int_eq(json_parse_with(&v, STR("\"a\\u0000b\""), "t", &(struct json_rules){.allow_nul = true}, &err), 0);
	ck_assert_uint_eq(json_string_length(v), 3);
	prints(v, 0, "\"a\\u0000b\"");
}
END_TEST

START_TEST(parse_truncated_at_every_byte_is_an_error)
{
	const char *text = "{\"a\": [1.5, \"x\\u00e9\", {\"b\": null}], \"c\": 99999999999999999999}";
	for (size_t n = 0; n < strlen(text); n++) {
		json_t *v = NULL;
		ck_assert_int_eq(json_parse(&v, (str){text, n}, "t", &err), -1);
	}
	json_decref(parse(text));
}
END_TEST

START_TEST(parse_file_names_the_path)
{
	char path[] = "/tmp/kaito-json-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_eq((int)write(fd, "{]", 2), 2);
	close(fd);
	json_t *v = NULL;
	ck_assert_int_eq(json_parse_file(&v, path, &err), -1);
	ck_assert_msg(strstr(err.message, path), "%s", err.message);
	unlink(path);
	ck_assert_int_eq(json_parse_file(&v, path, &err), -1);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
}
END_TEST

START_TEST(print_writes_the_shortest_number)
{
	static const struct { double v; const char *text; } CASES[] = {
		{0.1, "0.1"}, {1, "1.0"}, {-0.0, "-0.0"}, {1e-5, "1e-05"}, {1e16, "1e+16"}, {1e15, "1000000000000000.0"},
		{123456789012345680.0, "1.2345678901234568e+17"}, {5e-324, "5e-324"}, {0.30000000000000004, "0.30000000000000004"},
		{1.7976931348623157e308, "1.7976931348623157e+308"}, {2e-4, "0.0002"}, {NAN, "null"}, {INFINITY, "null"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct buf out = {0};
		json_put_double(&out, CASES[i].v);
		ck_assert_str_eq(out.data, CASES[i].text);
		buf_clear(&out);
		json_put_float(&out, (float)CASES[i].v);
		if (isfinite((float)CASES[i].v))
			ck_assert(strtof(out.data, NULL) == (float)CASES[i].v);
		buf_done(&out);
	}
	struct buf out = {0};
	json_put_float(&out, 0.1f);
	ck_assert_str_eq(out.data, "0.1");
	buf_done(&out);
}
END_TEST

START_TEST(print_styles_match_python)
{
	const char *text = "{\"b\":[1,2],\"a\":{},\"c\":\"\xC3\xA9\\u0001\\n\\\"\\\\ \xF0\x9F\x98\x80\"}";
	prints(parse(text), JSON_PRINT_SPACED, "{\"b\": [1, 2], \"a\": {}, \"c\": \"\xC3\xA9\\u0001\\n\\\"\\\\ \xF0\x9F\x98\x80\"}");
	prints(parse(text), JSON_PRINT_SORTED | JSON_PRINT_ASCII,
	       "{\"a\":{},\"b\":[1,2],\"c\":\"\\u00e9\\u0001\\n\\\"\\\\ \\ud83d\\ude00\"}");
	prints(parse("{\"a\":[1,{}],\"b\":[]}"), JSON_PRINT_INDENT, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}
END_TEST

START_TEST(print_replaces_invalid_utf8)
{
	struct buf out = {0};
	json_put_string(&out, STR("a\xff\xc3(\x00z"));
	ck_assert_str_eq(out.data, "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\\u0000z\"");
	buf_done(&out);
}
END_TEST

START_TEST(get_reads_typed_members_and_keeps_defaults)
{
	json_t *v = parse("{\"s\":\"x\",\"i\":3.0,\"d\":2,\"b\":true,\"n\":null,\"a\":[],\"o\":{}}");
	const char *s = "default", *missing = "default";
	int64_t i = 0, n = 9;
	double d = 0;
	bool b = false;
	const json_t *a = NULL, *o = NULL;
	ck_assert_int_eq(json_get_string(v, "s", "", &s, &err), 0);
	ck_assert_int_eq(json_get_string(v, "zz", "", &missing, &err), 0);
	ck_assert_int_eq(json_get_int(v, "i", "", &i, &err), 0);
	ck_assert_int_eq(json_get_int(v, "n", "", &n, &err), 0);
	ck_assert_int_eq(json_get_double(v, "d", "", &d, &err), 0);
	ck_assert_int_eq(json_get_bool(v, "b", "", &b, &err), 0);
	ck_assert_int_eq(json_get_array(v, "a", "", &a, &err), 0);
	ck_assert_int_eq(json_get_object(v, "o", "", &o, &err), 0);
	ck_assert_str_eq(s, "x");
	ck_assert_str_eq(missing, "default");
	ck_assert_int_eq(i, 3);
	ck_assert_int_eq(n, 9);
	ck_assert(d == 2 && b && a && o);
	json_decref(v);
}
END_TEST

START_TEST(get_wrong_type_names_the_path)
{
	json_t *v = parse("{\"s\":1,\"i\":1.5,\"b\":\"x\",\"big\":70000}");
	const char *s = NULL;
	int64_t i = 5;
	bool b = false;
	ck_assert_int_eq(json_get_string(v, "s", "model", &s, &err), -1);
	ck_assert_str_eq(err.message, "model.s must be a string, not integer");
	ck_assert_int_eq(json_get_int(v, "i", "", &i, &err), -1);
	ck_assert_str_eq(err.message, "i must be a whole number, not number");
	ck_assert_int_eq(json_get_bool(v, "b", "", &b, &err), -1);
	ck_assert_int_eq(json_get_int_in(v, "big", "", 0, 65535, &i, &err), -1);
	ck_assert_str_eq(err.message, "big is 70000, must be between 0 and 65535");
	ck_assert_int_eq(i, 5);
	ck_assert_int_eq(json_require(v, "zz", "model", &err), -1);
	ck_assert_str_eq(err.message, "model.zz is missing");
	ck_assert_int_eq(json_require(v, "s", "model", &err), 0);
	json_decref(v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec/json");
	TCase *tc = tcase_create("json");
	tcase_add_test(tc, parse_accepts_every_kind_of_value);
	tcase_add_test(tc, parse_error_names_file_line_and_column);
	tcase_add_test(tc, parse_line_numbers_can_start_later);
	tcase_add_test(tc, parse_refuses_duplicate_keys);
	tcase_add_test(tc, parse_depth_is_limited_with_a_clean_error);
	tcase_add_test(tc, parse_size_is_limited);
	tcase_add_test(tc, parse_big_integers_become_doubles);
	tcase_add_test(tc, parse_can_keep_nul_bytes);
	tcase_add_test(tc, parse_truncated_at_every_byte_is_an_error);
	tcase_add_test(tc, parse_file_names_the_path);
	tcase_add_test(tc, print_writes_the_shortest_number);
	tcase_add_test(tc, print_styles_match_python);
	tcase_add_test(tc, print_replaces_invalid_utf8);
	tcase_add_test(tc, get_reads_typed_members_and_keeps_defaults);
	tcase_add_test(tc, get_wrong_type_names_the_path);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
