/* test_drain.c: which pods leave a Node, in which order, and what holds them up. */
#include "check_main.h"
#include "ending.h"
#include "nodes/drain.h"

static struct nodes *n;
static json_t *node;
static struct err err;
static struct drain d;

static void start(void)
{
	n = fixture_new();
	node = ending_claim(&DIALECT_NODE_CLAIM, "ws1");
	d = (struct drain){.node = node, .claim = fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1"), .dialect = &DIALECT_NODE_CLAIM};
	fake_log_clear();
	err = ERR_INIT;
}

static void finish(void)
{
	drain_done(&d);
	fixture_free(n);
}

static int step(void)
{
	fake_log_clear();
	int rc = drain_step(n, &d, &err);
	ck_assert_msg(rc >= 0, "%s", err.message);
	return rc;
}

static bool logged(const char *text) { return strstr(fake_log(), text) != NULL; }

static json_t *member(const char *name, const char *class, const char *owner)
{
	json_t *pod = ending_pod("ws1-0", name);
	if (class)
		json_object_set_new(json_object_get(pod, "spec"), "priorityClassName", json_string(class));
	ending_own(pod, owner);
	return pod;
}

START_TEST(groups_leave_one_after_the_other)
{
	static const char *const ORDER[] = {"plain", "daemon", "critical", "critical-daemon"};
	start();
	member("critical-daemon", "system-node-critical", "DaemonSet");
	member("critical", "system-cluster-critical", "ReplicaSet");
	member("daemon", "other", "DaemonSet");
	member("plain", NULL, "ReplicaSet");
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(step(), 1);
		ck_assert_uint_eq(d.waiting, 4 - i);
		ck_assert_uint_eq(fixture_writes("create pods/eviction"), 1);
		CLEANUP(mem_freep) char *line = mem_printf("create pods/eviction %s\n", ORDER[i]);
		ck_assert_msg(logged(line), "%s: %s", ORDER[i], fake_log());
		ck_assert_int_eq(d.retry_ms, DRAIN_SOON_MS);
	}
	ck_assert_int_eq(step(), 0);
	ck_assert_uint_eq(fixture_writes("create"), 0);
	finish();
}
END_TEST

START_TEST(a_group_waits_for_the_one_before_it_to_be_gone)
{
	start();
	ending_keep(member("plain", NULL, "ReplicaSet"));
	member("daemon", NULL, "DaemonSet");
	ck_assert_int_eq(step(), 1);
	ck_assert_int_eq(step(), 1); /* plain is terminating now */
	ck_assert_uint_eq(fixture_writes("create pods/eviction"), 0);
	ck_assert_int_eq(d.retry_ms, DRAIN_POLL_MS);
	fake_remove(&KUBE_PODS, "a", "plain");
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("create pods/eviction daemon\n"));
	finish();
}
END_TEST

START_TEST(pods_that_stay_are_not_waited_for)
{
	start();
	json_t *tolerant = ending_pod("ws1-0", "tolerant"), *mirror = ending_pod("ws1-0", "mirror"), *done = ending_pod("ws1-0", "done"), *failed = ending_pod("ws1-0", "failed");
	json_object_set_new(json_object_get(tolerant, "spec"), "tolerations", json_pack("[{s:s,s:s}]", "key", TAINT_DISRUPTED, "operator", "Exists"));
	meta_set_annotation(mirror, "kubernetes.io/config.mirror", "x");
	ending_own(ending_pod("ws1-0", "static"), "Node");
	json_object_set_new(json_object_get(done, "status"), "phase", json_string("Succeeded"));
	json_object_set_new(json_object_get(failed, "status"), "phase", json_string("Failed"));
	ending_stamp(ending_pod("ws1-0", "stuck"), -DRAIN_STUCK_S - 5);
	ending_pod("other", "elsewhere");
	ck_assert_int_eq(step(), 0);
	ck_assert_str_eq(fake_log(), "");
	ck_assert_uint_eq(json_array_size(d.staying), 4); /* their volumes are not waited for; those of finished pods are */
	finish();
}
END_TEST

