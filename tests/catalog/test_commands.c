/* test_commands.c: `kaito models` and `kaito estimate` as a user sees them. */
#include "check_main.h"

#include "base/fd.h"
#include "cmd/command.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <fcntl.h>
#include <unistd.h>

static struct err err;
static struct buf out;

static void setup(void) { unsetenv("CLOUD_PROVIDER"); }

/* Runs a command with its standard output in `out`. words: space-separated. */
static int run(int (*command)(int, char **, struct err *), const char *words)
{
	char line[512], path[] = "/tmp/kaito-command-XXXXXX", *argv[16];
	int argc = 0;
	snprintf(line, sizeof line, "%s", words);
	for (char *word = line; word && argc < 15;) {
		argv[argc++] = word;
		word = strchr(word, ' ');
		if (word)
			*word++ = 0;
	}
	argv[argc] = NULL;
	int file = mkstemp(path), kept = dup(STDOUT_FILENO);
	fflush(stdout);
	ck_assert(file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
	err = ERR_INIT;
	int rc = command(argc, argv, &err);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	close(file);
	struct err reading = ERR_INIT;
	ck_assert_int_eq(fd_read_file(path, 1 << 20, &out, &reading), 0);
	unlink(path);
	return rc;
}

static void says(const char *text) { ck_assert_msg(strstr(out.data, text) != NULL, "'%s' is not in:\n%s", text, out.data); }

static json_t *answer(void)
{
	json_t *value = NULL;
	struct err reading = ERR_INIT;
	ck_assert_msg(json_parse(&value, buf_str(&out), "output", &reading) == 0, "%s", reading.message);
	return value;
}

START_TEST(the_list_has_every_preset)
{
	ck_assert_int_eq(run(cmd_models, "models"), 0);
	says("phi-3-mini-128k-instruct");
	says("Qwen/Qwen3.8-27B");
	says("smollm2-135m-instruct");
	ck_assert_int_eq(run(cmd_models, "models -o json"), 0);
	json_t *list = answer();
	ck_assert_uint_eq(json_array_size(list), 68);
	ck_assert_str_eq(json_text_at(list, "", "#0", "alias", NULL), "phi-4");
	ck_assert(json_is_null(json_at(list, "#59", "alias", NULL)));
	json_decref(list);
}
END_TEST

START_TEST(one_model_with_its_machines)
{
	ck_assert_int_eq(run(cmd_models, "models Phi-3-Mini-128k-instruct"), 0);
	says("microsoft/Phi-3-mini-128k-instruct");
	says("32 layers of 3072");
	says("kaito-phi-3-mini-128k-instruct:0.2.0");
	says("vllm, transformers, native");
	says("Standard_NC24ads_A100_v4");
	ck_assert_int_eq(run(cmd_models, "models deepseek-r1-0528 --cloud aws -o json"), 0);
	json_t *m = answer();
	ck_assert_int_eq(json_int_at(m, 0, "dimensions", "kvLoraRank", NULL), 512);
	ck_assert_str_eq(json_text_at(m, "", "vllm", "toolCallParser", NULL), "deepseek_v3");
	ck_assert(json_is_null(json_at(m, "tuning", NULL)) && json_is_null(json_at(m, "native", NULL)));
	ck_assert_str_eq(json_text_at(m, "", "instanceTypes", "#0", "name", NULL), "p4d.24xlarge");
	ck_assert_int_eq(json_int_at(m, 0, "instanceTypes", "#2", "nodes", NULL), 2);
	json_decref(m);
}
END_TEST

START_TEST(memory_of_a_gpu_is_divided)
{
	ck_assert_int_eq(run(cmd_estimate, "estimate --preset llama-3.3-70b-instruct --instance-type standard_nc24ads_a100_v4 -o json"), 0);
	json_t *e = answer();
	ck_assert_int_eq(json_int_at(e, 0, "nodes", NULL), 3);
	ck_assert_double_eq_tol(json_number_value(json_at(e, "perGpuGiB", "usable", NULL)), 67.2, 0.01);
	ck_assert_double_eq_tol(json_number_value(json_at(e, "perGpuGiB", "weights", NULL)), 131.42 * 1.02 / 3, 0.01);
	json_decref(e);
	ck_assert_int_eq(run(cmd_estimate, "estimate --preset phi-4 --instance-type p5.48xlarge --cloud aws --max-model-len 16384"), 0);
	says("1 node\n");
	says("for 16384 tokens");
}
END_TEST

START_TEST(what_does_not_fit_is_told_with_what_would)
{
	ck_assert_int_lt(run(cmd_estimate, "estimate --preset phi-3-mini-128k-instruct --instance-type Standard_NV36ads_A10_v5 --max-model-len 131072"), 0);
	ck_assert_int_eq(err.kind, ERR_NO_MEMORY);
	ck_assert_msg(strstr(err.message, "GPU memory 25769803776 bytes is too small") != NULL, "%s", err.message);
	says("smallest instance types that hold it");
	says("Standard_NC24ads_A100_v4");
	ck_assert_int_lt(run(cmd_estimate, "estimate --preset phi-4 --instance-type Standard_D8s_v3 -o json"), 0);
	json_t *e = answer();
	ck_assert(json_is_false(json_at(e, "fits", NULL)));
	json_decref(e);
}
END_TEST

START_TEST(old_gpus_and_cpu_machines_run_natively)
{
	ck_assert_int_eq(run(cmd_estimate, "estimate --preset phi-3-mini-128k-instruct --instance-type Standard_NC6s_v3"), 0);
	says("native runtime");
	says("NVIDIA V100 is too old");
	ck_assert_int_eq(run(cmd_estimate, "estimate --preset smollm2-135m-instruct --instance-type Standard_D2s_v3 -o json"), 0);
	json_t *e = answer();
	ck_assert_str_eq(json_text_at(e, "", "runtime", NULL), "native");
	double serving = json_number_value(json_at(e, "processGiB", "serve", NULL));
	json_decref(e);
	ck_assert_int_eq(run(cmd_estimate, "estimate --preset smollm2-135m-instruct --instance-type Standard_D2s_v3 -o json --max-model-len 8192"), 0);
	e = answer();
	ck_assert_double_gt(json_number_value(json_at(e, "processGiB", "serve", NULL)), serving + 0.1);
	json_decref(e);
	ck_assert_int_lt(run(cmd_estimate, "estimate --preset phi-3-mini-4k-instruct --instance-type Standard_D2s_v3"), 0);
	ck_assert_int_eq(err.kind, ERR_NO_MEMORY);
	says("does not fit");
	ck_assert_int_lt(run(cmd_estimate, "estimate --preset gpt-oss-20b --instance-type Standard_D64s_v3"), 0);
	ck_assert_msg(strstr(err.message, "GptOssForCausalLM") != NULL, "%s", err.message);
}
END_TEST

/* --online goes to the hub, and not to one with a private address. */
START_TEST(online_asks_the_hub)
{
	setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
	ck_assert_int_lt(run(cmd_models, "models acme/some-model-of-theirs --online"), 0);
	ck_assert_msg(err.kind == ERR_DENIED && strstr(err.message, "loopback"), "%s", err.message);
}
END_TEST

static const struct { int (*command)(int, char **, struct err *); const char *words; enum err_kind kind; const char *say; } MISTAKES[] = {
	{cmd_models, "models phi-3-mini-128k-instuct", ERR_NOT_FOUND, "did you mean phi-3-mini-128k-instruct?"},
	{cmd_models, "models phi-2", ERR_NOT_FOUND, "deprecated"},
	{cmd_models, "models wholly/unknown-to-everybody-here", ERR_NOT_FOUND, "--online"},
	{cmd_models, "models -o yaml", ERR_USAGE, "table or json"},
	{cmd_models, "models --cloud gcp", ERR_USAGE, "azure, aws and arc"},
	{cmd_estimate, "estimate --preset phi-4 --instance-type Standard_NC24ads_A100", ERR_NOT_FOUND, "did you mean Standard_NC24ads_A100_v4?"},
	{cmd_estimate, "estimate --preset phi-4 --instance-type p5.48xlarge", ERR_NOT_FOUND, "give --cloud aws"},
	{cmd_estimate, "estimate --preset phi-4", ERR_USAGE, "instance-type"},
	{cmd_estimate, "estimate --preset phi-4 --instance-type Standard_NC24ads_A100_v4 --max-model-len 20000", ERR_USAGE, "exceeds the context"},
};

START_TEST(mistakes_are_named)
{
	ck_assert_int_lt(run(MISTAKES[_i].command, MISTAKES[_i].words), 0);
	ck_assert_msg(err.kind == MISTAKES[_i].kind && strstr(err.message, MISTAKES[_i].say), "%s", err.message);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands");
	TCase *tcase = tcase_create("commands");
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, the_list_has_every_preset);
	tcase_add_test(tcase, one_model_with_its_machines);
	tcase_add_test(tcase, memory_of_a_gpu_is_divided);
	tcase_add_test(tcase, what_does_not_fit_is_told_with_what_would);
	tcase_add_test(tcase, old_gpus_and_cpu_machines_run_natively);
	tcase_add_test(tcase, online_asks_the_hub);
	tcase_add_loop_test(tcase, mistakes_are_named, 0, sizeof MISTAKES / sizeof MISTAKES[0]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	buf_done(&out);
	return failed ? 1 : 0;
}
