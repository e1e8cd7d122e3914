/* Table-driven configuration: defaults, types, ranges, words, nearest names, many errors at once, the reference page. */
#include "codec/field.h"

#include "base/limits.h"
#include <check.h>

struct alpha { int64_t count; double rate; bool on; int8_t maybe; const char *mode; struct field_strings names; const json_t *extra; const json_t *any; };
struct beta { int64_t size; };
struct whole { struct alpha alpha; struct beta beta; };

static const char *const MODES[] = {"no", "steps", "epoch", NULL};
static const struct field ALPHA[] = {
	{"count", FIELD_INT, 0, offsetof(struct alpha, count), "3", "how many", 1, 10},
	{"rate", FIELD_NUMBER, 0, offsetof(struct alpha, rate), "2e-5", "how fast", 0, 1e300},
	{"on", FIELD_BOOL, 0, offsetof(struct alpha, on), "true", "switch"},
	{"maybe", FIELD_OPT_BOOL, 0, offsetof(struct alpha, maybe), NULL, "three ways"},
	{"mode", FIELD_STRING, 0, offsetof(struct alpha, mode), "no", "when", .choices = MODES},
	{"names", FIELD_STRINGS, 0, offsetof(struct alpha, names), NULL, "which"},
	{"extra", FIELD_OBJECT, 0, offsetof(struct alpha, extra), NULL, "more"},
	{"any", FIELD_ANY, 0, offsetof(struct alpha, any), NULL, "whatever"},
	{"dora", FIELD_ANY, FIELD_REFUSED, FIELD_NO_MEMBER, "false", "other method"},
	{"device_map", FIELD_ANY, FIELD_NOT_HERE, FIELD_NO_MEMBER, "auto", "placement"},
};
static const struct field BETA[] = {{"size", FIELD_INT, 0, offsetof(struct beta, size), "7", "bytes"}};
static const struct field_section SECTIONS[] = {
	{"Alpha", ALPHA, sizeof ALPHA / sizeof ALPHA[0], offsetof(struct whole, alpha), "First."},
	{"Beta", BETA, 1, offsetof(struct whole, beta), "Second."},
};

static struct yaml_doc doc;
static struct arena arena;
static struct field_report report;
static struct whole whole;
static struct err err;

static void decode(const char *text)
{
	yaml_doc_done(&doc);
	field_report_done(&report);
	err = ERR_INIT;
	ck_assert_msg(yaml_parse(&doc, str_of(text), "t.yaml", &err) == 0, "%s", err.message);
	field_decode(SECTIONS, 2, doc.root, &doc.mark, "", &whole, &arena, &report);
}

static void finish(void)
{
	yaml_doc_done(&doc);
	field_report_done(&report);
	arena_done(&arena);
}

