/* The life of a claim: each condition's reason, the writes and their number, crashes at every step, both dialects. */
#include "check_main.h"
#include "fixture.h"

#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

static struct nodes *n;
static const struct dialect *d = &DIALECT_NODE_CLAIM;
static void setup(void) { d = &DIALECT_NODE_CLAIM; n = fixture_new(); }
static void teardown(void) { fixture_free(n); }

static int64_t pass_of(const struct dialect *dialect, const char *name)
{
	struct err err = ERR_INIT;
	int64_t requeue_ms = 0;
	CLEANUP(mem_freep) char *key = nodes_claim_key(dialect, name);
	ck_assert_msg(fixture_pass(n, &NODES_LIFECYCLE, key, &requeue_ms, &err) == 0, "%s", err.message);
	return requeue_ms;
}
static int64_t pass(void) { return pass_of(d, "a"); }

static struct err failing_pass(void)
{
	struct err err = ERR_INIT;
	ck_assert_int_lt(fixture_pass(n, &NODES_LIFECYCLE, d == &DIALECT_MACHINE ? "machine/a" : "nodeclaim/a", NULL, &err), 0);
	return err;
}

static json_t *claim(void) { return fixture_get_claim(d, "a"); }
static const char *cond(const char *type, const char *key) { return fixture_condition(claim(), type, key); }
static void expect(const char *type, const char *status, const char *reason)
{
	ck_assert_str_eq(cond(type, "status"), status);
	ck_assert_str_eq(cond(type, "reason"), reason);
}

static void quiet(void) /* a further pass writes nothing */
{
	fake_log_clear();
	pass();
	ck_assert_str_eq(fake_log(), "");
}

/* --- the whole way ------------------------------------------------------------------------------------------------- */

START_TEST(a_ready_node_makes_the_claim_ready_in_one_pass)
{
	setup();
	fixture_claim(d, "a", "{\"taints\":[{\"key\":\"sku\",\"value\":\"gpu\",\"effect\":\"NoSchedule\"}]}");
	meta_set_annotation(claim(), "karpenter.sh/do-not-disrupt", "true");
	fixture_node("aks-a-0", "a", true);
	pass();
	expect("Launched", "True", "Launched");
	expect("Registered", "True", "Registered");
	expect("Initialized", "True", "Initialized");
	expect("Ready", "True", "Ready");
	ck_assert_uint_eq(fixture_writes("patch nodeclaims"), 4); /* finalizer and memo, labels, status, memo away */
	ck_assert_uint_eq(fixture_writes("patch nodeclaims/status"), 1);
	ck_assert_uint_eq(fixture_writes("patch nodes "), 1);
	const json_t *node = fake_object(&KUBE_NODES, NULL, "aks-a-0");
	ck_assert(meta_has_finalizer(node, FINALIZER_TERMINATION));
	ck_assert_str_eq(meta_label(node, LABEL_REGISTERED), "true");
	ck_assert_str_eq(meta_label(node, LABEL_INITIALIZED), "true");
	ck_assert_str_eq(meta_label(node, LABEL_KAITO_WORKSPACE), "phi");
	ck_assert_str_eq(meta_annotation(node, "karpenter.sh/do-not-disrupt"), "true");
	ck_assert_ptr_null(meta_annotation(node, ANNOTATION_OPERATION));
	ck_assert(taints_have(json_at(node, "spec", "taints", NULL), "sku", "NoSchedule"));
	const json_t *owner = json_at(node, "metadata", "ownerReferences", "#0", NULL);
	ck_assert_str_eq(json_text_at(owner, "", "uid", NULL), meta_uid(claim()));
	ck_assert_str_eq(json_text_at(owner, "", "kind", NULL), "NodeClaim");
	ck_assert_str_eq(json_text_at(owner, "", "apiVersion", NULL), "karpenter.sh/v1");
	ck_assert(json_is_true(json_object_get(owner, "blockOwnerDeletion")));
	ck_assert_str_eq(json_text_at(claim(), "", "status", "nodeName", NULL), "aks-a-0");
	ck_assert_str_eq(json_text_at(claim(), "", "status", "providerID", NULL), "fake:///a");
	ck_assert_str_eq(json_text_at(claim(), "", "status", "capacity", "nvidia.com/gpu", NULL), "1");
	ck_assert_str_eq(meta_label(claim(), LABEL_ZONE), "westus3-1");
	ck_assert_str_eq(meta_label(claim(), LABEL_INSTANCE_TYPE), "Standard_NC24ads_A100_v4");
	ck_assert_ptr_null(meta_annotation(claim(), ANNOTATION_OPERATION));
	ck_assert_uint_eq(fixture_writes("event Normal Ready a: Status condition transitioned, Type: Ready, Status: Unknown -> True, Reason: Ready"), 1);
	ck_assert(metrics_value(n->op.metrics, NODES_READY_SECONDS, "instance_type=\"Standard_NC24ads_A100_v4\"") == 1);
	ck_assert(metrics_value(n->op.metrics, NODES_CREATED, "nodepool=\"kaito\",capacity_type=\"\"") == 1);
	quiet();
	teardown();
}
END_TEST

