/* YAML in: scalar meanings, marks, anchors and merges, limits, and errors with their position. */
#include "codec/json.h"
#include "codec/yaml.h"

#include <check.h>

static struct err err;

static struct yaml_doc parse(const char *text)
{
	struct yaml_doc doc;
	err = ERR_INIT;
	ck_assert_msg(yaml_parse(&doc, str_of(text), "t.yaml", &err) == 0, "%s: %s", text, err.message);
	return doc;
}

static void gives(const char *text, const char *json)
{
	struct yaml_doc doc = parse(text);
	struct buf out = {0};
	json_print(doc.root, JSON_PRINT_COMPACT, &out);
	ck_assert_str_eq(buf_str(&out).data, json);
	buf_done(&out);
	yaml_doc_done(&doc);
}

static void refuse(const char *text, enum err_kind kind, const char *part)
{
	struct yaml_doc doc;
	err = ERR_INIT;
	ck_assert_msg(yaml_parse(&doc, str_of(text), "t.yaml", &err) == -1, "%s", text);
	ck_assert_int_eq(err.kind, kind);
	ck_assert_msg(strstr(err.message, part), "'%s' lacks '%s'", err.message, part);
}

START_TEST(scalars_have_their_types)
{
	gives("[1, -2, +3, 007, 1_000, 0x1F, 0o17]", "[1,-2,3,7,1000,31,15]");
	gives("[2e-4, 1E5, 1., .5, -1.5e+3, 12e03]", "[0.0002,100000.0,1.0,0.5,-1500.0,12000.0]");
	gives("[yes, No, on, OFF, true, False]", "[true,false,true,false,true,false]");
	gives("[~, null, Null, ]", "[null,null,null]");
	gives("a:\nb: ''", "{\"a\":null,\"b\":\"\"}");
	gives("[\"1\", 'yes', !!str 12, \"null\"]", "[\"1\",\"yes\",\"12\",\"null\"]");
	gives("[.inf, .nan, 1e999, 1__0_, _1, -, +, e5, 1e, 1.2.3, 0x, 12:30]",
	      "[\".inf\",\".nan\",\"1e999\",\"1__0_\",\"_1\",\"-\",\"+\",\"e5\",\"1e\",\"1.2.3\",\"0x\",\"12:30\"]");
	gives("[9223372036854775807, 9223372036854775808]", "[9223372036854775807,9.223372036854776e+18]");
	gives("a: |\n  two\n  lines\nb: >\n  fol\n  ded\n", "{\"a\":\"two\\nlines\\n\",\"b\":\"fol ded\\n\"}");
	gives("", "null");
	gives("# nothing\n---\n...\n", "null");
	gives("[!!float 1, !!int 2, !!bool yes, !!null ~]", "[1,2,true,null]");
}
END_TEST

START_TEST(marks_give_the_line_of_every_member)
{
	struct yaml_doc doc = parse("# comment\na:\n  b: 1\n  c:\n    - x\n    - y\nd: 2\n");
	const struct yaml_mark *a = yaml_mark_child(&doc.mark, 0), *c = yaml_mark_child(a, 1);
	ck_assert_uint_eq(a->line, 2);
	ck_assert_uint_eq(yaml_mark_child(a, 0)->line, 3);
	ck_assert_uint_eq(c->line, 4);
	ck_assert_uint_eq(c->column, 3);
	ck_assert_uint_eq(yaml_mark_child(c, 1)->line, 6);
	ck_assert_uint_eq(yaml_mark_child(&doc.mark, 1)->line, 7);
	ck_assert_uint_eq(yaml_mark_child(c, 9)->line, 4);
	yaml_doc_done(&doc);
}
END_TEST

START_TEST(anchors_aliases_and_merge_keys_work)
{
	gives("a: &x [1, 2]\nb: *x", "{\"a\":[1,2],\"b\":[1,2]}");
	gives("a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x", "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"l\":3,\"k\":1}}");
	gives("<<: [{a: 1}, {a: 2, b: 3}]\nc: 4", "{\"c\":4,\"a\":1,\"b\":3}");
	refuse("a: *x", ERR_INVALID, "line 1 column 4: unknown alias 'x'");
	refuse("a: &a [*a]", ERR_INVALID, "unknown alias");
	refuse("<<: 5", ERR_INVALID, "merge key");
	refuse("<<: [5]", ERR_INVALID, "merge key");
}
END_TEST