static void refuse(const char *text, const char *message)
{
	decode(text);
	ck_assert_int_eq(field_report_check(&report, "t.yaml", &err), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	ck_assert_str_eq(err.message, message);
}

START_TEST(absent_keys_get_their_defaults)
{
	decode("Alpha:\n  count: ~\n");
	ck_assert_int_eq(field_report_check(&report, "t", &err), 0);
	ck_assert_int_eq(whole.alpha.count, 3);
	ck_assert(whole.alpha.rate == 2e-5 && whole.alpha.on && whole.alpha.maybe == -1 && !whole.alpha.names.items && !whole.alpha.any);
	ck_assert_str_eq(whole.alpha.mode, "no");
	ck_assert_int_eq(whole.beta.size, 7);
	decode("");
	ck_assert_int_eq(whole.beta.size, 7);
	finish();
}
END_TEST

START_TEST(given_keys_fill_the_struct)
{
	decode("Alpha:\n  count: 4.0\n  rate: 2e-4\n  on: no\n  maybe: 'True'\n  mode: steps\n  names: [a, b]\n  extra: {k: 1}\n  any: [1]\nBeta: {size: '9'}");
	ck_assert_msg(field_report_check(&report, "t", &err) == 0, "%s", err.message);
	ck_assert_int_eq(whole.alpha.count, 4);
	ck_assert(whole.alpha.rate == 2e-4 && !whole.alpha.on && whole.alpha.maybe == 1);
	ck_assert_str_eq(whole.alpha.mode, "steps");
	ck_assert_uint_eq(whole.alpha.names.len, 2);
	ck_assert_str_eq(whole.alpha.names.items[1], "b");
	ck_assert(json_is_object(whole.alpha.extra) && json_is_array(whole.alpha.any));
	ck_assert_int_eq(whole.beta.size, 9);
	decode("Alpha: {rate: '1e-3', names: one, mode: no}");
	ck_assert_int_eq(field_report_check(&report, "t", &err), 0);
	ck_assert(whole.alpha.rate == 1e-3);
	ck_assert_str_eq(whole.alpha.names.items[0], "one");
	ck_assert_str_eq(whole.alpha.mode, "no");
	finish();
}
END_TEST

START_TEST(unknown_names_get_the_nearest)
{
	refuse("Alpha:\n  count: 1\n  ratee: 2\n", "'t.yaml' line 3: Alpha.ratee: unknown key; did you mean 'rate'?");
	refuse("Alpha:\n  size: 1\n", "'t.yaml' line 2: Alpha.size: unknown key; it belongs to Beta");
	refuse("Alpha:\n  zzzzzzzz: 1\n", "'t.yaml' line 2: Alpha.zzzzzzzz: unknown key");
	refuse("\nAlfa: {}\n", "'t.yaml' line 2: Alfa: unknown section; did you mean 'Alpha'?");
	refuse("rate: 1\n", "'t.yaml' line 1: rate: unknown section; the key belongs to Alpha");
	refuse("Alpha: {mode: stepz}", "'t.yaml' line 1: Alpha.mode: unknown value 'stepz'; did you mean 'steps'?");
	refuse("Alpha: {mode: zzzzzzz}", "'t.yaml' line 1: Alpha.mode: unknown value 'zzzzzzz'; one of: no, steps, epoch");
	finish();
}
END_TEST

START_TEST(wrong_types_and_ranges_are_named)
{
	refuse("Alpha: {count: x}", "'t.yaml' line 1: Alpha.count: must be a whole number, not string");
	refuse("Alpha: {count: 1.5}", "'t.yaml' line 1: Alpha.count: must be a whole number, not number");
	refuse("Alpha: {count: 11}", "'t.yaml' line 1: Alpha.count: is 11, must be between 1 and 10");
	refuse("Alpha: {rate: -1}", "'t.yaml' line 1: Alpha.rate: is -1, must be at least 0");
	refuse("Alpha: {rate: .inf}", "'t.yaml' line 1: Alpha.rate: must be a number, not string");
	refuse("Alpha: {on: 3}", "'t.yaml' line 1: Alpha.on: must be true or false, not integer");
	refuse("Alpha: {mode: [x]}", "'t.yaml' line 1: Alpha.mode: must be a string, not array");
	refuse("Alpha: {names: [1]}", "'t.yaml' line 1: Alpha.names: must be a string or a list of strings, not array");
	refuse("Alpha: {extra: 1}", "'t.yaml' line 1: Alpha.extra: must be a mapping, not integer");
	refuse("Alpha: 5", "'t.yaml' line 1: Alpha: must be a mapping, not integer");
	refuse("5", "'t.yaml' line 1: document: must be a mapping, not integer");
	finish();
}
END_TEST

START_TEST(all_errors_are_collected_up_to_the_limit)
{
	refuse("Alpha:\n  ratee: 1\n  count: 99\nBeta:\n  size: x\n", "'t.yaml' line 2: Alpha.ratee: unknown key; did you mean 'rate'? (and 2 more)");
	struct buf out = {0};
	field_report_print(&report, "t.yaml", &out);
	ck_assert_str_eq(out.data, "'t.yaml' line 2: Alpha.ratee: unknown key; did you mean 'rate'?\n"
				   "'t.yaml' line 3: Alpha.count: is 99, must be between 1 and 10\n"
				   "'t.yaml' line 5: Beta.size: must be a whole number, not string\n");
	buf_clear(&out);
	for (int i = 0; i <= LIMIT_FIELD_ERRORS; i++)
		buf_printf(&out, "unknown%d: 1\n", i);
	decode(out.data);
	ck_assert_uint_eq(report.n_errors, LIMIT_FIELD_ERRORS);
	ck_assert_uint_eq(report.n_dropped, 1);
	buf_done(&out);
	finish();
}
END_TEST

START_TEST(keys_without_effect_are_reported_once)
{
	decode("Alpha: {device_map: auto, count: 2}");
	ck_assert_int_eq(field_report_check(&report, "t", &err), 0);
	ck_assert_uint_eq(report.n_ignored, 1);
	ck_assert_str_eq(report.ignored[0], "Alpha.device_map");
	finish();
}
END_TEST

START_TEST(keys_that_cannot_be_honoured_are_refused_unless_off)
{
	refuse("Alpha: {dora: true}", "'t.yaml' line 1: Alpha.dora: is not supported by this build; remove it or set it to false");
	refuse("Alpha: {dora: [1]}", "'t.yaml' line 1: Alpha.dora: is not supported by this build; remove it or set it to false");
	static const char *const OFF[] = {"Alpha: {dora: false}", "Alpha: {dora: ~}", "Alpha: {dora: 0}", "Alpha: {dora: []}", "Alpha: {dora: {}}", "Alpha: {dora: ''}"};
	for (size_t i = 0; i < sizeof OFF / sizeof OFF[0]; i++) {
		decode(OFF[i]);
		ck_assert_msg(field_report_check(&report, "t", &err) == 0, "%s: %s", OFF[i], err.message);
	}
	finish();
}
END_TEST

START_TEST(page_lists_every_row)
{
	struct buf out = {0};
	field_print_page(SECTIONS, 2, &out);
	ck_assert_ptr_nonnull(strstr(out.data, "## Alpha\n\nFirst.\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "| `count` | int, 1 to 10 | `3` | how many |\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "| `mode` | string: `no`, `steps`, `epoch` | `no` | when |\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "| `device_map` | any | `auto` | *(no effect here)* placement |\n"));
	buf_done(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec/field");
	TCase *tc = tcase_create("field");
	tcase_add_test(tc, absent_keys_get_their_defaults);
	tcase_add_test(tc, given_keys_fill_the_struct);
	tcase_add_test(tc, unknown_names_get_the_nearest);
	tcase_add_test(tc, wrong_types_and_ranges_are_named);
	tcase_add_test(tc, all_errors_are_collected_up_to_the_limit);
	tcase_add_test(tc, keys_without_effect_are_reported_once);
	tcase_add_test(tc, keys_that_cannot_be_honoured_are_refused_unless_off);
	tcase_add_test(tc, page_lists_every_row);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