/* Count of the writes when everything comes one after the other: two memos, a node that comes late and is ready later still. */
START_TEST(six_writes_of_a_claim_and_two_of_its_node)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"pool\":\"a\"}"});
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"operation\":\"u\"}"});
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 700});
	ck_assert_int_eq(pass(), 700);
	ck_assert_str_eq(fake_cloud_log(), "launch a -\nlaunch a {\"pool\":\"a\"}\nlaunch a {\"operation\":\"u\"}\n");
	ck_assert_ptr_null(json_object_get(claim(), "status"));
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 700});
	quiet();
	fake_log_clear();
	size_t writes = 2;
	fixture_node("aks-a-0", "a", false);
	pass();
	expect("Launched", "True", "Launched");
	expect("Registered", "True", "Registered");
	expect("Initialized", "Unknown", "NodeNotReady");
	ck_assert_uint_eq(fixture_writes("patch nodes "), 1);
	writes += fixture_writes("patch nodeclaims");
	quiet();
	fake_set_condition(fake_object(&KUBE_NODES, NULL, "aks-a-0"), "Ready", "True", "KubeletReady", "");
	fake_log_clear();
	pass();
	expect("Ready", "True", "Ready");
	ck_assert_uint_eq(fixture_writes("patch nodes "), 1);
	writes += fixture_writes("patch nodeclaims");
	ck_assert_uint_eq(writes, 6);
	quiet();
	teardown();
}
END_TEST

START_TEST(a_machine_lives_the_same_life)
{
	setup();
	d = &DIALECT_MACHINE;
	fixture_claim(d, "a", NULL);
	fixture_node("aks-a-0", "a", true);
	pass();
	expect("MachineLaunched", "True", "MachineLaunched");
	expect("MachineInitialized", "True", "MachineInitialized");
	expect("Ready", "True", "Ready");
	ck_assert_str_eq(json_text_at(fake_object(&KUBE_NODES, NULL, "aks-a-0"), "", "metadata", "ownerReferences", "#0", "kind", NULL), "Machine");
	ck_assert_ptr_null(json_at(claim(), "status", "conditions", "#0", "observedGeneration", NULL));
	quiet();
	teardown();
}
END_TEST

START_TEST(claims_of_others_are_left_alone)
{
	setup();
	fixture_claim(d, "a", "{\"nodeClassRef\":{\"group\":\"karpenter.azure.com\",\"kind\":\"AKSNodeClass\",\"name\":\"default\"}}");
	json_object_del(json_at(claim(), "metadata", "labels", NULL), LABEL_KAITO_WORKSPACE);
	quiet();
	ck_assert_str_eq(fake_cloud_log(), "");
	ck_assert_int_eq(pass_of(d, "nobody"), 0);
	struct err err = ERR_INIT;
	ck_assert_int_eq(fixture_pass(n, &NODES_LIFECYCLE, "nodegroup/a", NULL, &err), 0);
	teardown();
}
END_TEST

/* --- launch -------------------------------------------------------------------------------------------------------- */

