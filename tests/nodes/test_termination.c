/* test_termination.c: a deleted Node's way out: taint, drain, volumes, instance, finalizer; crashes in between; and the cases in which
 * something of it is missing. */
#include "check_main.h"
#include "ending.h"
#include "nodes/instance_end.h"

static struct nodes *n;
static struct err err;
static int64_t requeue_ms;

static json_t *start(const struct dialect *d)
{
	n = fixture_new();
	json_t *node = ending_claim(d, "ws1");
	ending_stamp(node, 0);
	fake_log_clear();
	return node;
}

static void finish(void) { fixture_free(n); }

static int pass(void)
{
	fake_log_clear();
	err = ERR_INIT;
	requeue_ms = 0;
	return fixture_pass(n, &NODES_TERMINATION, "ws1-0", &requeue_ms, &err);
}

static bool logged(const char *text) { return strstr(fake_log(), text) != NULL; }
static json_t *the_node(void) { return fake_object(&KUBE_NODES, NULL, "ws1-0"); }
static json_t *the_claim(void) { return fixture_get_claim(&DIALECT_NODE_CLAIM, "ws1"); }
static const char *condition(const char *type, const char *key) { return fixture_condition(the_claim(), type, key); }
static double counted(enum nodes_metric row) { return metrics_value(n->op.metrics, row, "nodepool=\"kaito\""); }

static void expect(int rc)
{
	ck_assert_msg(rc == 0, "%s", err.message);
}

START_TEST(a_node_goes_step_by_step)
{
	start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	expect(pass());
	ck_assert_uint_eq(fixture_writes("patch nodes ws1-0"), 1);
	ck_assert(taints_have(json_at(the_node(), "spec", "taints", NULL), TAINT_DISRUPTED, "NoSchedule"));
	ck_assert_str_eq(meta_label(the_node(), LABEL_EXCLUDE_BALANCERS), "karpenter");
	ck_assert(logged("delete nodeclaims ws1\n") && meta_deleting(the_claim()));
	ck_assert(logged("create pods/eviction p\n"));
	ck_assert_str_eq(condition("Drained", "reason"), "Draining");
	ck_assert_str_eq(condition("Drained", "status"), "Unknown");

	expect(pass()); /* nothing new: nothing is written */
	ck_assert_str_eq(fake_log(), "");
	ck_assert_int_eq(requeue_ms, 1000);
	ck_assert_str_eq(fake_cloud_log(), "");

	fake_remove(&KUBE_PODS, "a", "p");
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"del\":1}"});
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 4000, .reason = "Deleting", .message = "the pool is being deleted"});
	expect(pass());
	ck_assert_str_eq(fake_cloud_log(), "terminate ws1 -\nterminate ws1 {\"del\":1}\n");
	ck_assert_str_eq(meta_annotation(the_claim(), ANNOTATION_OPERATION), "{\"del\":1}");
	ck_assert_str_eq(condition("Drained", "status"), "True");
	ck_assert_str_eq(condition("VolumesDetached", "status"), "True");
	ck_assert_str_eq(condition("InstanceTerminating", "reason"), "Deleting");
	ck_assert_str_eq(condition("Ready", "status"), "True");
	ck_assert_int_eq(requeue_ms, 4000);
	ck_assert_ptr_nonnull(the_node());
	ck_assert_double_eq(counted(NODES_DRAINED), 1);

	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .reason = "Deleting", .message = "the pool is being deleted"});
	expect(pass()); /* still: asked again, not written again */
	ck_assert_str_eq(fake_log(), "");
	ck_assert_int_eq(requeue_ms, INSTANCE_END_POLL_MS);

	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert(!fake_cloud_has("ws1"));
	ck_assert_int_eq(requeue_ms, 0);
	ck_assert_double_eq(counted(NODES_NODES_TERMINATED), 1);
	ck_assert_double_eq(counted(NODES_NODE_TERMINATION_SECONDS), 1);
	ck_assert_double_eq(counted(NODES_LIFETIME_SECONDS), 1);
	ck_assert_ptr_nonnull(the_claim()); /* its own finalizer is the life cycle's */
	expect(fixture_pass(n, &NODES_LIFECYCLE, "nodeclaim/ws1", NULL, &err));
	ck_assert_ptr_null(the_claim());
	finish();
}
END_TEST

