/* Pods that no recorded case covers: other models, partitions, roles, local weights, adapters with strength or on volumes, odd names. */
#include "golden.h"
#include "crd/names.h"
#include "workload/adapters.h"
#include "workload/inference_workload.h"
#include "workload/pod_spec.h"
#include "workload/probes.h"
#include "workload/vllm_command.h"

/* A Workspace of JSON5-like text ('for "), on a GPU machine. */
struct scene { json_t *workspace; struct golden_plan g; };

static json_t *quoted(const char *text)
{
	char *copy = mem_strdup(text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json_t *value = golden_json(copy);
	free(copy);
	return value;
}

static void setup(struct scene *s, const char *instance, const char *annotations, const char *inference)
{
	s->workspace = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:o}, s:{s:s}, s:o}", "apiVersion", "kaito.sh/v1beta1", "kind", "Workspace", "metadata",
				 "name", "ws", "namespace", "default", "uid", "u1", "annotations", quoted(annotations), "resource", "instanceType", instance,
				 "inference", quoted(inference));
	golden_fill(&s->g, "", s->workspace, NULL);
}

static void teardown(struct scene *s)
{
	golden_done(&s->g);
	json_decref(s->workspace);
}

static json_t *statefulset_of(struct scene *s)
{
	json_t *set = NULL;
	struct err err;
	ck_assert_msg(inference_statefulset(&s->g.plan, &set, &err) == 0, "%s", err.message);
	return set;
}

static json_t *pod_of(const json_t *set) { return json_at(set, "spec", "template", "spec", NULL); }
static json_t *main_of(const json_t *set) { return json_at(set, "spec", "template", "spec", "containers", "#0", NULL); }
static const char *line_of(const json_t *set) { return json_text_at(main_of(set), "", "command", "#2", NULL); }

static const json_t *named(const json_t *list, const char *name)
{
	json_t *item;
	size_t i;
	json_array_foreach((json_t *)list, i, item)
		if (strcmp(json_text_at(item, "", "name", NULL), name) == 0)
			return item;
	return NULL;
}

static const char *env_of(const json_t *set, const char *name) { return json_text_at(named(json_object_get(main_of(set), "env"), name), "(absent)", "value", NULL); }

/* Whether the word is one of the command's, alone. */
static bool has_word(const char *line, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
		if (at[-1] == ' ' && (at[n] == ' ' || at[n] == 0 || at[n] == ';'))
			return true;
	return false;
}

static const struct { const char *preset, *instance, *words[6]; } COMMANDS[] = {
	{"deepseek-ai/DeepSeek-V3.2", "Standard_ND96isr_H200_v5", {"--kernel-config.enable_flashinfer_autotune=False", "--tool-call-parser=deepseek_v32",
	 "--reasoning-parser=deepseek_v3", "--kaito-kv-cache-cpu-memory-utilization=0", "--dtype=auto", "--tensor-parallel-size=8"}},
	{"MiniMaxAI/MiniMax-M2.7", "Standard_ND96isr_H100_v5", {"--enable-expert-parallel", "--reasoning-parser=minimax_m2_append_think", "--enable-auto-tool-choice"}},
	{"Qwen/Qwen3.5-4B", "Standard_NC24ads_A100_v4", {"--gdn-prefill-backend=triton", "--kaito-kv-cache-cpu-memory-utilization=0", "--model=qwen/qwen3.5-4b"}},
	{"mistralai/Mistral-7B-Instruct-v0.3", "Standard_NV36ads_A10_v5", {"--load_format=mistral", "--config_format=mistral", "--tokenizer_mode=mistral",
	 "--gpu-memory-utilization=0.82", "--served-model-name=mistral-7b-instruct-v0.3"}},
	{"gpt-oss-20b", "Standard_NC24ads_A100_v4", {"--kaito-kv-cache-cpu-memory-utilization=0", "--dtype=auto", "--reasoning-parser=openai_gptoss"}},
	{"deepseek-ai/DeepSeek-V4-Flash-0731", "Standard_ND96isr_H200_v5", {"--kv-cache-dtype=fp8", "--tokenizer_mode=deepseek_v4", "--tool-call-parser=deepseek_v4"}},
};

