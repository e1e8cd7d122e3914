/* test_static_pools.c: NodePools with replicas: claims are made under fixed names, in the number that is wanted, given up in order, and
 * replaced when they have drifted; the pool says how it is and goes after its claims. */
#include "check_main.h"
#include "fixture.h"

#include "base/mem.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "nodes/pool_budget.h"
#include "nodes/pool_claim.h"
#include "nodes/pool_plan.h"
#include <string.h>

static struct nodes *n;

static void setup(void) { n = fixture_new(); }
static void teardown(void) { fixture_free(n); }

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

/* A pool "p" of so many nodes; spec as JSON text adds to its spec, NULL: nothing. */
static void put_pool(int replicas, const char *spec)
{
	json_t *pool = parse("{\"apiVersion\":\"karpenter.sh/v1\",\"kind\":\"NodePool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"template\":{\"metadata\":{\"labels\":{\"team\":\"x\"}},"
			     "\"spec\":{\"expireAfter\":\"Never\",\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"},\"requirements\":[{\"key\":"
			     "\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"Standard_NC24ads_A100_v4\"]}],\"taints\":[{\"key\":\"sku\",\"value\":\"gpu\",\"effect\":\"NoSchedule\"}]}}}}");
	json_object_set_new(json_object_get(pool, "spec"), "replicas", json_integer(replicas));
	if (spec) {
		json_t *more = parse(spec);
		json_object_update(json_object_get(pool, "spec"), more);
		json_decref(more);
	}
	fake_put(&KUBE_NODE_POOLS, pool);
}

static json_t *pool(void) { return fake_object(&KUBE_NODE_POOLS, NULL, "p"); }
static void set_replicas(int count) { json_object_set_new(json_object_get(pool(), "spec"), "replicas", json_integer(count)); }
static size_t claims(void) { return fake_count(&KUBE_NODE_CLAIMS); }
static json_t *claim(size_t i) { return fake_nth(&KUBE_NODE_CLAIMS, i); }

/* The finalizer is the life cycle's: it takes up every claim. */
static void take_up(void)
{
	for (size_t i = 0; i < claims(); i++)
		json_object_set_new(json_object_get(claim(i), "metadata"), "finalizers", object_finalizers(claim(i), FINALIZER_TERMINATION, true));
}

static void pass(void)
{
	struct err err = ERR_INIT;
	ck_assert_msg(fixture_pass(n, &NODES_STATIC_POOLS, "p", NULL, &err) == 0, "%s", err.message);
	take_up();
}

static int failing_pass(struct err *err)
{
	*err = (struct err)ERR_INIT;
	return fixture_pass(n, &NODES_STATIC_POOLS, "p", NULL, err);
}

static void become_node(json_t *c)
{
	CLEANUP(mem_freep) char *id = mem_printf("fake:///%s", meta_name(c));
	fake_set_condition(c, "Launched", "True", "Launched", "");
	fake_set_condition(c, "Registered", "True", "Registered", "");
	fake_set_condition(c, "Ready", "True", "Ready", "");
	json_t *status = json_object_get(c, "status"), *more = json_pack("{s:s,s:s,s:{s:s,s:s,s:s}}", "providerID", id, "nodeName", meta_name(c), "capacity", "cpu", "24", "memory", "220Gi", "nvidia.com/gpu", "1");
	json_object_update(status, more);
	json_decref(more);
}

static size_t deleting(void)
{
	size_t count = 0;
	for (size_t i = 0; i < claims(); i++)
		count += meta_deleting(claim(i));
	return count;
}

static void finish_deletions(void)
{
	for (size_t i = claims(); i-- > 0;)
		if (meta_deleting(claim(i)))
			fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(claim(i)));
}

static void check_condition(const char *type, const char *status, const char *reason)
{
	ck_assert_str_eq(fixture_condition(pool(), type, "status"), status);
	ck_assert_str_eq(fixture_condition(pool(), type, "reason"), reason);
}

/* --- creating -------------------------------------------------------------------------------------------------- */

