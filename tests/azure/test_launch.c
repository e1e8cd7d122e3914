/* Creating: one PUT, one pool, whatever is lost in between; refusals lead to the next offering or to a reason that says what to do. */
#include "check_main.h"

#include "base/clock.h"
#include "fulfilment_test.h"
#include "kube/meta.h"
#include "../provision/fake_kube.h"

static struct scene s;

static void open_with(const char *types)
{
	scene_open(&s);
	scene_claim(&s, types);
}

static void check_wait(const char *phase)
{
	ck_assert_int_eq(s.launched.step, STEP_WAIT);
	ck_assert_str_eq(scene_phase(&s), phase);
}

static void check_done(void)
{
	ck_assert_msg(s.launched.step == STEP_DONE, "%s %s: %s; %s", scene_phase(&s), s.launched.reason, s.launched.message, s.err.message);
	ck_assert_uint_eq(fake_arm_created(), 1);
	ck_assert_uint_eq(fake_arm_pools(), 1);
}

START_TEST(a_claim_becomes_a_node_with_one_put)
{
	open_with(SKU_A);
	scene_launch(&s);
	check_wait("running");
	ck_assert_str_eq(fake_arm_last("PUT", "If-None-Match"), "*");
	ck_assert_uint_eq(fake_arm_count("PUT", "/agentPools/ws1"), 1);
	size_t lists = fake_arm_count("GET", "/agentPools");
	scene_node(&s, "n1", POOL);
	scene_launch(&s);
	check_done();
	ck_assert_str_eq(s.launched.provider_id,
			 "azure:///subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/0");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), SKU_A);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_ZONE, NULL), "eastus-2");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_REGION, NULL), "eastus");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_CAPACITY_TYPE, NULL), "on-demand");
	ck_assert_str_eq(json_text_at(s.launched.labels, "", "kaito.sh/workspace", NULL), "w");
	ck_assert_str_eq(json_text_at(s.launched.capacity, "", "nvidia.com/gpu", NULL), "1");
	ck_assert_uint_le(lists, 30);
	clock_sleep_ms(150); /* settled: no request any more */
	size_t after = fake_arm_count("GET", "");
	clock_sleep_ms(150);
	ck_assert_uint_eq(fake_arm_count("GET", ""), after);
	scene_close(&s);
}
END_TEST

/* The process dies before or after each stored memo, and another goes on. */
START_TEST(a_crash_at_any_step_leaves_one_pool)
{
	for (int at = 0; at < 4; at++) {
		for (int forgets = 0; forgets < 2; forgets++) {
			open_with(SKU_A);
			for (int i = 0; i < at; i++)
				do
					ck_assert_int_eq(scene_launch_step(&s), 0);
				while (s.launched.step == STEP_WAIT && scene_memo(&s)[0] == 0); /* the first list takes a moment */
			scene_restart(&s, forgets);
			scene_launch(&s);
			check_wait("running");
			scene_node(&s, "n1", POOL);
			scene_launch(&s);
			check_done();
			scene_close(&s);
		}
	}
}
END_TEST

START_TEST(a_lost_answer_is_looked_for_and_not_sent_twice)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_DROP_AFTER, 0, NULL, NULL);
	scene_launch(&s); /* ends with the lost answer */
	ck_assert_str_eq(scene_phase(&s), "intent");
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", POOL), 1);
	scene_node(&s, "n1", POOL);
	scene_launch(&s);
	check_done();
	scene_close(&s);
}
END_TEST

