/* test_admission.c: API keys, the rate limit, deadlines, draining, and many clients at once. */
#include "base/clock.h"
#include "base/fd.h"
#include "serve/harness.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct harness h;

static void write_keys(char path[64], const char *text)
{
	struct err err = ERR_INIT;
	snprintf(path, 64, "/tmp/kaito-keys-%d", (int)getpid());
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &err), 0);
}

static int status_with(const char *method, const char *path, const char *extra)
{
	struct answer a = harness_ask_with(&h, method, path, extra, strcmp(method, "POST") == 0 ? "{\"prompt\":\"a\"}" : NULL);
	int status = a.status;
	harness_answer_done(&a);
	return status;
}

START_TEST(api_keys_are_asked_where_they_protect_something)
{
	char path[64];
	write_keys(path, "# keys\nfirst-key\n\n  second-key \n");
	harness_start(&h, &(struct serve_options){.api_key_file = path}, NULL);
	ck_assert_int_eq(status_with("POST", "/v1/completions", NULL), 401);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Authorization: Bearer wrong\r\n"), 401);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Authorization: Bearer first-ke\r\n"), 401);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Authorization: first-key\r\n"), 401);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Authorization: Bearer first-key\r\n"), 200);
	ck_assert_int_eq(status_with("POST", "/chat", "Authorization: bearer second-key\r\n"), 200);
	ck_assert_int_eq(status_with("GET", "/v1/models", NULL), 401);
	static const char *const OPEN[] = {"/", "/health", "/metrics", "/version", "/openapi.json"};
	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq(status_with("GET", OPEN[i], NULL), 200);
	struct answer a = harness_ask(&h, "POST", "/v1/chat/completions", "{}");
	CHECK_TEXT(a.json, "error.code", "invalid_api_key");
	ck_assert_ptr_nonnull(strcasestr(a.head, "WWW-Authenticate: Bearer"));
	harness_answer_done(&a);
	harness_stop(&h);
	unlink(path);
}
END_TEST

START_TEST(scripts_of_other_sites_are_refused)
{
	harness_start(&h, NULL, NULL);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Sec-Fetch-Site: cross-site\r\n"), 403);
	ck_assert_int_eq(status_with("POST", "/v1/completions", "Sec-Fetch-Site: same-origin\r\n"), 200);
	ck_assert_int_eq(status_with("GET", "/", "Sec-Fetch-Site: cross-site\r\n"), 200); /* following a link */
	harness_stop(&h);
}
END_TEST