START_TEST(claims_are_made_as_the_template_says)
{
	struct err err = ERR_INIT;
	put_pool(2, NULL);
	ck_assert_int_eq(fixture_pass(n, &NODES_STATIC_POOLS, "p", NULL, &err), 0);
	ck_assert_uint_eq(claims(), 2);
	json_t *c = claim(0);
	const json_t *owner = json_array_get(json_at(c, "metadata", "ownerReferences", NULL), 0);
	ck_assert_str_eq(meta_label(c, "karpenter.sh/nodepool"), "p");
	ck_assert_str_eq(meta_label(c, "kaito.sh/kaitonodeclass"), "default");
	ck_assert_str_eq(meta_label(c, "team"), "x");
	ck_assert_str_eq(json_text_at(owner, "", "kind", NULL), "NodePool");
	ck_assert_str_eq(json_text_at(owner, "", "uid", NULL), meta_uid(pool()));
	ck_assert(json_is_true(json_object_get(owner, "blockOwnerDeletion")));
	ck_assert(!meta_has_finalizer(c, FINALIZER_TERMINATION)); /* that is the life cycle's, which counts the claim with it */
	ck_assert_str_eq(meta_annotation(c, ANNOTATION_POOL_HASH), meta_annotation(pool(), ANNOTATION_POOL_HASH));
	ck_assert_ptr_nonnull(meta_annotation(c, ANNOTATION_CLASS_HASH));
	ck_assert_str_eq(json_text_at(c, "", "spec", "expireAfter", NULL), "Never");
	ck_assert_str_eq(json_text_at(c, "", "spec", "taints", "#0", "key", NULL), "sku");
	ck_assert_str_eq(json_text_at(c, "", "spec", "requirements", "#1", "values", "#0", NULL), "p");
	ck_assert(claim_managed(c));
	ck_assert(meta_has_finalizer(pool(), FINALIZER_TERMINATION));
}
END_TEST

START_TEST(a_second_pass_writes_nothing)
{
	put_pool(2, NULL);
	pass();
	pass(); /* the status has the claims now */
	fake_log_clear();
	int before = fake_requests();
	pass();
	ck_assert_str_eq(fake_log(), "");
	ck_assert_int_eq(fake_requests(), before);
}
END_TEST

START_TEST(names_are_those_of_slots_and_fit_an_agent_pool)
{
	char name[POOL_CLAIM_NAME];
	put_pool(3, NULL);
	pass();
	for (unsigned i = 0; i < 3; i++) {
		pool_claim_name(pool(), i, name);
		ck_assert_uint_eq(strlen(name), 11);
		ck_assert_ptr_nonnull(fixture_get_claim(&DIALECT_NODE_CLAIM, name));
	}
	json_t *gone = claim(0);
	CLEANUP(mem_freep) char *first = mem_strdup(meta_name(gone));
	fake_remove(&KUBE_NODE_CLAIMS, NULL, first);
	pass();
	ck_assert_uint_eq(claims(), 3);
	ck_assert_ptr_nonnull(fixture_get_claim(&DIALECT_NODE_CLAIM, first));
}
END_TEST

START_TEST(a_claim_that_is_going_is_replaced_at_once_under_another_name)
{
	put_pool(1, NULL);
	pass();
	struct err err = ERR_INIT;
	ck_assert_int_eq(kube_delete(fake_client(), &KUBE_NODE_CLAIMS, NULL, meta_name(claim(0)), NULL, &err), 0);
	pass();
	ck_assert_uint_eq(claims(), 2);
	ck_assert(!meta_deleting(claim(1)));
}
END_TEST

START_TEST(a_stale_cache_makes_nothing_twice)
{
	put_pool(2, NULL);
	fake_freeze(true);
	pass();
	struct nodes *other = n; /* another leader, with the same old view */
	fixture_restart(other);
	pass();
	fake_freeze(false);
	pass();
	ck_assert_uint_eq(claims(), 2);
	ck_assert_uint_eq(fixture_writes("create nodeclaims"), 2);
}
END_TEST

