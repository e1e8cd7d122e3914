/* test_small.c: the small vocabulary of kube/: metadata, conditions, selectors, quantities. */
#include "check_main.h"

#include "codec/json.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include "kube/selector.h"
#include <math.h>

static struct err err;

/* JSON with single quotes. */
static json_t *parse(const char *text)
{
	char *copy = mem_strdup(text);
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json_t *value = NULL;
	ck_assert_msg(json_parse(&value, str_of(copy), "test", &err) == 0, "%s", err.message);
	free(copy);
	return value;
}

static void expect_json(const json_t *value, const char *want)
{
	json_t *expected = parse(want);
	struct buf got = {0};
	json_print(value, JSON_PRINT_COMPACT, &got);
	ck_assert_msg(json_equal(value, expected), "got %s, want %s", got.data, want);
	buf_done(&got);
	json_decref(expected);
}

START_TEST(meta_reads_any_json_without_failing)
{
	static const char *const FOREIGN[] = {"null", "[]", "{}", "{'metadata': 3}",
					      ("{'metadata': {'name': {}, 'labels': [], 'finalizers': {}, "
					       "'ownerReferences': 'x', 'generation': 'y', 'deletionTimestamp': 1}}")};
	for (size_t i = 0; i < sizeof FOREIGN / sizeof FOREIGN[0]; i++) {
		json_t *o = parse(FOREIGN[i]);
		ck_assert_str_eq(meta_name(o), "");
		ck_assert_str_eq(meta_version(o), "");
		ck_assert_int_eq(meta_generation(o), 0);
		ck_assert_ptr_null(meta_label(o, "a"));
		ck_assert_ptr_null(meta_annotation(o, "a"));
		ck_assert(!meta_deleting(o) && !meta_has_finalizer(o, "f") && !meta_controller(o));
		json_decref(o);
	}
	ck_assert_str_eq(meta_name(NULL), "");
}
END_TEST

START_TEST(meta_reads_what_is_there)
{
	json_t *o = parse("{'metadata': {'name': 'n', 'namespace': 's', 'uid': 'u', 'resourceVersion': '7', 'generation': 3, 'labels': {'a': 'b'},"
			  "'annotations': {'c': 'd'}, 'deletionTimestamp': 'now', 'finalizers': ['x', 'f'], "
			  "'ownerReferences': [{'uid': '1'}, {'uid': '2', 'controller': true}]}}");
	ck_assert_str_eq(meta_name(o), "n");
	ck_assert_str_eq(meta_namespace(o), "s");
	ck_assert_str_eq(meta_uid(o), "u");
	ck_assert_str_eq(meta_version(o), "7");
	ck_assert_int_eq(meta_generation(o), 3);
	ck_assert_str_eq(meta_label(o, "a"), "b");
	ck_assert_str_eq(meta_annotation(o, "c"), "d");
	ck_assert(meta_deleting(o) && meta_has_finalizer(o, "f") && !meta_has_finalizer(o, "g"));
	ck_assert(meta_controlled_by(o, "2") && !meta_controlled_by(o, "1"));
	char *key = meta_key(o);
	ck_assert_str_eq(key, "s/n");
	free(key);
	json_decref(o);
}
END_TEST

START_TEST(json_at_walks_members_and_indexes)
{
	json_t *o = parse("{'a': [{'b': 'x'}, {'b': 5}], '#0': 'member'}");
	ck_assert_str_eq(json_text_at(o, "none", "a", "#0", "b", NULL), "x");
	ck_assert_str_eq(json_text_at(o, "none", "a", "#1", "b", NULL), "none");
	ck_assert_str_eq(json_text_at(o, "none", "a", "#2", "b", NULL), "none");
	ck_assert_int_eq(json_int_at(o, -1, "a", "#1", "b", NULL), 5);
	ck_assert_int_eq(json_int_at(o, -1, "a", "#1", "c", NULL), -1);
	ck_assert_ptr_eq(json_at(o, "a", NULL), json_object_get(o, "a"));
	ck_assert_ptr_null(json_at(NULL, "a", NULL));
	json_decref(o);
}
END_TEST

START_TEST(meta_builds_an_owned_object)
{
	json_t *owner = parse("{'metadata': {'name': 'w', 'uid': 'u1'}}");
	json_t *o = meta_new(&KUBE_STATEFULSETS, "ns", "set");
	meta_own(o, &KUBE_WORKSPACES, owner);
	meta_set_label(o, "a", "b");
	meta_set_label(o, "a", "c");
	meta_set_annotation(o, "x", "y");
	expect_json(o, "{'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'metadata': {'name': 'set', 'namespace': 'ns', 'labels': {'a': 'c'},"
		       "'annotations': {'x': 'y'}, 'ownerReferences': [{'apiVersion': 'kaito.sh/v1beta1', 'kind': 'Workspace', 'name': 'w', 'uid': 'u1',"
		       "'controller': true, 'blockOwnerDeletion': true}]}}");
	json_decref(o);
	o = meta_new(&KUBE_NODES, NULL, "n");
	expect_json(o, "{'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': 'n'}}");
	json_decref(o);
	json_decref(owner);
}
END_TEST

