/* test_legacy_chat.c: POST /chat as upstream's old server answered it. */
#include "serve/harness.h"

#include <check.h>
#include <stdlib.h>

static struct harness h;
static const struct serve_options WITH_TEMPLATE = {.chat_template = (const struct chat_template *)&h};
static void start(void) { harness_start(&h, &WITH_TEMPLATE, NULL); }
static void stop(void) { harness_stop(&h); }

#define CHECK_RESULT(body, want) \
	do { \
		struct answer a_ = harness_ask(&h, "POST", "/chat", body); \
		ck_assert_msg(a_.status == 200, "%s", a_.text); \
		CHECK_TEXT(a_.json, "Result", want); \
		harness_answer_done(&a_); \
	} while (0)
#define CHECK_FAILURE(body, want_status, words) \
	do { \
		struct answer a_ = harness_ask(&h, "POST", "/chat", body); \
		ck_assert_int_eq(a_.status, want_status); \
		ck_assert_msg(strstr(text_at(a_.json, "detail"), words) != NULL, "%s", a_.text); \
		ck_assert_str_eq(text_at(a_.json, "error.message"), text_at(a_.json, "detail")); \
		harness_answer_done(&a_); \
	} while (0)

START_TEST(prompt_is_completed_and_shown)
{
	CHECK_RESULT("{\"prompt\":\"hello\"}", "helloHELLO");
	CHECK_RESULT("{\"prompt\":\"hello\",\"return_full_text\":false}", "HELLO");
	CHECK_RESULT("{\"prompt\":\"hello\",\"prefix\":\"oh \"}", "oh helloOH HELLO");
	CHECK_RESULT("{\"prompt\":\"a . b n't c 's\",\"return_full_text\":false,\"clean_up_tokenization_spaces\":true}", "A. B N'T C 'S");
}
END_TEST

START_TEST(a_prompt_without_continuation_is_answered_as_a_message)
{
	/* The fake engine shouts the prompt back; the stop string ends the bare completion before its first letter. */
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"stop_strings\":\"H\"}}", "hello\n\nUSER: ");
	CHECK_RESULT("{\"prompt\":\"hello\",\"return_full_text\":false,\"generate_kwargs\":{\"stop_strings\":\"H\"}}", "USER: ");
	CHECK_RESULT("{\"prompt\":\"hello\",\"apply_chat_template\":false,\"generate_kwargs\":{\"stop_strings\":\"H\"}}", "hello");
	CHECK_RESULT("{\"prompt\":\"hello\",\"apply_chat_template\":true,\"return_full_text\":false}", "USER: HELLO\nASSISTANT: ");
	CHECK_FAILURE("{\"prompt\":\"hello\",\"apply_chat_template\":1}", 400, "'apply_chat_template': must be true or false");
}
END_TEST

START_TEST(messages_give_the_reply_alone)
{
	CHECK_RESULT("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "USER: HI\nASSISTANT: ");
}
END_TEST

START_TEST(failures_have_upstreams_words)
{
	CHECK_FAILURE("{}", 400, "Text generation parameter prompt required");
	CHECK_FAILURE("{\"prompt\":\"\"}", 400, "Text generation parameter prompt required");
	CHECK_FAILURE("{\"messages\":[]}", 400, "Conversational parameter messages required");
	CHECK_FAILURE("{\"prompt\":\"a\",\"generate_kwargs\":{\"num_beams\":4}}", 400, "num_beams");
	CHECK_FAILURE("{\"prompt\":\"a\",\"generate_kwargs\":{\"temperature\":\"hot\"}}", 400, "'generate_kwargs.temperature': must be a number");
	CHECK_FAILURE("{\"prompt\":\"a\",\"generate_kwargs\":7}", 400, "generate_kwargs");
	CHECK_FAILURE("{\"prompt\":\"a\",\"handle_long_generation\":\"cut\"}", 400, "hole");
	CHECK_FAILURE("{\"prompt\":\"[fail]\"}", 500, "fails as asked");
	CHECK_FAILURE("{", 400, "request body");
	struct answer a = harness_ask(&h, "POST", "/chat", "{\"prompt\":\"a\",\"model\":\"nope\"}");
	ck_assert_int_eq(a.status, 404);
	harness_answer_done(&a);
}
END_TEST

START_TEST(generate_kwargs_mean_what_transformers_means)
{
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"max_length\":9}}", "helloHEL"); /* 6 prompt tokens with the begin token */
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"max_length\":2}}", "helloH");
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"max_length\":2,\"max_new_tokens\":4,\"unknown\":1,\"early_stopping\":true}}", "helloHELL");
	struct sampling s = fake_last_sampling(h.engine);
	ck_assert(s.top_k == 10 && s.temperature == 1 && s.top_p == 1 && s.typical_p == 1 && s.repetition_penalty == 1 && s.min_tokens == 0 && !s.ignore_eos);
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"do_sample\":false,\"min_length\":10,\"top_k\":3,\"top_p\":0.5,\"typical_p\":0.25,"
		     "\"repetition_penalty\":2,\"pad_token_id\":0,\"eos_token_id\":[5,6],\"num_beams\":1,\"seed\":3}}", "helloHELLO");
	s = fake_last_sampling(h.engine);
	ck_assert(s.temperature == 0 && s.min_tokens == 4 && s.top_k == 3 && s.top_p == 0.5f && s.typical_p == 0.25f && s.repetition_penalty == 2);
	ck_assert(s.ignore_eos && s.n_stop_ids == 2 && s.seed == 3);
	CHECK_RESULT("{\"prompt\":\"hello\",\"generate_kwargs\":{\"eos_token_id\":5}}", "helloHELLO");
	s = fake_last_sampling(h.engine);
	ck_assert(s.n_stop_ids == 1 && s.max_tokens == 194);
}
END_TEST

START_TEST(a_prompt_too_long_is_refused_or_cut)
{
	struct buf body = {0};
	buf_printf(&body, "{\"prompt\":\"%0*d\"}", 1200, 1);
	CHECK_FAILURE(body.data, 400, "context is 1000 tokens");
	buf_clear(&body);
	buf_printf(&body, "{\"return_full_text\":false,\"handle_long_generation\":\"hole\",\"generate_kwargs\":{\"max_new_tokens\":3},\"prompt\":\"%0*dabc\"}", 1200, 1);
	CHECK_RESULT(body.data, "000");
	ck_assert_int_eq(fake_last_sampling(h.engine).max_tokens, 3);
	buf_done(&body);
}
END_TEST

START_TEST(the_first_adapter_answers_when_no_model_is_named)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(serve_add_adapter(h.serve, "tuned", "/adapters/tuned", 1, &err), 0);
	CHECK_RESULT("{\"prompt\":\"hi\"}", "hiHI");
	ck_assert_int_eq(fake_last_adapter(h.engine), 0);
	CHECK_RESULT("{\"prompt\":\"hi\",\"model\":\"fake\"}", "hiHI");
	ck_assert_int_eq(fake_last_adapter(h.engine), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("legacy_chat");
	TCase *t = tcase_create("all");
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, prompt_is_completed_and_shown);
	tcase_add_test(t, a_prompt_without_continuation_is_answered_as_a_message);
	tcase_add_test(t, messages_give_the_reply_alone);
	tcase_add_test(t, failures_have_upstreams_words);
	tcase_add_test(t, generate_kwargs_mean_what_transformers_means);
	tcase_add_test(t, a_prompt_too_long_is_refused_or_cut);
	tcase_add_test(t, the_first_adapter_answers_when_no_model_is_named);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