START_TEST(a_list_that_lags_behind_makes_nothing_twice)
{
	put_pool(2, NULL);
	pass();
	fake_freeze(true);
	json_t *before = json_deep_copy(claim(0));
	fake_stale_lists("nodeclaims");
	set_replicas(3);
	fake_freeze(false);
	fake_freeze(true);
	pass(); /* told that there are none: the slots say otherwise */
	fake_stale_lists(NULL);
	fake_freeze(false);
	ck_assert_uint_eq(claims(), 3);
	ck_assert(json_equal(before, claim(0)));
	json_decref(before);
}
END_TEST

START_TEST(a_name_that_somebody_else_holds_is_passed_over)
{
	char name[POOL_CLAIM_NAME];
	put_pool(1, NULL);
	pool_claim_name(pool(), 0, name);
	fixture_claim(&DIALECT_NODE_CLAIM, name, NULL);
	pass();
	ck_assert_uint_eq(claims(), 2);
	pool_claim_name(pool(), 1, name);
	ck_assert_ptr_nonnull(fixture_get_claim(&DIALECT_NODE_CLAIM, name));
}
END_TEST

START_TEST(the_limit_of_nodes_holds_also_against_those_that_go)
{
	struct err err = ERR_INIT;
	put_pool(5, "{\"limits\":{\"nodes\":\"3\"}}");
	pass();
	ck_assert_uint_eq(claims(), 3);
	ck_assert_int_eq(kube_delete(fake_client(), &KUBE_NODE_CLAIMS, NULL, meta_name(claim(0)), NULL, &err), 0);
	pass();
	ck_assert_uint_eq(claims(), 3);
	finish_deletions();
	pass();
	ck_assert_uint_eq(claims(), 3);
	ck_assert_uint_eq(deleting(), 0);
}
END_TEST

START_TEST(a_number_that_was_a_mistake_can_be_taken_back)
{
	struct err err = ERR_INIT;
	int64_t again_ms = 0;
	put_pool(1000000, NULL);
	ck_assert_int_eq(fixture_pass(n, &NODES_STATIC_POOLS, "p", &again_ms, &err), 0);
	ck_assert_uint_eq(claims(), 64);
	ck_assert_int_gt(again_ms, 0);
	set_replicas(64);
	ck_assert_int_eq(fixture_pass(n, &NODES_STATIC_POOLS, "p", &again_ms, &err), 0);
	ck_assert_uint_eq(claims(), 64);
	ck_assert_int_eq(again_ms, 0);
}
END_TEST

START_TEST(pools_of_others_are_left_alone)
{
	put_pool(2, "{\"template\":{\"spec\":{\"nodeClassRef\":{\"group\":\"karpenter.azure.com\",\"kind\":\"AKSNodeClass\",\"name\":\"default\"},\"requirements\":[]}}}");
	pass();
	json_object_del(json_object_get(pool(), "spec"), "replicas");
	pass();
	ck_assert_uint_eq(claims(), 0);
	ck_assert_str_eq(fake_log(), "");
}
END_TEST

