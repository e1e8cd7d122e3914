/* test_health.c: when a bad Node is given up, and when not. */
#include "check_main.h"
#include "ending.h"

static struct nodes *n;
static struct err err;
static int64_t requeue_ms;
static struct cloud_ops ops;
static struct cloud cloud = {&ops};
static const struct repair_policy POLICIES[] = {
	{"Ready", "False", 600}, {"Ready", "Unknown", 600}, {"kubernetes.azure.com/NodeHealthy", "False", 0}, {"PreemptionScheduled", "True", 0}, {NULL, NULL, 0},
};

static void set(json_t *node, const char *type, const char *status, int64_t age_s)
{
	json_t *list = json_at(node, "status", "conditions", NULL), *c;
	size_t i;
	json_array_foreach(list, i, c)
		if (strcmp(json_text_at(c, "", "type", NULL), type) == 0) {
			json_array_remove(list, i);
			break;
		}
	json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "type", type, "status", status, "lastTransitionTime", ending_time(-age_s)));
}

static json_t *start(void)
{
	n = fixture_new();
	ops = *fake_cloud()->ops;
	ops.repair = POLICIES;
	n->cloud = &cloud;
	n->options.repair = true;
	n->started_ms = clock_now_ms() - 86400000;
	json_t *node = ending_claim(&DIALECT_NODE_CLAIM, "ws1");
	set(node, "Ready", "True", 3600);
	fake_log_clear();
	return node;
}

static void finish(void) { fixture_free(n); }

static int pass(void)
{
	fake_log_clear();
	err = ERR_INIT;
	requeue_ms = 0;
	return fixture_pass(n, &NODES_HEALTH, "ws1-0", &requeue_ms, &err);
}

static json_t *the_claim(void) { return fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1"); }

static bool repaired(void)
{
	int rc = pass();
	ck_assert_msg(rc == 0, "%s", err.message);
	return meta_deleting(the_claim());
}

START_TEST(a_ready_node_is_left)
{
	start();
	ck_assert(!repaired());
	ck_assert_int_eq(requeue_ms, 0);
	finish();
}
END_TEST

START_TEST(a_bad_node_is_given_up_after_its_toleration)
{
	const char *status = _i ? "Unknown" : "False";
	json_t *node = start();
	set(node, "Ready", status, 590);
	ck_assert(!repaired());
	ck_assert_int_gt(requeue_ms, 5000);
	ck_assert_int_le(requeue_ms, 10000); /* at the time when it ends, not before */
	set(node, "Ready", status, 600);
	ck_assert(repaired());
	int64_t end = claim_view_time(meta_annotation(the_claim(), ANNOTATION_TERMINATION_TIME));
	ck_assert_int_le(llabs(end - clock_wall_s()), 2);
	ck_assert_double_eq(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"unhealthy\",nodepool=\"kaito\",capacity_type=\"\""), 1);
	ck_assert_double_eq(metrics_value(n->op.metrics, NODES_UNHEALTHY, "condition=\"ready\",nodepool=\"kaito\",capacity_type=\"\",image_id=\"img-1\""), 1);
	ck_assert(repaired());
	ck_assert_str_eq(fake_log(), ""); /* once */
	finish();
}
END_TEST

static const struct { const char *type, *status; bool bad; } CONDITIONS[] = {
	{"kubernetes.azure.com/NodeHealthy", "False", true}, {"kubernetes.azure.com/NodeHealthy", "True", false},
	{"kubernetes.azure.com/NodeHealthy", "Unknown", false}, {"PreemptionScheduled", "True", true}, {"PreemptionScheduled", "False", false},
	{"DiskPressure", "True", false},
};

START_TEST(policies_without_toleration_act_at_once)
{
	json_t *node = start();
	set(node, CONDITIONS[_i].type, CONDITIONS[_i].status, 0);
	ck_assert(repaired() == CONDITIONS[_i].bad);
	finish();
}
END_TEST

START_TEST(the_toleration_can_be_set)
{
	json_t *node = start();
	n->options.repair_toleration_ms = 5000;
	set(node, "Ready", "False", 3);
	ck_assert(!repaired());
	ck_assert_int_le(requeue_ms, 2000);
	set(node, "Ready", "False", 5);
	ck_assert(repaired());
	finish();
}
END_TEST

