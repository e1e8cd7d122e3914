/* Runs that go wrong: bad data, bad settings, a stop, kills, a full disk, a loss that explodes. Each says what and where, and
 * nothing that was learned is lost. */
#include "run_help.h"

#include "base/clock.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* --- data and settings ------------------------------------------------------------------------------------------ */

START_TEST(bad_row_is_named_or_skipped_and_counted)
{
	struct buf text = {0};
	for (int i = 0; i < 4; i++)
		buf_printf(&text, "{\"messages\":[{\"role\":\"user\",\"content\":\"a %d\"},{\"role\":\"assistant\",\"content\":\"b\"}]}\n", i);
	buf_puts(&text, "{\"messages\":[{\"role\":\"user\"}]}\n");
	run_put(world.data, text.data);
	buf_done(&text);
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_int_eq(world.err.kind, ERR_DATA);
	ck_assert_msg(strstr(world.err.message, "data.jsonl") && strstr(world.err.message, "row 5"), "%s", world.err.message);
	ck_assert_int_eq(world.result.bad_row, 5);
	ck_assert_msg(world.result.bad_file && strstr(world.result.bad_file, "data.jsonl"), "%s", world.result.bad_file);
	ck_assert(!run_has("fine_tuning_completed.txt"));
	world.o.skip_bad_rows = true;
	run_must_work();
	run_said("bad rows: 1 skipped; first: ");
	run_said("4 rows to train on");
}
END_TEST

START_TEST(empty_data_is_refused)
{
	run_put(world.data, "");
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_int_eq(world.err.kind, ERR_DATA);
	run_put(world.data, "{\"prompt\":\"a\",\"completion\":\"\"}\n");
	run_configure("", ", max_length: 1", "train_test_split: 1");
	run_must_fail(ERR_DATA, "no row is left to train on: 1 rows");
}
END_TEST

START_TEST(long_rows_are_cut_and_counted_or_refused)
{
	run_configure("", ", max_steps: 1, max_length: 16", "train_test_split: 1");
	run_must_work();
	run_said("long rows: 12 cut to 16 tokens; first: ");
	run_said("row 1 has ");
	run_forget_output();
	world.o.refuse_long_rows = true;
	run_must_fail(ERR_DATA, "more than the 16 that fit");
	ck_assert_int_eq(world.result.bad_row, 1);
}
END_TEST

START_TEST(wrong_settings_name_line_key_and_nearest)
{
	run_put(world.config, "training_config:\n  LoraConfig:\n    lora_alpa: 8\n");
	run_must_fail(ERR_CONFIG, "line 3: training_config.LoraConfig.lora_alpa: unknown key; did you mean 'lora_alpha'?");
	run_put(world.config, "training_config:\n  LoraConfig:\n    lora_alpa: 8\n  TrainingArguments: {max_steps: x}\n");
	run_must_fail(ERR_CONFIG, "(and 1 more)");
	run_said("line 4: training_config.TrainingArguments.max_steps: must be a whole number");
	run_configure(", target_modules: [nope]", "", "train_test_split: 1");
	run_must_fail(ERR_CONFIG, "no module of this model matches nope");
	run_configure("", "", "train_test_split: 1");
	world.o.method = METHOD_QLORA;
	run_must_fail(ERR_CONFIG, "--method qlora needs QuantizationConfig.load_in_4bit");
	world.o.method = -1;
	world.o.model_path = "/nowhere";
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_msg(strstr(world.err.message, "/nowhere"), "%s", world.err.message);
}
END_TEST

START_TEST(loss_that_explodes_is_told_with_its_step_and_does_not_block_the_next_run)
{
	run_configure("", ", max_steps: 40, max_grad_norm: 0, lr_scheduler_type: constant, weight_decay: 1e30", "train_test_split: 1");
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_int_eq(world.err.kind, ERR_DIVERGED);
	ck_assert_msg(strstr(world.err.message, "step ") != NULL, "%s", world.err.message);
	ck_assert(!run_has(".kaito-resume"));
	run_configure("", ", max_steps: 1", "train_test_split: 1");
	run_must_work();
}
END_TEST

/* --- stop, kill, resume ------------------------------------------------------------------------------------------- */

static void stop_at_five(struct run_world *w, const char *line)
{
	if (strstr(line, "step 5/"))
		atomic_store(&w->stop, true);
}

