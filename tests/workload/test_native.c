/* Native pods: what they run, what they mount, what they ask for, and the words about GPUs that are too old. */
#include "native_plan.h"
#include "workload/inference_workload.h"
#include "workload/legacy.h"

#define METADATA "\"metadata\":{\"name\":\"ws\",\"namespace\":\"ns\",\"uid\":\"u\",\"annotations\":{\"kaito.sh/runtime\":\"native\"}}"
#define RESOURCE(type) "\"resource\":{\"instanceType\":\"" type "\",\"labelSelector\":{\"matchLabels\":{\"apps\":\"x\"}}}"
#define WORKSPACE(type, payload) "{\"apiVersion\":\"kaito.sh/v1beta1\",\"kind\":\"Workspace\"," METADATA "," RESOURCE(type) "," payload "}"
#define TUNING(input, output) "\"tuning\":{\"preset\":{\"name\":\"smollm2-135m-instruct\"},\"method\":\"qlora\",\"input\":{" input "},\"output\":{" output "}}"

static const json_t *pod_of(const json_t *object) { return json_at(object, "spec", "template", "spec", NULL); }

/* Nothing of a native pod runs in a shell or may gain rights, and every mount has its volume. */
static void expect_sound(const json_t *pod)
{
	static const char *const LISTS[] = {"containers", "initContainers"};
	const json_t *container, *mount;
	size_t i, j;
	for (size_t l = 0; l < 2; l++)
		json_array_foreach(json_object_get(pod, LISTS[l]), i, container) {
			ck_assert_str_eq(json_text_at(container, "", "command", "#0", NULL), "kaito");
			ck_assert_ptr_null(json_object_get(container, "args"));
			ck_assert_str_eq(json_text_at(container, "", "image", NULL), "kaito:latest");
			ck_assert(json_is_false(json_at(container, "securityContext", "allowPrivilegeEscalation", NULL)));
			ck_assert(json_is_true(json_at(container, "securityContext", "readOnlyRootFilesystem", NULL)));
			json_array_foreach(json_object_get(container, "volumeMounts"), j, mount)
				ck_assert_ptr_nonnull(native_named(json_object_get(pod, "volumes"), json_text_at(mount, "", "name", NULL)));
		}
	ck_assert_ptr_null(json_at(pod, "containers", "#0", "resources", "limits", NULL));
}

static const json_t *mount_of(const json_t *container, const char *path)
{
	const json_t *mount;
	size_t i;
	json_array_foreach(json_object_get(container, "volumeMounts"), i, mount)
		if (strcmp(json_text_at(mount, "", "mountPath", NULL), path) == 0)
			return mount;
	return NULL;
}

/* --- inference -------------------------------------------------------------------------------------------------------- */