/* A cluster that wakes up shows its Nodes as they were when it fell asleep. */
START_TEST(the_toleration_starts_anew_with_the_process)
{
	json_t *node = start();
	set(node, "Ready", "Unknown", 30 * 86400);
	n->started_ms = clock_now_ms() - 1000;
	ck_assert(!repaired());
	ck_assert_int_gt(requeue_ms, 590000);
	ck_assert_int_le(requeue_ms, 599000);
	n->started_ms = clock_now_ms() - 600000;
	ck_assert(repaired());
	finish();
}
END_TEST

START_TEST(a_stopped_machine_is_left)
{
	json_t *node = start();
	set(node, "Ready", "Unknown", 3600);
	fake_cloud_put("ws1", _i ? "" : "fake:///ws1", INSTANCE_STOPPED, 1); /* known by its id, or from the list only */
	ck_assert(!repaired());
	ck_assert_int_ge(requeue_ms, 300000);
	ck_assert_int_le(requeue_ms, 300001);
	finish();
}
END_TEST

static int64_t listed_age_ms;

static int list_noting_age(struct cloud *c, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context, struct err *e)
{
	listed_age_ms = max_age_ms;
	return fake_cloud()->ops->list(c, max_age_ms, fn, context, e);
}

/* The machine may have been stopped just before its Node went bad: then only a later list shows it. */
START_TEST(the_list_that_says_it_runs_is_younger_than_the_toleration)
{
	json_t *node = start();
	ops.list = list_noting_age;
	n->options.repair_toleration_ms = 5000;
	set(node, "Ready", "Unknown", 3600);
	fake_cloud_put("ws1", "", INSTANCE_STOPPED, 1);
	ck_assert(!repaired());
	ck_assert_int_eq(listed_age_ms, 2500);
	n->options.repair_toleration_ms = 0; /* the policy's ten minutes */
	ck_assert(!repaired());
	ck_assert_int_eq(listed_age_ms, 30000);
	finish();
}
END_TEST

/* `az aks nodepool start`: the machine runs minutes before its Node is Ready. */
START_TEST(a_machine_that_wakes_up_has_the_whole_toleration_again)
{
	json_t *node = start();
	set(node, "Ready", "Unknown", 3600);
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_STOPPED, 1);
	ck_assert(!repaired());
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_RUNNING, 1);
	ck_assert(!repaired());
	ck_assert_int_gt(requeue_ms, 0);
	n->options.repair_toleration_ms = 20;
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_STOPPED, 1);
	ck_assert(!repaired());
	ck_assert_int_le(requeue_ms, 11); /* before the toleration ends */
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_RUNNING, 1);
	for (int64_t end = clock_now_ms() + 20000; !repaired();)
		ck_assert_int_lt(clock_now_ms(), end);
	finish();
}
END_TEST

START_TEST(a_cloud_that_cannot_tell_saves_the_node)
{
	json_t *node = start();
	set(node, "Ready", "Unknown", 3600);
	fake_cloud_break(ERR_TIMEOUT);
	ck_assert_int_eq(pass(), -1);
	ck_assert(!meta_deleting(the_claim()));
	ck_assert_ptr_null(meta_annotation(the_claim(), ANNOTATION_TERMINATION_TIME));
	finish();
}
END_TEST

START_TEST(a_machine_that_is_gone_is_replaced)
{
	json_t *node = start();
	set(node, "Ready", "Unknown", 3600);
	fake_cloud_remove("ws1");
	ck_assert(repaired());
	finish();
}
END_TEST

START_TEST(do_not_disrupt_is_no_reason_to_keep_a_bad_node)
{
	json_t *node = start();
	meta_set_annotation(the_claim(), ANNOTATION_DO_NOT_DISRUPT, "true");
	set(node, "Ready", "False", 3600);
	ck_assert(repaired());
	finish();
}
END_TEST