START_TEST(stop_saves_and_the_same_call_ends_in_the_same_adapter)
{
	char whole[DIGEST_TEXT], resumed[DIGEST_TEXT];
	run_must_work();
	run_digest(whole);
	run_forget_output();
	world.on_line = stop_at_five;
	world.o.checkpoint_steps = 0;
	run_must_fail(ERR_SAVED, "stopped at step 5 of 12; saved");
	ck_assert_int_eq(world.result.step, 5);
	ck_assert(run_has(".kaito-resume") && !run_has("adapter_model.safetensors"));
	world.on_line = NULL;
	atomic_store(&world.stop, false);
	run_must_work();
	run_said("resuming at step 5 of 12");
	run_digest(resumed);
	ck_assert_str_eq(whole, resumed);
	json_t *state = run_json("trainer_state.json");
	ck_assert_uint_eq(json_array_size(json_object_get(state, "log_history")), 13);
	json_decref(state);
}
END_TEST

START_TEST(unfinished_run_of_other_settings_is_not_continued)
{
	world.on_line = stop_at_five;
	run_must_fail(ERR_SAVED, "stopped at step 5");
	atomic_store(&world.stop, false);
	world.on_line = NULL;
	run_configure("", ", num_train_epochs: 2, weight_decay: 0.1", "train_test_split: 1");
	run_must_fail(ERR_EXISTS, "another config.TrainingArguments.weight_decay");
	run_configure("", ", num_train_epochs: 2, save_steps: 7", "train_test_split: 1");
	run_must_work();
	run_said("resuming at step 5 of 12");
	world.o.fresh = true;
	run_must_work();
	ck_assert_ptr_null(strstr(world.said.data, "resuming"));
}
END_TEST

static pid_t start_child(void)
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(run_tune() == 0 ? 0 : 1);
	return child;
}

START_TEST(ten_kills_at_random_moments_end_in_the_same_adapter)
{
	char whole[DIGEST_TEXT], resumed[DIGEST_TEXT];
	int status, kills = 0;
	run_configure("", ", num_train_epochs: 5, save_strategy: steps, save_steps: 7, eval_strategy: epoch, load_best_model_at_end: true", "train_test_split: 0.9");
	int64_t start = clock_now_ns();
	run_must_work();
	int whole_us = (int)((clock_now_ns() - start) / 1000);
	run_digest(whole);
	run_forget_output();
	srand(1);
	for (int i = 0; i < 400 && kills < 10; i++) {
		pid_t child = start_child();
		usleep((useconds_t)(rand() % whole_us));
		kill(child, SIGKILL);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		kills += WIFSIGNALED(status);
	}
	ck_assert_int_eq(kills, 10);
	run_must_work();
	run_digest(resumed);
	ck_assert_str_eq(whole, resumed);
	ck_assert(run_has("fine_tuning_completed.txt") && !run_has(".kaito-resume"));
}
END_TEST

/* --- a disk that is full ---------------------------------------------------------------------------------------- */

static size_t file_limit;

static void limit_files_at_three(struct run_world *w, const char *line)
{
	(void)w;
	if (!strstr(line, "step 3/"))
		return;
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_limit, RLIM_INFINITY}), 0);
}

START_TEST(full_disk_shows_at_the_start)
{
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){64, RLIM_INFINITY}), 0);
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_msg(strstr(world.err.message, "resume checkpoint: cannot write") != NULL, "%s", world.err.message);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
}
END_TEST

START_TEST(disk_that_fills_loses_nothing)
{
	char whole[DIGEST_TEXT], resumed[DIGEST_TEXT];
	run_must_work();
	run_digest(whole);
	run_forget_output();
	file_limit = 64;
	world.on_line = limit_files_at_three;
	ck_assert_int_eq(run_tune(), -1);
	ck_assert_msg(strstr(world.err.message, "training is complete but could not be written (step ") != NULL, "%s", world.err.message);
	run_said("warning: step 3: no resume checkpoint: ");
	ck_assert(!run_has("fine_tuning_completed.txt") && run_has(".kaito-resume/state.bin"));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
	world.on_line = NULL;
	run_must_work();
	run_said("resuming at step 2 of 12");
	run_digest(resumed);
	ck_assert_str_eq(whole, resumed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/failures");
	TCase *tc = tcase_create("failures");
	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, run_setup, run_teardown);
	tcase_add_test(tc, bad_row_is_named_or_skipped_and_counted);
	tcase_add_test(tc, empty_data_is_refused);
	tcase_add_test(tc, long_rows_are_cut_and_counted_or_refused);
	tcase_add_test(tc, wrong_settings_name_line_key_and_nearest);
	tcase_add_test(tc, loss_that_explodes_is_told_with_its_step_and_does_not_block_the_next_run);
	tcase_add_test(tc, stop_saves_and_the_same_call_ends_in_the_same_adapter);
	tcase_add_test(tc, unfinished_run_of_other_settings_is_not_continued);
	tcase_add_test(tc, ten_kills_at_random_moments_end_in_the_same_adapter);
	tcase_add_test(tc, full_disk_shows_at_the_start);
	tcase_add_test(tc, disk_that_fills_loses_nothing);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