START_TEST(a_key_file_without_keys_is_refused)
{
	char path[64];
	struct err err = ERR_INIT;
	static const char *const NAMES[] = {"m"};
	struct serve *s;
	write_keys(path, "# nothing\n");
	struct engine *e = fake_engine_new(&(struct fake_engine){0});
	struct serve_options o = {.engine = e, .tokenizer = fake_tokenizer(), .names = NAMES, .n_names = 1, .root = "m", .host = "127.0.0.1", .api_key_file = path};
	ck_assert_int_lt(serve_new(&s, &o, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	unlink(path);
	ck_assert_int_lt(serve_new(&s, &o, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	engine_free(e);
}
END_TEST

static int begin(const char *path, const char *body)
{
	int fd = raw_connect(h.port);
	struct buf head = {0};
	buf_printf(&head, "POST %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body), body);
	raw_send(fd, head.data);
	buf_done(&head);
	return fd;
}

static bool finishes(int fd, const char *pattern)
{
	struct buf in = {0};
	raw_read_until(fd, &in, NULL);
	bool found = in.len && strstr(in.data, pattern);
	close(fd);
	buf_done(&in);
	return found;
}

START_TEST(a_full_queue_answers_upstreams_429)
{
	int fds[6];
	harness_start(&h, NULL, &(struct fake_engine){.max_sequences = 2});
	/* 2 run and 2 wait: within the limit; the next two raise the queue past it */
	for (int i = 0; i < 5; i++) {
		fds[i] = begin("/v1/completions", "{\"prompt\":\"[hold]\"}");
		WAIT_FOR(fake_held(h.engine) == i + 1);
	}
	struct answer a = harness_ask(&h, "POST", "/v1/completions", "{\"prompt\":\"x\"}");
	ck_assert_int_eq(a.status, 429);
	CHECK_TEXT(a.json, "error.message", "Too many requests: waiting queue (3) exceeds max-num-seqs (2).");
	CHECK_TEXT(a.json, "error.type", "requests");
	CHECK_TEXT(a.json, "error.code", "rate_limit_exceeded");
	ck_assert(json_is_null(json_at(a.json, "error.param")));
	harness_answer_done(&a);
	ck_assert_int_eq(status_with("GET", "/health", NULL), 200);
	a = harness_ask(&h, "GET", "/metrics", NULL);
	ck_assert_ptr_nonnull(strstr(a.text, "kaito_ratelimit_rejected_total{engine=\"0\",model_name=\"fake\"} 1.0\n"));
	ck_assert_ptr_nonnull(strstr(a.text, "vllm:num_requests_waiting{engine=\"0\",model_name=\"fake\"} 3.0\n"));
	harness_answer_done(&a);
	fake_release(h.engine);
	for (int i = 0; i < 5; i++)
		ck_assert(finishes(fds[i], "[HOLD]"));
	ck_assert_int_eq(status_with("POST", "/v1/completions", NULL), 200);
	harness_stop(&h);
}
END_TEST

START_TEST(an_engine_that_refuses_answers_429_too_and_leaves_nothing_running)
{
	harness_start(&h, &(struct serve_options){.no_rate_limit = true}, &(struct fake_engine){.max_sequences = 2, .max_waiting = 1});
	struct answer a = harness_ask(&h, "POST", "/v1/completions", "{\"prompt\":\"[hold]\",\"n\":4}");
	ck_assert_int_eq(a.status, 429);
	CHECK_TEXT(a.json, "error.code", "rate_limit_exceeded");
	harness_answer_done(&a);
	ck_assert_int_eq(fake_held(h.engine), 0);
	ck_assert_int_eq(fake_cancelled(h.engine), 3);
	harness_stop(&h);
}
END_TEST

START_TEST(a_deadline_ends_a_request_with_504)
{
	harness_start(&h, &(struct serve_options){.request_timeout_s = 30}, NULL);
	struct answer a = harness_ask(&h, "POST", "/v1/completions", "{\"prompt\":\"[hold]\",\"timeout\":0.05}");
	ck_assert_int_eq(a.status, 504);
	CHECK_TEXT(a.json, "error.type", "TimeoutError");
	harness_answer_done(&a);
	a = harness_ask(&h, "POST", "/v1/completions", "{\"prompt\":\"[hold]\",\"timeout\":0.05,\"stream\":true}");
	ck_assert_int_eq(a.status, 200);
	ck_assert_ptr_nonnull(strstr(a.text, "\"code\":504"));
	harness_answer_done(&a);
	harness_stop(&h);
	harness_start(&h, &(struct serve_options){.request_timeout_s = 0.05}, NULL);
	a = harness_ask(&h, "POST", "/chat", "{\"prompt\":\"[hold]\"}");
	ck_assert_int_eq(a.status, 504);
	harness_answer_done(&a);
	harness_stop(&h);
}
END_TEST

static void *drain(void *arg)
{
	(void)arg;
	serve_drain(h.serve, 20000);
	return NULL;
}

START_TEST(draining_finishes_what_runs_and_refuses_the_rest)
{
	harness_start(&h, NULL, NULL);
	int fd = begin("/v1/completions", "{\"prompt\":\"[hold]\",\"stream\":true}");
	WAIT_FOR(fake_held(h.engine) == 1);
	pthread_t t;
	pthread_create(&t, NULL, drain, NULL);
	WAIT_FOR(status_with("POST", "/v1/completions", NULL) == 503);
	fake_release(h.engine);
	ck_assert(finishes(fd, "[DONE]"));
	pthread_join(t, NULL);
	harness_stop(&h);
}
END_TEST

START_TEST(stopping_without_patience_cancels)
{
	harness_start(&h, NULL, NULL);
	int fd = begin("/v1/completions", "{\"prompt\":\"[hold]\"}");
	WAIT_FOR(fake_held(h.engine) == 1);
	serve_free(h.serve);
	ck_assert_int_eq(fake_cancelled(h.engine), 1);
	engine_free(h.engine);
	close(fd);
}
END_TEST

static void *hammer(void *arg)
{
	int which = *(int *)arg;
	static const char *const BODIES[] = {"{\"prompt\":\"one\",\"stream\":true}", "{\"prompt\":\"two\",\"n\":2}", "{\"prompt\":\"three\",\"logprobs\":2,\"echo\":true}"};
	static const char *const WANT[] = {"[DONE]", "TWO", "threeTHREE"};
	for (int i = 0; i < 15; i++) {
		struct answer a = harness_ask(&h, "POST", "/v1/completions", BODIES[(which + i) % 3]);
		ck_assert_msg(strstr(a.text, WANT[(which + i) % 3]) != NULL, "%s", a.text);
		harness_answer_done(&a);
		a = harness_ask(&h, "GET", "/metrics", NULL);
		ck_assert_int_eq(a.status, 200);
		harness_answer_done(&a);
		if (i % 5 == 4) { /* one that leaves early */
			int fd = begin("/v1/completions", "{\"prompt\":\"[hold]\",\"stream\":true}");
			close(fd);
		}
	}
	return NULL;
}

START_TEST(many_clients_at_once_get_their_own_answers)
{
	harness_start(&h, &(struct serve_options){.no_rate_limit = true}, &(struct fake_engine){.max_sequences = 8});
	pthread_t threads[6];
	int numbers[6];
	for (int i = 0; i < 6; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, hammer, &numbers[i]);
	}
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	WAIT_FOR(fake_held(h.engine) == 0);
	harness_stop(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admission");
	TCase *t = tcase_create("all");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, api_keys_are_asked_where_they_protect_something);
	tcase_add_test(t, scripts_of_other_sites_are_refused);
	tcase_add_test(t, a_key_file_without_keys_is_refused);
	tcase_add_test(t, a_full_queue_answers_upstreams_429);
	tcase_add_test(t, an_engine_that_refuses_answers_429_too_and_leaves_nothing_running);
	tcase_add_test(t, a_deadline_ends_a_request_with_504);
	tcase_add_test(t, draining_finishes_what_runs_and_refuses_the_rest);
	tcase_add_test(t, stopping_without_patience_cancels);
	tcase_add_test(t, many_clients_at_once_get_their_own_answers);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