START_TEST(a_refused_creation_is_an_error_and_tried_again)
{
	struct err err;
	put_pool(2, NULL);
	fake_forbid("nodeclaims");
	ck_assert_int_lt(failing_pass(&err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	fake_forbid(NULL);
	pass();
	ck_assert_uint_eq(claims(), 2);
}
END_TEST

/* --- readiness ------------------------------------------------------------------------------------------------- */

START_TEST(the_status_tells_of_the_nodes)
{
	put_pool(2, NULL);
	pass();
	check_condition("NodeRegistrationHealthy", "Unknown", "AwaitingReconciliation");
	become_node(claim(0));
	become_node(claim(1));
	pass();
	const json_t *status = json_object_get(pool(), "status");
	ck_assert_int_eq(json_int_at(status, 0, "nodes", NULL), 2);
	ck_assert_str_eq(json_text_at(status, "", "resources", "nodes", NULL), "2");
	ck_assert_str_eq(json_text_at(status, "", "resources", "cpu", NULL), "48");
	ck_assert_str_eq(json_text_at(status, "", "resources", "memory", NULL), "440Gi");
	ck_assert_str_eq(json_text_at(status, "", "resources", "nvidia.com/gpu", NULL), "2");
	check_condition("NodeRegistrationHealthy", "True", "NodeRegistrationHealthy");
	check_condition("ValidationSucceeded", "True", "ValidationSucceeded");
	check_condition("NodeClassReady", "True", "NodeClassReady");
	check_condition("Ready", "True", "Ready");
}
END_TEST

static void put_class(const char *name, const char *status, const char *message)
{
	json_t *class = meta_new(&KUBE_NODE_CLASSES, NULL, name);
	json_object_set_new(class, "spec", json_object());
	if (status)
		fake_set_condition(class, "Ready", status, "Some", message);
	fake_put(&KUBE_NODE_CLASSES, class);
}

START_TEST(no_claims_before_the_class_is_ready)
{
	put_pool(1, "{\"template\":{\"spec\":{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"big\"},\"requirements\":[]}}}");
	pass();
	check_condition("NodeClassReady", "False", "NodeClassNotFound");
	check_condition("Ready", "False", "UnhealthyDependents");
	put_class("big", NULL, NULL);
	pass();
	check_condition("NodeClassReady", "Unknown", "NodeClassReadinessUnknown");
	check_condition("Ready", "Unknown", "ReconcilingDependents");
	put_class("big", "False", "no such subnet");
	pass();
	check_condition("NodeClassReady", "False", "NodeClassNotReady");
	ck_assert_str_eq(fixture_condition(pool(), "NodeClassReady", "message"), "no such subnet");
	ck_assert_uint_eq(claims(), 0);
	put_class("big", "True", "");
	pass();
	ck_assert_uint_eq(claims(), 1);
}
END_TEST

START_TEST(a_template_that_contradicts_itself_is_told)
{
	put_pool(1, "{\"template\":{\"spec\":{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"},\"requirements\":["
		    "{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"a\"]},{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"b\"]}]}}}");
	pass();
	check_condition("ValidationSucceeded", "False", "NodePoolValidationFailed");
	ck_assert_ptr_nonnull(strstr(fixture_condition(pool(), "ValidationSucceeded", "message"), "node.kubernetes.io/instance-type"));
	ck_assert_uint_eq(claims(), 0);
}
END_TEST

START_TEST(a_launch_that_fails_is_told_by_the_pool)
{
	put_pool(1, NULL);
	pass();
	fake_set_condition(claim(0), "Launched", "Unknown", "SubscriptionQuotaReached", "QuotaExceeded: none left");
	pass();
	check_condition("NodeRegistrationHealthy", "False", "SubscriptionQuotaReached");
	check_condition("Ready", "True", "Ready");
}
END_TEST

/* --- giving up ------------------------------------------------------------------------------------------------- */

static void put_pod(const char *name, const char *node, const char *more)
{
	json_t *pod = meta_new(&KUBE_PODS, "default", name), *extra = parse(more);
	json_object_set_new(pod, "spec", json_pack("{s:s}", "nodeName", node));
	json_object_update_recursive(pod, extra);
	json_decref(extra);
	fake_put(&KUBE_PODS, pod);
}

START_TEST(those_without_machines_go_first_then_those_without_pods)
{
	put_pool(4, NULL);
	pass();
	for (size_t i = 1; i < 4; i++)
		become_node(claim(i));
	put_pod("a", meta_name(claim(1)), "{}");
	put_pod("b", meta_name(claim(3)), "{}");
	put_pod("c", meta_name(claim(2)), "{\"metadata\":{\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"controller\":true}]}}");
	put_pod("d", meta_name(claim(2)), "{\"status\":{\"phase\":\"Succeeded\"}}");
	set_replicas(3);
	pass();
	ck_assert(meta_deleting(claim(0)));
	ck_assert_uint_eq(deleting(), 1);
	ck_assert_ptr_nonnull(strstr(fake_log(), "overprovisioned"));
	set_replicas(2);
	pass();
	ck_assert(meta_deleting(claim(2)));
	ck_assert_uint_eq(deleting(), 2);
	set_replicas(1);
	pass();
	ck_assert(meta_deleting(claim(3))); /* the younger of two that work */
	set_replicas(0);
	pass();
	ck_assert_uint_eq(deleting(), 4);
}
END_TEST

START_TEST(what_must_not_be_disrupted_goes_last)
{
	put_pool(2, NULL);
	pass();
	become_node(claim(0));
	become_node(claim(1));
	meta_set_annotation(claim(1), ANNOTATION_DO_NOT_DISRUPT, "true");
	put_pod("a", meta_name(claim(0)), "{}");
	set_replicas(1);
	pass();
	ck_assert(meta_deleting(claim(0)));
	ck_assert(!meta_deleting(claim(1)));
}
END_TEST

START_TEST(a_stale_cache_gives_up_no_more_than_is_too_many)
{
	put_pool(3, NULL);
	pass();
	set_replicas(2);
	fake_freeze(true);
	pass();
	ck_assert_uint_eq(deleting(), 1);
	pass();
	pass();
	ck_assert_uint_eq(deleting(), 1);
}
END_TEST

START_TEST(a_deleted_pool_goes_after_its_claims)
{
	struct err err = ERR_INIT;
	put_pool(2, NULL);
	pass();
	fixture_claim(&DIALECT_NODE_CLAIM, "other", NULL);
	meta_set_label(fixture_get_claim(&DIALECT_NODE_CLAIM, "other"), "karpenter.sh/nodepool", "p"); /* by name only */
	ck_assert_int_eq(kube_delete(fake_client(), &KUBE_NODE_POOLS, NULL, "p", NULL, &err), 0);
	pass();
	ck_assert_uint_eq(deleting(), 2);
	ck_assert_ptr_nonnull(pool());
	finish_deletions();
	pass();
	ck_assert_ptr_null(pool());
	ck_assert_ptr_nonnull(fixture_get_claim(&DIALECT_NODE_CLAIM, "other"));
	pass();
}
END_TEST

START_TEST(a_pool_that_goes_while_it_is_looked_at_is_no_error)
{
	put_pool(2, NULL);
	fake_freeze(true);
	fake_remove(&KUBE_NODE_POOLS, NULL, "p");
	pass();
	fake_freeze(false);
	ck_assert_uint_eq(claims(), 0);
}
END_TEST

/* --- replacing ------------------------------------------------------------------------------------------------- */

static void drift_all(void)
{
	for (size_t i = 0; i < claims(); i++)
		fake_set_condition(claim(i), "Drifted", "True", "NodePoolDrifted", "NodePoolDrifted");
}

START_TEST(replacements_come_first_and_within_the_budget)
{
	n->options.drift = true;
	put_pool(3, "{\"disruption\":{\"budgets\":[{\"nodes\":\"1\",\"reasons\":[\"Drifted\"]}]}}");
	pass();
	for (size_t i = 0; i < 3; i++)
		become_node(claim(i));
	drift_all();
	pass();
	ck_assert_uint_eq(claims(), 4);
	ck_assert_uint_eq(deleting(), 0);
	pass();
	ck_assert_uint_eq(claims(), 4); /* not Ready yet */
	become_node(claim(3));
	pass();
	ck_assert_uint_eq(deleting(), 1);
	ck_assert(meta_deleting(claim(0))); /* the oldest */
	pass();
	ck_assert_uint_eq(claims(), 4); /* one is away: no other begins */
	finish_deletions();
	pass();
	ck_assert_uint_eq(claims(), 4);
	ck_assert_uint_eq(deleting(), 0);
	become_node(claim(3));
	pass();
	finish_deletions();
	pass();
	become_node(claim(3));
	pass();
	finish_deletions();
	pass();
	ck_assert_uint_eq(claims(), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert(!pool_plan_drifted(claim(i)));
}
END_TEST

START_TEST(drifted_claims_stay_without_the_gate_the_budget_or_a_permission)
{
	put_pool(2, "{\"disruption\":{\"budgets\":[{\"nodes\":\"0\"}]}}");
	pass();
	become_node(claim(0));
	become_node(claim(1));
	drift_all();
	n->options.drift = true;
	pass();
	ck_assert_uint_eq(claims(), 2);
	json_object_del(json_object_get(pool(), "spec"), "disruption");
	n->options.drift = false;
	pass();
	ck_assert_uint_eq(claims(), 2);
	n->options.drift = true;
	meta_set_annotation(claim(0), ANNOTATION_DO_NOT_DISRUPT, "true");
	meta_set_annotation(claim(1), ANNOTATION_DO_NOT_DISRUPT, "true");
	pass();
	ck_assert_uint_eq(claims(), 2);
}
END_TEST

static int64_t budget(int replicas, const char *budgets)
{
	CLEANUP(json_decrefp) json_t *spec = parse(budgets), *p = json_pack("{s:{s:i,s:{s:O}}}", "spec", "replicas", replicas, "disruption", "budgets", spec);
	return pool_budget_drifted(p);
}

START_TEST(the_strictest_budget_counts)
{
	ck_assert_int_eq(budget(5, "[{\"nodes\":\"10%\"}]"), 1);
	ck_assert_int_eq(budget(25, "[{\"nodes\":\"10%\"}]"), 3);
	ck_assert_int_eq(budget(0, "[{\"nodes\":\"10%\"}]"), 0);
	ck_assert_int_eq(budget(10, "[{\"nodes\":\"100%\"},{\"nodes\":\"4\",\"reasons\":[\"Drifted\"]},{\"nodes\":\"0\",\"reasons\":[\"Empty\"]}]"), 4);
	ck_assert_int_eq(budget(10, "[{\"nodes\":\"0\",\"schedule\":\"0 9 * * 1-5\",\"duration\":\"8h\"},{\"nodes\":\"5\"}]"), 0);
	ck_assert_int_eq(budget(10, "[]"), INT64_MAX);
	ck_assert_int_eq(budget(10, "[{\"nodes\":\"some\"}]"), 0);
	ck_assert_int_eq(budget(10, "[{\"nodes\":\"999%\"}]"), 10);
}
END_TEST

/* --- what wakes it --------------------------------------------------------------------------------------------- */

static void note(void *list, const char *key) { buf_printf(list, "%s ", key); }

START_TEST(events_of_pools_claims_and_classes_lead_to_the_pool)
{
	struct buf seen = {0};
	put_pool(1, NULL);
	put_class("default", "True", "");
	pass();
	NODES_STATIC_POOLS.keys(n, NODES_POOLS, pool(), note, &seen);
	NODES_STATIC_POOLS.keys(n, NODES_CLAIMS, claim(0), note, &seen);
	NODES_STATIC_POOLS.keys(n, NODES_CLASSES, fake_object(&KUBE_NODE_CLASSES, NULL, "default"), note, &seen);
	ck_assert_str_eq(seen.data, "p p p ");
	buf_clear(&seen);
	fixture_claim(&DIALECT_NODE_CLAIM, "ws1", NULL);
	NODES_STATIC_POOLS.keys(n, NODES_CLAIMS, fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1"), note, &seen);
	ck_assert_uint_eq(seen.len, 0);
	buf_done(&seen);
}
END_TEST

int main(void)
{
	const TTest *const TESTS[] = {
		claims_are_made_as_the_template_says, a_second_pass_writes_nothing, names_are_those_of_slots_and_fit_an_agent_pool,
		a_claim_that_is_going_is_replaced_at_once_under_another_name, a_stale_cache_makes_nothing_twice, a_list_that_lags_behind_makes_nothing_twice,
		a_name_that_somebody_else_holds_is_passed_over, the_limit_of_nodes_holds_also_against_those_that_go, a_number_that_was_a_mistake_can_be_taken_back,
		pools_of_others_are_left_alone,
		a_refused_creation_is_an_error_and_tried_again, the_status_tells_of_the_nodes, no_claims_before_the_class_is_ready,
		a_template_that_contradicts_itself_is_told, a_launch_that_fails_is_told_by_the_pool, those_without_machines_go_first_then_those_without_pods,
		what_must_not_be_disrupted_goes_last, a_stale_cache_gives_up_no_more_than_is_too_many, a_deleted_pool_goes_after_its_claims,
		a_pool_that_goes_while_it_is_looked_at_is_no_error,
		replacements_come_first_and_within_the_budget, drifted_claims_stay_without_the_gate_the_budget_or_a_permission, the_strictest_budget_counts,
		events_of_pools_claims_and_classes_lead_to_the_pool,
	};
	Suite *suite = suite_create("static_pools");
	TCase *tc = tcase_create("static_pools");
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
