/* kaito tune as a pod runs it: environment instead of flags, exit codes, the termination message, SIGTERM. */
#include "run_help.h"

#include <signal.h>
#include <sys/wait.h>

static char *termination;

static void setup(void)
{
	run_setup();
	termination = fd_join(world.folder, "termination.json");
	setenv("KAITO_TERMINATION_LOG", termination, 1);
	setenv("YAML_FILE_PATH", world.config, 1);
	setenv("DATASET_FOLDER_PATH", world.data, 1);
}

static void teardown(void)
{
	free(termination);
	run_teardown();
}

static pid_t start(const char *extra, const char *value)
{
	const char *exe = getenv("KAITO_EXE");
	ck_assert_ptr_nonnull(exe);
	pid_t child = fork();
	if (child == 0) {
		execl(exe, "kaito", "tune", "--model", world.model, "--output", world.output, "--metrics-port", "0", "--threads", "2", extra, value, (char *)NULL);
		_exit(127);
	}
	return child;
}

static int finish(pid_t child)
{
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *message(void)
{
	json_t *v = NULL;
	ck_assert_msg(json_parse_file(&v, termination, &world.err) == 0, "%s", world.err.message);
	return v;
}

static void message_has(const char *key, const char *value)
{
	json_t *v = message();
	const char *text = json_string_value(json_object_get(v, key));
	ck_assert_msg(text && strstr(text, value), "%s: %s", key, text);
	json_decref(v);
}

START_TEST(environment_gives_configuration_and_data)
{
	ck_assert_int_eq(finish(start(NULL, NULL)), 0);
	ck_assert(run_has("fine_tuning_completed.txt"));
	json_t *v = message();
	ck_assert_int_eq(json_integer_value(json_object_get(v, "step")), 12);
	ck_assert(json_is_real(json_object_get(v, "loss")));
	json_decref(v);
	message_has("kind", "none");
}
END_TEST

START_TEST(bad_row_ends_with_its_code_file_and_row)
{
	run_put(world.data, "{\"text\":\"fine\"}\n{\"text\":5}\n");
	ck_assert_int_eq(finish(start(NULL, NULL)), 5);
	message_has("kind", "data");
	message_has("reason", "InvalidDataset");
	message_has("file", "data.jsonl");
	json_t *v = message();
	ck_assert_int_eq(json_integer_value(json_object_get(v, "row")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(v, "exitCode")), 5);
	json_decref(v);
}
END_TEST

START_TEST(wrong_configuration_and_flags_have_their_codes)
{
	run_put(world.config, "training_config: {LoraConfig: {r: x}}\n");
	ck_assert_int_eq(finish(start(NULL, NULL)), 4);
	message_has("message", "training_config.LoraConfig.r: must be a whole number, not string");
	ck_assert_int_eq(finish(start("--checkpoint-interval", "often")), 2);
	ck_assert_int_eq(finish(start("--method", "full")), 2);
	ck_assert_int_eq(finish(start("--no-such-flag", NULL)), 2);
}
END_TEST

START_TEST(sigterm_saves_and_the_next_run_finishes)
{
	run_configure("", ", num_train_epochs: 100000", "train_test_split: 1");
	pid_t child = start("--checkpoint-interval", "1steps");
	char *state = mem_printf("%s/.kaito-resume/state.bin", world.output);
	for (int i = 0; i < 3000 && !fd_exists(state); i++)
		usleep(10000);
	ck_assert_int_eq(kill(child, SIGTERM), 0);
	ck_assert_int_eq(finish(child), 21);
	message_has("kind", "saved");
	ck_assert(run_has(".kaito-resume/state.bin") && !run_has("fine_tuning_completed.txt"));
	run_configure("", ", num_train_epochs: 1", "train_test_split: 1");
	ck_assert_int_eq(finish(start(NULL, NULL)), 9);
	message_has("message", "another config.TrainingArguments.num_train_epochs");
	ck_assert_int_eq(finish(start("--fresh", NULL)), 0);
	free(state);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/command");
	TCase *tc = tcase_create("command");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, environment_gives_configuration_and_data);
	tcase_add_test(tc, bad_row_ends_with_its_code_file_and_row);
	tcase_add_test(tc, wrong_configuration_and_flags_have_their_codes);
	tcase_add_test(tc, sigterm_saves_and_the_next_run_finishes);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