START_TEST(labels_of_a_launch_never_replace_the_claims_own)
{
	setup();
	fixture_claim(d, "a", "{\"requirements\":[{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"Standard_NC24ads_A100_v4\"]},"
			      "{\"key\":\"example.com/tier\",\"operator\":\"In\",\"values\":[\"asked\"]}]}");
	meta_set_label(claim(), "mine", "own");
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_DONE, .provider_id = "fake:///a", .image_id = "AKSUbuntu-2204",
						 .labels = "{\"mine\":\"theirs\",\"example.com/tier\":\"given\",\"topology.kubernetes.io/zone\":\"westus3-3\",\"karpenter.sh/capacity-type\":\"spot\"}",
						 .annotations = "{\"why\":\"fallback\"}", .capacity = "{\"cpu\":\"24\"}"});
	pass();
	ck_assert_str_eq(meta_label(claim(), "mine"), "own");
	ck_assert_str_eq(meta_label(claim(), "example.com/tier"), "asked");
	ck_assert_str_eq(meta_label(claim(), LABEL_ZONE), "westus3-3");
	ck_assert_str_eq(meta_label(claim(), LABEL_CAPACITY_TYPE), "spot");
	ck_assert_str_eq(meta_annotation(claim(), "why"), "fallback");
	ck_assert_str_eq(json_text_at(claim(), "", "status", "imageID", NULL), "AKSUbuntu-2204");
	ck_assert_str_eq(json_text_at(claim(), "", "status", "capacity", "cpu", NULL), "24");
	expect("Registered", "Unknown", "NodeNotFound");
	ck_assert_str_eq(cond("Registered", "message"), "Node not registered with cluster");
	expect("Initialized", "Unknown", "AwaitingReconciliation");
	ck_assert(meta_has_finalizer(claim(), FINALIZER_TERMINATION));
	teardown();
}
END_TEST

START_TEST(a_refusal_says_why_and_is_not_tried_again_before_its_time)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_FAILED, .retry_ms = 30000, .reason = "SKUNotAvailable", .message = "SkuNotAvailable: not in westus3", .event = "SKUNotAvailable"});
	ck_assert_int_eq(pass(), 30000);
	expect("Launched", "Unknown", "SKUNotAvailable");
	ck_assert_str_eq(cond("Launched", "message"), "SkuNotAvailable: not in westus3");
	expect("Ready", "Unknown", "ReconcilingDependents");
	ck_assert_uint_eq(fixture_writes("event Warning SKUNotAvailable a: SkuNotAvailable: not in westus3"), 1);
	ck_assert(meta_has_finalizer(claim(), FINALIZER_TERMINATION));
	fake_cloud_log_clear();
	quiet();
	int64_t left = pass();
	ck_assert_int_gt(left, 20000);
	ck_assert_int_le(left, 30000);
	ck_assert_str_eq(fake_cloud_log(), "");
	meta_set_annotation(claim(), ANNOTATION_IMAGE_FAMILY, "azurelinux");
	pass();
	ck_assert_str_eq(fake_cloud_log(), "launch a -\nlaunch a {\"put\":1}\n");
	expect("Launched", "True", "Launched");
	teardown();
}
END_TEST

START_TEST(a_terminal_refusal_waits_for_a_change_or_a_restart)
{
	setup();
	fixture_claim(d, "a", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"}}");
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_FAILED, .reason = "InvalidParameter", .message = "InvalidParameter: no"});
	ck_assert_int_eq(pass(), 0);
	expect("Launched", "Unknown", "InvalidParameter");
	fake_cloud_log_clear();
	quiet();
	ck_assert_int_eq(pass(), 0);
	ck_assert_str_eq(fake_cloud_log(), "");
	fake_put(&KUBE_NODE_CLASSES, json_pack("{s:{s:s},s:{s:i}}", "metadata", "name", "default", "spec", "maxPods", 30));
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_FAILED, .reason = "InvalidParameter", .message = "InvalidParameter: no"});
	pass();
	ck_assert_str_eq(fake_cloud_log(), "launch a -\n");
	fixture_restart(n);
	pass();
	expect("Launched", "True", "Launched");
	teardown();
}
END_TEST

START_TEST(a_claim_that_contradicts_itself_is_invalid_and_asks_no_cloud)
{
	setup();
	fixture_claim(d, "a", "{\"requirements\":[{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"x\"]},"
			      "{\"key\":\"node.kubernetes.io/instance-type\",\"operator\":\"In\",\"values\":[\"y\"]}]}");
	ck_assert_int_eq(pass(), 0);
	expect("Launched", "Unknown", "InvalidClaim");
	ck_assert_ptr_nonnull(strstr(cond("Launched", "message"), "node.kubernetes.io/instance-type"));
	ck_assert_str_eq(fake_cloud_log(), "");
	quiet();
	teardown();
}
END_TEST

START_TEST(a_cloud_that_is_away_backs_off)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.error = ERR_NETWORK, .message = "no route to host"});
	struct err err = failing_pass();
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	expect("Launched", "Unknown", "LaunchFailed");
	ck_assert_str_eq(cond("Launched", "message"), "no route to host");
	fake_cloud_log_clear();
	quiet();
	ck_assert_str_eq(fake_cloud_log(), "");
	fixture_restart(n);
	pass();
	expect("Launched", "True", "Launched");
	teardown();
}
END_TEST

