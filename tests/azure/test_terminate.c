/* Deleting: whatever was made or is being made goes, once, and nothing else; and it is over only when it is certain. */
#include "check_main.h"

#include "base/clock.h"
#include "fulfilment_test.h"
#include "kube/meta.h"
#include "../provision/fake_kube.h"

static struct scene s;

static void open_running(const char *state)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	scene_launch(&s);
	ck_assert_str_eq(scene_phase(&s), "running");
	if (strcmp(state, "Creating") == 0)
		return;
	fake_arm_finish(POOL, NULL, NULL);
	scene_launch(&s); /* sees it */
}

/* Steps until the claim's memo is in that phase. */
static void until_phase(const char *phase)
{
	for (int i = 0; i < 600 && strcmp(scene_phase(&s), phase) != 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(scene_terminate_step(&s), 0);
	ck_assert_str_eq(scene_phase(&s), phase);
}

/* Steps until ARM deletes the pool. */
static void until_deleting(void)
{
	bool deleting = false;
	for (int i = 0; i < 600 && !deleting; i++, clock_sleep_ms(5)) {
		ck_assert_msg(scene_terminate_step(&s) == 0, "%s", s.err.message);
		CLEANUP(json_decrefp) json_t *pool = fake_arm_pool(POOL);
		deleting = strcmp(json_text_at(pool, "", "properties", "provisioningState", NULL), "Deleting") == 0;
	}
	ck_assert(deleting);
}

static void until_done(void)
{
	for (int i = 0; i < 600 && s.terminated.step != STEP_DONE; i++, clock_sleep_ms(5))
		ck_assert_msg(scene_terminate_step(&s) == 0, "%s", s.err.message);
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
}

START_TEST(a_pool_is_deleted_with_one_request)
{
	open_running("Succeeded");
	scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_str_eq(scene_phase(&s), "deleting");
	ck_assert_uint_eq(fake_arm_count("DELETE", "/agentPools/ws1"), 1);
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 1);
	ck_assert_uint_eq(fake_arm_count("POST", "/abort"), 0);
	ck_assert_uint_eq(fake_arm_pools(), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_creation_under_way_is_aborted_once_then_deleted)
{
	open_running("Creating");
	until_phase("deleting");
	ck_assert_uint_eq(fake_arm_count("POST", "/agentPools/ws1/abort"), 1);
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	ck_assert_uint_eq(fake_arm_count("POST", "/abort"), 1);
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 1);
	ck_assert_uint_eq(fake_arm_pools(), 0);
	scene_close(&s);
}
END_TEST

/* The process dies before or after each stored memo of a deletion. */
START_TEST(a_crash_at_any_step_leaves_nothing)
{
	for (int creating = 0; creating < 2; creating++) {
		for (int at = 0; at < 3 + creating; at++) {
			for (int forgets = 0; forgets < 2; forgets++) {
				open_running(creating ? "Creating" : "Succeeded");
				for (int i = 0; i < at; i++)
					ck_assert_int_eq(scene_terminate_step(&s), 0);
				scene_restart(&s, forgets && at > 0);
				until_deleting();
				fake_arm_finish(POOL, NULL, NULL);
				until_done();
				ck_assert_uint_eq(fake_arm_pools(), 0);
				ck_assert_uint_eq(fake_arm_created(), 1);
				ck_assert_uint_le(fake_arm_count("DELETE", ""), forgets ? 2 : 1);
				scene_close(&s);
			}
		}
	}
}
END_TEST

START_TEST(a_restart_sends_no_second_delete)
{
	open_running("Succeeded");
	until_phase("deleting");
	scene_restart(&s, false);
	scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 1);
	scene_close(&s);
}
END_TEST

START_TEST(a_claim_that_was_never_launched_needs_no_request)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	json_object_set_new(json_object_get(s.claim, "metadata"), "creationTimestamp", json_string("2100-01-01T00:00:00Z"));
	ck_assert_int_eq(scene_terminate_step(&s), 0);
	ck_assert_int_eq(s.terminated.step, STEP_DONE);
	ck_assert_uint_eq(fake_arm_count("GET", "") + fake_arm_count("DELETE", ""), 0);
	scene_close(&s);
}
END_TEST

