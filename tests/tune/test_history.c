/* log_history, trainer_state.json and the loss curve. */
#include "tune/history.h"

#include "codec/json.h"
#include <check.h>
#include <math.h>

static json_t *some_history(void)
{
	json_t *log = json_array();
	for (int i = 1; i <= 20; i++)
		history_add_train(log, &(struct history_train){i, 100 * i, i / 20.0, 3.0 / i, 1, 1e-4});
	history_add_eval(log, &(struct history_eval){20, 1, 0.5, 2, 10, 5});
	history_add_end(log, &(struct history_end){20, 40, 1, 0.9, 10});
	return log;
}

START_TEST(entries_have_the_keys_of_transformers)
{
	json_t *log = some_history();
	struct buf out = {0};
	json_print(json_array_get(log, 0), JSON_PRINT_SPACED, &out);
	ck_assert_str_eq(out.data, "{\"loss\": 3.0, \"grad_norm\": 1.0, \"learning_rate\": 0.0001, \"epoch\": 0.05, \"num_tokens\": 100, \"step\": 1}");
	buf_clear(&out);
	json_print(json_array_get(log, 20), JSON_PRINT_SPACED, &out);
	ck_assert_str_eq(out.data, "{\"eval_loss\": 0.5, \"eval_runtime\": 2.0, \"eval_samples_per_second\": 5.0, \"eval_steps_per_second\": 2.5, "
				   "\"epoch\": 1.0, \"step\": 20, \"eval_perplexity\": 1.6487212707001282}");
	buf_clear(&out);
	json_print(json_array_get(log, 21), JSON_PRINT_SPACED, &out);
	ck_assert_str_eq(out.data, "{\"train_loss\": 0.9, \"train_runtime\": 10.0, \"train_samples_per_second\": 4.0, \"train_steps_per_second\": 2.0, "
				   "\"total_flos\": 0.0, \"epoch\": 1.0, \"step\": 20}");
	buf_done(&out);
	json_decref(log);
}
END_TEST

START_TEST(trainer_state_has_the_keys_of_transformers)
{
	json_t *log = some_history();
	struct history_state s = {.step = 20, .total_steps = 20, .best_metric = NAN, .logging_steps = 10, .save_steps = 0.5, .epochs = 3, .batch = 2, .epoch = 1};
	json_t *state = history_trainer_state(log, &s);
	static const char *const KEYS[] = {"best_global_step", "best_metric", "best_model_checkpoint", "epoch", "eval_steps", "global_step",
					   "is_hyper_param_search", "is_local_process_zero", "is_world_process_zero", "log_history", "logging_steps",
					   "max_steps", "num_input_tokens_seen", "num_train_epochs", "save_steps", "stateful_callbacks", "total_flos",
					   "train_batch_size", "trial_name", "trial_params"};
	ck_assert_uint_eq(json_object_size(state), sizeof KEYS / sizeof KEYS[0]);
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		ck_assert_msg(json_object_get(state, KEYS[i]) != NULL, "%s", KEYS[i]);
	ck_assert_uint_eq(json_array_size(json_object_get(state, "log_history")), 22);
	ck_assert(json_is_null(json_object_get(state, "best_metric")) && json_is_integer(json_object_get(state, "logging_steps")));
	json_decref(state);
	json_decref(log);
}
END_TEST

static size_t count(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
		n++;
	return n;
}

START_TEST(curve_shows_both_losses_and_round_ticks)
{
	json_t *log = some_history();
	struct buf out = {0};
	history_draw(log, &out);
	ck_assert_ptr_eq(strstr(out.data, "<svg xmlns=\"http://www.w3.org/2000/svg\""), out.data);
	ck_assert_str_eq(out.data + out.len - 7, "</svg>\n");
	ck_assert_ptr_nonnull(strstr(out.data, "loss, last 0.1500"));
	ck_assert_ptr_nonnull(strstr(out.data, "eval_loss, last 0.5000 (perplexity 1.649)"));
	ck_assert_uint_ge(count(out.data, "class=\"grid\""), 8);
	ck_assert_uint_le(count(out.data, "class=\"grid\""), 24);
	ck_assert_ptr_null(strstr(out.data, "nan"));
	buf_done(&out);
	json_decref(log);
}
END_TEST

START_TEST(curve_of_nothing_or_one_point_is_valid)
{
	json_t *log = json_array();
	for (int i = 0; i < 3; i++) {
		struct buf out = {0};
		history_draw(log, &out);
		ck_assert_str_eq(out.data + out.len - 7, "</svg>\n");
		ck_assert_ptr_null(strstr(out.data, "nan"));
		ck_assert_ptr_null(strstr(out.data, "inf"));
		ck_assert_uint_le(out.len, 8192);
		buf_done(&out);
		history_add_train(log, &(struct history_train){1, 1, 1, 7.5, 1, 1});
	}
	json_decref(log);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/history");
	TCase *tc = tcase_create("history");
	tcase_add_test(tc, entries_have_the_keys_of_transformers);
	tcase_add_test(tc, trainer_state_has_the_keys_of_transformers);
	tcase_add_test(tc, curve_shows_both_losses_and_round_ticks);
	tcase_add_test(tc, curve_of_nothing_or_one_point_is_valid);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