START_TEST(meta_finds_a_name_and_keeps_only_what_is_named)
{
	json_t *list = parse("[3, {'metadata': {'name': 'a'}}, {'metadata': {'name': 'b', 'uid': '1'}, 'spec': {}, 'status': 4}]");
	json_t *b = meta_named(list, "b");
	ck_assert_ptr_eq(b, json_array_get(list, 2));
	ck_assert_ptr_null(meta_named(list, "c"));
	ck_assert_ptr_null(meta_named(NULL, "a"));
	meta_keep_only(b, (const char *const[]){"metadata", "status", "other", NULL});
	expect_json(b, "{'metadata': {'name': 'b', 'uid': '1'}, 'status': 4}");
	meta_keep_only(json_at(b, "metadata", NULL), (const char *const[]){NULL});
	expect_json(b, "{'metadata': {}, 'status': 4}");
	meta_keep_only(NULL, (const char *const[]){NULL});
	json_decref(list);
}
END_TEST

START_TEST(condition_time_moves_only_with_the_status)
{
	json_t *list = json_array();
	struct condition c = {"Ready", "False", "Waiting", "for nodes"};
	ck_assert(condition_set(list, &c, 1, "t1"));
	ck_assert(!condition_set(list, &c, 1, "t2"));
	c.message = "for pods";
	ck_assert(condition_set(list, &c, 1, "t3"));
	ck_assert(condition_set(list, &c, 2, "t4"));
	expect_json(list, "[{'type': 'Ready', 'status': 'False', 'lastTransitionTime': 't1', 'observedGeneration': 2, 'reason': 'Waiting', 'message': 'for pods'}]");
	c.status = "True";
	ck_assert(condition_set(list, &c, 2, "t5"));
	ck_assert_str_eq(json_text_at(list, "", "#0", "lastTransitionTime", NULL), "t5");
	ck_assert(condition_is(list, "Ready", "True") && !condition_is(list, "Ready", "False") && !condition_is(list, "Other", "True"));
	ck_assert(condition_set(list, &(struct condition){"Other", "Unknown", NULL, NULL}, 0, "t6"));
	expect_json(json_array_get(list, 1), "{'type': 'Other', 'status': 'Unknown', 'lastTransitionTime': 't6', 'reason': '', 'message': ''}");
	ck_assert(condition_remove(list, "Ready") && !condition_remove(list, "Ready"));
	ck_assert_uint_eq(json_array_size(list), 1);
	ck_assert(condition_find(list, "Other") && !condition_find(NULL, "Other"));
	json_decref(list);
}
END_TEST

static const struct { const char *selector, *labels; bool match; const char *print; } SELECTORS[] = {
	{"{}", "{'a': 'b'}", true, ""},
	{"null", "{'a': 'b'}", false, ""},
	{"{'matchLabels': {'b': '2', 'a': '1'}}", "{'a': '1', 'b': '2', 'c': '3'}", true, "a=1,b=2"},
	{"{'matchLabels': {'a': '1'}}", "{'a': '2'}", false, "a=1"},
	{"{'matchLabels': {'a': '1'}}", "null", false, "a=1"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'In', 'values': ['e', 'd']}], 'matchLabels': {'a': 'b'}}", "{'a': 'b', 'c': 'd'}", true, "a=b,c in (d,e)"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'In', 'values': ['e']}]}", "{'c': 'd'}", false, "c in (e)"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'In', 'values': ['e']}]}", "{}", false, "c in (e)"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'NotIn', 'values': ['e']}]}", "{}", true, "c notin (e)"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'NotIn', 'values': ['e']}]}", "{'c': 'e'}", false, "c notin (e)"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'Exists'}]}", "{'c': ''}", true, "c"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'Exists'}]}", "{}", false, "c"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'DoesNotExist'}]}", "{'c': ''}", false, "!c"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'DoesNotExist'}]}", "null", true, "!c"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'Near'}]}", "{'c': 'd'}", false, ""},
	{"{'matchExpressions': [7]}", "{'c': 'd'}", false, ""},
	{"{'matchLabels': {'a': 1}}", "{'a': '1'}", false, ""},
};

START_TEST(selector_matches_and_prints)
{
	json_t *selector = parse(SELECTORS[_i].selector), *labels = parse(SELECTORS[_i].labels);
	struct buf out = {0};
	ck_assert_int_eq(selector_matches(selector, labels), SELECTORS[_i].match);
	selector_print(selector, &out);
	ck_assert_str_eq(out.data ? out.data : "", SELECTORS[_i].print);
	buf_done(&out);
	json_decref(selector);
	json_decref(labels);
}
END_TEST

