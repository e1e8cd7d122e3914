/* Two InferenceSets of one model, as upstream was recorded to make them. */
#include "check_main.h"

#include "codec/json.h"
#include "world.h"

static struct world w;
static json_t *roles;

static void open_recorded(void)
{
	world_open(&w);
	CLEANUP(json_decrefp) json_t *g = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse_file(&g, source_path("tests/golden/control/multi_role.json"), &err) == 0, "%s", err.message);
	roles = json_deep_copy(json_object_get(g, "stored"));
	json_object_set_new(json_object_get(roles, "metadata"), "namespace", json_string("ns"));
	json_object_del(json_object_get(roles, "metadata"), "finalizers");
	json_object_del(roles, "status");
	fake_put(&KUBE_MULTI_ROLES, roles);
}

static void pass(void) { world_settle(&w, &MULTI_ROLE_CONTROLLER, "mri"); }
static json_t *set(const char *role) { return fake_object(&KUBE_INFERENCE_SETS, "ns", strcmp(role, "prefill") == 0 ? "mri-prefill" : "mri-decode"); }

START_TEST(sets_equal_the_recorded_ones)
{
	open_recorded();
	CLEANUP(json_decrefp) json_t *g = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_eq(json_parse_file(&g, source_path("tests/golden/control/multi_role.json"), &err), 0);
	pass();
	const json_t *wanted;
	size_t i;
	json_array_foreach(json_object_get(g, "sets"), i, wanted) {
		const json_t *made = fake_object(&KUBE_INFERENCE_SETS, "ns", meta_name(wanted));
		ck_assert_ptr_nonnull(made);
		CLEANUP(buf_done) struct buf a = {0}, b = {0};
		json_print(json_object_get(made, "spec"), JSON_PRINT_SORTED, &a);
		json_print(json_object_get(wanted, "spec"), JSON_PRINT_SORTED, &b);
		ck_assert_str_eq(a.data, b.data);
		ck_assert(json_equal(json_at(made, "metadata", "labels", NULL), json_at(wanted, "metadata", "labels", NULL)));
		ck_assert(meta_controlled_by(made, meta_uid(roles)));
	}
	world_close(&w);
}
END_TEST

START_TEST(readiness_is_that_of_both_sets)
{
	open_recorded();
	pass();
	ck_assert(meta_has_finalizer(roles, FINALIZER_ROLES));
	ck_assert_condition(roles, "PrefillReady", "False", "PrefillNotReady", "Prefill InferenceSet is not ready");
	ck_assert_condition(roles, "DecodeReady", "False", "DecodeNotReady", "Decode InferenceSet is not ready");
	ck_assert_condition(roles, "InferencePoolReady", "True", "InferencePoolReady", "InferencePool is ready");
	ck_assert_condition(roles, "Ready", "False", "NotReady", "Not all components are ready");
	fake_set_condition(set("prefill"), "InferenceSetReady", "True", "inferencesetReady", "");
	pass();
	ck_assert_condition(roles, "PrefillReady", "True", "PrefillReady", "Prefill InferenceSet is ready");
	ck_assert_condition(roles, "Ready", "False", "NotReady", "Not all components are ready");
	fake_set_condition(set("decode"), "InferenceSetReady", "True", "inferencesetReady", "");
	pass();
	ck_assert_condition(roles, "Ready", "True", "Ready", "All components are ready");
	ck_assert_int_eq(json_int_at(roles, 0, "status", "observedGeneration", NULL), meta_generation(roles));
	fake_log_clear();
	pass();
	ck_assert_str_eq(fake_log(), "");
	world_close(&w);
}
END_TEST

START_TEST(sets_follow_their_roles_and_keep_what_is_theirs)
{
	open_recorded();
	pass();
	json_object_set_new(json_object_get(set("decode"), "spec"), "nodeCountLimit", json_integer(9));
	json_object_set_new(json_object_get(set("decode"), "spec"), "replicas", json_integer(5));
	json_t *role = json_at(roles, "spec", "roles", "#0", NULL);
	json_object_set_new(role, "replicas", json_integer(3));
	json_object_set_new(role, "runtimeConfig", json_string("cm"));
	pass();
	ck_assert_int_eq(json_int_at(set("prefill"), 0, "spec", "replicas", NULL), 3);
	ck_assert_str_eq(json_text_at(set("prefill"), "", "spec", "template", "inference", "config", NULL), "cm");
	ck_assert_int_eq(json_int_at(set("decode"), 0, "spec", "replicas", NULL), 1);
	ck_assert_int_eq(json_int_at(set("decode"), 0, "spec", "nodeCountLimit", NULL), 9);
	json_object_del(role, "runtimeConfig");
	pass();
	ck_assert_ptr_null(json_at(set("prefill"), "spec", "template", "inference", "config", NULL));
	world_close(&w);
}
END_TEST

