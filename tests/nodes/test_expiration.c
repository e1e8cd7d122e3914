/* test_expiration.c: claims end at their time, if they have one and nobody forbids it. */
#include "check_main.h"
#include "ending.h"

static struct nodes *n;
static struct err err;
static int64_t requeue_ms;

static json_t *start(const char *after, int64_t age_s)
{
	n = fixture_new();
	ending_claim(&DIALECT_NODE_CLAIM, "ws1");
	json_t *claim = fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1");
	json_object_set_new(json_object_get(claim, "metadata"), "creationTimestamp", json_string(ending_time(-age_s)));
	if (after)
		json_object_set_new(json_object_get(claim, "spec"), "expireAfter", json_string(after));
	return claim;
}

static bool expired(void)
{
	fake_log_clear();
	err = ERR_INIT;
	requeue_ms = 0;
	int rc = fixture_pass(n, &NODES_EXPIRATION, "nodeclaim/ws1", &requeue_ms, &err);
	ck_assert_msg(rc == 0, "%s", err.message);
	return meta_deleting(fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1"));
}

static void count(void *list, const char *key)
{
	ck_assert_str_eq(key, "nodeclaim/ws1");
	++*(int *)list;
}

static int keys_of(const json_t *claim)
{
	int found = 0;
	NODES_EXPIRATION.keys(n, NODES_CLAIMS, claim, count, &found);
	return found;
}

START_TEST(a_claim_ends_at_its_time)
{
	json_t *claim = start("1h30m", 5390);
	ck_assert_int_eq(keys_of(claim), 1);
	ck_assert(!expired());
	ck_assert_int_gt(requeue_ms, 5000);
	ck_assert_int_le(requeue_ms, 10000);
	json_object_set_new(json_object_get(claim, "metadata"), "creationTimestamp", json_string(ending_time(-5400)));
	ck_assert(expired());
	ck_assert_double_eq(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"expired\",nodepool=\"kaito\",capacity_type=\"\""), 1);
	ck_assert(expired());
	ck_assert_str_eq(fake_log(), ""); /* once */
	ck_assert_int_eq(keys_of(claim), 0);
	fixture_free(n);
}
END_TEST

static const char *const NEVER[] = {NULL, "Never", "", "soon", "10", "1h3"};

START_TEST(a_claim_without_an_end_costs_nothing)
{
	json_t *claim = start(NEVER[_i], (int64_t)86400 * 365 * 20);
	ck_assert_int_eq(keys_of(claim), 0);
	ck_assert(!expired());
	ck_assert_int_eq(requeue_ms, 0);
	fixture_free(n);
}
END_TEST

START_TEST(a_claim_that_must_not_be_disrupted_stays)
{
	json_t *claim = start("10s", 60);
	meta_set_annotation(claim, ANNOTATION_DO_NOT_DISRUPT, "true");
	ck_assert(!expired());
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Normal DisruptionBlocked ws1: NodeClaim has expired"));
	ck_assert_int_eq(requeue_ms, 0);
	meta_set_annotation(claim, ANNOTATION_DO_NOT_DISRUPT, "false");
	ck_assert(expired());
	fixture_free(n);
}
END_TEST

START_TEST(a_claim_that_is_gone_is_nothing_to_do)
{
	start("10s", 60);
	fake_remove(&KUBE_NODE_CLAIMS, NULL, "ws1");
	ck_assert_int_eq(fixture_pass(n, &NODES_EXPIRATION, "nodeclaim/ws1", NULL, &err), 0);
	ck_assert_int_eq(fixture_pass(n, &NODES_EXPIRATION, "unheard/of", NULL, &err), 0);
	fixture_free(n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes/expiration");
	TCase *t = tcase_create("expiration");
	tcase_add_test(t, a_claim_ends_at_its_time);
	tcase_add_loop_test(t, a_claim_without_an_end_costs_nothing, 0, sizeof NEVER / sizeof NEVER[0]);
	tcase_add_test(t, a_claim_that_must_not_be_disrupted_stays);
	tcase_add_test(t, a_claim_that_is_gone_is_nothing_to_do);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
