/* Whole runs on a tiny model: what they write, what decides the result, and how the settings act. */
#include "run_help.h"

#include <arpa/inet.h>
#include <sys/socket.h>

START_TEST(run_leaves_adapter_state_curve_and_sentinel)
{
	run_configure("", ", num_train_epochs: 2, save_strategy: steps, save_steps: 4, save_total_limit: 2", "train_test_split: 1");
	run_must_work();
	ck_assert_int_eq(world.result.step, 12);
	ck_assert(isfinite(world.result.loss));
	ck_assert_str_eq(world.result.model_name, "llama-gqa");
	ck_assert(run_has("adapter_config.json") && run_has("adapter_model.safetensors") && run_has("loss.svg") && run_has("fine_tuning_completed.txt"));
	ck_assert(run_has("checkpoint-8/adapter_model.safetensors") && run_has("checkpoint-12/trainer_state.json") && !run_has("checkpoint-4"));
	ck_assert(!run_has(".kaito-resume"));
	json_t *state = run_json("trainer_state.json"), *log = json_object_get(state, "log_history");
	ck_assert_uint_eq(json_array_size(log), 13);
	ck_assert_int_eq(json_integer_value(json_object_get(state, "global_step")), 12);
	ck_assert(json_number_value(json_object_get(json_array_get(log, 11), "epoch")) == 2);
	ck_assert(json_number_value(json_object_get(json_array_get(log, 11), "loss")) < json_number_value(json_object_get(json_array_get(log, 0), "loss")));
	ck_assert(json_is_real(json_object_get(json_array_get(log, 12), "train_runtime")));
	json_decref(state);
	run_said("12 rows to train on, 0 to evaluate");
	run_said("step 12/12  epoch 2.00  loss");
}
END_TEST

START_TEST(same_seed_gives_the_same_bytes_and_another_seed_does_not)
{
	char first[DIGEST_TEXT], second[DIGEST_TEXT], other[DIGEST_TEXT];
	run_must_work();
	run_digest(first);
	run_forget_output();
	run_must_work();
	run_digest(second);
	run_forget_output();
	run_configure("", ", num_train_epochs: 2, seed: 43", "train_test_split: 1");
	run_must_work();
	run_digest(other);
	ck_assert_str_eq(first, second);
	ck_assert_str_ne(first, other);
}
END_TEST