START_TEST(an_older_claim_without_memo_is_looked_for)
{
	char created[32] = "2026-01-01T00-00-00Z";
	scene_open(&s);
	scene_claim(&s, SKU_A);
	json_object_set_new(json_object_get(s.claim, "metadata"), "creationTimestamp", json_string("2026-01-01T00:00:00Z"));
	fake_arm_put(POOL, "Succeeded", json_pack("{s:s,s:s,s:s}", "kaito.sh/workspace", "w", "karpenter.sh/nodepool", "kaito", LABEL_CREATION_TIMESTAMP, created), NULL);
	until_phase("deleting"); /* the original made it */
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	scene_close(&s);
}
END_TEST

START_TEST(a_put_whose_answer_was_lost_is_not_forgotten)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	fake_arm_fail("PUT", POOL, 1, FAKE_ARM_DROP_AFTER, 0, NULL, NULL);
	scene_launch(&s);
	ck_assert_str_eq(scene_phase(&s), "intent");
	until_phase("deleting");
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	ck_assert_uint_eq(fake_arm_pools(), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_pool_whose_memo_was_not_stored_is_not_forgotten)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	while (strcmp(scene_phase(&s), "running") != 0)
		ck_assert_int_eq(scene_launch_step(&s), 0);
	meta_set_annotation(s.claim, ANNOTATION_OPERATION, s.older_memo);
	ck_assert_str_eq(scene_phase(&s), "intent");
	until_phase("deleting");
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	ck_assert_uint_eq(fake_arm_pools(), 0);
	scene_close(&s);
}
END_TEST

START_TEST(a_lost_delete_is_looked_for)
{
	open_running("Succeeded");
	fake_arm_fail("DELETE", POOL, 1, FAKE_ARM_DROP_AFTER, 0, NULL, NULL);
	for (int i = 0; i < 400 && fake_arm_count("DELETE", "") == 0; i++, clock_sleep_ms(5))
		(void)scene_terminate_step(&s);
	scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 1);
	fake_arm_finish(POOL, NULL, NULL);
	until_done();
	scene_close(&s);
}
END_TEST

START_TEST(a_missing_pool_is_gone_and_a_missing_cluster_is_not)
{
	open_running("Succeeded");
	fake_arm_fail("DELETE", POOL, 1, FAKE_ARM_REPLY, 404, "ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/cluster' was not found.");
	scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_str_eq(s.terminated.reason, "ClusterNotFound");
	ck_assert_int_ge(s.terminated.retry_ms, 30000);
	scene_restart(&s, false);
	fake_arm_fail("DELETE", POOL, 1, FAKE_ARM_REPLY, 404, "NotFound", "Agent Pool not found");
	until_done();
	scene_close(&s);
}
END_TEST

START_TEST(a_list_that_fails_proves_nothing)
{
	open_running("Succeeded");
	scene_restart(&s, false);
	fake_arm_fail("GET", "/agentPools", 1, FAKE_ARM_REPLY, 404, "ResourceGroupNotFound", "Resource group 'group' could not be found.");
	for (int i = 0; i < 200 && scene_terminate_step(&s) == 0; i++, clock_sleep_ms(5))
		ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_ptr_nonnull(strstr(s.err.message, "ResourceGroupNotFound"));
	scene_close(&s);
}
END_TEST

START_TEST(refusals_are_told_and_tried_again)
{
	open_running("Succeeded");
	fake_arm_fail("DELETE", POOL, 1, FAKE_ARM_REPLY, 409, "ScopeLocked", "the scope is locked");
	scene_terminate(&s);
	ck_assert_int_eq(s.terminated.step, STEP_WAIT);
	ck_assert_str_eq(s.terminated.reason, "ScopeLocked");
	ck_assert_int_ge(s.terminated.retry_ms, 30000);
	scene_terminate(&s); /* an event wakes it before: nothing is sent, the reason stays */
	ck_assert_str_eq(s.terminated.reason, "ScopeLocked");
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 1);
	scene_close(&s);
}
END_TEST

