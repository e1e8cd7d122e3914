/* test_drift.c: a claim is compared with what its pool and node class would make today. */
#include "check_main.h"
#include "fixture.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "nodes/pool_claim.h"
#include <string.h>

static struct nodes *n;

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

static json_t *pool(void) { return fake_object(&KUBE_NODE_POOLS, NULL, "p"); }
static json_t *claim(void) { return fake_nth(&KUBE_NODE_CLAIMS, 0); }

static void put_class(int max_pods)
{
	json_t *class = meta_new(&KUBE_NODE_CLASSES, NULL, "big");
	json_object_set_new(class, "spec", json_pack("{s:i}", "maxPods", max_pods));
	fake_put(&KUBE_NODE_CLASSES, class);
	fake_set_condition(fake_object(&KUBE_NODE_CLASSES, NULL, "big"), "Ready", "True", "Ready", "");
}

/* A pool with one claim that runs as what was asked for. */
static void setup(void)
{
	struct err err = ERR_INIT;
	n = fixture_new();
	n->options.drift = true;
	put_class(30);
	fake_put(&KUBE_NODE_POOLS, parse("{\"apiVersion\":\"karpenter.sh/v1\",\"kind\":\"NodePool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"replicas\":1,\"template\":{\"metadata\":{},\"spec\":{"
					 "\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"big\"},\"requirements\":[{\"key\":\"node.kubernetes.io/instance-type\","
					 "\"operator\":\"In\",\"values\":[\"a\",\"b\"]}]}}}}"));
	ck_assert_int_eq(fixture_pass(n, &NODES_STATIC_POOLS, "p", NULL, &err), 0);
	fake_set_condition(claim(), "Launched", "True", "Launched", "");
	meta_set_label(claim(), LABEL_INSTANCE_TYPE, "a");
	fake_log_clear();
}
static void teardown(void) { fixture_free(n); }

static void pass_of(const char *name)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *key = nodes_claim_key(&DIALECT_NODE_CLAIM, name);
	ck_assert_msg(fixture_pass(n, &NODES_DRIFT, key, NULL, &err) == 0, "%s", err.message);
}
static void pass(void) { pass_of(meta_name(claim())); }

static void check(const char *reason)
{
	ck_assert_str_eq(fixture_condition(claim(), "Drifted", "status"), reason[0] ? "True" : "");
	ck_assert_str_eq(fixture_condition(claim(), "Drifted", "reason"), reason);
}

START_TEST(what_is_as_it_would_be_made_has_no_condition)
{
	pass();
	check("");
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(a_changed_template_is_told_once_and_taken_back)
{
	json_t *spec = json_at(pool(), "spec", "template", "spec", NULL);
	json_object_set_new(spec, "taints", parse("[{\"key\":\"x\",\"effect\":\"NoSchedule\"}]"));
	pass();
	check("NodePoolDrifted");
	ck_assert_uint_eq(fixture_writes("event Normal Drifted"), 1);
	fake_log_clear();
	pass();
	ck_assert_str_eq(fake_log(), "");
	json_object_del(spec, "taints");
	pass();
	check("");
}
END_TEST

START_TEST(a_requirement_counts_when_the_claim_is_outside_it)
{
	json_t *values = json_at(pool(), "spec", "template", "spec", "requirements", "#0", "values", NULL);
	json_array_append_new(values, json_string("c"));
	pass();
	check("");
	json_array_remove(values, 0);
	pass();
	check("RequirementsDrifted");
}
END_TEST

START_TEST(a_changed_class_is_told_and_a_missing_one_is_not)
{
	put_class(50);
	pass();
	check("NodeClassDrifted");
	fake_remove(&KUBE_NODE_CLASSES, NULL, "big");
	fake_log_clear();
	pass();
	ck_assert_str_eq(fake_log(), "");
	put_class(30);
	pass();
	check("");
}
END_TEST

START_TEST(claims_of_workspaces_are_stamped_first_and_compared_then)
{
	fixture_claim(&DIALECT_NODE_CLAIM, "ws1", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"big\"}}");
	json_t *ws = fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1");
	meta_set_annotation(ws, ANNOTATION_DO_NOT_DISRUPT, "true");
	pass_of("ws1");
	ck_assert_ptr_null(meta_annotation(ws, ANNOTATION_CLASS_HASH)); /* not launched: what it is made from is not settled */
	fake_set_condition(ws, "Launched", "True", "Launched", "");
	pass_of("ws1");
	ck_assert_ptr_nonnull(meta_annotation(ws, ANNOTATION_CLASS_HASH));
	ck_assert_str_eq(fixture_condition(ws, "Drifted", "status"), "");
	put_class(50);
	pass_of("ws1");
	ck_assert_str_eq(fixture_condition(ws, "Drifted", "reason"), "NodeClassDrifted");
	ck_assert(!meta_deleting(ws));
}
END_TEST

START_TEST(hashes_of_other_programs_are_not_compared)
{
	meta_set_annotation(claim(), ANNOTATION_POOL_HASH, "123");
	meta_set_annotation(claim(), ANNOTATION_POOL_HASH_VERSION, "v3");
	pass();
	check("");
}
END_TEST

START_TEST(claims_that_go_and_machines_are_let_alone)
{
	struct err err = ERR_INIT;
	put_class(50);
	json_object_set_new(json_object_get(claim(), "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
	ck_assert_int_eq(kube_delete(fake_client(), &KUBE_NODE_CLAIMS, NULL, meta_name(claim()), NULL, &err), 0);
	pass();
	check("");
	ck_assert_int_eq(fixture_pass(n, &NODES_DRIFT, "machine/x", NULL, &err), 0);
	ck_assert_int_eq(fixture_pass(n, &NODES_DRIFT, "nodeclaim/gone", NULL, &err), 0);
	n->options.drift = false;
	ck_assert(!NODES_DRIFT.enabled(n));
}
END_TEST

static void note(void *list, const char *key) { buf_printf(list, "%s ", key); }

START_TEST(events_of_pools_and_classes_lead_to_their_claims)
{
	struct buf seen = {0};
	CLEANUP(mem_freep) char *each = mem_printf("nodeclaim/%s ", meta_name(claim())), *all = mem_printf("%s%s%s", each, each, each);
	NODES_DRIFT.keys(n, NODES_CLAIMS, claim(), note, &seen);
	NODES_DRIFT.keys(n, NODES_POOLS, pool(), note, &seen);
	NODES_DRIFT.keys(n, NODES_CLASSES, fake_object(&KUBE_NODE_CLASSES, NULL, "big"), note, &seen);
	ck_assert_str_eq(seen.data, all);
	buf_done(&seen);
}
END_TEST

int main(void)
{
	const TTest *const TESTS[] = {
		what_is_as_it_would_be_made_has_no_condition, a_changed_template_is_told_once_and_taken_back, a_requirement_counts_when_the_claim_is_outside_it,
		a_changed_class_is_told_and_a_missing_one_is_not, claims_of_workspaces_are_stamped_first_and_compared_then, hashes_of_other_programs_are_not_compared,
		claims_that_go_and_machines_are_let_alone, events_of_pools_and_classes_lead_to_their_claims,
	};
	Suite *suite = suite_create("drift");
	TCase *tc = tcase_create("drift");
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
