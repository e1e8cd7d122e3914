/* Serve after tune: the endpoint of a tuning Workspace with each runtime. */
#include "native_plan.h"
#include "workload/inference_workload.h"

#define WORKSPACE(annotations, output) \
	"{\"apiVersion\":\"kaito.sh/v1alpha1\",\"kind\":\"Workspace\",\"metadata\":{\"name\":\"ws\",\"namespace\":\"ns\",\"uid\":\"u\",\"annotations\":{" annotations "}}," \
	"\"resource\":{\"instanceType\":\"Standard_NC24ads_A100_v4\",\"labelSelector\":{\"matchLabels\":{\"apps\":\"x\"}}}," \
	"\"tuning\":{\"preset\":{\"name\":\"phi-3-mini-128k-instruct\",\"presetOptions\":{\"modelAccessSecret\":\"hf\"}},\"method\":\"qlora\",\"config\":\"mine\"," \
	"\"input\":{\"urls\":[\"https://h/a\"]},\"output\":{" output "}}}"
#define IMAGE "\"image\":\"reg.example/acme/a:1\",\"imagePushSecret\":\"push\""
#define VOLUME "\"volumeSource\":{\"persistentVolumeClaim\":{\"claimName\":\"c\"}}"

static json_t *set_of(struct native_plan *n, const char *yaml)
{
	struct err err;
	json_t *set = NULL, *config = native_config(yaml);
	ck_assert_msg(tuned_statefulset(&n->p, config, &set, &err) == 0, "%s", err.message);
	json_decref(config);
	return set;
}

static const json_t *pod_of(const json_t *object) { return json_at(object, "spec", "template", "spec", NULL); }