START_TEST(another_claims_pool_of_the_same_name_stays)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	fake_arm_put(POOL, "Succeeded", json_object(), json_pack("{s:s,s:s}", "kaito-nodeclaim", "ws1", "kaito-nodeclaim-uid", "another"));
	json_object_set_new(json_object_get(s.claim, "metadata"), "creationTimestamp", json_string("2026-01-01T00:00:00Z"));
	until_done();
	ck_assert_uint_eq(fake_arm_count("DELETE", ""), 0);
	ck_assert_uint_eq(fake_arm_pools(), 1);
	scene_close(&s);
}
END_TEST

/* --- get, list, reap ----------------------------------------------------------------------------------------------- */

#define ID "azure:///subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachineScaleSets/aks-ws1-12345678-vmss/virtualMachines/0"

static struct { size_t n; enum instance_state state; char claim[64], uid[64], id[300]; } seen;
static void see(void *context, const struct instance *i)
{
	(void)context;
	seen.n++;
	seen.state = i->state;
	snprintf(seen.claim, sizeof seen.claim, "%s", i->claim);
	snprintf(seen.uid, sizeof seen.uid, "%s", i->claim_uid);
	snprintf(seen.id, sizeof seen.id, "%s", i->provider_id);
}

static int get(const char *id)
{
	seen.n = 0;
	return s.cloud->ops->get(s.cloud, id, see, NULL, &s.err);
}

START_TEST(get_tells_there_gone_and_unknown_apart)
{
	open_running("Succeeded");
	ck_assert_int_eq(get(""), 1);
	ck_assert_int_eq(get("aws:///us-east-1a/i-1"), 1);
	ck_assert_int_eq(get(ID), 0);
	ck_assert_uint_eq(seen.n, 1);
	scene_restart(&s, false);
	ck_assert_int_eq(get(ID), 0);
	ck_assert_int_eq(seen.state, INSTANCE_RUNNING);
	ck_assert_str_eq(seen.claim, "ws1");
	ck_assert_str_eq(seen.uid, "uid-1");
	scene_restart(&s, false);
	fake_arm_fail("GET", POOL, 1, FAKE_ARM_REPLY, 404, "ResourceGroupNotFound", "Resource group 'group' could not be found.");
	ck_assert_int_eq(get(ID), -1);
	fake_arm_set_state(POOL, "Deleting");
	ck_assert_int_eq(get(ID), 0);
	ck_assert_int_eq(seen.state, INSTANCE_DELETING);
	fake_arm_remove(POOL);
	scene_restart(&s, false);
	ck_assert_int_eq(get(ID), 1);
	scene_close(&s);
}
END_TEST

static void reap_it(void *context, const struct instance *i)
{
	int *result = context;
	*result = s.cloud->ops->reap(s.cloud, i, &s.err);
}

START_TEST(list_has_ours_only_and_reap_deletes_with_the_etag)
{
	int reaped = -2;
	open_running("Succeeded");
	fake_arm_put("system", "Succeeded", json_object(), NULL);
	scene_node(&s, "n1", POOL);
	seen.n = 0;
	ck_assert_msg(s.cloud->ops->list(s.cloud, 0, see, NULL, &s.err) == 0, "%s", s.err.message);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.id, ID);
	ck_assert_int_eq(s.cloud->ops->list(s.cloud, 60000, reap_it, &reaped, &s.err), 0);
	ck_assert_int_eq(reaped, 0);
	ck_assert_str_ne(fake_arm_last("DELETE", "If-Match"), "");
	seen.n = 0;
	ck_assert_int_eq(s.cloud->ops->list(s.cloud, 60000, see, NULL, &s.err), 0);
	ck_assert_int_eq(seen.state, INSTANCE_DELETING);
	fake_arm_fail("GET", "/agentPools", 5, FAKE_ARM_REPLY, 403, "AuthorizationFailed", "no");
	clock_sleep_ms(2); /* a list of the same millisecond would be young enough */
	ck_assert_int_eq(s.cloud->ops->list(s.cloud, 0, see, NULL, &s.err), -1);
	ck_assert_int_eq(s.err.kind, ERR_DENIED);
	scene_close(&s);
}
END_TEST

