/* test_streams.c: server-sent events of the three streaming endpoints, errors after the first byte, and clients that leave. */
#include "base/clock.h"
#include "serve/harness.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

static struct harness h;
static const struct serve_options WITH_TEMPLATE = {.chat_template = (const struct chat_template *)&h};
static void start(void) { harness_start(&h, &WITH_TEMPLATE, NULL); }
static void stop(void) { harness_stop(&h); }

static json_t *stream(const char *path, const char *body)
{
	struct answer a = harness_ask(&h, "POST", path, body);
	ck_assert_msg(a.status == 200, "%s", a.text);
	ck_assert_ptr_nonnull(strstr(a.head, "text/event-stream"));
	json_t *events = events_of(a.text);
	harness_answer_done(&a);
	return events;
}

/* All delta texts of choice `index` in one. */
static void gather(const json_t *events, const char *path, int index, struct buf *out)
{
	size_t i;
	json_t *e;
	json_array_foreach((json_t *)events, i, e)
		if (json_integer_value(json_at(e, "choices.0.index")) == index)
			buf_puts(out, text_at(e, path));
}

START_TEST(chat_stream_brings_role_text_finish_usage_and_done)
{
	json_t *e = stream("/v1/chat/completions",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,\"n\":2,\"stream_options\":{\"include_usage\":true}}");
	size_t n = json_array_size(e);
	struct buf text = {0};
	CHECK_TEXT(e, "0.object", "chat.completion.chunk");
	CHECK_TEXT(e, "0.choices.0.delta.role", "assistant");
	gather(e, "choices.0.delta.content", 1, &text);
	ck_assert_str_eq(text.data, "USER: HI\nASSISTANT: ");
	ck_assert_str_eq(json_string_value(json_array_get(e, n - 1)), "[DONE]");
	ck_assert_uint_eq(json_array_size(json_at(json_array_get(e, n - 2), "choices")), 0);
	CHECK_INT(json_array_get(e, n - 2), "usage.completion_tokens", 40);
	CHECK_TEXT(json_array_get(e, n - 3), "choices.0.finish_reason", "stop");
	buf_done(&text);
	json_decref(e);
}
END_TEST

START_TEST(chat_stream_gives_each_tokens_logprobs_once)
{
	json_t *e = stream("/v1/chat/completions",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"[utf8]\"}],\"stream\":true,\"logprobs\":true,\"top_logprobs\":1}");
	size_t i, tokens = 0;
	json_t *event;
	struct buf text = {0};
	json_array_foreach(e, i, event)
		tokens += json_array_size(json_at(event, "choices.0.logprobs.content"));
	gather(e, "choices.0.delta.content", 0, &text);
	ck_assert_uint_eq(tokens, 2);
	ck_assert_str_eq(text.data, "é");
	buf_done(&text);
	json_decref(e);
}
END_TEST

START_TEST(completion_stream_starts_with_the_echo)
{
	json_t *e = stream("/v1/completions", "{\"prompt\":[\"ab\",\"xy\"],\"stream\":true,\"echo\":true,\"logprobs\":0}");
	struct buf text = {0};
	gather(e, "choices.0.text", 1, &text);
	ck_assert_str_eq(text.data, "xyXY");
	buf_clear(&text);
	gather(e, "choices.0.text", 0, &text);
	ck_assert_str_eq(text.data, "abAB");
	buf_done(&text);
	json_decref(e);
}
END_TEST

START_TEST(response_stream_follows_the_event_order)
{
	struct answer a = harness_ask(&h, "POST", "/v1/responses", "{\"input\":\"h\",\"stream\":true,\"max_output_tokens\":2}");
	json_t *e = events_of(a.text);
	static const char *const TYPES[] = {"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
		"response.output_text.delta", "response.output_text.delta", "response.output_text.done", "response.content_part.done",
		"response.output_item.done", "response.incomplete"};
	ck_assert_uint_eq(json_array_size(e), 10);
	for (size_t i = 0; i < 10; i++) {
		CHECK_TEXT(json_array_get(e, i), "type", TYPES[i]);
		CHECK_INT(json_array_get(e, i), "sequence_number", (json_int_t)i);
	}
	ck_assert_ptr_nonnull(strstr(a.text, "event: response.created\ndata: {"));
	CHECK_TEXT(e, "6.text", "US");
	CHECK_TEXT(e, "9.response.output.0.content.0.text", "US");
	json_decref(e);
	harness_answer_done(&a);
}
END_TEST

