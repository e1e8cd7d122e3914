/* Every tuning Job and ConfigMap that upstream's controller created, compared with ours. What we mend is checked, taken away, and the rest
 * must be equal: the toleration of nvidia.com/gpu, the provisioner's affinity, the name of an unnamed input's credentials. */
#include "golden.h"
#include "contract/training_config.h"
#include "workload/tuning_workload.h"

struct tuning { struct golden_plan g; json_t *file; };

static void tuning_open(struct tuning *t, const char *name)
{
	char path[256];
	struct err err;
	snprintf(path, sizeof path, "tests/golden/workload/tuning-%s.json", name);
	ck_assert_msg(json_parse_file(&t->file, source_path(path), &err) == 0, "%s", err.message);
	golden_fill(&t->g, name, json_object_get(t->file, "workspace"), json_object_get(t->file, "gpu"));
}

static void tuning_close(struct tuning *t)
{
	golden_done(&t->g);
	json_decref(t->file);
}

/* The ConfigMap that the Job mounts: the user's, or a copy of the template. */
static json_t *config_of(struct tuning *t)
{
	json_t *own = json_object_get(t->file, "config");
	return own ? json_incref(own) : tuning_config_copy(&t->g.plan, NULL);
}

/* --- what the API server adds, and what is not compared ----------------------------------------------------------- */

static void drop_job_defaults(json_t *job)
{
	static const char *const KEYS[] = {"backoffLimit", "completionMode", "completions", "manualSelector", "parallelism", "podReplacementPolicy", "suspend"};
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		json_object_del(json_object_get(job, "spec"), KEYS[i]);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(json_text_at(*(json_t *const *)a, "", "mountPath", NULL), json_text_at(*(json_t *const *)b, "", "mountPath", NULL));
}

/* Mounts are a map by their path. */
static void sort_mounts(json_t *container)
{
	json_t *mounts = json_object_get(container, "volumeMounts"), *item, *sorted[32];
	size_t n = json_array_size(mounts), i;
	ck_assert_uint_le(n, 32);
	json_array_foreach(mounts, i, item)
		sorted[i] = json_incref(item);
	qsort(sorted, n, sizeof sorted[0], by_path);
	for (i = 0; i < n; i++)
		json_array_set_new(mounts, i, sorted[i]);
}

static void normalise(json_t *job)
{
	static const char *const LISTS[] = {"containers", "initContainers"};
	json_t *pod = json_at(job, "spec", "template", "spec", NULL), *item;
	size_t i;
	for (size_t l = 0; l < 2; l++)
		json_array_foreach(json_object_get(pod, LISTS[l]), i, item) {
			sort_mounts(item);
			if (strcmp(json_text_at(item, "", "imagePullPolicy", NULL), "Always") == 0)
				json_object_del(item, "imagePullPolicy"); /* the default of images without a tag */
		}
	json_array_foreach(json_object_get(pod, "tolerations"), i, item)
		if (strcmp(json_text_at(item, "", "operator", NULL), "Equal") == 0)
			json_object_del(item, "operator");
	drop_job_defaults(job);
}

/* --- what we mend -------------------------------------------------------------------------------------------------- */

static void take_toleration(json_t *pod)
{
	json_t *list = json_object_get(pod, "tolerations");
	ck_assert_str_eq(json_text_at(list, "", "#1", "key", NULL), "nvidia.com/gpu");
	json_array_remove(list, 1);
}

static void take_terms(json_t *pod, const json_t *terms)
{
	json_t *list = json_at(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", "#0", "matchExpressions", NULL);
	for (size_t n = json_array_size(terms); n-- > 0;) {
		size_t last = json_array_size(list) - 1;
		ck_assert(json_equal(json_array_get(list, last), json_array_get(terms, n)));
		json_array_remove(list, last);
	}
}

static json_t *renamed(const json_t *job)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(buf_done) struct buf out = {0};
	json_print(job, JSON_PRINT_COMPACT, &text);
	for (const char *p = text.data; *p;) {
		bool volume = strncmp(p, "docker-config--tuning-input", 27) == 0, folder = strncmp(p, "config.d/-tuning-input", 22) == 0;
		buf_puts(&out, volume ? "docker-config-tuning-input" : folder ? "config.d/tuning-input" : "");
		if (!volume && !folder)
			buf_putc(&out, *p);
		p += volume ? 27 : folder ? 22 : 1;
	}
	return golden_json(out.data);
}