START_TEST(an_empty_node_goes_in_one_pass)
{
	const struct dialect *d = _i ? &DIALECT_MACHINE : &DIALECT_NODE_CLAIM;
	start(d);
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert(!fake_cloud_has("ws1"));
	ck_assert_str_eq(fake_cloud_log(), "terminate ws1 -\n");
	ck_assert_uint_eq(fixture_writes(_i ? "patch machines/status" : "patch nodeclaims/status"), 1);
	finish();
}
END_TEST

/* Killed after every pass: each step is done again at most, and nothing is left. */
START_TEST(a_restart_at_any_step_goes_on)
{
	start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"del\":1}"});
	for (int i = 0; i < 3; i++)
		fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT});
	size_t evictions = 0, taints = 0;
	for (int i = 0; i < 12 && the_node(); i++) {
		expect(pass());
		evictions += fixture_writes("create pods/eviction");
		taints += fixture_writes("patch nodes ws1-0");
		if (i == 2)
			fake_remove(&KUBE_PODS, "a", "p");
		fixture_restart(n);
	}
	ck_assert_ptr_null(the_node());
	ck_assert_uint_eq(evictions, 1);
	ck_assert_uint_eq(taints, 2); /* the taint, and the finalizer */
	ck_assert(!fake_cloud_has("ws1"));
	finish();
}
END_TEST

START_TEST(others_nodes_are_left_alone)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	json_object_del(json_object_get(node, "metadata"), "deletionTimestamp");
	expect(pass());
	ck_assert_str_eq(fake_log(), "");
	ending_stamp(node, 0);
	json_object_set_new(json_object_get(node, "metadata"), "finalizers", json_pack("[s]", "other/finalizer"));
	expect(pass());
	ck_assert_str_eq(fake_log(), "");
	json_object_set_new(json_object_get(node, "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
	json_object_clear(json_at(node, "metadata", "labels", NULL));
	fake_remove(&KUBE_NODE_CLAIMS, NULL, "ws1"); /* another Karpenter's */
	expect(pass());
	ck_assert_str_eq(fake_log(), "");
	finish();
}
END_TEST

START_TEST(other_finalizers_stay)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	json_object_set_new(json_object_get(node, "metadata"), "finalizers", json_pack("[s,s]", "other/finalizer", FINALIZER_TERMINATION));
	expect(pass());
	const json_t *left = json_at(the_node(), "metadata", "finalizers", NULL);
	ck_assert_uint_eq(json_array_size(left), 1);
	ck_assert_str_eq(json_string_value(json_array_get(left, 0)), "other/finalizer");
	expect(pass());
	ck_assert_str_eq(fake_log(), "");
	finish();
}
END_TEST

/* --- machines that are gone ------------------------------------------------------------------------------------- */

static void unready(json_t *node, const char *status) { fake_set_condition(node, "Ready", status, "Kubelet", ""); }

START_TEST(a_vanished_machine_lets_its_node_go_at_once)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	unready(node, _i ? "Unknown" : "False");
	fake_cloud_remove("ws1");
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert_uint_eq(fixture_writes("create pods/eviction"), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	finish();
}
END_TEST

static const char *const BAD_IDS[] = {"", "azure://", "nonsense"};

START_TEST(a_bad_provider_id_never_holds_up_an_unready_node)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	unready(node, "False");
	json_object_set_new(json_object_get(node, "spec"), "providerID", json_string(BAD_IDS[_i]));
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_bad_provider_id_never_holds_up_a_ready_node)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	json_object_set_new(json_object_get(node, "spec"), "providerID", json_string(BAD_IDS[_i]));
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_ready_node_is_drained_whatever_the_cloud_says)
{
	start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	fake_cloud_remove("ws1");
	expect(pass());
	ck_assert_ptr_nonnull(the_node());
	ck_assert(logged("create pods/eviction p\n"));
	finish();
}
END_TEST

START_TEST(a_cloud_that_cannot_tell_means_the_long_way)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	ending_stamp(the_claim(), 0);
	unready(node, "False");
	fake_cloud_remove("ws1");
	fake_cloud_break(ERR_NETWORK);
	expect(pass());
	ck_assert(logged("create pods/eviction p\n"));
	fake_cloud_break(ERR_NONE);
	expect(pass()); /* is not asked again within ten seconds */
	ck_assert_ptr_nonnull(the_node());
	finish();
}
END_TEST