START_TEST(a_put_that_never_arrived_is_sent_again)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_DROP, 0, NULL, NULL);
	scene_launch(&s);
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", POOL), 2);
	ck_assert_uint_eq(fake_arm_created(), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_memo_that_was_not_stored_leads_to_the_same_pool)
{
	open_with(SKU_A);
	while (strcmp(scene_phase(&s), "running") != 0)
		ck_assert_int_eq(scene_launch_step(&s), 0);
	meta_set_annotation(s.claim, ANNOTATION_OPERATION, s.older_memo); /* the API server refused the write; the process lives */
	ck_assert_str_eq(scene_phase(&s), "intent");
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", POOL), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_pool_of_somebody_else_is_not_touched)
{
	for (int known = 0; known < 2; known++) {
		open_with(SKU_A);
		if (known)
			fake_arm_put(POOL, "Succeeded", json_object(), NULL);
		else { /* it appears between the list and the PUT */
			while (scene_phase(&s)[0] == 0)
				ck_assert_int_eq(scene_launch_step(&s), 0);
			fake_arm_put(POOL, "Succeeded", json_object(), NULL);
		}
		for (int i = 0; i < 100 && s.launched.step != STEP_FAILED; i++) {
			scene_launch_step(&s);
			clock_sleep_ms(5);
		}
		ck_assert_int_eq(s.launched.step, STEP_FAILED);
		ck_assert_str_eq(s.launched.reason, "AgentPoolNameConflict");
		ck_assert_int_eq(s.launched.retry_ms, 0);
		ck_assert_str_eq(s.launched.event, "AgentPoolNameConflict");
		scene_terminate(&s);
		ck_assert_int_eq(s.terminated.step, STEP_DONE);
		ck_assert_uint_eq(fake_arm_created() + fake_arm_count("DELETE", ""), 0);
		ck_assert_uint_eq(fake_arm_pools(), 1);
		scene_close(&s);
	}
}
END_TEST

static void put_original(const char *state)
{
	char created[32];
	snprintf(created, sizeof created, "%s", json_text_at(s.claim, "", "metadata", "creationTimestamp", NULL));
	created[13] = created[16] = '-';
	fake_arm_put(POOL, state, json_pack("{s:s,s:s,s:s,s:s}", "kaito.sh/workspace", "w", "karpenter.sh/nodepool", "kaito", LABEL_CREATION_TIMESTAMP, created, "x", "y"), NULL);
}

START_TEST(a_pool_of_the_original_is_taken_over_without_a_put)
{
	open_with(SKU_A);
	put_original("Succeeded");
	scene_node(&s, "n1", POOL);
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_DONE);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", "x", NULL), "y");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_refused_instance_type_gives_way_to_the_next)
{
	open_with(SKU_A " " SKU_B);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 400, "SkuNotAvailable", "no " SKU_A " here");
	scene_launch(&s);
	check_wait("running");
	CLEANUP(json_decrefp) json_t *pool = fake_arm_pool(POOL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "vmSize", NULL), SKU_B);
	ck_assert_uint_eq(fake_arm_created(), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_pool_that_fails_goes_before_the_next_is_tried)
{
	open_with(SKU_A " " SKU_B);
	scene_launch(&s);
	check_wait("running");
	fake_arm_finish(POOL, "ReconcileVMSSAgentPoolFailed", "Code=\"AllocationFailed\" Message=\"no capacity\"");
	for (int i = 0; i < 400 && strcmp(scene_phase(&s), "clearing") != 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	scene_launch(&s);
	check_wait("clearing");
	ck_assert_uint_eq(fake_arm_count("DELETE", POOL), 1);
	fake_arm_finish(POOL, NULL, NULL);
	for (int i = 0; i < 400 && strcmp(scene_phase(&s), "running") != 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	CLEANUP(json_decrefp) json_t *pool = fake_arm_pool(POOL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "vmSize", NULL), SKU_B);
	scene_node(&s, "n1", POOL);
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_DONE);
	ck_assert_str_eq(json_text_at(s.launched.labels, "", LABEL_INSTANCE_TYPE, NULL), SKU_B);
	scene_close(&s);
}
END_TEST

