/* What an update of the StatefulSet and of the Service changes, what it leaves alone, and when nothing is written. */
#include "golden.h"
#include "crd/names.h"
#include "workload/inference_workload.h"

static const char CASE[] = "n-update-adapters";

/* As created for the case's first Workspace and stored: upstream's own object, with its random flag order. */
struct scene { json_t *cases; const json_t *item; json_t *current, *changed; struct golden_plan before, after; };

static void setup(struct scene *s)
{
	s->cases = golden_load(CASE);
	s->item = json_array_get(s->cases, 0);
	s->current = json_deep_copy(json_object_get(s->item, "statefulset"));
	s->changed = json_deep_copy(json_object_get(s->item, "changed"));
	golden_fill(&s->before, CASE, json_object_get(s->item, "workspace"), NULL);
	golden_fill(&s->after, CASE, s->changed, NULL);
	s->before.plan.revision = "1";
	s->after.plan.revision = "2";
}

static void teardown(struct scene *s)
{
	json_decref(s->current);
	json_decref(s->changed);
	golden_done(&s->before);
	golden_done(&s->after);
	json_decref(s->cases);
}

static json_t *updated(const struct workload_plan *p, const json_t *current, bool *upgraded)
{
	json_t *out = NULL;
	struct err err;
	ck_assert_msg(inference_statefulset_update(p, current, &out, upgraded, &err) == 0, "%s", err.message);
	return out;
}

static json_t *updated_quietly(const struct workload_plan *p, const json_t *current)
{
	bool upgraded = true;
	json_t *out = updated(p, current, &upgraded);
	ck_assert(!upgraded);
	return out;
}

static const char *command_of(const json_t *set) { return json_text_at(set, "", "spec", "template", "spec", "containers", "#0", "command", "#2", NULL); }

START_TEST(same_revision_writes_nothing)
{
	struct scene s;
	setup(&s);
	ck_assert_ptr_null(updated_quietly(&s.before.plan, s.current));
	teardown(&s);
}
END_TEST

/* Upstream forgets --enable-lora here, so its adapters are never used: that flag is the only difference. */
START_TEST(added_adapter_equals_the_recorded_update_and_sets_the_flag)
{
	struct scene s;
	setup(&s);
	json_t *out = updated_quietly(&s.after.plan, s.current), *theirs = json_deep_copy(json_object_get(s.item, "updated"));
	ck_assert_ptr_nonnull(strstr(command_of(out), " --enable-lora"));
	ck_assert_ptr_null(strstr(command_of(theirs), " --enable-lora"));
	json_array_set_new(json_at(theirs, "spec", "template", "spec", "containers", "#0", "command", NULL), 2, json_string(command_of(out)));
	json_t *metadata = json_object_get(theirs, "metadata");
	json_object_del(metadata, "uid");
	json_object_del(metadata, "generation");
	golden_assert("updated", out, theirs);
	ck_assert_ptr_null(updated_quietly(&s.after.plan, out));
	json_decref(theirs);
	json_decref(out);
	teardown(&s);
}
END_TEST

START_TEST(removed_adapter_goes_again)
{
	struct scene s;
	setup(&s);
	json_t *with = updated_quietly(&s.after.plan, s.current);
	s.before.plan.revision = "3";
	json_t *without = updated_quietly(&s.before.plan, with);
	ck_assert_ptr_null(json_at(without, "spec", "template", "spec", "initContainers", NULL));
	ck_assert_ptr_null(strstr(command_of(without), "--enable-lora"));
	ck_assert_uint_eq(json_array_size(json_at(without, "spec", "template", "spec", "volumes", NULL)), 1);
	json_decref(with);
	json_decref(without);
	teardown(&s);
}
END_TEST

START_TEST(user_edits_survive)
{
	struct scene s;
	setup(&s);
	json_t *container = json_at(s.current, "spec", "template", "spec", "containers", "#0", NULL);
	json_object_set_new(container, "image", json_string("registry.example.com/own:1"));
	json_object_set_new(container, "resources", json_pack("{s:{s:s}}", "limits", "memory", "40Gi"));
	json_object_set_new(json_object_get(container, "readinessProbe"), "timeoutSeconds", json_integer(9));
	json_object_set_new(json_object_get(s.current, "spec"), "replicas", json_integer(0));
	json_t *out = updated_quietly(&s.after.plan, s.current), *after = json_at(out, "spec", "template", "spec", "containers", "#0", NULL);
	ck_assert_str_eq(json_text_at(after, "", "image", NULL), "registry.example.com/own:1");
	ck_assert_str_eq(json_text_at(after, "", "resources", "limits", "memory", NULL), "40Gi");
	ck_assert_int_eq(json_int_at(after, 0, "readinessProbe", "timeoutSeconds", NULL), 9);
	ck_assert_int_eq(json_int_at(out, 9, "spec", "replicas", NULL), 0);
	json_decref(out);
	teardown(&s);
}
END_TEST

