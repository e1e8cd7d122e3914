/* Condition sets: the vectors of Karpenter's library (operatorpkg). */
#include "check_main.h"
#include "codec/json.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "nodes/nodes.h"

#define T0 "2026-01-01T00:00:00Z"
#define T1 "2026-01-01T00:01:00Z"
#define T2 "2026-01-01T00:02:00Z"
#define T3 "2026-01-01T00:03:00Z"

static json_t *claim_new(void)
{
	return json_pack("{s:{s:s,s:s,s:i}}", "metadata", "name", "a", "creationTimestamp", T0, "generation", 1);
}

static const char *at(const json_t *claim, size_t i, const char *key)
{
	return json_text_at(json_array_get(json_at(claim, "status", "conditions", NULL), i), "", key, NULL);
}

static const char *of(const json_t *claim, const char *type, const char *key)
{
	return json_text_at(condition_find(json_at(claim, "status", "conditions", NULL), type), "", key, NULL);
}

START_TEST(missing_dependents_wait_since_the_creation_and_the_root_is_last)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_finish(&s);
	static const char *const TYPES[] = {"Launched", "Registered", "Initialized"};
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(at(claim, i, "type"), TYPES[i]);
		ck_assert_str_eq(at(claim, i, "status"), "Unknown");
		ck_assert_str_eq(at(claim, i, "reason"), "AwaitingReconciliation");
		ck_assert_str_eq(at(claim, i, "message"), "object is awaiting reconciliation");
		ck_assert_str_eq(at(claim, i, "lastTransitionTime"), T0);
	}
	ck_assert_str_eq(at(claim, 3, "type"), "Ready");
	ck_assert_str_eq(at(claim, 3, "status"), "Unknown");
	ck_assert_str_eq(at(claim, 3, "reason"), "ReconcilingDependents");
	ck_assert_str_eq(at(claim, 3, "message"), "Launched=Unknown, Registered=Unknown, Initialized=Unknown");
	ck_assert_str_eq(at(claim, 3, "lastTransitionTime"), T1);
	ck_assert_int_eq(json_int_at(claim, 0, "status", "conditions", "#3", "observedGeneration", NULL), 1);
}
END_TEST

START_TEST(the_same_words_keep_their_time_and_a_new_status_moves_it)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_unknown(&s, "Launched", "LaunchFailed", "no");
	ck_assert_str_eq(of(claim, "Launched", "lastTransitionTime"), T0);
	condition_set_finish(&s);
	CLEANUP(json_decrefp) json_t *before = json_deep_copy(claim);
	s.now = T2;
	condition_set_unknown(&s, "Launched", "LaunchFailed", "no");
	condition_set_finish(&s);
	ck_assert(json_equal(before, claim));
	condition_set_unknown(&s, "Launched", "LaunchFailed", "still no");
	ck_assert_str_eq(of(claim, "Launched", "lastTransitionTime"), T0);
	condition_set_true(&s, "Launched");
	ck_assert_str_eq(of(claim, "Launched", "lastTransitionTime"), T2);
	ck_assert_str_eq(of(claim, "Launched", "reason"), "Launched");
	ck_assert_str_eq(of(claim, "Launched", "message"), "");
}
END_TEST

START_TEST(conditions_are_sorted_by_time_and_the_message_lists_the_newest_first)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_true(&s, "Launched");
	condition_set_finish(&s);
	s.now = T2;
	condition_set_false(&s, "Registered", "MultipleNodesFound", "two");
	condition_set_finish(&s);
	static const char *const ORDER[] = {"Initialized", "Launched", "Registered", "Ready"};
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(at(claim, i, "type"), ORDER[i]);
	ck_assert_str_eq(of(claim, "Ready", "status"), "False");
	ck_assert_str_eq(of(claim, "Ready", "reason"), "UnhealthyDependents");
	ck_assert_str_eq(of(claim, "Ready", "message"), "Registered=False, Initialized=Unknown");
	ck_assert_str_eq(of(claim, "Ready", "lastTransitionTime"), T2);
}
END_TEST