START_TEST(models_get_their_flags)
{
	struct scene s;
	char inference[256];
	snprintf(inference, sizeof inference, "{'preset':{'name':'%s'}}", COMMANDS[_i].preset);
	setup(&s, COMMANDS[_i].instance, "{}", inference);
	json_t *set = statefulset_of(&s);
	for (size_t w = 0; w < 6 && COMMANDS[_i].words[w]; w++)
		ck_assert_msg(has_word(line_of(set), COMMANDS[_i].words[w]), "%s in %s", COMMANDS[_i].words[w], line_of(set));
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(deep_gemm_models_bring_a_cuda_toolkit)
{
	struct scene s;
	setup(&s, "Standard_ND96isr_H200_v5", "{}", "{'preset':{'name':'deepseek-ai/DeepSeek-V3.2'}}");
	json_t *set = statefulset_of(&s);
	ck_assert_str_eq(env_of(set, "VLLM_USE_DEEP_GEMM"), "1");
	ck_assert_str_eq(env_of(set, "CUDA_HOME"), "/opt/kaito/cuda/129");
	const json_t *init = named(json_object_get(pod_of(set), "initContainers"), "cuda-toolkit-provisioner");
	ck_assert_ptr_nonnull(strstr(json_text_at(init, "", "command", "#2", NULL), "flock"));
	ck_assert_str_eq(json_text_at(init, "", "image", NULL), json_text_at(main_of(set), "?", "image", NULL));
	const json_t *volume = named(json_object_get(pod_of(set), "volumes"), "cuda-toolkit-hostpath");
	ck_assert_str_eq(json_text_at(volume, "", "hostPath", "type", NULL), "DirectoryOrCreate");
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(local_weights_are_read_from_the_node)
{
	static const char PATH[] = "/opt/kaito/models/google-gemma-4-31b-it";
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{'kaito.sh/use-local-weights':'true'}", "{'preset':{'name':'google/gemma-4-31B-it'}}");
	json_t *set = statefulset_of(&s);
	ck_assert(has_word(line_of(set), "--model=/opt/kaito/models/google-gemma-4-31b-it"));
	ck_assert(has_word(line_of(set), "--load-format=runai_streamer"));
	ck_assert_ptr_null(strstr(line_of(set), "--load_format"));
	ck_assert_ptr_null(strstr(line_of(set), "--download-dir"));
	ck_assert_str_eq(env_of(set, "KAITO_PROCESSOR"), PATH);
	const json_t *mount = named(json_object_get(main_of(set), "volumeMounts"), "model-weights-hostpath");
	ck_assert_str_eq(json_text_at(mount, "", "mountPath", NULL), PATH);
	ck_assert(json_is_true(json_object_get(mount, "readOnly")));
	ck_assert_ptr_null(json_at(set, "spec", "volumeClaimTemplates", NULL));
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(mig_slice_is_asked_for_by_name)
{
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{}", "{'preset':{'name':'phi-4-mini-instruct'}}");
	json_object_set_new(s.workspace, "resource", quoted("{'partition':{'mode':'mig','profile':'3g.40gb'},'labelSelector':{'matchLabels':{'b':'2','a':'1'}}}"));
	workspace_view_read(&s.g.view, s.workspace, &s.g.options);
	s.g.plan.gpu = (struct gpu_config){1, 40, "NVIDIA-A100-SXM4-80GB", false, 80, true};
	json_t *set = statefulset_of(&s);
	ck_assert_str_eq(json_text_at(main_of(set), "", "resources", "limits", "nvidia.com/mig-3g.40gb", NULL), "1");
	ck_assert(has_word(line_of(set), "--kaito-kv-cache-cpu-memory-utilization=0"));
	ck_assert(has_word(line_of(set), "--tensor-parallel-size=1"));
	ck_assert_str_eq(json_text_at(pod_of(set), "", "tolerations", "#3", "key", NULL), "nvidia.com/mig-3g.40gb");
	const json_t *terms = json_at(pod_of(set), "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", "#0", "matchExpressions", NULL);
	ck_assert_str_eq(json_text_at(terms, "", "#0", "key", NULL), "a");
	ck_assert_str_eq(json_text_at(terms, "", "#1", "key", NULL), "b");
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(adapters_on_volumes_and_with_strength)
{
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{'kaito.sh/runtime':'transformers'}",
	      "{'preset':{'name':'phi-3-mini-4k-instruct','presetOptions':{'modelAccessSecret':'tok'}},'adapters':["
	      "{'source':{'name':'one','volumeSource':{'persistentVolumeClaim':{'claimName':'pvc'}}},'strength':'0.3'},"
	      "{'source':{'name':'two','image':'r/two:1','imagePullSecrets':['s1','s2']}},{'source':{'name':'three','image':'r/three:1','imagePullSecrets':['s1']},'strength':'0.5'}]}");
	json_t *set = statefulset_of(&s);
	ck_assert_str_eq(env_of(set, "one"), "0.3");
	ck_assert_str_eq(env_of(set, "two"), "(absent)");
	ck_assert_str_eq(env_of(set, "three"), "0.5");
	const json_t *volume = named(json_object_get(pod_of(set), "volumes"), "adapter-volume-one");
	ck_assert_str_eq(json_text_at(volume, "", "persistentVolumeClaim", "claimName", NULL), "pvc");
	ck_assert_str_eq(json_text_at(named(json_object_get(main_of(set), "volumeMounts"), "adapter-volume-one"), "", "mountPath", NULL), "/mnt/adapter/one");
	ck_assert_uint_eq(json_array_size(json_object_get(pod_of(set), "initContainers")), 2);
	ck_assert_uint_eq(json_array_size(json_object_get(pod_of(set), "imagePullSecrets")), 2);
	ck_assert_str_eq(json_text_at(named(json_object_get(main_of(set), "env"), "HF_TOKEN"), "", "valueFrom", "secretKeyRef", "name", NULL), "tok");
	ck_assert_ptr_null(strstr(line_of(set), "--enable-lora"));
	json_decref(set);
	teardown(&s);
}
END_TEST

static const char *const BAD_ADAPTERS[] = {
	"{'preset':{'name':'phi-4-mini-instruct'},'adapters':[{'source':{'name':'a'}}]}",
	"{'preset':{'name':'phi-4-mini-instruct'},'adapters':[{'source':{'image':'r/a:1'}}]}",
	"{'preset':{'name':'phi-4-mini-instruct'},'adapters':[{}]}",
	"{'preset':{'name':'phi-4-mini-instruct'},'adapters':[{'source':{'name':'../x','image':'r/a:1'}}]}",
};

START_TEST(adapters_without_name_or_source_are_refused)
{
	struct scene s;
	json_t *set = NULL;
	struct err err;
	setup(&s, "Standard_NC24ads_A100_v4", "{}", BAD_ADAPTERS[_i]);
	ck_assert_int_lt(inference_statefulset(&s.g.plan, &set, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_ptr_null(set);
	teardown(&s);
}
END_TEST

START_TEST(labels_made_of_names_are_valid)
{
	static const char LONG[] = "a-name-that-is-much-longer-than-any-label-of-kubernetes-can-be-in-this-world";
	char *plain = adapters_label("puller-", "one", ""), *dotted = adapters_label("puller-", "a.b", ""), *dashed = adapters_label("puller-", "a-b", ""),
	     *cut = adapters_label("docker-config-", LONG, "-inference-adapter");
	ck_assert_str_eq(plain, "puller-one");
	ck_assert_ptr_null(strchr(dotted, '.'));
	ck_assert_str_ne(dotted, dashed);
	ck_assert_uint_le(strlen(cut), 63);
	ck_assert_ptr_nonnull(strstr(cut, "-inference-adapter"));
	free(plain);
	free(dotted);
	free(dashed);
	free(cut);
}
END_TEST

START_TEST(old_gpu_runs_the_image_that_a_flag_names)
{
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{}", "{'preset':{'name':'phi-4-mini-instruct'}}");
	s.g.plan.legacy_gpu = true;
	s.g.options.legacy_base_image = "registry.example.com/old-base:1";
	json_t *set = statefulset_of(&s);
	ck_assert_str_eq(json_text_at(main_of(set), "", "image", NULL), "registry.example.com/old-base:1");
	json_decref(set);
	teardown(&s);
}
END_TEST

/* The values are data: nothing in them may start a command of its own. */
START_TEST(values_are_quoted_for_the_shell)
{
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{'kaito.sh/performance-mode':'x; $(reboot)'}", "{'preset':{'name':'phi-4-mini-instruct'}}");
	json_t *set = statefulset_of(&s);
	ck_assert_ptr_nonnull(strstr(line_of(set), " --performance-mode='x; $(reboot)'"));
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(native_pods_get_a_set_of_their_own)
{
	struct scene s;
	setup(&s, "Standard_D16s_v5", "{'kaito.sh/runtime':'native'}", "{'preset':{'name':'phi-4-mini-instruct'}}");
	s.g.plan.gpu = (struct gpu_config){0};
	json_t *set = statefulset_of(&s);
	ck_assert_str_eq(json_text_at(set, "", "spec", "serviceName", NULL), "ws-headless");
	ck_assert_ptr_null(json_at(main_of(set), "resources", "limits", "nvidia.com/gpu", NULL));
	ck_assert_str_eq(json_text_at(main_of(set), "", "name", NULL), "ws");
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(start_up_budget_grows_with_the_weights)
{
	ck_assert_int_eq(probe_startup_failures(0), 180);
	ck_assert_int_eq(probe_startup_failures(7.15), 180);
	ck_assert_int_eq(probe_startup_failures(131.42), 327);
	ck_assert_int_eq(probe_startup_failures(805.34), 1080);
	ck_assert_int_eq(probe_startup_failures(50.01), 181);
}
END_TEST

START_TEST(multi_node_without_benchmark_starts_by_the_readiness_script)
{
	struct scene s;
	setup(&s, "Standard_NC24ads_A100_v4", "{'kaito.sh/disable-benchmark':'true'}", "{'preset':{'name':'llama-3.3-70b-instruct'}}");
	json_object_set_new(json_object_get(s.workspace, "metadata"), "labels", json_pack("{s:s}", LABEL_ROLE, "decode"));
	workspace_view_read(&s.g.view, s.workspace, &s.g.options);
	json_t *set = statefulset_of(&s);
	const char *probe = json_text_at(main_of(set), "", "startupProbe", "exec", "command", "#2", NULL);
	ck_assert_ptr_nonnull(strstr(probe, "readiness --leader-address=ws-0.ws-headless.default.svc.cluster.local --vllm-port=5001"));
	ck_assert_int_eq(json_int_at(main_of(set), 0, "startupProbe", "failureThreshold", NULL), 327);
	json_decref(set);
	teardown(&s);
}
END_TEST

START_TEST(storage_is_the_models_disk)
{
	struct scene s;
	char text[24];
	setup(&s, "Standard_NC24ads_A100_v4", "{}", "{'preset':{'name':'phi-4-mini-instruct'}}");
	plan_storage(&s.g.view, s.g.plan.model, text, sizeof text);
	ck_assert_str_eq(text, "87Gi");
	plan_storage(&s.g.view, NULL, text, sizeof text);
	ck_assert_str_eq(text, "1024Gi");
	teardown(&s);
}
END_TEST

START_TEST(words_of_a_shell)
{
	static const struct { const char *text, *word; } WORDS[] = {{"plain-1.2/x=y", "plain-1.2/x=y"}, {"", "''"}, {"a b", "'a b'"}, {"it's", "'it'\\''s'"}, {"$x", "'$x'"}, {"~", "'~'"}, {"\xc3\xa9", "'\xc3\xa9'"}};
	for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
		struct buf out = {0};
		shell_word_put(&out, str_of(WORDS[i].text));
		ck_assert_str_eq(out.data, WORDS[i].word);
		buf_done(&out);
	}
	ck_assert(shell_words_equal(STR("a --b=1 --c='x y'; fi"), STR("a --c='x y' --b=1; fi")));
	ck_assert(!shell_words_equal(STR("a --b=1"), STR("a --b=2")));
	ck_assert(!shell_words_equal(STR("a 'b c'"), STR("a b c")));
	ck_assert(shell_words_equal(STR(""), STR(" ")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inference_pod");
	TCase *tcase = tcase_create("inference_pod");
	tcase_add_loop_test(tcase, models_get_their_flags, 0, (int)(sizeof COMMANDS / sizeof COMMANDS[0]));
	tcase_add_loop_test(tcase, adapters_without_name_or_source_are_refused, 0, (int)(sizeof BAD_ADAPTERS / sizeof BAD_ADAPTERS[0]));
	const TTest *const TESTS[] = {deep_gemm_models_bring_a_cuda_toolkit, local_weights_are_read_from_the_node, mig_slice_is_asked_for_by_name,
		adapters_on_volumes_and_with_strength, labels_made_of_names_are_valid, old_gpu_runs_the_image_that_a_flag_names, values_are_quoted_for_the_shell,
		native_pods_get_a_set_of_their_own, start_up_budget_grows_with_the_weights, multi_node_without_benchmark_starts_by_the_readiness_script,
		storage_is_the_models_disk, words_of_a_shell};
	for (size_t i = 0; i < sizeof TESTS / sizeof TESTS[0]; i++)
		tcase_add_test(tcase, TESTS[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