static const struct { const char *selector, *map, *error; } MAPS[] = {
	{"{'matchLabels': {'a': 'b'}, 'matchExpressions': [{'key': 'c', 'operator': 'In', 'values': ['d']}]}", "{'a': 'b', 'c': 'd'}", NULL},
	{"null", "{}", NULL},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'In', 'values': ['d', 'e']}]}", NULL,
	 "operator \"In\" without a single value cannot be converted into the old label selector format"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'Exists'}]}", NULL, "operator \"Exists\" cannot be converted into the old label selector format"},
	{"{'matchExpressions': [{'key': 'c', 'operator': 'Near'}]}", NULL, "\"Near\" is not a valid label selector operator"},
};

START_TEST(selector_becomes_a_map_or_an_error)
{
	json_t *selector = parse(MAPS[_i].selector), *map = NULL;
	int rc = selector_as_map(selector, &map, &err);
	if (MAPS[_i].error) {
		ck_assert_int_lt(rc, 0);
		ck_assert_str_eq(err.message, MAPS[_i].error);
		ck_assert_ptr_null(map);
	} else {
		ck_assert_int_eq(rc, 0);
		expect_json(map, MAPS[_i].map);
	}
	json_decref(map);
	json_decref(selector);
}
END_TEST

static const struct { const char *text, *canonical; double value; } QUANTITIES[] = {
	{"0", "0", 0}, {"-0", "0", 0}, {"0Gi", "0", 0}, {"1024Gi", "1Ti", 0x1p40}, {"80Gi", "80Gi", 80 * 0x1p30},
	{"1025Gi", "1025Gi", 1025 * 0x1p30}, {"1.5Gi", "1536Mi", 1.5 * 0x1p30}, {"0.5Ki", "512", 512}, {"1023", "1023", 1023},
	{"500m", "500m", 0.5}, {"1000m", "1", 1}, {"1500m", "1500m", 1.5}, {"2", "2", 2}, {"+2", "2", 2}, {"1000", "1k", 1000}, {"1500", "1500", 1500},
	{"1.5e3", "1500", 1500}, {"1e3", "1e3", 1000}, {"1E3", "1e3", 1000}, {"12e6", "12e6", 12e6}, {"1e-3", "1e-3", 0.001}, {"5e+2", "500", 500},
	{"1E", "1E", 1e18}, {"1Ei", "1Ei", 0x1p60}, {"-1024Ki", "-1Mi", -0x1p20}, {"0.1", "100m", 0.1}, {".5", "500m", 0.5}, {"5.", "5", 5},
	{"100u", "100u", 1e-4}, {"1n", "1n", 1e-9}, {"0.1n", "1n", 1e-9}, {"1.0000000001", "1000000001n", 1.000000001},
	{"0.1Ki", "102400m", 102.4}, {"9223372036854775807", "9223372036854775807", 0x1p63}, {"9223372036854775808", "9223372036854775807", 0x1p63},
	{"1e999999", "9223372036854775807", 0x1p63}, {"1e-999999", "1e-9", 1e-9}, {"100Ei", "9223372036854775807", 0x1p63},
	{"00001Gi", "1Gi", 0x1p30}, {"1M", "1M", 1e6}, {"64Mi", "64Mi", 0x1p26},
};

START_TEST(quantity_prints_as_apimachinery)
{
	char out[32];
	double value;
	ck_assert_msg(quantity_canonical(QUANTITIES[_i].text, out, sizeof out, &err) == 0, "%s", err.message);
	ck_assert_str_eq(out, QUANTITIES[_i].canonical);
	ck_assert_int_eq(quantity_parse(QUANTITIES[_i].text, &value, &err), 0);
	ck_assert_msg(fabs(value - QUANTITIES[_i].value) <= fabs(QUANTITIES[_i].value) * 1e-15, "%s is %.17g", QUANTITIES[_i].text, value);
}
END_TEST

START_TEST(quantity_refuses_what_is_none)
{
	static const char *const BAD[] = {"", "Gi", "-", ".", "1K", "1gi", "1 Gi", " 1", "1Gi ", "1.2.3", "1e", "1e++3", "1e1.5", "0x10", "1Kii", "--1", "1,5", "inf"};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		double value = 42;
		ck_assert_msg(quantity_parse(BAD[i], &value, &err) < 0, "%s", BAD[i]);
		ck_assert_int_eq(err.kind, ERR_INVALID);
		ck_assert(value == 42);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/small");
	TCase *t = tcase_create("small");
	tcase_add_test(t, meta_reads_any_json_without_failing);
	tcase_add_test(t, meta_reads_what_is_there);
	tcase_add_test(t, json_at_walks_members_and_indexes);
	tcase_add_test(t, meta_builds_an_owned_object);
	tcase_add_test(t, meta_finds_a_name_and_keeps_only_what_is_named);
	tcase_add_test(t, condition_time_moves_only_with_the_status);
	tcase_add_loop_test(t, selector_matches_and_prints, 0, sizeof SELECTORS / sizeof SELECTORS[0]);
	tcase_add_loop_test(t, selector_becomes_a_map_or_an_error, 0, sizeof MAPS / sizeof MAPS[0]);
	tcase_add_loop_test(t, quantity_prints_as_apimachinery, 0, sizeof QUANTITIES / sizeof QUANTITIES[0]);
	tcase_add_test(t, quantity_refuses_what_is_none);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
