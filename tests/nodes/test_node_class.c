/* test_node_class.c: a KaitoNodeClass says whether the cloud can use it. */
#include "check_main.h"
#include "fixture.h"

#include "kube/meta.h"
#include <string.h>

static struct nodes *n;
static struct cloud_ops ops;
static struct cloud cloud = {&ops};
static int answer;

/* 0, 1 with a reason, -1 with a failure. */
static int check_class(struct cloud *c, const json_t *spec, struct err *err)
{
	(void)c;
	ck_assert_int_eq(json_int_at(spec, 0, "maxPods", NULL), 30);
	return answer == 0 ? 0 : answer > 0 ? (void)err_set(err, ERR_INVALID, "no such subnet"), 1 : err_set(err, ERR_NETWORK, "the cloud is away");
}

static void setup(void)
{
	n = fixture_new();
	ops = (struct cloud_ops){.name = "test", .check_class = check_class};
	n->cloud = &cloud;
	json_t *class = meta_new(&KUBE_NODE_CLASSES, NULL, "default");
	json_object_set_new(class, "spec", json_pack("{s:i}", "maxPods", 30));
	fake_put(&KUBE_NODE_CLASSES, class);
}
static void teardown(void) { fixture_free(n); }

static json_t *class(void) { return fake_object(&KUBE_NODE_CLASSES, NULL, "default"); }

static int pass(int says)
{
	struct err err = ERR_INIT;
	answer = says;
	return fixture_pass(n, &NODES_CLASS, "default", NULL, &err);
}

static void check(const char *type, const char *status, const char *reason, const char *message)
{
	ck_assert_str_eq(fixture_condition(class(), type, "status"), status);
	ck_assert_str_eq(fixture_condition(class(), type, "reason"), reason);
	ck_assert_str_eq(fixture_condition(class(), type, "message"), message);
}

START_TEST(a_class_that_can_be_used_is_ready_and_is_written_once)
{
	ck_assert_int_eq(pass(0), 0);
	check("ValidationSucceeded", "True", "ValidationSucceeded", "");
	check("Ready", "True", "Ready", "");
	fake_log_clear();
	ck_assert_int_eq(pass(0), 0);
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(a_class_that_cannot_be_used_says_why_until_it_can)
{
	ck_assert_int_eq(pass(1), 0);
	check("ValidationSucceeded", "False", "NodeClassInvalid", "no such subnet");
	check("Ready", "False", "UnhealthyDependents", "ValidationSucceeded=False");
	ck_assert_int_eq(pass(0), 0);
	check("Ready", "True", "Ready", "");
}
END_TEST

START_TEST(what_cannot_be_checked_now_is_unknown_or_stays_as_it_was)
{
	ck_assert_int_lt(pass(-1), 0);
	check("ValidationSucceeded", "Unknown", "CheckFailed", "the cloud is away");
	check("Ready", "Unknown", "ReconcilingDependents", "ValidationSucceeded=Unknown");
	ck_assert_int_eq(pass(0), 0);
	ck_assert_int_lt(pass(-1), 0);
	check("Ready", "True", "Ready", "");
	json_object_set_new(json_object_get(class(), "metadata"), "generation", json_integer(2));
	ck_assert_int_lt(pass(-1), 0);
	check("ValidationSucceeded", "Unknown", "CheckFailed", "the cloud is away");
}
END_TEST

START_TEST(a_class_that_goes_while_it_is_looked_at_is_no_error)
{
	fake_freeze(true);
	fake_remove(&KUBE_NODE_CLASSES, NULL, "default");
	ck_assert_int_eq(pass(0), 0);
	fake_freeze(false);
}
END_TEST

START_TEST(a_class_that_is_gone_or_going_is_let_alone)
{
	json_object_set_new(json_object_get(class(), "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
	ck_assert_int_eq(pass(0), 0);
	fake_remove(&KUBE_NODE_CLASSES, NULL, "default");
	ck_assert_int_eq(pass(0), 0);
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

int main(void)
{
	const TTest *const TESTS[] = {
		a_class_that_can_be_used_is_ready_and_is_written_once, a_class_that_cannot_be_used_says_why_until_it_can,
		what_cannot_be_checked_now_is_unknown_or_stays_as_it_was, a_class_that_goes_while_it_is_looked_at_is_no_error,
		a_class_that_is_gone_or_going_is_let_alone,
	};
	Suite *suite = suite_create("node_class");
	TCase *tc = tcase_create("node_class");
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof TESTS / sizeof TESTS[0]; i++)
		tcase_add_test(tc, TESTS[i]);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