START_TEST(errors_name_file_line_and_column)
{
	refuse("a: 1\nb: [1, 2\n", ERR_INVALID, "'t.yaml' line 3");
	refuse("a: 1\na: 2\n", ERR_INVALID, "'t.yaml' line 2 column 1: duplicate key 'a'");
	refuse("? [1]\n: 2\n", ERR_INVALID, "a key must be a plain word");
	refuse("a\n---\nb\n", ERR_INVALID, "second document");
	refuse("a: !!int x", ERR_INVALID, "does not fit its tag");
	refuse("a: !mine x", ERR_INVALID, "does not fit its tag");
	refuse("a: !mine {}", ERR_INVALID, "unknown tag '!mine'");
	refuse("a: \"x\\0\"", ERR_INVALID, "NUL");
	refuse("\"x\\0\": 1", ERR_INVALID, "NUL");
	refuse("a: \xff", ERR_INVALID, "'t.yaml' byte 3");
	refuse("a:\n\t- x", ERR_INVALID, "line 2");
}
END_TEST

static void repeat(struct buf *b, const char *text, int n)
{
	for (int i = 0; i < n; i++)
		buf_puts(b, text);
}

START_TEST(depth_is_limited_also_through_aliases)
{
	struct buf b = {0};
	repeat(&b, "[", LIMIT_YAML_DEPTH);
	repeat(&b, "]", LIMIT_YAML_DEPTH);
	struct yaml_doc doc = parse(b.data);
	yaml_doc_done(&doc);
	buf_clear(&b);
	repeat(&b, "[", LIMIT_YAML_DEPTH + 1);
	refuse(b.data, ERR_LIMIT, "nested deeper");
	buf_clear(&b);
	buf_puts(&b, "a: &a ");
	repeat(&b, "[", 40);
	repeat(&b, "]", 40);
	buf_puts(&b, "\nb: ");
	repeat(&b, "[", 23);
	buf_puts(&b, "*a");
	repeat(&b, "]", 23);
	doc = parse(b.data);
	yaml_doc_done(&doc);
	buf_puts(&b, "\nc: ");
	repeat(&b, "[", 24);
	buf_puts(&b, "*a");
	repeat(&b, "]", 24);
	refuse(b.data, ERR_LIMIT, "nested deeper");
	buf_done(&b);
}
END_TEST

START_TEST(billion_laughs_is_refused)
{
	struct buf b = {0};
	buf_puts(&b, "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
	for (int i = 1; i < 20; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buf_printf(&b, "%s*a%d", j ? "," : "", i - 1);
		buf_puts(&b, "]\n");
	}
	refuse(b.data, ERR_LIMIT, "more values than the limit");
	buf_done(&b);
}
END_TEST

START_TEST(size_is_limited)
{
	struct buf b = {0};
	buf_puts(&b, "a: ");
	repeat(&b, "x", (int)LIMIT_YAML_BYTES - 3);
	struct yaml_doc doc = parse(b.data);
	yaml_doc_done(&doc);
	buf_puts(&b, "x");
	refuse(b.data, ERR_LIMIT, "larger than the limit");
	buf_done(&b);
}
END_TEST

START_TEST(truncation_at_every_byte_never_breaks_the_reader)
{
	const char *text = "a: &x {k: [1, 'q', \"d\\u00e9\"], l: 2e-4}\nb:\n  <<: *x\n  m: |\n    text\n";
	for (size_t n = 0; n <= strlen(text); n++) {
		struct yaml_doc doc = {0};
		err = ERR_INIT;
		if (yaml_parse(&doc, (str){text, n}, "t", &err) == 0)
			yaml_doc_done(&doc);
		else
			ck_assert_int_eq(err.kind, ERR_INVALID);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec/yaml");
	TCase *tc = tcase_create("yaml");
	tcase_add_test(tc, scalars_have_their_types);
	tcase_add_test(tc, marks_give_the_line_of_every_member);
	tcase_add_test(tc, anchors_aliases_and_merge_keys_work);
	tcase_add_test(tc, errors_name_file_line_and_column);
	tcase_add_test(tc, depth_is_limited_also_through_aliases);
	tcase_add_test(tc, billion_laughs_is_refused);
	tcase_add_test(tc, size_is_limited);
	tcase_add_test(tc, truncation_at_every_byte_never_breaks_the_reader);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