START_TEST(nodes_name_their_claim_and_the_figures_count)
{
	scene_open(&s);
	scene_claim(&s, SKU_A);
	scene_launch(&s);
	scene_node(&s, "n1", POOL);
	const json_t *node = fake_object(&KUBE_NODES, NULL, "n1");
	CLEANUP(mem_freep) char *claim = s.cloud->ops->claim_of_node(s.cloud, node);
	ck_assert_str_eq(claim, "ws1");
	meta_set_label((json_t *)(uintptr_t)node, LABEL_CLAIM_NAME, "a-long-claim-name");
	CLEANUP(mem_freep) char *named = s.cloud->ops->claim_of_node(s.cloud, node);
	ck_assert_str_eq(named, "a-long-claim-name");
	CLEANUP(buf_done) struct buf out = {0};
	s.cloud->ops->collect(s.cloud, &out);
	ck_assert_msg(strstr(out.data, "kaito_arm_requests_total{class=\"put\",code=\"201\"} 1") != NULL, "%s", out.data);
	ck_assert_ptr_nonnull(strstr(out.data, "kaito_arm_list_age_seconds"));
	ck_assert_int_eq(s.cloud->ops->ready(s.cloud, &s.err), 0);
	scene_close(&s);
}
END_TEST

START_TEST(readiness_needs_an_answered_list)
{
	scene_open(&s);
	fake_arm_fail("GET", "/agentPools", 1, FAKE_ARM_REPLY, 403, "AuthorizationFailed", "no right");
	bool told = false;
	ck_assert_int_eq(s.cloud->ops->ready(s.cloud, &s.err), 1);
	for (int i = 0; i < 400 && !told; i++, clock_sleep_ms(5))
		told = s.cloud->ops->ready(s.cloud, &s.err) == 1 && strstr(s.err.message, "AuthorizationFailed");
	ck_assert(told);
	int ready = 1;
	for (int i = 0; i < 600 && ready; i++, clock_sleep_ms(10))
		ready = s.cloud->ops->ready(s.cloud, &s.err);
	ck_assert_int_eq(ready, 0);
	scene_close(&s);
}
END_TEST

START_TEST(classes_are_checked)
{
	scene_open(&s);
	CLEANUP(json_decrefp) json_t *good = json_pack("{s:{s:s},s:s,s:{s:i}}", "metadata", "name", "c", "kind", "KaitoNodeClass", "spec", "osDiskSizeGB", 200);
	CLEANUP(json_decrefp) json_t *bad = json_pack("{s:i}", "osDiskSizeGB", -5);
	ck_assert_int_eq(s.cloud->ops->check_class(s.cloud, NULL, &s.err), 0);
	ck_assert_msg(s.cloud->ops->check_class(s.cloud, good, &s.err) == 0, "%s", s.err.message);
	ck_assert_int_eq(s.cloud->ops->check_class(s.cloud, bad, &s.err), 1);
	ck_assert_ptr_nonnull(strstr(s.err.message, "osDiskSizeGB"));
	scene_close(&s);
}
END_TEST

int main(void)
{
	CHECK_RUN("terminate", 60, a_pool_is_deleted_with_one_request, a_creation_under_way_is_aborted_once_then_deleted, a_crash_at_any_step_leaves_nothing,
		  a_restart_sends_no_second_delete, a_claim_that_was_never_launched_needs_no_request, an_older_claim_without_memo_is_looked_for,
		  a_put_whose_answer_was_lost_is_not_forgotten, a_pool_whose_memo_was_not_stored_is_not_forgotten, a_lost_delete_is_looked_for,
		  a_missing_pool_is_gone_and_a_missing_cluster_is_not, a_list_that_fails_proves_nothing, refusals_are_told_and_tried_again,
		  another_claims_pool_of_the_same_name_stays, get_tells_there_gone_and_unknown_apart, list_has_ours_only_and_reap_deletes_with_the_etag,
		  nodes_name_their_claim_and_the_figures_count, readiness_needs_an_answered_list, classes_are_checked);
}