START_TEST(accumulation_equals_a_larger_batch)
{
	char first[DIGEST_TEXT], second[DIGEST_TEXT];
	run_configure("", ", max_steps: 3, gradient_accumulation_steps: 2", "train_test_split: 1");
	run_must_work();
	run_digest(first);
	run_forget_output();
	run_configure("", ", max_steps: 3, per_gpu_train_batch_size: 4", "train_test_split: 1");
	run_must_work();
	run_digest(second);
	ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(evaluation_logs_loss_and_perplexity_and_the_best_adapter_wins)
{
	run_configure("", ", max_steps: 6, eval_strategy: steps, eval_steps: 2, load_best_model_at_end: true, save_strategy: best, lr_scheduler_type: constant",
		      "train_test_split: 0.75");
	run_must_work();
	run_said("9 rows to train on, 3 to evaluate");
	run_said("eval_loss");
	json_t *state = run_json("trainer_state.json"), *log = json_object_get(state, "log_history");
	int64_t best = json_integer_value(json_object_get(state, "best_global_step"));
	int evals = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		evals += json_object_get(json_array_get(log, i), "eval_loss") && json_object_get(json_array_get(log, i), "eval_perplexity");
	ck_assert_int_eq(evals, 3);
	char *folder = mem_printf("checkpoint-%lld", (long long)best), *path = mem_printf("%s/%s/adapter_model.safetensors", world.output, folder);
	char digest[DIGEST_TEXT], best_digest[DIGEST_TEXT];
	run_digest(digest);
	ck_assert_int_eq(digest_of_file(path, best_digest, NULL, &world.err), 0);
	ck_assert_str_eq(digest, best_digest);
	free(folder), free(path);
	json_decref(state);
}
END_TEST

START_TEST(run_without_gain_stops_early)
{
	run_put(world.config, "training_config: {TrainingArguments: {max_steps: 50, eval_strategy: steps, eval_steps: 2, learning_rate: 0, save_strategy: no},"
			      " DatasetConfig: {train_test_split: 0.75}}");
	world.o.early_stopping_patience = 2;
	run_must_work();
	ck_assert_int_eq(world.result.step, 6);
	run_said("early stop at step 6");
	ck_assert(run_has("fine_tuning_completed.txt"));
}
END_TEST

START_TEST(packing_and_completion_only_rows_train)
{
	static const char *const STRATEGIES[] = {"bfd", "bfd_split", "wrapped"};
	for (int i = 0; i < 3; i++) {
		char *arguments = mem_printf(", max_steps: 2, max_length: 48, packing: true, packing_strategy: %s", STRATEGIES[i]);
		run_configure("", arguments, "train_test_split: 1");
		run_must_work();
		run_forget_output();
		free(arguments);
	}
	run_put(world.data, "{\"prompt\":\"two and two\",\"completion\":\" is four\"}\n{\"prompt\":\"three\",\"completion\":\" is odd\"}\n");
	run_configure("", ", max_steps: 2", "train_test_split: 1");
	run_must_work();
	run_forget_output();
	run_put(world.data, "{\"text\":\"just some words\"}\n{\"text\":\"and some more of them\"}\n");
	run_must_work();
}
END_TEST

START_TEST(adapter_can_start_from_another_and_keeps_its_configuration)
{
	char *init = mem_printf("%s/adapter_init", world.model);
	char *path = fd_join(init, "adapter_config.json");
	json_t *theirs = NULL;
	world.o.init_adapter = init;
	run_configure("", ", max_steps: 1", "train_test_split: 1");
	run_must_work();
	json_t *ours = run_json("adapter_config.json");
	ck_assert_int_eq(json_parse_file(&theirs, path, &world.err), 0);
	ck_assert(json_equal(json_object_get(ours, "r"), json_object_get(theirs, "r")));
	ck_assert(json_equal(json_object_get(ours, "target_modules"), json_object_get(theirs, "target_modules")));
	json_decref(ours);
	json_decref(theirs);
	free(init), free(path);
}
END_TEST

START_TEST(patterns_by_layer_are_written_and_read_back)
{
	struct model *m = NULL;
	struct adapter *a = NULL;
	run_configure(", init_lora_weights: gaussian, target_modules: [q_proj, v_proj], layers_to_transform: [0, 2], rank_pattern: {v_proj: 1}", ", max_steps: 2", "train_test_split: 1");
	run_must_work();
	ck_assert_msg(model_open(&m, world.model, &world.err) == 0, "%s", world.err.message);
	ck_assert_msg(adapter_open(&a, world.output, m, &world.err) == 0, "%s", world.err.message);
	ck_assert_int_eq(adapter_pair(a, 0, LIN_Q)->rank, 2);
	ck_assert_int_eq(adapter_pair(a, 2, LIN_V)->rank, 1);
	ck_assert_int_eq(adapter_pair(a, 1, LIN_Q)->rank, 0);
	ck_assert(adapter_pair(a, 2, LIN_V)->scale == 8);
	adapter_close(a);
	model_close(m);
}
END_TEST

static char answer[16384];

/* One GET while the run is in its second step. */
static void ask_metrics(struct run_world *w, const char *line)
{
	if (!strstr(line, "step 2/"))
		return;
	static const char *const ACCEPTS[] = {"*/*", "application/json"};
	size_t have = 0;
	for (int i = 0; i < 2; i++) {
		char request[128];
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->o.metrics_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
			int n = snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nConnection: close\r\n\r\n", ACCEPTS[i]);
			if (write(fd, request, (size_t)n) == n)
				for (ssize_t got; have + 1 < sizeof answer && (got = read(fd, answer + have, sizeof answer - 1 - have)) > 0;)
					have += (size_t)got;
		}
		close(fd);
	}
	answer[have] = 0;
}

static int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

START_TEST(metrics_are_served_while_it_trains)
{
	world.o.metrics_port = free_port();
	world.on_line = ask_metrics;
	run_must_work();
	ck_assert_msg(strstr(answer, "\nkaito_tune_step 2.0\n") != NULL, "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "\nkaito_tune_steps_planned 12.0\n"));
	ck_assert_ptr_nonnull(strstr(answer, "kaito_tune_loss "));
	ck_assert_ptr_nonnull(strstr(answer, "\"cpu_info\""));
	ck_assert_ptr_nonnull(strstr(answer, "\"physical_cores\""));
}
END_TEST

START_TEST(metrics_port_in_use_is_an_error_only_if_it_was_asked_for)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	world.o.metrics_port = ntohs(a.sin_port);
	run_must_fail(ERR_BUSY, "--metrics-port");
	world.o.metrics_optional = true;
	run_must_work();
	run_said("no /metrics: ");
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/run");
	TCase *tc = tcase_create("run");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, run_setup, run_teardown);
	tcase_add_test(tc, run_leaves_adapter_state_curve_and_sentinel);
	tcase_add_test(tc, same_seed_gives_the_same_bytes_and_another_seed_does_not);
	tcase_add_test(tc, accumulation_equals_a_larger_batch);
	tcase_add_test(tc, evaluation_logs_loss_and_perplexity_and_the_best_adapter_wins);
	tcase_add_test(tc, run_without_gain_stops_early);
	tcase_add_test(tc, packing_and_completion_only_rows_train);
	tcase_add_test(tc, adapter_can_start_from_another_and_keeps_its_configuration);
	tcase_add_test(tc, patterns_by_layer_are_written_and_read_back);
	tcase_add_test(tc, metrics_are_served_while_it_trains);
	tcase_add_test(tc, metrics_port_in_use_is_an_error_only_if_it_was_asked_for);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