START_TEST(no_capacity_is_tried_again_or_ends_the_claim)
{
	setup();
	const struct fake_step none = {.step = STEP_FAILED, .insufficient = true, .retry_ms = 5000, .reason = "AllocationFailure", .message = "AllocationFailed: none left"};
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&none);
	ck_assert_int_eq(pass(), 5000);
	expect("Launched", "Unknown", "AllocationFailure");
	ck_assert_uint_eq(fixture_writes("event Warning InsufficientCapacityError a: NodeClaim a event: AllocationFailed: none left"), 1);
	ck_assert(!meta_deleting(claim()));
	n->options.delete_on_insufficient = true;
	fixture_restart(n);
	fake_cloud_on_launch(&none);
	pass();
	ck_assert(meta_deleting(claim()));
	ck_assert(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"insufficient_capacity\",nodepool=\"kaito\",capacity_type=\"\"") == 1);
	pass();
	ck_assert_ptr_null(claim());
	teardown();
}
END_TEST

START_TEST(what_is_awaited_is_told)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 900, .reason = "Throttled", .message = "TooManyRequests: until 10:00", .event = "Throttled"});
	ck_assert_int_eq(pass(), 900);
	expect("Launched", "Unknown", "Throttled");
	ck_assert(meta_has_finalizer(claim(), FINALIZER_TERMINATION));
	teardown();
}
END_TEST

START_TEST(steps_in_a_row_are_bounded)
{
	setup();
	fixture_claim(d, "a", NULL);
	static char memos[20][16];
	for (size_t i = 0; i < 20; i++) {
		snprintf(memos[i], sizeof memos[i], "{\"i\":%zu}", i);
		fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = memos[i]});
	}
	ck_assert_int_eq(pass(), 1);
	ck_assert_uint_eq(fixture_writes("patch nodeclaims a"), 8);
	teardown();
}
END_TEST

/* --- crashes and conflicts ----------------------------------------------------------------------------------------- */

START_TEST(a_restart_goes_on_from_the_memo)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"operation\":\"u\"}"});
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT});
	pass();
	fixture_restart(n);
	fake_cloud_log_clear();
	pass();
	ck_assert_str_eq(fake_cloud_log(), "launch a {\"operation\":\"u\"}\n");
	expect("Launched", "True", "Launched");
	teardown();
}
END_TEST

START_TEST(a_crash_between_the_last_two_writes_loses_no_label)
{
	setup();
	const struct fake_step done = {.step = STEP_DONE, .provider_id = "fake:///a", .labels = "{\"from\":\"cloud\"}"};
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"operation\":\"u\"}"});
	fake_cloud_on_launch(&done);
	pass();
	/* The status was stored, the metadata were not. */
	meta_set_annotation(claim(), ANNOTATION_OPERATION, "{\"operation\":\"u\"}");
	json_object_del(json_at(claim(), "metadata", "labels", NULL), "from");
	fixture_restart(n);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 300});
	ck_assert_int_eq(pass(), 300);
	expect("Launched", "True", "Launched");
	fake_cloud_on_launch(&done);
	pass();
	ck_assert_str_eq(meta_label(claim(), "from"), "cloud");
	ck_assert_ptr_null(meta_annotation(claim(), ANNOTATION_OPERATION));
	quiet();
	teardown();
}
END_TEST

/* Passes until there is nothing to do, dying at the nth write; false: it never came to the nth. */
static bool live_on(int nth, bool after)
{
	bool died = false;
	struct err err = ERR_INIT;
	fake_crash(nth, after);
	for (int i = 0; i < 6 && claim(); i++)
		if (fixture_pass(n, &NODES_LIFECYCLE, "nodeclaim/a", NULL, &err) < 0) {
			died = true;
			fixture_restart(n);
		}
	fake_crash(0, false);
	return died;
}

static size_t puts_sent(void)
{
	size_t n_puts = 0;
	for (const char *at = fake_cloud_log(); (at = strstr(at, "put a\n")); at++)
		n_puts++;
	return n_puts;
}