START_TEST(a_stopped_machine_is_not_gone)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	ending_keep(ending_pod("ws1-0", "p"));
	ending_stamp(the_claim(), 0);
	unready(node, "Unknown");
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_STOPPED, 1);
	expect(pass());
	ck_assert_ptr_nonnull(the_node());
	ck_assert(logged("create pods/eviction p\n"));
	finish();
}
END_TEST

/* --- machines that sleep ------------------------------------------------------------------------------------------ */

START_TEST(a_sleeping_machines_node_goes_without_its_claim)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	if (_i)
		unready(node, "Unknown");
	fake_cloud_put("ws1", "fake:///ws1", INSTANCE_STOPPED, 1);
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert(!meta_deleting(the_claim()));
	ck_assert(fake_cloud_has("ws1"));
	ck_assert_str_eq(fake_cloud_log(), "");
	finish();
}
END_TEST

static const struct { bool ready; int64_t deleted_s; bool kept; } INHERITED[] = {{false, -70, true}, {false, -50, false}, {true, -70, false}};

START_TEST(a_dead_node_deleted_before_this_process_goes_without_its_claim)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	n->started_ms = clock_now_ms() - 60000;
	ending_stamp(node, INHERITED[_i].deleted_s);
	if (!INHERITED[_i].ready)
		unready(node, "Unknown");
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert(meta_deleting(the_claim()) == !INHERITED[_i].kept);
	finish();
}
END_TEST

START_TEST(a_claim_is_not_given_up_while_the_cloud_cannot_tell)
{
	start(&DIALECT_NODE_CLAIM);
	fake_cloud_break(ERR_NETWORK);
	ck_assert_int_eq(pass(), -1);
	ck_assert(!meta_deleting(the_claim()));
	ck_assert_ptr_nonnull(the_node());
	fake_cloud_break(ERR_NONE);
	expect(pass());
	ck_assert(meta_deleting(the_claim()));
	finish();
}
END_TEST

/* --- claims that are missing, twice there, or half broken ------------------------------------------------------------ */

START_TEST(without_a_claim_a_node_is_drained_and_goes)
{
	start(&DIALECT_NODE_CLAIM);
	ending_pod("ws1-0", "p");
	fake_remove(&KUBE_NODE_CLAIMS, NULL, "ws1");
	expect(pass());
	ck_assert(logged("create pods/eviction p\n"));
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert_str_eq(fake_cloud_log(), ""); /* the machine is the garbage collection's */
	finish();
}
END_TEST

START_TEST(with_two_claims_a_node_goes_as_without)
{
	start(&DIALECT_NODE_CLAIM);
	ending_claim(&DIALECT_NODE_CLAIM, "ws2");
	json_object_set_new(json_object_get(fixture_get_claim(&DIALECT_NODE_CLAIM, "ws2"), "status"), "providerID", json_string("fake:///ws1"));
	expect(pass());
	ck_assert_ptr_null(the_node());
	ck_assert_uint_eq(fixture_writes("delete nodeclaims"), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	finish();
}
END_TEST

/* The claim's own finalizer ended the machine: it had not been registered when it was deleted. */
START_TEST(a_claim_that_goes_first_does_not_keep_its_node)
{
	start(&DIALECT_NODE_CLAIM);
	ending_stamp(the_claim(), 0);
	fake_set_condition(the_claim(), "InstanceTerminating", "True", "InstanceTerminating", "");
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 600000});
	expect(pass());
	ck_assert_int_eq(requeue_ms, INSTANCE_END_POLL_MS);
	fake_remove(&KUBE_NODE_CLAIMS, NULL, "ws1");
	fake_cloud_remove("ws1");
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_stale_claim_is_not_written_over)
{
	start(&DIALECT_NODE_CLAIM);
	ending_stamp(the_claim(), 0);
	fake_freeze(true);
	meta_set_annotation(the_claim(), "changed", "meanwhile");
	json_object_set_new(json_object_get(the_claim(), "metadata"), "resourceVersion", json_string("999999"));
	ck_assert_int_eq(pass(), -1);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	ck_assert_str_eq(fake_cloud_log(), "");
	fake_freeze(false);
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_stale_node_is_not_tainted_over)
{
	json_t *node = start(&DIALECT_NODE_CLAIM);
	fake_freeze(true);
	json_object_set_new(json_object_get(node, "spec"), "taints", json_pack("[{s:s,s:s}]", "key", "other", "effect", "NoSchedule"));
	json_object_set_new(json_object_get(node, "metadata"), "resourceVersion", json_string("999999"));
	ck_assert_int_eq(pass(), -1);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	fake_freeze(false);
	ending_keep(ending_pod("ws1-0", "p"));
	expect(pass());
	ck_assert(taints_have(json_at(the_node(), "spec", "taints", NULL), "other", "NoSchedule"));
	ck_assert_uint_eq(json_array_size(json_at(the_node(), "spec", "taints", NULL)), 2);
	finish();
}
END_TEST

