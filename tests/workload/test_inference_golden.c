/* Every inference object that upstream's controller created, compared with ours. */
#include "golden.h"
#include "workload/inference_workload.h"

static const char *const CASES[] = {
	"b-inference-count2", "b-inference-hf-id", "b-inference-phi3-a10", "b-inference-phi4-2gpu", "b-inference-phi4mini",
	"b-inference-phi4mini-nobench-lb", "b-inference-v1alpha1", "b-inference-v620-amd", "byo-70b-two-nodes", "byo-one-node",
	"c-adapters-config", "d-llama31-8b-secret", "e-llama33-70b-multinode", "gate-multirole", "h-template", "i-inferenceset",
	"karpenter-70b", "karpenter-inference", "n-insufficient-memory", "n-missing-configmap", "n-nodeclaim-deleted",
	"n-transformers-phi3", "n-update-adapters",
};

static void compare_one(const char *name, const json_t *item)
{
	struct golden_plan g;
	struct err err;
	json_t *service = NULL, *headless = NULL, *set = NULL;
	golden_fill(&g, name, json_object_get(item, "workspace"), json_object_get(item, "gpu"));
	ck_assert_int_eq(inference_service(&g.plan, &service, &err), 0);
	ck_assert_int_eq(inference_headless_service(&g.plan, &headless, &err), 0);
	ck_assert_msg(inference_statefulset(&g.plan, &set, &err) == 0, "%s: %s", name, err.message);
	golden_assert(name, service, json_object_get(item, "service"));
	golden_assert(name, headless, json_object_get(item, "headless"));
	golden_assert(name, set, json_object_get(item, "statefulset"));
	json_decref(service);
	json_decref(headless);
	json_decref(set);
	golden_done(&g);
}

START_TEST(objects_equal_the_recorded_ones)
{
	json_t *cases = golden_load(CASES[_i]), *item;
	size_t i;
	ck_assert_uint_gt(json_array_size(cases), 0);
	json_array_foreach(cases, i, item)
		compare_one(CASES[_i], item);
	json_decref(cases);
}
END_TEST

/* Upstream panics for ever where the transformers runtime does not know the model; its Services exist. */
START_TEST(unknown_transformers_model_is_refused_with_advice)
{
	json_t *cases = golden_load("b-inference-phi4mini-transformers"), *service = NULL, *set = NULL;
	const json_t *item = json_array_get(cases, 0);
	struct golden_plan g;
	struct err err;
	golden_fill(&g, "b-", json_object_get(item, "workspace"), NULL);
	ck_assert_int_eq(inference_service(&g.plan, &service, &err), 0);
	golden_assert("service", service, json_object_get(item, "service"));
	ck_assert_int_lt(inference_statefulset(&g.plan, &set, &err), 0);
	ck_assert_int_eq(err.kind, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.message, "kaito.sh/runtime"));
	json_decref(service);
	golden_done(&g);
	json_decref(cases);
}
END_TEST

START_TEST(same_plan_gives_same_bytes)
{
	json_t *cases = golden_load("c-adapters-config"), *set[2];
	struct buf text[2] = {0};
	struct golden_plan g;
	struct err err;
	golden_fill(&g, "c-", json_at(cases, "#0", "workspace", NULL), NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(inference_statefulset(&g.plan, &set[i], &err), 0);
		json_print(set[i], JSON_PRINT_COMPACT, &text[i]);
		json_decref(set[i]);
	}
	ck_assert_str_eq(text[0].data, text[1].data);
	buf_done(&text[0]);
	buf_done(&text[1]);
	golden_done(&g);
	json_decref(cases);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inference_golden");
	TCase *tcase = tcase_create("golden");
	tcase_add_loop_test(tcase, objects_equal_the_recorded_ones, 0, (int)(sizeof CASES / sizeof CASES[0]));
	tcase_add_test(tcase, unknown_transformers_model_is_refused_with_advice);
	tcase_add_test(tcase, same_plan_gives_same_bytes);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