START_TEST(a_death_at_any_write_ends_in_the_same_state)
{
	enum { WRITES = 6 }; /* two memos, the Node, the labels, the status, the end of the memo */
	for (int at = 0; at < 2 * WRITES + 2; at++) {
		int nth = at / 2 + 1;
		setup();
		fake_cloud_in_steps(true);
		fixture_claim(d, "a", NULL);
		fixture_node("n", "a", true);
		ck_assert_int_eq(live_on(nth, at % 2), nth <= WRITES);
		expect("Ready", "True", "Ready");
		ck_assert_str_eq(meta_label(claim(), "from"), "cloud");
		ck_assert_ptr_null(meta_annotation(claim(), ANNOTATION_OPERATION));
		ck_assert_str_eq(meta_label(fake_object(&KUBE_NODES, NULL, "n"), LABEL_INITIALIZED), "true");
		ck_assert_uint_eq(fake_cloud_size(), 1);
		ck_assert_uint_eq(puts_sent(), nth == 2 && at % 2 == 0 ? 2 : 1); /* only a memo that was never stored lets the cloud see a second one */
		quiet();
		teardown();
	}
}
END_TEST

START_TEST(a_death_at_any_write_of_the_way_out_leaves_nothing)
{
	enum { WRITES = 4 }; /* the time of the end, the Node's deletion, a memo, the finalizer */
	for (int at = 0; at < 2 * WRITES + 2; at++) {
		int nth = at / 2 + 1;
		setup();
		fake_cloud_in_steps(true);
		fixture_claim(d, "a", "{\"terminationGracePeriod\":\"1h\"}");
		fixture_node("n", "a", true);
		live_on(0, false);
		json_object_set_new(json_object_get(fake_object(&KUBE_NODES, NULL, "n"), "metadata"), "finalizers", json_array());
		json_object_set_new(json_object_get(claim(), "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
		ck_assert_int_eq(live_on(nth, at % 2), nth <= WRITES);
		ck_assert_ptr_null(claim());
		ck_assert_uint_eq(fake_cloud_size(), 0);
		teardown();
	}
}
END_TEST

START_TEST(a_claim_deleted_at_any_step_leaves_nothing)
{
	static const char *const MEMOS[] = {NULL, "{\"put\":1}", "{\"operation\":1}"};
	for (size_t i = 0; i < sizeof MEMOS / sizeof MEMOS[0]; i++) {
		setup();
		fake_cloud_in_steps(true);
		fixture_claim(d, "a", NULL);
		json_object_set_new(json_object_get(claim(), "metadata"), "finalizers", json_pack("[s]", FINALIZER_TERMINATION));
		if (MEMOS[i])
			meta_set_annotation(claim(), ANNOTATION_OPERATION, MEMOS[i]);
		if (i == 2)
			fake_cloud_put("a", "fake:///a", INSTANCE_CREATING, 0);
		json_object_set_new(json_object_get(claim(), "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
		live_on(0, false);
		ck_assert_ptr_null(claim());
		ck_assert_uint_eq(fake_cloud_size(), 0);
		ck_assert_uint_eq(puts_sent(), 0);
		teardown();
	}
}
END_TEST

START_TEST(a_stale_copy_stores_nothing_and_starts_nothing)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_freeze(true);
	json_t *copy = json_deep_copy(claim());
	meta_set_label(copy, "newer", "yes");
	fake_put(d->claims, copy);
	ck_assert_int_eq(pass(), 50);
	ck_assert(!meta_has_finalizer(claim(), FINALIZER_TERMINATION));
	ck_assert_str_eq(fake_cloud_log(), "launch a -\n");
	fake_freeze(false);
	pass();
	expect("Launched", "True", "Launched");
	ck_assert_str_eq(meta_label(claim(), "newer"), "yes");
	teardown();
}
END_TEST

START_TEST(a_node_that_changed_meanwhile_is_registered_in_the_next_pass)
{
	setup();
	fixture_claim(d, "a", NULL);
	fixture_node("n", "a", true);
	fake_freeze(true);
	json_t *copy = json_deep_copy(fake_object(&KUBE_NODES, NULL, "n"));
	meta_set_label(copy, "newer", "yes");
	fake_put(&KUBE_NODES, copy);
	ck_assert_int_eq(pass(), 50);
	expect("Launched", "True", "Launched");
	expect("Registered", "Unknown", "AwaitingReconciliation");
	fake_freeze(false);
	pass();
	expect("Ready", "True", "Ready");
	teardown();
}
END_TEST

/* --- registration -------------------------------------------------------------------------------------------------- */

START_TEST(two_nodes_of_one_machine_are_refused_until_one_is_gone)
{
	setup();
	fixture_claim(d, "a", NULL);
	fixture_node("n1", "a", true);
	fixture_node("n2", "a", true);
	pass();
	expect("Registered", "False", "MultipleNodesFound");
	expect("Ready", "False", "UnhealthyDependents");
	ck_assert_uint_eq(fixture_writes("patch nodes "), 0);
	fake_remove(&KUBE_NODES, NULL, "n1");
	pass();
	expect("Ready", "True", "Ready");
	teardown();
}
END_TEST

START_TEST(a_node_may_keep_its_own_taints)
{
	setup();
	fixture_claim(d, "a", "{\"taints\":[{\"key\":\"sku\",\"value\":\"gpu\",\"effect\":\"NoSchedule\"}],\"startupTaints\":[{\"key\":\"boot\",\"effect\":\"NoSchedule\"}]}");
	json_t *node = fixture_node("n", "a", true);
	meta_set_label(node, LABEL_DO_NOT_SYNC_TAINTS, "true");
	json_object_set_new(json_object_get(node, "spec"), "taints", json_pack("[{s:s,s:s},{s:s,s:s}]", "key", TAINT_UNREGISTERED, "effect", "NoExecute", "key", "own", "effect", "NoSchedule"));
	pass();
	const json_t *taints = json_at(fake_object(&KUBE_NODES, NULL, "n"), "spec", "taints", NULL);
	ck_assert_uint_eq(json_array_size(taints), 1);
	ck_assert(taints_have(taints, "own", "NoSchedule"));
	expect("Ready", "True", "Ready");
	teardown();
}
END_TEST

START_TEST(a_claim_of_our_class_makes_a_node_of_ours)
{
	setup();
	fixture_claim(d, "a", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"}}");
	json_object_del(json_at(claim(), "metadata", "labels", NULL), LABEL_KAITO_WORKSPACE);
	fixture_node("n", "a", true);
	pass();
	ck_assert_str_eq(meta_label(fake_object(&KUBE_NODES, NULL, "n"), LABEL_NODE_CLASS), "default");
	ck_assert(claim_managed_node(fake_object(&KUBE_NODES, NULL, "n")));
	teardown();
}
END_TEST

START_TEST(a_node_that_is_being_deleted_is_no_node)
{
	setup();
	fixture_claim(d, "a", NULL);
	json_object_set_new(json_object_get(fixture_node("n", "a", true), "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
	pass();
	expect("Registered", "Unknown", "NodeNotFound");
	teardown();
}
END_TEST

/* --- initialization ------------------------------------------------------------------------------------------------ */

START_TEST(each_reason_of_an_uninitialized_node)
{
	static const struct { const char *spec, *taint, *reason, *message; } ROWS[] = {
		{"{\"startupTaints\":[{\"key\":\"boot\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}", NULL, "StartupTaintsExist", "StartupTaint \"boot=v:NoSchedule\" still exists"},
		{"{}", "node.kubernetes.io/not-ready NoSchedule", "KnownEphemeralTaintsExist", "KnownEphemeralTaint \"node.kubernetes.io/not-ready:NoSchedule\" still exists"},
		{"{}", "node.kubernetes.io/unreachable NoSchedule", "KnownEphemeralTaintsExist", "KnownEphemeralTaint \"node.kubernetes.io/unreachable:NoSchedule\" still exists"},
		{"{\"resources\":{\"requests\":{\"storage\":\"1Ti\",\"amd.com/gpu\":\"1\"}}}", NULL, "ResourceNotRegistered", "Resource \"amd.com/gpu\" was requested but not registered"},
		{"{\"resources\":{\"requests\":{\"storage\":\"1Ti\",\"amd.com/gpu\":\"0\",\"nvidia.com/gpu\":1}}}", NULL, "Initialized", ""},
		{"{}", "node.cloudprovider.kubernetes.io/uninitialized NoSchedule", "Initialized", ""}, /* without the value true */
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		setup();
		fixture_claim(d, "a", ROWS[i].spec);
		json_t *node = fixture_node("n", "a", true);
		if (ROWS[i].taint) {
			const char *space = strchr(ROWS[i].taint, ' ');
			json_object_set_new(json_object_get(node, "spec"), "taints", json_pack("[{s:s%,s:s}]", "key", ROWS[i].taint, (size_t)(space - ROWS[i].taint), "effect", space + 1));
		}
		pass();
		ck_assert_str_eq(cond("Initialized", "reason"), ROWS[i].reason);
		ck_assert_str_eq(cond("Initialized", "message"), ROWS[i].message);
		quiet();
		teardown();
	}
}
END_TEST

START_TEST(a_node_that_vanishes_before_it_is_initialized_is_not_found)
{
	setup();
	fixture_claim(d, "a", NULL);
	fixture_node("n", "a", false);
	pass();
	expect("Initialized", "Unknown", "NodeNotReady");
	ck_assert_str_eq(cond("Initialized", "message"), "Node status is NotReady");
	fake_remove(&KUBE_NODES, NULL, "n");
	pass();
	expect("Initialized", "Unknown", "NodeNotFound");
	teardown();
}
END_TEST

/* --- liveness ------------------------------------------------------------------------------------------------------ */

START_TEST(a_claim_without_a_machine_or_a_node_by_its_time_is_deleted)
{
	setup();
	enum { HOUR = 3600000 };
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT});
	n->options.launch_timeout_ms = (int64_t)200000 * HOUR;
	ck_assert_int_gt(pass(), HOUR);
	n->options.launch_timeout_ms = HOUR;
	n->options.registration_timeout_ms = HOUR;
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT});
	pass();
	ck_assert_ptr_null(claim()); /* nothing was made for it: it has no finalizer yet */
	ck_assert_uint_eq(fixture_writes("event Warning LaunchTimeout a"), 1);
	fixture_claim(d, "a", NULL);
	pass();
	expect("Launched", "True", "Launched");
	ck_assert(meta_deleting(claim()));
	ck_assert(metrics_value(n->op.metrics, NODES_DISRUPTED, "reason=\"registration_timeout\",nodepool=\"kaito\",capacity_type=\"\"") == 1);
	teardown();
}
END_TEST

START_TEST(a_ready_claim_has_all_the_time)
{
	setup();
	n->options.launch_timeout_ms = n->options.registration_timeout_ms = 1000;
	fixture_claim(d, "a", NULL);
	fixture_node("n", "a", true);
	ck_assert_int_eq(pass(), 0);
	expect("Ready", "True", "Ready");
	ck_assert(!meta_deleting(claim()));
	teardown();
}
END_TEST

/* --- the way out --------------------------------------------------------------------------------------------------- */

static void delete_claim(void)
{
	json_object_set_new(json_object_get(claim(), "metadata"), "deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
}

START_TEST(a_claim_nobody_took_up_goes_by_itself)
{
	setup();
	fixture_claim(d, "a", NULL);
	delete_claim();
	quiet();
	ck_assert_str_eq(fake_cloud_log(), "");
	teardown();
}
END_TEST

START_TEST(nodes_go_first_then_the_machine_then_the_finalizer)
{
	setup();
	fixture_claim(d, "a", "{\"terminationGracePeriod\":\"1h30m\"}");
	fixture_node("n", "a", true);
	pass();
	delete_claim();
	fake_log_clear();
	fake_cloud_log_clear();
	ck_assert_int_eq(pass(), 0);
	ck_assert_str_eq(meta_annotation(claim(), ANNOTATION_TERMINATION_TIME), "2026-01-01T01:30:00Z");
	ck_assert_uint_eq(fixture_writes("event Warning TerminationGracePeriodExpiring a: All pods will be deleted by 2026-01-01T01:30:00Z"), 1);
	ck_assert_uint_eq(fixture_writes("delete nodes n"), 1);
	ck_assert_str_eq(fake_cloud_log(), "");
	quiet();
	fake_remove(&KUBE_NODES, NULL, "n");
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 2500});
	ck_assert_int_eq(pass(), 2500);
	expect("InstanceTerminating", "True", "InstanceTerminating");
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 2500});
	quiet();
	pass();
	ck_assert_ptr_null(claim());
	ck_assert_uint_eq(fake_cloud_size(), 0);
	ck_assert(metrics_value(n->op.metrics, NODES_TERMINATED, "nodepool=\"kaito\",capacity_type=\"\"") == 1);
	ck_assert(metrics_value(n->op.metrics, NODES_INSTANCE_SECONDS, "nodepool=\"kaito\",capacity_type=\"\"") == 1);
	teardown();
}
END_TEST