START_TEST(an_error_inside_a_stream_is_an_event)
{
	json_t *e = stream("/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"[fail]\"}],\"stream\":true}");
	CHECK_TEXT(e, "1.error.message", "the fake fails as asked");
	ck_assert_str_eq(json_string_value(json_array_get(e, 2)), "[DONE]");
	json_decref(e);
	e = stream("/v1/responses", "{\"input\":\"[fail]\",\"stream\":true}");
	CHECK_TEXT(json_array_get(e, json_array_size(e) - 1), "type", "response.failed");
	json_decref(e);
	struct answer a = harness_ask(&h, "POST", "/v1/chat/completions", "{\"messages\":[],\"stream\":true}");
	ck_assert_int_eq(a.status, 400); /* before the first byte it still is a plain answer */
	harness_answer_done(&a);
}
END_TEST

static int begin(const char *path, const char *body)
{
	int fd = raw_connect(h.port);
	struct buf head = {0};
	buf_printf(&head, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body), body);
	raw_send(fd, head.data);
	buf_done(&head);
	return fd;
}

START_TEST(a_client_that_leaves_cancels_its_sequences)
{
	static const char *const PATHS[] = {"/v1/completions", "/v1/completions", "/chat"};
	static const char *const BODIES[] = {"{\"prompt\":\"[hold]\",\"n\":2,\"stream\":true}", "{\"prompt\":\"[hold]\",\"n\":2}", "{\"prompt\":\"[hold]\"}"};
	int want = 0;
	for (size_t i = 0; i < 3; i++) {
		int fd = begin(PATHS[i], BODIES[i]);
		WAIT_FOR(fake_held(h.engine) == (i < 2 ? 2 : 1));
		want += i < 2 ? 2 : 1;
		close(fd);
		WAIT_FOR(fake_cancelled(h.engine) == want && fake_held(h.engine) == 0);
	}
}
END_TEST

START_TEST(a_client_that_leaves_amid_its_many_inputs_ends_those_under_way)
{
	int fd = begin("/v1/embeddings", "{\"input\":[\"[hold]\",\"[hold]\",\"[hold]\",\"[hold]\",\"[hold]\",\"[hold]\",\"[hold]\"]}");
	WAIT_FOR(fake_held(h.engine) == 4); /* as many as there are sequences; the others wait for them */
	close(fd);
	WAIT_FOR(fake_cancelled(h.engine) == 4 && fake_held(h.engine) == 0);
}
END_TEST

START_TEST(tokens_arrive_while_the_generation_runs)
{
	int fd = begin("/v1/completions", "{\"prompt\":\"x[hold]\",\"stream\":true}");
	struct buf in = {0};
	ck_assert(raw_read_until(fd, &in, "\"text\":\"X\""));
	ck_assert_int_eq(fake_held(h.engine), 1);
	fake_release(h.engine);
	ck_assert(raw_read_until(fd, &in, "[DONE]"));
	buf_done(&in);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("streams");
	TCase *t = tcase_create("all");
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, chat_stream_brings_role_text_finish_usage_and_done);
	tcase_add_test(t, chat_stream_gives_each_tokens_logprobs_once);
	tcase_add_test(t, completion_stream_starts_with_the_echo);
	tcase_add_test(t, response_stream_follows_the_event_order);
	tcase_add_test(t, an_error_inside_a_stream_is_an_event);
	tcase_add_test(t, a_client_that_leaves_cancels_its_sequences);
	tcase_add_test(t, a_client_that_leaves_amid_its_many_inputs_ends_those_under_way);
	tcase_add_test(t, tokens_arrive_while_the_generation_runs);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