START_TEST(the_root_is_true_with_all_dependents_at_this_generation)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_true(&s, "Launched");
	condition_set_true(&s, "Registered");
	condition_set_true(&s, "Initialized");
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "True");
	ck_assert_str_eq(of(claim, "Ready", "reason"), "Ready");
	json_object_set_new(json_object_get(claim, "metadata"), "generation", json_integer(2));
	s.now = T3;
	condition_set_keep(&s, "Launched");
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "Unknown");
	ck_assert_str_eq(of(claim, "Ready", "message"), "Registered=True, Initialized=True");
	condition_set_keep(&s, "Registered");
	condition_set_keep(&s, "Initialized");
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "True");
	ck_assert_str_eq(of(claim, "Launched", "lastTransitionTime"), T1);
}
END_TEST

START_TEST(a_false_of_an_older_generation_is_not_a_verdict)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_false(&s, "Registered", "MultipleNodesFound", "two");
	json_object_set_new(json_object_get(claim, "metadata"), "generation", json_integer(2));
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "Unknown");
}
END_TEST

START_TEST(independents_do_not_touch_the_root)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_true(&s, "Launched");
	condition_set_true(&s, "Registered");
	condition_set_true(&s, "Initialized");
	condition_set_false(&s, "Drained", "Draining", "3 pods");
	ck_assert_str_eq(of(claim, "Drained", "lastTransitionTime"), T1);
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "True");
}
END_TEST

START_TEST(a_deletion_bumps_all_observed_generations)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_true(&s, "Drifted");
	condition_set_true(&s, "Launched");
	condition_set_true(&s, "Registered");
	condition_set_true(&s, "Initialized");
	condition_set_finish(&s);
	json_object_set_new(json_object_get(claim, "metadata"), "generation", json_integer(2));
	json_object_set_new(json_object_get(claim, "metadata"), "deletionTimestamp", json_string(T2));
	condition_set_finish(&s);
	const json_t *c;
	size_t i;
	json_array_foreach(json_at(claim, "status", "conditions", NULL), i, c)
		ck_assert_int_eq(json_int_at(c, 0, "observedGeneration", NULL), 2);
	ck_assert_str_eq(of(claim, "Ready", "status"), "True");
}
END_TEST

START_TEST(machines_have_their_own_names_no_generations_and_a_root_that_repeats_the_reason)
{
	CLEANUP(json_decrefp) json_t *claim = claim_new();
	struct condition_set s = {claim, &DIALECT_MACHINE, T1};
	condition_set_unknown(&s, "MachineLaunched", "SKUNotAvailable", "SkuNotAvailable: not here");
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "MachineRegistered", "reason"), "AwaitingReconciliation");
	ck_assert_ptr_null(json_at(claim, "status", "conditions", "#0", "observedGeneration", NULL));
	ck_assert_str_eq(of(claim, "Ready", "status"), "Unknown");
	ck_assert_str_eq(of(claim, "Ready", "reason"), "SKUNotAvailable");
	ck_assert_str_eq(of(claim, "Ready", "message"), "SkuNotAvailable: not here");
	condition_set_true(&s, "MachineLaunched");
	condition_set_true(&s, "MachineRegistered");
	condition_set_true(&s, "MachineInitialized");
	condition_set_finish(&s);
	ck_assert_str_eq(of(claim, "Ready", "status"), "True");
}
END_TEST

START_TEST(a_status_of_another_shape_is_replaced)
{
	CLEANUP(json_decrefp) json_t *claim = json_pack("{s:{s:s},s:{s:s,s:s}}", "metadata", "name", "a", "status", "conditions", "none", "nodeName", "n");
	struct condition_set s = {claim, &DIALECT_NODE_CLAIM, T1};
	condition_set_finish(&s);
	ck_assert_uint_eq(json_array_size(json_at(claim, "status", "conditions", NULL)), 4);
	ck_assert_str_eq(json_text_at(claim, "", "status", "nodeName", NULL), "n");
}
END_TEST

int main(void)
{
	CHECK_RUN("condition set", 30, missing_dependents_wait_since_the_creation_and_the_root_is_last, the_same_words_keep_their_time_and_a_new_status_moves_it,
		  conditions_are_sorted_by_time_and_the_message_lists_the_newest_first, the_root_is_true_with_all_dependents_at_this_generation,
		  a_false_of_an_older_generation_is_not_a_verdict, independents_do_not_touch_the_root, a_deletion_bumps_all_observed_generations,
		  machines_have_their_own_names_no_generations_and_a_root_that_repeats_the_reason, a_status_of_another_shape_is_replaced);
}