START_TEST(a_claim_that_failed_for_good_costs_no_request)
{
	open_with(SKU_A);
	scene_launch(&s);
	fake_arm_finish(POOL, "AllocationFailed", "no capacity");
	for (int i = 0; i < 400 && fake_arm_count("DELETE", POOL) == 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	fake_arm_finish(POOL, NULL, NULL);
	for (int i = 0; i < 400 && s.launched.step != STEP_FAILED; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert(s.launched.insufficient);
	ck_assert_uint_eq(fake_arm_pools(), 0);
	clock_sleep_ms(60); /* a list may be under way */
	size_t before = fake_arm_count("GET", "");
	clock_sleep_ms(250);
	ck_assert_uint_eq(fake_arm_count("GET", ""), before);
	scene_close(&s);
}
END_TEST

START_TEST(fallbacks_are_told_by_an_event)
{
	open_with(SKU_A " " SKU_B);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 400, "SkuNotAvailable", "no " SKU_A " here");
	bool told = false;
	for (int i = 0; i < 100 && !told; i++, clock_sleep_ms(5)) {
		ck_assert_int_eq(scene_launch_step(&s), 0);
		told = strcmp(s.launched.event, "SKUNotAvailable") == 0 && s.launched.step == STEP_WAIT;
	}
	ck_assert(told);
	ck_assert_msg(strstr(s.launched.message, "next: " SKU_B) != NULL, "%s", s.launched.message);
	ck_assert_int_eq(strncmp(s.launched.message, "SkuNotAvailable", 15), 0);
	scene_close(&s);
}
END_TEST

START_TEST(without_another_offering_capacity_is_insufficient)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 9, FAKE_ARM_REPLY, 409, "AllocationFailed", "no capacity");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert(s.launched.insufficient);
	ck_assert_str_eq(s.launched.reason, "AllocationFailure");
	ck_assert_int_ge(s.launched.retry_ms, 3590000);
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1); /* cooled down: nothing is sent */
	json_object_set_new(json_object_get(s.claim, "metadata"), "uid", json_string("uid-2"));
	json_object_del(json_object_get(s.claim, "metadata"), "annotations");
	scene_launch(&s); /* another claim knows it too */
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert(s.launched.insufficient);
	ck_assert_msg(strncmp(s.launched.message, "AllocationFailed: no capacity", 29) == 0 && strstr(s.launched.message, "tried again at"), "%s", s.launched.message);
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	scene_close(&s);
}
END_TEST

START_TEST(spot_then_on_demand_then_the_next_zone)
{
	open_with(SKU_A);
	scene_require(&s, LABEL_CAPACITY_TYPE, "In", "spot on-demand");
	scene_require(&s, LABEL_ZONE, "In", "eastus-3 eastus-1");
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 409, "ZonalAllocationFailed", "none in the zone");
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 409, "OperationNotAllowed", "LowPriorityCores quota exceeded");
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 409, "ZonalAllocationFailed", "none in the zone");
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 4); /* spot 3, spot 1, on-demand 3, on-demand 1 */
	CLEANUP(json_decrefp) json_t *pool = fake_arm_pool(POOL);
	ck_assert_ptr_null(json_at(pool, "properties", "scaleSetPriority", NULL));
	ck_assert_str_eq(json_text_at(pool, "", "properties", "availabilityZones", "#0", NULL), "1");
	scene_close(&s);
}
END_TEST

START_TEST(quota_keeps_its_reason_and_is_no_capacity_error)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 9, FAKE_ARM_REPLY, 400, "ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested 6, remaining 0 for family standardNCSv3Family");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.reason, "SubscriptionQuotaReached");
	ck_assert(!s.launched.insufficient && s.launched.retry_ms > 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_wrong_request_is_sent_once_until_it_changes)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 400, "InvalidParameter", "the value is wrong");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_int_eq(s.launched.retry_ms, 0);
	ck_assert_str_eq(s.launched.reason, "InvalidRequest");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	s.node_class = json_pack("{s:i}", "osDiskSizeGB", 300);
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 2);
	scene_close(&s);
}
END_TEST

START_TEST(a_claim_that_cannot_be_a_pool_costs_no_put)
{
	open_with("");
	json_array_clear(json_at(s.claim, "spec", "requirements", NULL));
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_ptr_nonnull(strstr(s.launched.message, "instance type"));
	scene_claim(&s, SKU_A);
	json_object_del(json_object_get(s.claim, "spec"), "resources");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_ptr_nonnull(strstr(s.launched.message, "storage"));
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 0);
	scene_close(&s);
}
END_TEST