START_TEST(a_name_that_is_taken_is_told)
{
	open_recorded();
	fake_put(&KUBE_INFERENCE_SETS, meta_new(&KUBE_INFERENCE_SETS, "ns", "mri-decode"));
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_int_lt(MULTI_ROLE_CONTROLLER.reconcile(&w.c, "ns", "mri", &out, &err), 0);
	const json_t *c = world_condition(roles, "Ready");
	ck_assert_str_eq(json_text_at(c, "", "reason", NULL), "ReconcileFailed");
	ck_assert_ptr_nonnull(strstr(json_text_at(c, "", "message", NULL), "Failed to reconcile decode InferenceSet"));
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Warning ReconcileFailed mri: "));
	world_close(&w);
}
END_TEST

START_TEST(deletion_takes_the_sets_along)
{
	open_recorded();
	pass();
	for (size_t i = 0; i < 2; i++)
		json_object_set_new(json_object_get(fake_nth(&KUBE_INFERENCE_SETS, i), "metadata"), "finalizers", json_pack("[s]", FINALIZER_SET));
	struct err err = ERR_INIT;
	ck_assert_int_eq(kube_delete(w.c.op.kube, &KUBE_MULTI_ROLES, "ns", "mri", NULL, &err), 0);
	pass();
	ck_assert_condition(roles, "Deleting", "True", "MultiRoleInferenceDeleted", "MultiRoleInference is being deleted");
	ck_assert(meta_deleting(set("prefill")) && meta_deleting(set("decode")));
	fake_remove(&KUBE_INFERENCE_SETS, "ns", "mri-prefill");
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_MULTI_ROLES), 1);
	fake_remove(&KUBE_INFERENCE_SETS, "ns", "mri-decode");
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_MULTI_ROLES), 0);
	ck_assert_ptr_nonnull(strstr(fake_log(), "MultiRoleInference deleted and child InferenceSets cleaned up"));
	world_close(&w);
}
END_TEST

START_TEST(the_shared_pool_takes_its_plugins_from_a_config_map)
{
	open_recorded();
	w.options.gates[GATE_GATEWAY_API] = true;
	json_object_set_new(json_object_get(roles, "spec"), "eppPluginsConfig", json_string("plugins"));
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_int_lt(MULTI_ROLE_CONTROLLER.reconcile(&w.c, "ns", "mri", &out, &err), 0);
	json_t *map = meta_new(&KUBE_CONFIGMAPS, "ns", "plugins");
	json_object_set_new(map, "data", json_pack("{s:s}", "config.yaml", "mine"));
	fake_put(&KUBE_CONFIGMAPS, map);
	pass();
	fake_set_condition(fake_object(&KUBE_OCI_REPOSITORIES, "ns", "mri-inferencepool"), "Ready", "True", "Succeeded", "");
	pass();
	const json_t *values = json_at(fake_object(&KUBE_HELM_RELEASES, "ns", "mri-inferencepool"), "spec", "values", "router", NULL);
	ck_assert_str_eq(json_text_at(values, "", "epp", "pluginsCustomConfig", "custom-plugins.yaml", NULL), "mine");
	ck_assert_str_eq(json_text_at(values, "", "modelServers", "matchLabels", "multiroleinference.kaito.sh/created-by", NULL), "mri");
	ck_assert_condition(roles, "Ready", "False", "NotReady", "Not all components are ready");
	world_close(&w);
}
END_TEST

int main(void)
{
	CHECK_RUN("multi role", 20, sets_equal_the_recorded_ones, readiness_is_that_of_both_sets, sets_follow_their_roles_and_keep_what_is_theirs,
		  a_name_that_is_taken_is_told, deletion_takes_the_sets_along, the_shared_pool_takes_its_plugins_from_a_config_map);
}