START_TEST(a_terminating_pod_is_waited_for_until_it_is_stuck)
{
	start();
	json_t *pod = ending_pod("ws1-0", "slow");
	ending_stamp(pod, 3600); /* an hour of grace */
	ck_assert_int_eq(step(), 1);
	ending_stamp(pod, -DRAIN_STUCK_S + 2);
	ck_assert_int_eq(step(), 1);
	ck_assert_uint_eq(fixture_writes("create"), 0);
	ending_stamp(pod, -DRAIN_STUCK_S - 2);
	ck_assert_int_eq(step(), 0);
	finish();
}
END_TEST

START_TEST(do_not_disrupt_holds_up_the_drain)
{
	start();
	json_t *pod = ending_pod("ws1-0", "precious");
	meta_set_annotation(pod, ANNOTATION_DO_NOT_DISRUPT, "true");
	ending_pod("ws1-0", "other");
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("create pods/eviction other\n") && !logged("eviction precious"));
	ck_assert(logged("event Warning FailedDraining ws1-0: Failed to drain node, 2 pods are waiting to be evicted: a/precious (karpenter.sh/do-not-disrupt)"));
	ck_assert_int_eq(step(), 1);
	ck_assert_str_eq(fake_log(), ""); /* told once */
	ck_assert_int_eq(d.retry_ms, DRAIN_POLL_MS);
	meta_set_annotation(pod, ANNOTATION_DO_NOT_DISRUPT, "false");
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("create pods/eviction precious\n"));
	finish();
}
END_TEST

START_TEST(the_older_annotation_counts_for_machines)
{
	start();
	meta_set_annotation(ending_pod("ws1-0", "precious"), "karpenter.sh/do-not-evict", "true");
	d.dialect = &DIALECT_MACHINE;
	ck_assert_int_eq(step(), 1);
	ck_assert(!logged("eviction precious"));
	d.dialect = NULL; /* no claim */
	d.claim = NULL;
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("create pods/eviction precious\n"));
	finish();
}
END_TEST

static const char *const REFUSALS[] = {
	"Cannot evict pod as it would violate the pod's disruption budget.",
	"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
};

START_TEST(a_budget_is_waited_for)
{
	start();
	json_t *pod = ending_pod("ws1-0", "guarded");
	meta_set_annotation(pod, FAKE_REFUSES, REFUSALS[_i]);
	ending_pod("ws1-0", "free");
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("create pods/eviction free\n") && logged("create pods/eviction guarded\n") && logged("FailedDraining") && logged("a/guarded (") && logged(REFUSALS[_i]));
	ck_assert_int_eq(step(), 1); /* within its pause */
	ck_assert_str_eq(fake_log(), "");
	clock_sleep_ms(110);
	ck_assert_int_eq(step(), 1);
	ck_assert_str_eq(fake_log(), "create pods/eviction guarded\n");
	json_object_clear(json_at(pod, "metadata", "annotations", NULL));
	clock_sleep_ms(210);
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("event Normal Evicted guarded: Evicted pod: Forceful Termination"));
	ck_assert_int_eq(step(), 0);
	finish();
}
END_TEST

START_TEST(an_event_names_a_few_pods_only)
{
	start();
	for (int i = 0; i < 7; i++) {
		char name[8];
		snprintf(name, sizeof name, "p%d", i);
		meta_set_annotation(ending_pod("ws1-0", name), ANNOTATION_DO_NOT_DISRUPT, "true");
	}
	ck_assert_int_eq(step(), 1);
	ck_assert(logged("a/p4 (") && !logged("a/p5 (") && logged(" and 2 more"));
	finish();
}
END_TEST