static const char *const CASES[] = {
	"a-quickstart-nc24ads", "a-quickstart-v1beta1-jobfails", "f-tuning-lora-volumes", "g-tuning-2gpu", "g-tuning-image-input", "g-tuning-own-config",
	"g-tuning-phi4mini-lora", "karpenter-tuning",
};

START_TEST(jobs_equal_the_recorded_ones)
{
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, CASES[_i]);
	json_t *config = config_of(&t), *wanted = renamed(json_object_get(t.file, "job"));
	ck_assert_msg(tuning_job(&t.g.plan, config, &job, &err) == 0, "%s", err.message);
	json_t *pod = json_at(job, "spec", "template", "spec", NULL);
	take_toleration(pod);
	take_terms(pod, t.g.terms);
	normalise(job);
	normalise(wanted);
	golden_assert(CASES[_i], job, wanted);
	json_decref(job);
	json_decref(wanted);
	json_decref(config);
	tuning_close(&t);
}
END_TEST

/* The text is ours; everything else is upstream's. */
START_TEST(config_maps_equal_the_recorded_ones)
{
	struct tuning t;
	tuning_open(&t, CASES[_i]);
	json_t *wanted = json_object_get(t.file, "configmap"), *ours = tuning_config_copy(&t.g.plan, NULL);
	if (wanted) {
		const char *text = json_text_at(ours, "", "data", "training_config.yaml", NULL);
		struct training_config c;
		struct err err;
		ck_assert_msg(training_config_parse(&c, str_of(text), "template", NULL, &err) == 0, "%s", err.message);
		ck_assert_int_eq(training_config_method(&c) == METHOD_QLORA, strcmp(t.g.view.method, "qlora") == 0);
		training_config_done(&c);
		json_object_set(json_object_get(ours, "data"), "training_config.yaml", json_at(wanted, "data", "training_config.yaml", NULL));
		json_object_del(json_object_get(wanted, "metadata"), "annotations");
		golden_assert(CASES[_i], ours, wanted);
	}
	json_decref(ours);
	tuning_close(&t);
}
END_TEST

START_TEST(a_copied_config_map_has_the_data_of_its_source)
{
	struct tuning t;
	tuning_open(&t, CASES[0]);
	json_t *source = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", "x", "data", "training_config.yaml", "training_config: {}\n");
	json_t *copy = tuning_config_copy(&t.g.plan, source);
	ck_assert(json_equal(json_object_get(copy, "data"), json_object_get(source, "data")));
	ck_assert_str_eq(meta_name(copy), "qlora-params-template");
	json_decref(copy);
	json_decref(source);
	tuning_close(&t);
}
END_TEST

/* --- where upstream panics or waits for ever ------------------------------------------------------------------------ */

START_TEST(presets_that_cannot_be_tuned_are_refused_in_words)
{
	static const char *const NAMES[] = {"n-tuning-mistral7b", "n-tuning-not-tunable"};
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, NAMES[_i]);
	json_t *config = config_of(&t);
	ck_assert_int_lt(tuning_job(&t.g.plan, config, &job, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, t.g.view.preset));
	ck_assert_ptr_nonnull(strstr(err.message, "cannot be tuned"));
	json_decref(config);
	tuning_close(&t);
}
END_TEST

/* The base model mistral-7b has an artifact; upstream looks its data up under a name that does not exist. */
START_TEST(mistral_7b_works)
{
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, "n-tuning-mistral7b");
	t.g.plan.model = catalog_model_find("mistral-7b");
	json_t *config = config_of(&t);
	ck_assert_msg(tuning_job(&t.g.plan, config, &job, &err) == 0, "%s", err.message);
	ck_assert_str_eq(json_text_at(job, "", "spec", "template", "spec", "initContainers", "#0", "command", "#2", NULL), "mcr.microsoft.com/aks/kaito/kaito-mistral-7b:0.2.0");
	json_decref(job);
	json_decref(config);
	tuning_close(&t);
}
END_TEST