START_TEST(a_node_that_was_registered_before_its_claim_could_say_so_goes_first_too)
{
	setup();
	fixture_claim(d, "a", NULL);
	fixture_node("n", "a", true);
	pass();
	json_object_del(claim(), "status");
	delete_claim();
	fake_cloud_log_clear();
	fake_log_clear();
	pass();
	ck_assert_uint_eq(fixture_writes("delete nodes n"), 1);
	ck_assert_str_eq(fake_cloud_log(), "");
	fake_remove(&KUBE_NODES, NULL, "n");
	pass();
	ck_assert_ptr_null(claim());
	teardown();
}
END_TEST

START_TEST(a_half_made_machine_is_ended_by_its_memo)
{
	setup();
	fixture_claim(d, "a", NULL);
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"operation\":\"u\"}"});
	fake_cloud_on_launch(&(struct fake_step){.step = STEP_WAIT});
	pass();
	delete_claim();
	fake_cloud_log_clear();
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_PERSIST, .memo = "{\"delete\":\"v\"}"});
	fake_cloud_on_terminate(&(struct fake_step){.step = STEP_WAIT, .retry_ms = 100, .reason = "Creating", .message = "waits for the creation to end"});
	pass();
	ck_assert_str_eq(fake_cloud_log(), "terminate a {\"operation\":\"u\"}\nterminate a {\"delete\":\"v\"}\n");
	ck_assert_str_eq(cond("InstanceTerminating", "message"), "waits for the creation to end");
	fixture_restart(n);
	pass();
	ck_assert_ptr_null(claim());
	teardown();
}
END_TEST