/* Only the number in the revision differs: nothing that would roll the pods is touched, upstream's flag order included. */
START_TEST(order_of_flags_is_no_change)
{
	struct scene s;
	setup(&s);
	s.before.plan.revision = "2";
	json_t *out = updated_quietly(&s.before.plan, s.current);
	ck_assert_str_eq(meta_annotation(out, ANNOTATION_REVISION), "2");
	ck_assert(json_equal(json_at(out, "spec", NULL), json_at(s.current, "spec", NULL)));
	json_decref(out);
	teardown(&s);
}
END_TEST

/* Stored objects have the API server's defaults, which are no difference; nor are those of upstream's flags. */
START_TEST(recorded_sets_need_no_change)
{
	static const char *const CASES[] = {"b-inference-phi3-a10", "b-inference-phi4-2gpu", "b-inference-phi4mini-nobench-lb", "byo-70b-two-nodes",
		"d-llama31-8b-secret", "e-llama33-70b-multinode", "gate-multirole", "i-inferenceset", "karpenter-70b", "n-missing-configmap", "n-transformers-phi3"};
	json_t *cases = golden_load(CASES[_i]), *item;
	size_t i;
	json_array_foreach(cases, i, item) {
		struct golden_plan g;
		const json_t *stored = json_object_get(item, "statefulset");
		golden_fill(&g, CASES[_i], json_object_get(item, "workspace"), json_object_get(item, "gpu"));
		g.plan.revision = "77";
		json_t *out = updated_quietly(&g.plan, stored);
		golden_assert(CASES[_i], json_object_get(out, "spec"), json_object_get(stored, "spec"));
		ck_assert(json_equal(json_object_get(out, "spec"), json_object_get(stored, "spec")));
		json_decref(out);
		golden_done(&g);
	}
	json_decref(cases);
}
END_TEST

START_TEST(more_nodes_change_command_and_replicas)
{
	struct scene s;
	setup(&s);
	s.before.plan.nodes = 2;
	s.before.plan.revision = "2";
	json_t *out = updated_quietly(&s.before.plan, s.current);
	ck_assert_int_eq(json_int_at(out, 0, "spec", "replicas", NULL), 2);
	ck_assert_ptr_nonnull(strstr(command_of(out), "--pipeline-parallel-size=2"));
	s.before.plan.nodes = 1;
	s.before.plan.revision = "3";
	json_t *fewer = updated_quietly(&s.before.plan, out);
	ck_assert_int_eq(json_int_at(fewer, 0, "spec", "replicas", NULL), 1);
	json_decref(fewer);
	json_decref(out);
	teardown(&s);
}
END_TEST

/* First seen: written down without a roll. Changed: the pod template carries it, so the pods roll once. */
START_TEST(changed_config_map_rolls_the_pods)
{
	struct scene s;
	setup(&s);
	s.before.plan.config_hash = "aaaa";
	json_t *known = updated_quietly(&s.before.plan, s.current);
	ck_assert_str_eq(meta_annotation(known, ANNOTATION_CONFIG_HASH), "aaaa");
	ck_assert(json_equal(json_at(known, "spec", NULL), json_at(s.current, "spec", NULL)));
	ck_assert_ptr_null(updated_quietly(&s.before.plan, known));
	s.before.plan.config_hash = "bbbb";
	json_t *rolled = updated_quietly(&s.before.plan, known);
	ck_assert_str_eq(meta_annotation(json_at(rolled, "spec", "template", NULL), ANNOTATION_CONFIG_HASH), "bbbb");
	ck_assert_str_eq(command_of(rolled), command_of(s.current));
	ck_assert_ptr_null(updated_quietly(&s.before.plan, rolled));
	json_decref(rolled);
	json_decref(known);
	teardown(&s);
}
END_TEST