START_TEST(a_cloud_that_fails_keeps_the_node)
{
	start(&DIALECT_NODE_CLAIM);
	fake_cloud_on_terminate(&(struct fake_step){.error = ERR_NETWORK, .message = "no route"});
	ck_assert_int_eq(pass(), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "no route"));
	ck_assert_ptr_nonnull(the_node());
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_claim_that_contradicts_itself_is_ended_too)
{
	start(&DIALECT_NODE_CLAIM);
	json_object_set_new(json_object_get(the_claim(), "spec"), "requirements", json_loads("[{\"key\":\"" LABEL_ZONE "\",\"operator\":\"In\",\"values\":[\"1\"]},"
			    "{\"key\":\"" LABEL_ZONE "\",\"operator\":\"In\",\"values\":[\"2\"]}]", 0, NULL));
	expect(pass());
	ck_assert_str_eq(fake_cloud_log(), "terminate ws1 -\n");
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(a_memo_that_is_no_longer_needed_is_removed)
{
	start(&DIALECT_NODE_CLAIM);
	meta_set_annotation(the_claim(), ANNOTATION_OPERATION, "{\"put\":1}");
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_PERSIST});
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT});
	expect(pass());
	ck_assert_ptr_null(meta_annotation(the_claim(), ANNOTATION_OPERATION));
	ck_assert_str_eq(fake_cloud_log(), "terminate ws1 {\"put\":1}\nterminate ws1 -\n");
	finish();
}
END_TEST

START_TEST(steps_without_end_give_way)
{
	start(&DIALECT_NODE_CLAIM);
	for (int i = 0; i < 20; i++)
		fake_cloud_on_terminate(&(struct fake_step){.step = STEP_PERSIST, .memo = i % 2 ? "a" : "b"});
	expect(pass());
	ck_assert_int_eq(requeue_ms, 1);
	ck_assert_ptr_nonnull(the_node());
	finish();
}
END_TEST

/* --- volumes ---------------------------------------------------------------------------------------------------------- */

static void attach(const char *name, const char *node, const char *volume)
{
	json_t *a = meta_new(&KUBE_VOLUME_ATTACHMENTS, NULL, name);
	json_object_set_new(a, "spec", json_pack("{s:s,s:{s:s}}", "nodeName", node, "source", "persistentVolumeName", volume));
	fake_put(&KUBE_VOLUME_ATTACHMENTS, a);
}

static void claim_volume(const char *name, const char *volume)
{
	json_t *c = meta_new(&KUBE_PVCS, "a", name);
	json_object_set_new(c, "spec", json_pack("{s:s}", "volumeName", volume));
	fake_put(&KUBE_PVCS, c);
}