START_TEST(configuration_errors_are_retried_slowly)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 403, "AuthorizationFailed", "no right");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_int_ge(s.launched.retry_ms, 40000);
	ck_assert_int_le(s.launched.retry_ms, 600000);
	ck_assert_str_eq(s.launched.event, "AuthorizationFailed");
	scene_launch(&s); /* an event wakes it before */
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.event, "");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	scene_close(&s);
}
END_TEST

START_TEST(another_operation_in_progress_is_waited_for)
{
	static const char *const WORDS[] = {"Operation is not allowed because there's an in progress create node pool operation",
					    "Another agentpool operation (ws2 - Creating) is in progress, please wait for it to finish"};
	for (int i = 0; i < 2; i++) {
		open_with(SKU_A);
		fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 409, "OperationNotAllowed", WORDS[i]);
		while (scene_phase(&s)[0] == 0)
			ck_assert_int_eq(scene_launch_step(&s), 0);
		ck_assert_int_eq(scene_launch_step(&s), 0);
		ck_assert_int_eq(s.launched.step, STEP_WAIT);
		ck_assert_int_ge(s.launched.retry_ms, 5000);
		ck_assert_int_lt(s.launched.retry_ms, 15000);
		ck_assert_str_eq(s.launched.reason, "OperationInProgress");
		scene_launch(&s); /* an early wake sends nothing */
		ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
		scene_restart(&s, false); /* as if the time were over */
		scene_launch(&s);
		check_wait("running");
		ck_assert_uint_eq(fake_arm_count("PUT", ""), 2);
		scene_close(&s);
	}
}
END_TEST

START_TEST(throttled_and_failing_servers_are_given_time)
{
	static const struct { int status; const char *code, *retry_after; int64_t least; } ROWS[] = {
		{429, "TooManyRequests", "7", 7000}, {503, "ServiceUnavailable", "9", 9000}, {500, "InternalServerError", NULL, 3900},
	};
	for (size_t i = 0; i < 3; i++) {
		open_with(SKU_A);
		fake_arm_retry_after(ROWS[i].retry_after);
		fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, ROWS[i].status, ROWS[i].code, "later");
		while (scene_phase(&s)[0] == 0)
			ck_assert_int_eq(scene_launch_step(&s), 0);
		ck_assert_int_eq(scene_launch_step(&s), 0);
		ck_assert_int_eq(s.launched.step, STEP_WAIT);
		ck_assert_int_ge(s.launched.retry_ms, ROWS[i].least);
		ck_assert_int_le(s.launched.retry_ms, 60000);
		ck_assert_int_eq(scene_launch_step(&s), 0); /* an early wake sends nothing */
		ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
		scene_close(&s);
	}
}
END_TEST