START_TEST(many_pods_leave_in_batches)
{
	start();
	for (int i = 0; i < DRAIN_BATCH + 10; i++) {
		char name[8];
		snprintf(name, sizeof name, "p%d", i);
		ending_pod("ws1-0", name);
	}
	ck_assert_int_eq(step(), 1);
	ck_assert_uint_eq(fixture_writes("create pods/eviction"), DRAIN_BATCH);
	ck_assert_int_eq(d.retry_ms, DRAIN_SOON_MS);
	ck_assert_int_eq(step(), 1);
	ck_assert_uint_eq(fixture_writes("create pods/eviction"), 10);
	ck_assert_int_eq(step(), 0);
	finish();
}
END_TEST

START_TEST(pods_get_their_grace_period_before_the_nodes_end)
{
	start();
	json_t *pod = ending_pod("ws1-0", "precious"); /* 30 s */
	meta_set_annotation(pod, ANNOTATION_DO_NOT_DISRUPT, "true");
	ending_keep(pod);
	d.deadline_s = clock_wall_s() + 40;
	ck_assert_int_eq(step(), 1);
	ck_assert(!logged("delete pods"));
	d.deadline_s = clock_wall_s() + 20;
	ck_assert_int_eq(step(), 1);
	ck_assert_msg(logged("delete pods precious grace 20\n") || logged("delete pods precious grace 19\n"), "%s", fake_log());
	ck_assert(logged("event Normal Disrupted precious"));
	ck_assert_int_eq(step(), 1); /* once */
	ck_assert_uint_eq(fixture_writes("delete"), 0);
	finish();
}
END_TEST

START_TEST(budgets_and_groups_do_not_count_at_the_nodes_end)
{
	start();
	meta_set_annotation(ending_pod("ws1-0", "guarded"), FAKE_REFUSES, REFUSALS[0]);
	member("critical", "system-node-critical", "ReplicaSet");
	d.deadline_s = clock_wall_s();
	ck_assert_int_eq(step(), 1);
	ck_assert_msg(logged("delete pods guarded grace 1\n") && logged("delete pods critical grace 1\n"), "%s", fake_log());
	ck_assert_uint_eq(fixture_writes("create"), 0);
	ck_assert_int_eq(d.retry_ms, DRAIN_POLL_MS);
	ck_assert_int_eq(step(), 0);
	finish();
}
END_TEST

START_TEST(forced_pods_are_waited_for_a_moment_only)
{
	start();
	ending_stamp(ending_pod("ws1-0", "slow"), 3600);
	d.deadline_s = clock_wall_s() - DRAIN_FORCED_S + 2;
	ck_assert_int_eq(step(), 1);
	d.deadline_s = clock_wall_s() - DRAIN_FORCED_S;
	ck_assert_int_eq(step(), 0);
	finish();
}
END_TEST

START_TEST(pods_that_cannot_be_listed_are_not_taken_for_gone)
{
	start();
	ending_pod("ws1-0", "p");
	fake_no_crd("pods");
	ck_assert_int_eq(drain_step(n, &d, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "ws1-0"));
	fake_no_crd(NULL);
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes/drain");
	TCase *t = tcase_create("drain");
	tcase_add_test(t, groups_leave_one_after_the_other);
	tcase_add_test(t, a_group_waits_for_the_one_before_it_to_be_gone);
	tcase_add_test(t, pods_that_stay_are_not_waited_for);
	tcase_add_test(t, a_terminating_pod_is_waited_for_until_it_is_stuck);
	tcase_add_test(t, do_not_disrupt_holds_up_the_drain);
	tcase_add_test(t, the_older_annotation_counts_for_machines);
	tcase_add_loop_test(t, a_budget_is_waited_for, 0, 2);
	tcase_add_test(t, an_event_names_a_few_pods_only);
	tcase_add_test(t, many_pods_leave_in_batches);
	tcase_add_test(t, pods_get_their_grace_period_before_the_nodes_end);
	tcase_add_test(t, budgets_and_groups_do_not_count_at_the_nodes_end);
	tcase_add_test(t, forced_pods_are_waited_for_a_moment_only);
	tcase_add_test(t, pods_that_cannot_be_listed_are_not_taken_for_gone);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