START_TEST(volumes_are_waited_for)
{
	start(&DIALECT_NODE_CLAIM);
	attach("va1", "ws1-0", "pv1");
	attach("va2", "elsewhere", "pv2");
	expect(pass());
	ck_assert_int_eq(requeue_ms, 1000);
	ck_assert_str_eq(condition("VolumesDetached", "reason"), "AwaitingVolumeDetachment");
	ck_assert_str_eq(condition("VolumesDetached", "status"), "Unknown");
	ck_assert_str_eq(fake_cloud_log(), "");
	expect(pass());
	ck_assert_str_eq(fake_log(), "");
	fake_remove(&KUBE_VOLUME_ATTACHMENTS, NULL, "va1");
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

static json_t *staying_pod(const char *name, const char *volumes)
{
	json_t *pod = ending_pod("ws1-0", name);
	json_object_set_new(json_object_get(pod, "spec"), "tolerations", json_pack("[{s:s}]", "operator", "Exists"));
	json_object_set_new(json_object_get(pod, "spec"), "volumes", json_loads(volumes, 0, NULL));
	return pod;
}

START_TEST(volumes_of_pods_that_stay_are_not)
{
	start(&DIALECT_NODE_CLAIM);
	staying_pod("agent", "[{\"name\":\"d\",\"persistentVolumeClaim\":{\"claimName\":\"c1\"}},{\"name\":\"e\",\"ephemeral\":{}},{\"name\":\"m\",\"emptyDir\":{}}]");
	claim_volume("c1", "pv1");
	claim_volume("agent-e", "pv2");
	attach("va1", "ws1-0", "pv1");
	attach("va2", "ws1-0", "pv2");
	attach("va3", "ws1-0", "pv3");
	expect(pass());
	ck_assert_int_eq(requeue_ms, 1000); /* pv3 */
	fake_remove(&KUBE_VOLUME_ATTACHMENTS, NULL, "va3");
	expect(pass());
	ck_assert_ptr_null(the_node());
	finish();
}
END_TEST

START_TEST(volumes_are_not_waited_for_past_the_termination_time)
{
	start(&DIALECT_NODE_CLAIM);
	attach("va1", "ws1-0", "pv1");
	meta_set_annotation(the_claim(), ANNOTATION_TERMINATION_TIME, ending_time(60));
	expect(pass());
	ck_assert_int_eq(requeue_ms, 1000);
	meta_set_annotation(the_claim(), ANNOTATION_TERMINATION_TIME, ending_time(0));
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT});
	expect(pass());
	ck_assert_str_eq(condition("VolumesDetached", "status"), "False");
	ck_assert_str_eq(condition("VolumesDetached", "reason"), "TerminationGracePeriodElapsed");
	ck_assert_str_eq(fake_cloud_log(), "terminate ws1 -\n");
	finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nodes/termination");
	TCase *t = tcase_create("termination");
	tcase_add_test(t, a_node_goes_step_by_step);
	tcase_add_loop_test(t, an_empty_node_goes_in_one_pass, 0, 2);
	tcase_add_test(t, a_restart_at_any_step_goes_on);
	tcase_add_test(t, others_nodes_are_left_alone);
	tcase_add_test(t, other_finalizers_stay);
	tcase_add_loop_test(t, a_vanished_machine_lets_its_node_go_at_once, 0, 2);
	tcase_add_loop_test(t, a_bad_provider_id_never_holds_up_an_unready_node, 0, 3);
	tcase_add_loop_test(t, a_bad_provider_id_never_holds_up_a_ready_node, 0, 3);
	tcase_add_test(t, a_ready_node_is_drained_whatever_the_cloud_says);
	tcase_add_test(t, a_cloud_that_cannot_tell_means_the_long_way);
	tcase_add_test(t, a_stopped_machine_is_not_gone);
	tcase_add_loop_test(t, a_sleeping_machines_node_goes_without_its_claim, 0, 2);
	tcase_add_loop_test(t, a_dead_node_deleted_before_this_process_goes_without_its_claim, 0, 3);
	tcase_add_test(t, a_claim_is_not_given_up_while_the_cloud_cannot_tell);
	tcase_add_test(t, without_a_claim_a_node_is_drained_and_goes);
	tcase_add_test(t, with_two_claims_a_node_goes_as_without);
	tcase_add_test(t, a_claim_that_goes_first_does_not_keep_its_node);
	tcase_add_test(t, a_stale_claim_is_not_written_over);
	tcase_add_test(t, a_stale_node_is_not_tainted_over);
	tcase_add_test(t, a_cloud_that_fails_keeps_the_node);
	tcase_add_test(t, a_claim_that_contradicts_itself_is_ended_too);
	tcase_add_test(t, a_memo_that_is_no_longer_needed_is_removed);
	tcase_add_test(t, steps_without_end_give_way);
	tcase_add_test(t, volumes_are_waited_for);
	tcase_add_test(t, volumes_of_pods_that_stay_are_not);
	tcase_add_test(t, volumes_are_not_waited_for_past_the_termination_time);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