START_TEST(an_inference_pod_pulls_and_serves)
{
	struct native_plan n;
	struct err err;
	json_t *set = NULL;
	native_plan_open(&n, WORKSPACE("Standard_D8s_v5", "\"inference\":{\"preset\":{\"name\":\"smollm2-135m-instruct\",\"presetOptions\":{\"modelAccessSecret\":\"hf\"}},\"config\":\"mine\","
				       "\"adapters\":[{\"source\":{\"name\":\"a.b\",\"image\":\"reg.example/a:1\",\"imagePullSecrets\":[\"p\",\"q\"]},\"strength\":\"0.5\"},"
				       "{\"source\":{\"name\":\"v\",\"volumeSource\":{\"persistentVolumeClaim\":{\"claimName\":\"c\"}}}}]}"));
	ck_assert_msg(inference_statefulset(&n.p, &set, &err) == 0, "%s", err.message);
	const json_t *pod = pod_of(set), *main = json_at(pod, "containers", "#0", NULL), *inits = json_object_get(pod, "initContainers");
	expect_sound(pod);
	native_expect_line(pod, "initContainers", "model-weights-downloader", "kaito pull hf://HuggingFaceTB/SmolLM2-135M-Instruct --output /workspace/weights");
	native_expect_line(pod, "containers", "ws", "kaito serve --model /workspace/weights --served-model-name smollm2-135m-instruct --port 5000 --kaito-config-file "
			   "/mnt/config/inference_config.yaml --adapter a.b=/mnt/adapter/a.b@0.5 --adapter v=/mnt/adapter/v");
	char *line = native_line(json_array_get(inits, 1));
	ck_assert_str_eq(line, "kaito pull reg.example/a:1 --output /mnt/adapter/a.b --no-store");
	ck_assert_str_eq(json_text_at(inits, "", "#0", "env", "#1", "valueFrom", "secretKeyRef", "name", NULL), "hf");
	ck_assert_str_eq(json_text_at(mount_of(json_array_get(inits, 1), "/root/.docker"), "", "name", NULL), "docker-config-pull");
	ck_assert_ptr_null(mount_of(main, "/root/.docker"));
	const json_t *docker = native_named(json_object_get(pod, "volumes"), "docker-config-pull");
	ck_assert_uint_eq(json_array_size(json_at(docker, "projected", "sources", NULL)), 2);
	ck_assert_str_eq(json_text_at(docker, "", "projected", "sources", "#1", "secret", "items", "#0", "path", NULL), "config.d/q/config.json");
	ck_assert_str_eq(json_text_at(native_named(json_object_get(pod, "volumes"), "adapter-volume-v"), "", "persistentVolumeClaim", "claimName", NULL), "c");
	ck_assert(json_is_true(json_object_get(mount_of(main, "/workspace/weights"), "readOnly")));
	ck_assert_str_eq(json_text_at(main, "", "startupProbe", "httpGet", "path", NULL), "/health");
	ck_assert_int_eq(json_int_at(main, 0, "ports", "#0", "containerPort", NULL), 5000);
	ck_assert_str_eq(json_text_at(main, "", "resources", "requests", "cpu", NULL), "6");
	ck_assert_str_eq(json_text_at(main, "", "resources", "requests", "memory", NULL), "1Gi");
	free(line);
	json_decref(set);
	native_plan_close(&n);
}
END_TEST