START_TEST(vllm_serves_the_adapter_behind_the_gateway)
{
	struct native_plan n;
	native_plan_open(&n, WORKSPACE("", IMAGE));
	json_t *set = set_of(&n, "training_config: {LoraConfig: {r: 40}}");
	const json_t *pod = pod_of(set), *main = json_at(pod, "containers", "#0", NULL);
	const char *command = json_text_at(main, "", "command", "#2", NULL);
	ck_assert_str_eq(meta_name(set), "ws");
	ck_assert_str_eq(json_text_at(set, "", "metadata", "ownerReferences", "#0", "uid", NULL), "u");
	ck_assert_str_eq(json_text_at(set, "", "spec", "template", "metadata", "annotations", "workspace.kaito.io/revision", NULL), "3");
	ck_assert_str_eq(json_text_at(set, "", "spec", "serviceName", NULL), "ws");
	ck_assert_int_eq(json_int_at(set, 0, "spec", "replicas", NULL), 1);
	ck_assert_ptr_nonnull(strstr(command, "--enable-lora"));
	ck_assert_ptr_nonnull(strstr(command, " --max-lora-rank=64"));
	ck_assert_ptr_null(strstr(command, "inference_config"));
	ck_assert_ptr_null(json_at(main, "startupProbe", "exec", NULL)); /* not measured */
	native_expect_line(pod, "containers", "gateway", "kaito gateway --upstream http://127.0.0.1:5000 --port 5080 --model ws");
	const json_t *puller = native_named(json_object_get(pod, "initContainers"), "puller-ws");
	ck_assert_ptr_nonnull(strstr(json_text_at(puller, "", "args", "#0", NULL), "reg.example/acme/a:1"));
	ck_assert_str_eq(json_text_at(pod, "", "imagePullSecrets", "#0", "name", NULL), "push");
	/* The nodes that tuned: the user's labels and the provisioner's. */
	const json_t *terms = json_at(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", "#0", "matchExpressions", NULL);
	ck_assert_uint_eq(json_array_size(terms), 2);
	ck_assert_str_eq(json_text_at(terms, "", "#1", "key", NULL), "kaito.sh/workspace");
	json_decref(set);
	native_plan_close(&n);
}
END_TEST

START_TEST(small_ranks_need_no_flag)
{
	static const char *const CONFIGS[] = {"training_config: {LoraConfig: {r: 16}}", "training_config: {}", "[", "training_config: {LoraConfig: {r: 100000}}"};
	struct native_plan n;
	native_plan_open(&n, WORKSPACE("", IMAGE));
	json_t *set = set_of(&n, CONFIGS[_i]);
	ck_assert_ptr_null(strstr(json_text_at(pod_of(set), "", "containers", "#0", "command", "#2", NULL), "max-lora-rank"));
	json_decref(set);
	native_plan_close(&n);
}
END_TEST

START_TEST(transformers_serves_one_model)
{
	struct native_plan n;
	native_plan_open(&n, WORKSPACE("\"kaito.sh/runtime\":\"transformers\"", VOLUME));
	json_t *set = set_of(&n, "{}");
	const json_t *pod = pod_of(set);
	native_expect_line(pod, "containers", "gateway", "kaito gateway --upstream http://127.0.0.1:5000 --port 5080");
	ck_assert_str_eq(json_text_at(native_named(json_object_get(pod, "volumes"), "adapter-volume-ws"), "", "persistentVolumeClaim", "claimName", NULL), "c");
	json_decref(set);
	native_plan_close(&n);
}
END_TEST

START_TEST(native_serves_without_a_gateway)
{
	struct native_plan n;
	native_plan_open(&n, WORKSPACE("\"kaito.sh/runtime\":\"native\"", IMAGE));
	json_t *set = set_of(&n, "{}");
	const json_t *pod = pod_of(set);
	ck_assert_uint_eq(json_array_size(json_object_get(pod, "containers")), 1);
	native_expect_line(pod, "containers", "ws", "kaito serve --model /workspace/weights --served-model-name phi-3-mini-128k-instruct --port 5000 --adapter ws=/mnt/adapter/ws");
	/* The weights that it was tuned on. */
	native_expect_line(pod, "initContainers", "model-weights-downloader",
			   "kaito pull mcr.microsoft.com/aks/kaito/kaito-phi-3-mini-128k-instruct:0.2.0 --output /workspace/weights --no-store");
	native_expect_line(pod, "initContainers", "puller-ws", "kaito pull reg.example/acme/a:1 --output /mnt/adapter/ws --no-store");
	ck_assert_str_eq(json_text_at(native_named(json_object_get(pod, "volumes"), "docker-config-pull"), "", "projected", "sources", "#0", "secret", "name", NULL), "push");
	json_decref(set);
	native_plan_close(&n);
}
END_TEST

START_TEST(the_service_has_the_quick_starts_ports)
{
	static const struct { const char *annotations, *type; int target; } ROWS[] = {
		{"", "ClusterIP", 5080}, {"\"kaito.sh/runtime\":\"native\"", "ClusterIP", 5000}, {"\"kaito.sh/enablelb\":\"True\"", "LoadBalancer", 5080},
	};
	struct native_plan n;
	struct err err;
	json_t *service = NULL;
	char *text = mem_printf("{\"apiVersion\":\"kaito.sh/v1beta1\",\"metadata\":{\"name\":\"ws\",\"namespace\":\"ns\",\"uid\":\"u\",\"annotations\":{%s}},\"resource\":{"
				"\"instanceType\":\"Standard_NC24ads_A100_v4\"},\"tuning\":{\"preset\":{\"name\":\"phi-4\"}}}", ROWS[_i].annotations);
	native_plan_open(&n, text);
	ck_assert_int_eq(tuned_service(&n.p, &service, &err), 0);
	ck_assert_str_eq(meta_name(service), "ws");
	ck_assert_str_eq(json_text_at(service, "", "spec", "type", NULL), ROWS[_i].type);
	ck_assert_int_eq(json_int_at(service, 0, "spec", "ports", "#0", "port", NULL), 80);
	ck_assert_int_eq(json_int_at(service, 0, "spec", "ports", "#0", "targetPort", NULL), ROWS[_i].target);
	ck_assert_int_eq(json_int_at(service, 0, "spec", "ports", "#1", "port", NULL), 29500);
	/* The Job's pods have the Workspace's label too: only the StatefulSet's pod is meant. */
	ck_assert_str_eq(json_text_at(service, "", "spec", "selector", "statefulset.kubernetes.io/pod-name", NULL), "ws-0");
	json_decref(service);
	free(text);
	native_plan_close(&n);
}
END_TEST

/* Building the endpoint twice gives the same bytes, and the plan's own Workspace is left as it was. */
START_TEST(the_workspace_is_left_alone)
{
	struct native_plan n;
	native_plan_open(&n, WORKSPACE("\"kaito.sh/runtime\":\"native\"", IMAGE));
	json_t *before = json_deep_copy(n.object), *first = set_of(&n, "{}"), *second = set_of(&n, "{}");
	ck_assert(json_equal(before, n.object));
	ck_assert(json_equal(first, second));
	json_decref(before);
	json_decref(first);
	json_decref(second);
	native_plan_close(&n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tuned");
	TCase *tcase = tcase_create("tuned");
	tcase_add_test(tcase, vllm_serves_the_adapter_behind_the_gateway);
	tcase_add_loop_test(tcase, small_ranks_need_no_flag, 0, 4);
	tcase_add_test(tcase, transformers_serves_one_model);
	tcase_add_test(tcase, native_serves_without_a_gateway);
	tcase_add_loop_test(tcase, the_service_has_the_quick_starts_ports, 0, 3);
	tcase_add_test(tcase, the_workspace_is_left_alone);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