START_TEST(created_set_knows_its_config_map)
{
	struct scene s;
	setup(&s);
	json_t *set = NULL;
	struct err err;
	s.before.plan.config_hash = "aaaa";
	ck_assert_int_eq(inference_statefulset(&s.before.plan, &set, &err), 0);
	ck_assert_str_eq(meta_annotation(set, ANNOTATION_CONFIG_HASH), "aaaa");
	ck_assert_ptr_null(meta_annotation(json_at(set, "spec", "template", NULL), ANNOTATION_CONFIG_HASH));
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(upgrade_replaces_the_template_once)
{
	struct scene s;
	bool upgraded = false;
	setup(&s);
	json_t *workspace = json_deep_copy(json_object_get(s.item, "workspace"));
	meta_set_label(workspace, LABEL_UPGRADE_TO, "9.9.9");
	struct golden_plan g;
	golden_fill(&g, CASE, workspace, NULL);
	g.plan.revision = "1";
	ck_assert_ptr_null(updated(&g.plan, s.current, &upgraded)); /* meant for another controller */
	g.options.base_tag = "9.9.9";
	json_t *out = updated(&g.plan, s.current, &upgraded);
	ck_assert(upgraded);
	ck_assert_ptr_nonnull(strstr(json_text_at(out, "", "spec", "template", "spec", "containers", "#0", "image", NULL), ":9.9.9"));
	ck_assert_ptr_null(updated(&g.plan, out, &upgraded));
	ck_assert(!upgraded);
	json_decref(out);
	json_decref(workspace);
	golden_done(&g);
	teardown(&s);
}
END_TEST

/* Upstream ignores a changed template for ever. */
START_TEST(changed_template_is_taken_once)
{
	json_t *cases = golden_load("h-template"), *workspace = json_at(cases, "#0", "workspace", NULL), *current = json_at(cases, "#0", "statefulset", NULL);
	struct golden_plan g;
	golden_fill(&g, "h-", workspace, NULL);
	ck_assert_ptr_null(updated_quietly(&g.plan, current));
	g.plan.revision = "2";
	json_t *same = updated_quietly(&g.plan, current);
	ck_assert(json_equal(json_object_get(same, "spec"), json_object_get(current, "spec")));
	json_object_set_new(json_at(workspace, "inference", "template", "spec", "containers", "#0", NULL), "image", json_string("registry.example.com/acme/llm:2"));
	g.plan.revision = "3";
	json_t *next = updated_quietly(&g.plan, same);
	ck_assert_str_eq(json_text_at(next, "", "spec", "template", "spec", "containers", "#0", "image", NULL), "registry.example.com/acme/llm:2");
	ck_assert_ptr_null(updated_quietly(&g.plan, next));
	json_t *fresh = NULL;
	struct err err;
	ck_assert_int_eq(inference_statefulset(&g.plan, &fresh, &err), 0);
	ck_assert_ptr_null(updated_quietly(&g.plan, fresh));
	json_decref(fresh);
	json_decref(next);
	json_decref(same);
	golden_done(&g);
	json_decref(cases);
}
END_TEST

static json_t *service_patch_of(const struct workload_plan *p, const json_t *current)
{
	json_t *out = NULL;
	struct err err;
	ck_assert_int_eq(inference_service_update(p, current, &out, &err), 0);
	return out;
}

START_TEST(service_follows_the_annotation)
{
	struct scene s;
	setup(&s);
	const json_t *service = json_object_get(s.item, "service");
	ck_assert_ptr_null(service_patch_of(&s.before.plan, service));
	s.before.view.load_balancer = true;
	json_t *patch = service_patch_of(&s.before.plan, service);
	ck_assert_str_eq(json_text_at(patch, "", "spec", "type", NULL), "LoadBalancer");
	ck_assert_uint_eq(json_array_size(json_at(patch, "spec", "ports", NULL)), 3);
	json_t *balanced = json_deep_copy(service);
	json_object_update(json_object_get(balanced, "spec"), json_object_get(patch, "spec"));
	json_object_set_new(json_at(balanced, "spec", "ports", "#0", NULL), "nodePort", json_integer(30001));
	ck_assert_ptr_null(service_patch_of(&s.before.plan, balanced));
	s.before.view.load_balancer = false;
	json_t *back = service_patch_of(&s.before.plan, balanced);
	ck_assert_str_eq(json_text_at(back, "", "spec", "type", NULL), "ClusterIP");
	ck_assert_uint_eq(json_array_size(json_at(back, "spec", "ports", NULL)), 4);
	ck_assert_int_eq(json_int_at(back, 0, "spec", "ports", "#0", "nodePort", NULL), 0);
	json_decref(back);
	json_decref(balanced);
	json_decref(patch);
	teardown(&s);
}
END_TEST

START_TEST(service_keeps_what_a_user_added)
{
	struct scene s;
	setup(&s);
	json_t *service = json_deep_copy(json_object_get(s.item, "service")), *ports = json_at(service, "spec", "ports", NULL);
	json_object_set_new(json_object_get(service, "spec"), "type", json_string("NodePort"));
	json_array_append_new(ports, json_pack("{s:s, s:i, s:i, s:s, s:i}", "name", "own", "port", 9000, "targetPort", 9000, "protocol", "TCP", "nodePort", 30009));
	ck_assert_ptr_null(service_patch_of(&s.before.plan, service));
	json_array_remove(ports, 0);
	json_t *patch = service_patch_of(&s.before.plan, service);
	ck_assert_str_eq(json_text_at(patch, "", "spec", "type", NULL), "NodePort");
	ck_assert_uint_eq(json_array_size(json_at(patch, "spec", "ports", NULL)), 5);
	ck_assert_int_eq(json_int_at(patch, 0, "spec", "ports", "#4", "nodePort", NULL), 30009);
	json_decref(patch);
	json_decref(service);
	teardown(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("workload_update");
	TCase *tcase = tcase_create("workload_update");
	const TTest *const TESTS[] = {same_revision_writes_nothing, added_adapter_equals_the_recorded_update_and_sets_the_flag, removed_adapter_goes_again,
		user_edits_survive, order_of_flags_is_no_change, more_nodes_change_command_and_replicas, changed_config_map_rolls_the_pods,
		created_set_knows_its_config_map, upgrade_replaces_the_template_once, changed_template_is_taken_once, service_follows_the_annotation,
		service_keeps_what_a_user_added};
	for (size_t i = 0; i < sizeof TESTS / sizeof TESTS[0]; i++)
		tcase_add_test(tcase, TESTS[i]);
	tcase_add_loop_test(tcase, recorded_sets_need_no_change, 0, 11);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