START_TEST(a_cloud_that_is_away_keeps_the_finalizer)
{
	setup();
	fixture_claim(d, "a", NULL);
	pass();
	delete_claim();
	fake_cloud_on_terminate(&(struct fake_step){.error = ERR_NETWORK});
	failing_pass();
	ck_assert(meta_has_finalizer(claim(), FINALIZER_TERMINATION));
	pass();
	ck_assert_ptr_null(claim());
	teardown();
}
END_TEST

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static void collect(void *list, const char *key) { buf_printf(list, "%s ", key); }

START_TEST(events_lead_to_the_claims_they_concern)
{
	setup();
	CLEANUP(buf_done) struct buf keys = {0};
	fixture_claim(d, "a", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"}}");
	fixture_claim(d, "b", "{\"nodeClassRef\":{\"group\":\"kaito.sh\",\"kind\":\"KaitoNodeClass\",\"name\":\"default\"}}");
	fake_set_condition(fixture_get_claim(d, "b"), "Launched", "True", "Launched", "");
	NODES_LIFECYCLE.keys(n, NODES_CLAIMS, claim(), collect, &keys);
	NODES_LIFECYCLE.keys(n, NODES_NODES, fixture_node("n", "b", true), collect, &keys);
	CLEANUP(json_decrefp) json_t *class = json_pack("{s:{s:s}}", "metadata", "name", "default"), *stranger = json_pack("{s:{s:s}}", "metadata", "name", "s");
	NODES_LIFECYCLE.keys(n, NODES_CLASSES, class, collect, &keys);
	NODES_LIFECYCLE.keys(n, NODES_NODES, stranger, collect, &keys);
	NODES_LIFECYCLE.keys(n, NODES_MACHINES, stranger, collect, &keys);
	ck_assert_str_eq(keys.data, "nodeclaim/a nodeclaim/b nodeclaim/a ");
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("lifecycle", 60, a_ready_node_makes_the_claim_ready_in_one_pass, six_writes_of_a_claim_and_two_of_its_node, a_machine_lives_the_same_life,
		  claims_of_others_are_left_alone, labels_of_a_launch_never_replace_the_claims_own, a_refusal_says_why_and_is_not_tried_again_before_its_time,
		  a_terminal_refusal_waits_for_a_change_or_a_restart, a_claim_that_contradicts_itself_is_invalid_and_asks_no_cloud, a_cloud_that_is_away_backs_off,
		  no_capacity_is_tried_again_or_ends_the_claim, what_is_awaited_is_told, steps_in_a_row_are_bounded, a_restart_goes_on_from_the_memo,
		  a_crash_between_the_last_two_writes_loses_no_label, a_death_at_any_write_ends_in_the_same_state,
		  a_death_at_any_write_of_the_way_out_leaves_nothing, a_claim_deleted_at_any_step_leaves_nothing, a_stale_copy_stores_nothing_and_starts_nothing,
		  a_node_that_changed_meanwhile_is_registered_in_the_next_pass, two_nodes_of_one_machine_are_refused_until_one_is_gone, a_node_may_keep_its_own_taints, a_claim_of_our_class_makes_a_node_of_ours,
		  a_node_that_is_being_deleted_is_no_node, each_reason_of_an_uninitialized_node, a_node_that_vanishes_before_it_is_initialized_is_not_found,
		  a_claim_without_a_machine_or_a_node_by_its_time_is_deleted, a_ready_claim_has_all_the_time, a_claim_nobody_took_up_goes_by_itself,
		  nodes_go_first_then_the_machine_then_the_finalizer, a_half_made_machine_is_ended_by_its_memo,
		  a_node_that_was_registered_before_its_claim_could_say_so_goes_first_too, a_cloud_that_is_away_keeps_the_finalizer,
		  events_lead_to_the_claims_they_concern);
}