START_TEST(nodes_of_others_and_on_their_way_out_are_left)
{
	json_t *node = start();
	set(node, "Ready", "False", 3600);
	ending_stamp(node, 0);
	ck_assert(!repaired());
	json_object_del(json_object_get(node, "metadata"), "deletionTimestamp");
	json_object_del(json_at(node, "metadata", "labels", NULL), LABEL_KAITO_WORKSPACE);
	ck_assert(!repaired());
	finish();
}
END_TEST

START_TEST(a_nearer_termination_time_stays)
{
	json_t *node = start();
	const char *past = ending_time(-60);
	meta_set_annotation(the_claim(), ANNOTATION_TERMINATION_TIME, past);
	set(node, "Ready", "False", 3600);
	ck_assert(repaired());
	ck_assert_str_eq(meta_annotation(the_claim(), ANNOTATION_TERMINATION_TIME), past);
	finish();
}
END_TEST

START_TEST(an_epidemic_is_not_repaired)
{
	json_t *node = start();
	set(node, "Ready", "False", 3600);
	n->options.repair_guard_percent = 20;
	for (int i = 0; i < 9; i++) { /* ten Nodes: two may be bad */
		char name[8];
		snprintf(name, sizeof name, "o%d", i);
		json_t *other = ending_claim(&DIALECT_NODE_CLAIM, name);
		set(other, "Ready", i < 2 ? "Unknown" : "True", 10);
	}
	set(fake_object(&KUBE_NODES, NULL, "o8-0"), "Ready", "False", 10);
	meta_set_label(fake_object(&KUBE_NODES, NULL, "o8-0"), "karpenter.sh/nodepool", "other"); /* does not count here */
	ck_assert(!repaired());
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Warning NodeRepairBlocked ws1-0: 3 of 9 nodes of nodepool kaito are unhealthy, more than 20%"));
	ck_assert_int_eq(requeue_ms, 300000);
	ck_assert(!repaired());
	ck_assert_str_eq(fake_log(), ""); /* told once */
	set(fake_object(&KUBE_NODES, NULL, "o0-0"), "Ready", "True", 10); /* 2 of 9: the limit is rounded up */
	ck_assert(repaired());
	finish();
}
END_TEST

START_TEST(without_a_guard_every_bad_node_is_repaired)
{
	json_t *node = start();
	set(node, "Ready", "False", 3600);
	ck_assert(repaired());
	n->options.repair = false;
	ck_assert(!NODES_HEALTH.enabled(n));
	finish();
}
END_TEST

START_TEST(a_machine_claim_is_repaired)
{
	start();
	json_t *node = ending_claim(&DIALECT_MACHINE, "old");
	set(node, "Ready", "False", 3600);
	ck_assert_int_eq(fixture_pass(n, &NODES_HEALTH, "old-0", NULL, &err), 0);
	ck_assert(meta_deleting(fixture_get_claim(&DIALECT_MACHINE, "old")));
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes/health");
	TCase *t = tcase_create("health");
	tcase_add_test(t, a_ready_node_is_left);
	tcase_add_loop_test(t, a_bad_node_is_given_up_after_its_toleration, 0, 2);
	tcase_add_loop_test(t, policies_without_toleration_act_at_once, 0, sizeof CONDITIONS / sizeof CONDITIONS[0]);
	tcase_add_test(t, the_toleration_can_be_set);
	tcase_add_test(t, the_toleration_starts_anew_with_the_process);
	tcase_add_loop_test(t, a_stopped_machine_is_left, 0, 2);
	tcase_add_test(t, the_list_that_says_it_runs_is_younger_than_the_toleration);
	tcase_add_test(t, a_machine_that_wakes_up_has_the_whole_toleration_again);
	tcase_add_test(t, a_cloud_that_cannot_tell_saves_the_node);
	tcase_add_test(t, a_machine_that_is_gone_is_replaced);
	tcase_add_test(t, do_not_disrupt_is_no_reason_to_keep_a_bad_node);
	tcase_add_test(t, nodes_of_others_and_on_their_way_out_are_left);
	tcase_add_test(t, a_nearer_termination_time_stays);
	tcase_add_test(t, an_epidemic_is_not_repaired);
	tcase_add_test(t, without_a_guard_every_bad_node_is_repaired);
	tcase_add_test(t, a_machine_claim_is_repaired);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