START_TEST(a_missing_cluster_is_a_matter_of_configuration)
{
	open_with(SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_REPLY, 404, "ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/cluster' was not found.");
	scene_launch(&s);
	ck_assert_int_eq(s.launched.step, STEP_FAILED);
	ck_assert_str_eq(s.launched.reason, "ClusterNotFound");
	ck_assert(!s.launched.insufficient && s.launched.retry_ms > 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_node_of_an_earlier_pool_is_not_taken)
{
	open_with(SKU_A);
	scene_node(&s, "old", POOL);
	json_t *old = fake_object(&KUBE_NODES, NULL, "old");
	meta_set_label(old, LABEL_CREATION_TIMESTAMP, "2020-01-01T00-00-00Z");
	scene_launch(&s);
	check_wait("running");
	scene_node(&s, "n1", POOL);
	scene_node(&s, "n2", POOL); /* two of one pool: not exactly one */
	scene_launch(&s);
	check_wait("running");
	fake_remove(&KUBE_NODES, NULL, "n2");
	scene_launch(&s);
	check_done();
	scene_close(&s);
}
END_TEST

START_TEST(a_pool_that_vanishes_is_made_again)
{
	open_with(SKU_A);
	scene_launch(&s);
	check_wait("running");
	fake_arm_finish(POOL, NULL, NULL);
	fake_arm_remove(POOL);
	scene_restart(&s, false);
	for (int i = 0; i < 400 && fake_arm_created() < 2; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	ck_assert_uint_eq(fake_arm_created(), 2);
	ck_assert_uint_eq(fake_arm_pools(), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_ready_pool_without_node_says_what_to_check)
{
	open_with(SKU_A);
	scene_launch(&s);
	fake_arm_finish(POOL, NULL, NULL);
	json_t *memo = json_loads(scene_memo(&s), 0, NULL);
	json_object_set_new(memo, "started", json_integer(clock_wall_s() - 700));
	CLEANUP(mem_freep) char *text = json_dumps(memo, JSON_COMPACT);
	json_decref(memo);
	meta_set_annotation(s.claim, ANNOTATION_OPERATION, text);
	for (int i = 0; i < 400 && strcmp(s.launched.reason, "NodeNotJoined") != 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_launch_step(&s), 0);
	ck_assert_int_eq(s.launched.step, STEP_WAIT);
	ck_assert_ptr_nonnull(strstr(s.launched.message, "subnet"));
	scene_close(&s);
}
END_TEST

START_TEST(a_shortage_of_quota_is_known_before_the_put)
{
	s.quota = true;
	open_with(SKU_A " " SKU_B);
	fake_arm_usages(json_pack("[{s:{s:s},s:i,s:i},{s:{s:s},s:i,s:i}]", "name", "value", "standardNCSv3Family", "currentValue", 0, "limit", 0, "name", "value",
				  "cores", "currentValue", 0, "limit", 1000));
	scene_launch(&s);
	check_wait("running");
	CLEANUP(json_decrefp) json_t *pool = fake_arm_pool(POOL);
	ck_assert_str_eq(json_text_at(pool, "", "properties", "vmSize", NULL), SKU_B);
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	ck_assert_uint_eq(fake_arm_count("GET", "/usages"), 1);
	scene_close(&s);
	s.quota = true;
	open_with(SKU_A); /* counters that cannot be read are no obstacle */
	scene_launch(&s);
	check_wait("running");
	scene_close(&s);
}
END_TEST

START_TEST(an_unreadable_memo_leads_to_a_look)
{
	open_with(SKU_A);
	scene_launch(&s);
	meta_set_annotation(s.claim, ANNOTATION_OPERATION, "{\"pool\":\"other\",\"phase\":\"flying\"}");
	scene_restart(&s, false);
	scene_launch(&s);
	check_wait("running");
	ck_assert_uint_eq(fake_arm_count("PUT", ""), 1);
	scene_close(&s);
}
END_TEST

int main(void)
{
	CHECK_RUN("launch", 60, a_claim_becomes_a_node_with_one_put, a_crash_at_any_step_leaves_one_pool, a_lost_answer_is_looked_for_and_not_sent_twice,
		  a_put_that_never_arrived_is_sent_again, a_memo_that_was_not_stored_leads_to_the_same_pool, a_pool_of_somebody_else_is_not_touched,
		  a_pool_of_the_original_is_taken_over_without_a_put, a_refused_instance_type_gives_way_to_the_next, a_pool_that_fails_goes_before_the_next_is_tried,
		  a_claim_that_failed_for_good_costs_no_request, fallbacks_are_told_by_an_event, without_another_offering_capacity_is_insufficient, spot_then_on_demand_then_the_next_zone,
		  quota_keeps_its_reason_and_is_no_capacity_error, a_wrong_request_is_sent_once_until_it_changes, a_claim_that_cannot_be_a_pool_costs_no_put,
		  configuration_errors_are_retried_slowly, another_operation_in_progress_is_waited_for, throttled_and_failing_servers_are_given_time,
		  a_missing_cluster_is_a_matter_of_configuration, a_node_of_an_earlier_pool_is_not_taken, a_pool_that_vanishes_is_made_again,
		  a_ready_pool_without_node_says_what_to_check, a_shortage_of_quota_is_known_before_the_put, an_unreadable_memo_leads_to_a_look);
}