START_TEST(what_cannot_run_natively_is_refused)
{
	static const struct { const char *preset, *type, *words; } ROWS[] = {
		{"deepseek-r1-0528", "Standard_D8s_v5", "kaito has no DeepseekV3ForCausalLM"},
		{"llama-3.3-70b-instruct", "Standard_D8s_v5", "needs about 141 GiB of memory on a CPU and Standard_D8s_v5 has 32"},
	};
	struct native_plan n;
	struct err err;
	json_t *pod = NULL;
	native_plan_open(&n, WORKSPACE("Standard_D8s_v5", "\"inference\":{\"preset\":{\"name\":\"phi-4\"}}"));
	n.p.model = catalog_model_find(ROWS[_i].preset);
	if (!n.p.model)
		n.p.model = catalog_model_find("deepseek-r1");
	ck_assert_ptr_nonnull(n.p.model);
	ck_assert_int_lt(native_inference_pod(&n.p, &pod, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_msg(strstr(err.message, ROWS[_i].words) != NULL, "%s", err.message);
	native_plan_close(&n);
}
END_TEST

/* --- tuning ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_tuning_job_pulls_tunes_and_pushes)
{
	struct native_plan n;
	struct err err;
	json_t *job = NULL;
	native_plan_open(&n, WORKSPACE("Standard_D8s_v5", TUNING("\"urls\":[\"https://h/a/train.parquet?x=1\",\"hf://datasets/o/d\",\"https://h/b/train.parquet\"]",
								 "\"image\":\"reg.example/acme/a:1\",\"imagePushSecret\":\"push\"")));
	json_t *config = tuning_config_copy(&n.p, NULL);
	ck_assert_msg(tuning_job(&n.p, config, &job, &err) == 0, "%s", err.message);
	const json_t *pod = pod_of(job), *main = json_at(pod, "containers", "#0", NULL);
	expect_sound(pod);
	ck_assert_uint_eq(json_array_size(json_object_get(pod, "containers")), 1);
	ck_assert_ptr_null(json_object_get(pod, "shareProcessNamespace"));
	native_expect_line(pod, "containers", "ws", "kaito tune --config /mnt/config/training_config.yaml --method qlora --model /workspace/weights --output /mnt/results --push "
			   "reg.example/acme/a:1");
	native_expect_line(pod, "initContainers", "data-downloader", "kaito pull https://h/a/train.parquet?x=1 hf://datasets/o/d --output /mnt/data");
	native_expect_line(pod, "initContainers", "data-downloader-2", "kaito pull https://h/b/train.parquet --output /mnt/data/2");
	ck_assert_str_eq(json_text_at(mount_of(main, "/root/.docker"), "", "name", NULL), "docker-config");
	ck_assert_ptr_nonnull(mount_of(main, "/dev/shm"));
	ck_assert_str_eq(json_text_at(job, "", "metadata", "ownerReferences", "#0", "uid", NULL), "u");
	ck_assert_str_eq(meta_annotation(job, "workspace.kaito.io/revision"), "3");
	ck_assert_str_eq(json_text_at(job, "", "spec", "template", "metadata", "labels", "kaito.sh/workspace", NULL), "ws");
	json_decref(config);
	json_decref(job);
	native_plan_close(&n);
}
END_TEST

START_TEST(data_and_weights_may_be_images)
{
	struct native_plan n;
	struct err err;
	json_t *job = NULL;
	native_plan_open(&n, WORKSPACE("", "\"tuning\":{\"preset\":{\"name\":\"smollm2-135m-instruct\",\"presetOptions\":{\"image\":\"reg.example/w:1\",\"imagePullSecrets\":[\"w\"]}},"
				       "\"method\":\"lora\",\"config\":\"mine\",\"input\":{\"image\":\"reg.example/d:1\",\"imagePullSecrets\":[\"w\"]},"
				       "\"output\":{\"volumeSource\":{\"persistentVolumeClaim\":{\"claimName\":\"c\"}},\"imagePushSecret\":\"unused\"}}"));
	json_t *config = native_config("training_config: {TrainingArguments: {output_dir: /mnt/mine}}");
	ck_assert_msg(tuning_job(&n.p, config, &job, &err) == 0, "%s", err.message);
	const json_t *pod = pod_of(job), *volumes = json_object_get(pod, "volumes");
	expect_sound(pod);
	native_expect_line(pod, "initContainers", "model-weights-downloader", "kaito pull reg.example/w:1 --output /workspace/weights --no-store");
	native_expect_line(pod, "initContainers", "puller", "kaito pull reg.example/d:1 --output /mnt/data --no-store");
	native_expect_line(pod, "containers", "ws", "kaito tune --config /mnt/config/training_config.yaml --method lora --model /workspace/weights --output /mnt/mine");
	ck_assert_str_eq(json_text_at(native_named(volumes, "results-volume"), "", "persistentVolumeClaim", "claimName", NULL), "c");
	ck_assert_ptr_null(native_named(volumes, "docker-config"));
	ck_assert_uint_eq(json_array_size(json_at(native_named(volumes, "docker-config-pull"), "projected", "sources", NULL)), 1);
	json_decref(config);
	json_decref(job);
	native_plan_close(&n);
}
END_TEST

/* The exit codes of docs/exit-codes.md decide what a failed pod means. */
START_TEST(the_failure_policy_follows_the_exit_codes)
{
	struct native_plan n;
	struct err err;
	json_t *job = NULL;
	native_plan_open(&n, WORKSPACE("", TUNING("\"urls\":[\"https://h/a\"]", "\"image\":\"r/a:1\"")));
	json_t *config = tuning_config_copy(&n.p, NULL);
	ck_assert_int_eq(tuning_job(&n.p, config, &job, &err), 0);
	const json_t *rules = json_at(job, "spec", "podFailurePolicy", "rules", NULL), *final = json_at(rules, "#2", "onExitCodes", "values", NULL), *code;
	ck_assert_str_eq(json_text_at(rules, "", "#0", "onPodConditions", "#0", "type", NULL), "DisruptionTarget");
	ck_assert_int_eq(json_int_at(rules, 0, "#1", "onExitCodes", "values", "#0", NULL), 21);
	ck_assert_str_eq(json_text_at(rules, "", "#2", "action", NULL), "FailJob");
	size_t i;
	int last = 0;
	bool data = false;
	json_array_foreach((json_t *)final, i, code) {
		ck_assert_int_gt(json_integer_value(code), last); /* the API server wants them sorted and without 0 */
		last = (int)json_integer_value(code);
		data = data || last == err_traits(ERR_DATA)->exit_code;
		ck_assert_int_ne(last, err_traits(ERR_NETWORK)->exit_code);
	}
	ck_assert(data);
	json_decref(config);
	json_decref(job);
	native_plan_close(&n);
}
END_TEST

/* The quick start's V100: planned natively, with upstream's weights, its taints tolerated, its GPU unused. */
START_TEST(an_old_gpu_is_not_asked_for)
{
	struct native_plan n;
	struct err err;
	json_t *job = NULL;
	char *text = mem_strdup(WORKSPACE("Standard_NC6s_v3", TUNING("\"urls\":[\"https://h/a\"]", "\"image\":\"r/a:1\""))), *at = strstr(text, "kaito.sh/runtime");
	memcpy(at, "kaito.sh/nothing", 16);
	native_plan_open(&n, text);
	n.p.model = catalog_model_find("phi-3-mini-128k-instruct");
	ck_assert_int_eq(n.p.runtime, RUNTIME_NATIVE);
	json_t *config = tuning_config_copy(&n.p, NULL);
	ck_assert_msg(tuning_job(&n.p, config, &job, &err) == 0, "%s", err.message);
	const json_t *pod = pod_of(job);
	native_expect_line(pod, "initContainers", "model-weights-downloader",
			   "kaito pull mcr.microsoft.com/aks/kaito/kaito-phi-3-mini-128k-instruct:0.2.0 --output /workspace/weights --no-store");
	ck_assert_str_eq(json_text_at(pod, "", "tolerations", "#1", "key", NULL), "sku");
	ck_assert_str_eq(json_text_at(pod, "", "containers", "#0", "resources", "requests", "cpu", NULL), "4");
	expect_sound(pod);
	free(text);
	json_decref(config);
	json_decref(job);
	native_plan_close(&n);
}
END_TEST

/* --- the words about old GPUs ------------------------------------------------------------------------------------------- */

START_TEST(old_gpus_are_told)
{
	struct native_plan n;
	char text[LEGACY_MESSAGE_MAX];
	native_plan_open(&n, WORKSPACE("Standard_NC6s_v3", TUNING("\"urls\":[\"https://h/a\"]", "\"image\":\"r/a:1\"")));
	n.p.model = catalog_model_find("phi-3-mini-128k-instruct");
	n.w.preset = "phi-3-mini-128k-instruct";
	ck_assert(legacy_message(&n.p, text, sizeof text));
	ck_assert_str_eq(text, "NVIDIA V100 (compute capability 7.0) is too old for kaito-base, which needs 8.0: phi-3-mini-128k-instruct is tuned on the node's 6 CPUs, in about "
			       "5 to 16 hours a million tokens; faster: a newer GPU, or --legacy-base-image");
	n.p.runtime = RUNTIME_VLLM;
	ck_assert(legacy_message(&n.p, text, sizeof text));
	ck_assert_ptr_nonnull(strstr(text, "pods will fail there"));
	n.o.legacy_base_image = "reg/old:1";
	ck_assert(legacy_message(&n.p, text, sizeof text));
	ck_assert_ptr_nonnull(strstr(text, "image reg/old:1 is used instead"));
	ck_assert(legacy_message(&n.p, text, 20));
	ck_assert_uint_eq(strlen(text), 19);
	n.p.legacy_gpu = false;
	ck_assert(!legacy_message(&n.p, text, sizeof text));
	ck_assert_str_eq(text, "");
	native_plan_close(&n);
}
END_TEST

/* The measured machine's own rate, and that more work takes longer. */
START_TEST(the_estimate_is_the_measured_rate_scaled)
{
	const struct catalog_model *small = catalog_model_find("smollm2-135m-instruct"), *large = catalog_model_find("phi-4");
	double seconds = legacy_tuning_seconds(small, 2, 513);
	ck_assert(seconds > 0.8 && seconds < 1.2);
	ck_assert(legacy_tuning_seconds(large, 2, 513) > 50 * seconds);
	ck_assert(legacy_tuning_seconds(small, 4, 513) < seconds);
	ck_assert(legacy_tuning_seconds(small, 0, 513) == 0 && legacy_tuning_seconds(NULL, 2, 513) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("native");
	TCase *tcase = tcase_create("native");
	tcase_add_test(tcase, an_inference_pod_pulls_and_serves);
	tcase_add_loop_test(tcase, what_cannot_run_natively_is_refused, 0, 2);
	tcase_add_test(tcase, a_tuning_job_pulls_tunes_and_pushes);
	tcase_add_test(tcase, data_and_weights_may_be_images);
	tcase_add_test(tcase, the_failure_policy_follows_the_exit_codes);
	tcase_add_test(tcase, an_old_gpu_is_not_asked_for);
	tcase_add_test(tcase, old_gpus_are_told);
	tcase_add_test(tcase, the_estimate_is_the_measured_rate_scaled);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