/* Upstream: "Unsupported SKU ''". The count is what the node reports. */
START_TEST(own_nodes_give_the_gpu_count)
{
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, "byo-tuning");
	json_t *config = config_of(&t);
	ck_assert_msg(tuning_job(&t.g.plan, config, &job, &err) == 0, "%s", err.message);
	const json_t *main = json_at(job, "spec", "template", "spec", "containers", "#0", NULL);
	ck_assert_str_eq(json_text_at(main, "", "resources", "limits", "nvidia.com/gpu", NULL), "4");
	ck_assert_ptr_nonnull(strstr(json_text_at(main, "", "command", "#2", NULL), "--num_processes=4 "));
	json_decref(job);
	t.g.plan.gpu.gpus = 0;
	ck_assert_int_lt(tuning_job(&t.g.plan, config, &job, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "no GPU is known"));
	json_decref(config);
	tuning_close(&t);
}
END_TEST

START_TEST(a_method_in_mixed_case_is_read)
{
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, CASES[0]);
	t.g.view.method = "QLoRA";
	json_t *config = config_of(&t);
	ck_assert_str_eq(meta_name(config), "qlora-params-template");
	ck_assert_int_eq(tuning_job(&t.g.plan, config, &job, &err), 0);
	json_decref(job);
	t.g.view.method = "dora";
	ck_assert_int_lt(tuning_job(&t.g.plan, config, &job, &err), 0);
	ck_assert_str_eq(err.message, "tuning method must be lora or qlora, not 'dora'");
	ck_assert_ptr_null(tuning_config_copy(&t.g.plan, NULL));
	json_decref(config);
	tuning_close(&t);
}
END_TEST

/* Where output_dir points decides the mount; folders of other volumes and places outside /mnt are refused. */
START_TEST(output_dir_is_checked)
{
	static const struct { const char *yaml, *mount; } ROWS[] = {
		{"training_config: {TrainingArguments: {output_dir: /mnt/out/}}", "/mnt/out"}, {"training_config: {TrainingArguments: {output_dir: deep/er}}", "/mnt/deep/er"},
		{"training_config: {}", "/mnt/results"}, {"{}", "/mnt/results"}, {"training_config: {TrainingArguments: {output_dir: 7}}", "/mnt/results"},
		{"training_config: {TrainingArguments: {output_dir: /mnt}}", NULL}, {"training_config: {TrainingArguments: {output_dir: /mnt/}}", NULL},
		{"training_config: {TrainingArguments: {output_dir: /mnt/data}}", NULL}, {"training_config: {TrainingArguments: {output_dir: /mnt/../etc}}", NULL},
		{"training_config: {TrainingArguments: {output_dir: /workspace/x}}", NULL}, {"training_config: {TrainingArguments: {output_dir: '/mnt/a:b'}}", NULL},
		{"training_config: [", NULL},
	};
	struct tuning t;
	struct err err;
	json_t *job = NULL;
	tuning_open(&t, CASES[0]);
	json_t *config = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", "mine", "data", "training_config.yaml", ROWS[_i].yaml);
	int rc = tuning_job(&t.g.plan, config, &job, &err);
	ck_assert_int_eq(rc == 0, ROWS[_i].mount != NULL);
	if (rc == 0)
		ck_assert_str_eq(json_text_at(job, "", "spec", "template", "spec", "containers", "#1", "volumeMounts", "#1", "mountPath", NULL), ROWS[_i].mount);
	else
		ck_assert_int_eq(err.kind, ERR_CONFIG);
	json_decref(job);
	json_decref(config);
	tuning_close(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tuning_golden");
	TCase *tcase = tcase_create("tuning_golden");
	int n = (int)(sizeof CASES / sizeof CASES[0]);
	tcase_add_loop_test(tcase, jobs_equal_the_recorded_ones, 0, n);
	tcase_add_loop_test(tcase, config_maps_equal_the_recorded_ones, 0, n);
	tcase_add_test(tcase, a_copied_config_map_has_the_data_of_its_source);
	tcase_add_loop_test(tcase, presets_that_cannot_be_tuned_are_refused_in_words, 0, 2);
	tcase_add_test(tcase, mistral_7b_works);
	tcase_add_test(tcase, own_nodes_give_the_gpu_count);
	tcase_add_test(tcase, a_method_in_mixed_case_is_read);
	tcase_add_loop_test(tcase, output_dir_is_checked, 0, 12);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
