/* The gateway between a blunt client and a played model server, over real sockets on loopback. */
#include "base/clock.h"
#include "check_main.h"
#include "codec/json.h"
#include "gateway/gateway.h"
#include "http/raw_client.h"
#include "http/server.h"
#include <pthread.h>
#include <unistd.h>

/* --- the played server: what it was asked, and answers that its prompts choose ----------------------------------------- */

static struct {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	json_t *log;            /* [{path, method, authorization, type, body}] */
	bool tokenizes, templated, healthy, completes;
	int waiting, gone, may_go;
} fake = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, true, true, true, true, 0, 0, 0};

static const char *or_empty(const char *text) { return text ? text : ""; }

static json_t *note(struct http_exchange *x)
{
	json_t *body = NULL;
	struct err err;
	if (http_body(x).len == 0 || http_body_json(x, &body, &err) < 0)
		body = json_stringn(http_body(x).data, http_body(x).len);
	char *path = mem_strndup(http_path(x).data, http_path(x).len), *method = mem_strndup(http_method(x).data, http_method(x).len);
	pthread_mutex_lock(&fake.mu);
	json_array_append_new(fake.log, json_pack("{s:s, s:s, s:s, s:s, s:O}", "path", path, "method", method, "authorization",
						  or_empty(http_header(x, "Authorization")), "type", or_empty(http_header(x, "Content-Type")), "body", body));
	pthread_mutex_unlock(&fake.mu);
	free(path);
	free(method);
	return body;
}

/* Request number i so far; borrowed from the log, which only grows. */
static const json_t *asked(size_t i)
{
	pthread_mutex_lock(&fake.mu);
	const json_t *item = json_array_get(fake.log, i);
	pthread_mutex_unlock(&fake.mu);
	ck_assert_msg(item != NULL, "request %zu did not come", i);
	return item;
}
static const json_t *asked_body(size_t i, const char *path)
{
	ck_assert_str_eq(json_string_value(json_object_get(asked(i), "path")), path);
	return json_object_get(asked(i), "body");
}
static size_t n_asked(void)
{
	pthread_mutex_lock(&fake.mu);
	size_t n = json_array_size(fake.log);
	pthread_mutex_unlock(&fake.mu);
	return n;
}

static void hang_up(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&fake.mu);
	fake.gone++;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.mu);
}

static void wait_for(const int *counter)
{
	pthread_mutex_lock(&fake.mu);
	while (*counter == 0)
		pthread_cond_wait(&fake.changed, &fake.mu);
	pthread_mutex_unlock(&fake.mu);
}

/* Until the client leaves. */
static int linger(struct http_exchange *x)
{
	http_on_gone(x, hang_up, NULL);
	pthread_mutex_lock(&fake.mu);
	fake.waiting++;
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.mu);
	wait_for(&fake.gone);
	http_on_gone(x, NULL, NULL);
	return http_reply(x, 200, "application/json", STR("{}"));
}

static int on_completions(struct http_exchange *x, struct err *err)
{
	(void)err;
	CLEANUP(json_decrefp) json_t *body = note(x);
	const char *prompt = or_empty(json_string_value(json_object_get(body, "prompt")));
	if (!fake.completes)
		return http_reply(x, 404, "application/json", STR("{\"detail\":\"Not Found\"}"));
	if (strcmp(prompt, "linger") == 0)
		return linger(x);
	if (strcmp(prompt, "too long") == 0)
		return http_reply(x, 400, "application/json", STR("{\"object\":\"error\",\"message\":\"maximum context length is 10 tokens\",\"code\":400}"));
	if (strcmp(prompt, "broken") == 0)
		return http_reply(x, 500, "application/json", STR("{\"error\":{\"message\":\"engine died\"}}"));
	if (strcmp(prompt, "not json") == 0)
		return http_reply(x, 200, "application/json", STR("<html>"));
	if (strcmp(prompt, "no choices") == 0)
		return http_reply(x, 200, "application/json", STR("{\"choices\":[]}"));
	const char *text = strcmp(prompt, "silent") == 0 ? " \n" : " is n't it ?";
	return http_reply_json(x, 200, json_pack("{s:[{s:s}]}", "choices", "text", text));
}

static int on_chat_completions(struct http_exchange *x, struct err *err)
{
	(void)err;
	CLEANUP(json_decrefp) json_t *body = note(x);
	if (json_is_true(json_object_get(body, "stream"))) {
		http_stream_begin(x, 200, "text/event-stream");
		for (int i = 0; i < 3; i++)
			if (http_stream_write(x, str_of(i < 2 ? "data: {\"i\":1}\n\n" : "data: [DONE]\n\n"), err) < 0)
				return -1;
		http_stream_end(x);
		return 0;
	}
	if (!fake.templated)
		return http_reply(x, 400, "application/json", STR("{\"detail\":\"no chat template\"}"));
	return http_reply_json(x, 200, json_pack("{s:[{s:{s:s, s:s}}]}", "choices", "message", "role", "assistant", "content", "an answer"));
}

static int on_tokenize(struct http_exchange *x, struct err *err)
{
	(void)err;
	json_decref(note(x));
	if (!fake.tokenizes)
		return http_reply(x, 404, "application/json", STR("{\"detail\":\"Not Found\"}"));
	return http_reply_json(x, 200, json_pack("{s:i}", "count", 7));
}

static int on_models(struct http_exchange *x, struct err *err)
{
	(void)err;
	json_decref(note(x));
	return http_reply_json(x, 200, json_pack("{s:[{s:s, s:i}, {s:s}]}", "data", "id", "base-model", "max_model_len", 100, "id", "other"));
}

static int on_health(struct http_exchange *x, struct err *err) { (void)err; return http_reply(x, fake.healthy ? 200 : 503, "text/plain", STR("")); }

static int on_other(struct http_exchange *x, struct err *err)
{
	(void)err;
	json_decref(note(x));
	http_reply_header(x, "Retry-After", "7");
	return http_reply(x, 429, "application/json", STR("{\"error\":{\"message\":\"busy\"}}"));
}

static const struct http_route ROUTES[] = {
	{"GET", "/health", on_health, 0, NULL}, {"POST", "/tokenize", on_tokenize, 0, NULL}, {"POST", "/v1/chat/completions", on_chat_completions, 0, NULL},
	{"POST", "/v1/completions", on_completions, 0, NULL}, {"DELETE", "/v1/files/{id...}", on_other, 0, NULL}, {"GET", "/v1/models", on_models, 0, NULL},
};

static struct http_server *server;
static struct gateway *gateway;

static void start_with(const char *model, int64_t timeout_s)
{
	struct err err;
	char upstream[64];
	fake.log = json_array();
	struct http_server_options o = {.host = "127.0.0.1", .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0]};
	ck_assert_msg(http_server_start(&server, &o, &err) == 0, "%s", err.message);
	snprintf(upstream, sizeof upstream, "http://127.0.0.1:%d/", http_server_port(server));
	struct gateway_options g = {.upstream = upstream, .model = model, .host = "127.0.0.1", .timeout_s = timeout_s};
	ck_assert_msg(gateway_start(&gateway, &g, &err) == 0, "%s", err.message);
}
static void start(void) { start_with("tuned", 0); }
static void stop(void)
{
	gateway_free(gateway);
	http_server_free(server);
	json_decref(fake.log);
}

struct answer { struct raw_reply raw; json_t *json; };
static struct answer ask_with(const char *method, const char *path, const char *extra, const char *body)
{
	struct answer a = {.raw = raw_request(gateway_port(gateway), method, path, extra, body)};
	struct err err;
	if (json_parse(&a.json, buf_str(&a.raw.body), "answer", &err) < 0)
		a.json = NULL;
	return a;
}
static struct answer chat(const char *body) { return ask_with("POST", "/chat", "Content-Type: application/json\r\n", body); }
static void answer_done(struct answer *a)
{
	raw_reply_done(&a->raw);
	json_decref(a->json);
}

static void expect_result(const char *body, const char *text)
{
	struct answer a = chat(body);
	ck_assert_msg(a.raw.status == 200, "%s", a.raw.body.data);
	ck_assert_str_eq(or_empty(json_string_value(json_object_get(a.json, "Result"))), text);
	ck_assert_uint_eq(json_object_size(a.json), 1);
	answer_done(&a);
}
static void expect_failure(const char *body, int status, const char *words)
{
	struct answer a = chat(body);
	ck_assert_msg(a.raw.status == status, "%d %s", a.raw.status, a.raw.body.data);
	const char *detail = or_empty(json_string_value(json_object_get(a.json, "detail")));
	ck_assert_msg(strstr(detail, words) != NULL, "%s", detail);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a.json, "error"), "message")), detail);
	answer_done(&a);
}

static bool is(const json_t *body, const char *expected)
{
	json_t *want = json_loads(expected, 0, NULL);
	bool same = json_equal(want, body);
	json_decref(want);
	if (!same) {
		char *text = json_dumps(body, JSON_SORT_KEYS);
		printf("asked with %s\n", text);
		free(text);
	}
	return same;
}

/* --- /chat -------------------------------------------------------------------------------------------------------------- */

START_TEST(a_prompt_becomes_a_completion)
{
	expect_result("{\"prompt\":\"it\"}", "it is n't it ?");
	ck_assert(is(asked_body(1, "/tokenize"), "{\"model\":\"tuned\",\"prompt\":\"it\"}"));
	ck_assert(is(asked_body(2, "/v1/completions"), "{\"model\":\"tuned\",\"prompt\":\"it\",\"stream\":false,\"temperature\":1.0,\"top_k\":10,\"max_tokens\":193}"));
	expect_result("{\"prompt\":\"it\",\"return_full_text\":false,\"clean_up_tokenization_spaces\":true,\"prefix\":\"oh \"}", " isn't it?");
	ck_assert_str_eq(json_string_value(json_object_get(asked_body(4, "/v1/completions"), "prompt")), "oh it");
}
END_TEST

START_TEST(parameters_are_translated)
{
	expect_result("{\"prompt\":\"it\",\"model\":\"other\",\"return_full_text\":false,\"generate_kwargs\":{\"max_new_tokens\":5,\"min_new_tokens\":2,\"do_sample\":false,"
		      "\"temperature\":0.7,\"top_k\":3,\"top_p\":0.5,\"typical_p\":0.4,\"min_p\":0.1,\"repetition_penalty\":1.5,\"seed\":3,\"stop_strings\":[\"a\"],"
		      "\"eos_token_id\":2,\"pad_token_id\":1,\"early_stopping\":true}}", " is n't it ?");
	ck_assert(is(asked_body(1, "/v1/completions"), "{\"model\":\"other\",\"prompt\":\"it\",\"stream\":false,\"temperature\":0.0,\"top_p\":0.5,\"typical_p\":0.4,\"min_p\":0.1,"
						       "\"repetition_penalty\":1.5,\"seed\":3,\"stop\":[\"a\"],\"stop_token_ids\":[2],\"ignore_eos\":true,\"max_tokens\":5,\"min_tokens\":2}"));
	expect_result("{\"prompt\":\"it\",\"handle_long_generation\":\"hole\",\"generate_kwargs\":{\"max_new_tokens\":30}}", "it is n't it ?");
	ck_assert_int_eq(json_integer_value(json_object_get(asked_body(2, "/v1/completions"), "truncate_prompt_tokens")), 70);
}
END_TEST

START_TEST(messages_become_a_chat_completion)
{
	expect_result("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"generate_kwargs\":{\"max_length\":10,\"min_length\":9}}", "an answer");
	ck_assert(is(asked_body(1, "/tokenize"), "{\"model\":\"tuned\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"add_generation_prompt\":true}"));
	ck_assert(is(asked_body(2, "/v1/chat/completions"), "{\"model\":\"tuned\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":false,\"temperature\":1.0,"
							    "\"top_k\":10,\"max_tokens\":3,\"min_tokens\":2}"));
}
END_TEST

START_TEST(a_prompt_without_continuation_is_asked_as_a_message)
{
	expect_result("{\"prompt\":\"silent\"}", "silent\n\nan answer");
	expect_result("{\"prompt\":\"silent\",\"return_full_text\":false}", "an answer");
	expect_result("{\"prompt\":\"silent\",\"apply_chat_template\":false}", "silent \n");
	expect_result("{\"prompt\":\"it\",\"apply_chat_template\":true,\"return_full_text\":false}", "an answer");
	fake.templated = false;
	expect_result("{\"prompt\":\"silent\"}", "silent \n");
	expect_failure("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", 400, "no chat template");
}
END_TEST

START_TEST(lengths_count_new_tokens_where_the_server_does_not_tokenize)
{
	fake.tokenizes = false;
	expect_result("{\"prompt\":\"it\"}", "it is n't it ?");
	ck_assert_int_eq(json_integer_value(json_object_get(asked_body(2, "/v1/completions"), "max_tokens")), 200);
}
END_TEST

/* Upstream's transformers server. */
START_TEST(a_server_that_only_chats_gets_messages)
{
	fake.tokenizes = fake.completes = false;
	expect_result("{\"prompt\":\"it\"}", "it\n\nan answer");
	expect_result("{\"prompt\":\"it\",\"return_full_text\":false}", "an answer");
	expect_failure("{\"prompt\":\"it\",\"apply_chat_template\":false}", 404, "Not Found");
}
END_TEST

START_TEST(without_a_name_the_first_model_answers)
{
	stop();
	start_with(NULL, 0);
	expect_result("{\"prompt\":\"it\"}", "it is n't it ?");
	expect_result("{\"prompt\":\"it\"}", "it is n't it ?");
	asked_body(0, "/v1/models");
	ck_assert_str_eq(json_string_value(json_object_get(asked_body(2, "/v1/completions"), "model")), "base-model");
	ck_assert_uint_eq(n_asked(), 5); /* models only once */
}
END_TEST

START_TEST(failures_have_upstreams_words)
{
	expect_failure("{}", 400, "Text generation parameter prompt required");
	expect_failure("{\"prompt\":\"\"}", 400, "Text generation parameter prompt required");
	expect_failure("{\"messages\":[]}", 400, "Conversational parameter messages required");
	expect_failure("{\"messages\":\"hi\"}", 400, "Conversational parameter messages required");
	expect_failure("[", 400, "request body");
	expect_failure("{\"prompt\":\"a\",\"generate_kwargs\":{\"num_beams\":4}}", 400, "num_beams");
	expect_failure("{\"prompt\":\"a\",\"generate_kwargs\":{\"eos_token_id\":\"x\"}}", 400, "eos_token_id");
	expect_failure("{\"prompt\":\"a\",\"generate_kwargs\":{\"stop_strings\":1}}", 400, "stop_strings");
	ck_assert_uint_eq(n_asked(), 0);
}
END_TEST

START_TEST(answers_of_the_server_are_judged)
{
	expect_failure("{\"prompt\":\"too long\"}", 400, "maximum context length is 10 tokens");
	expect_failure("{\"prompt\":\"broken\"}", 500, "engine died");
	expect_failure("{\"prompt\":\"not json\"}", 502, "the model server's answer");
	expect_failure("{\"prompt\":\"no choices\"}", 502, "has no text");
}
END_TEST

START_TEST(credentials_go_on_to_the_server)
{
	struct answer a = ask_with("POST", "/chat", "Authorization: Bearer word\r\n", "{\"prompt\":\"it\",\"generate_kwargs\":{\"max_new_tokens\":5}}");
	ck_assert_int_eq(a.raw.status, 200);
	ck_assert_str_eq(json_string_value(json_object_get(asked(1), "authorization")), "Bearer word");
	answer_done(&a);
}
END_TEST

/* --- everything else ------------------------------------------------------------------------------------------------- */

START_TEST(streams_pass_through)
{
	static const char BODY[] = "{\"stream\": true, \"odd\":1e2}";
	struct answer a = ask_with("POST", "/v1/chat/completions", "Content-Type: application/json\r\nAuthorization: Bearer x\r\n", BODY);
	ck_assert_int_eq(a.raw.status, 200);
	ck_assert_str_eq(a.raw.body.data, "data: {\"i\":1}\n\ndata: {\"i\":1}\n\ndata: [DONE]\n\n");
	ck_assert_msg(strcasestr(a.raw.head, "content-type: text/event-stream") != NULL, "%s", a.raw.head);
	ck_assert_str_eq(json_string_value(json_object_get(asked(0), "authorization")), "Bearer x");
	answer_done(&a);
}
END_TEST

START_TEST(errors_pass_through_whole)
{
	struct answer a = ask_with("DELETE", "/v1/files/a%20b%2Fc%3Fd", NULL, NULL);
	ck_assert_int_eq(a.raw.status, 429);
	ck_assert_str_eq(a.raw.body.data, "{\"error\":{\"message\":\"busy\"}}");
	ck_assert_ptr_nonnull(strcasestr(a.raw.head, "retry-after: 7"));
	ck_assert_str_eq(json_string_value(json_object_get(asked(0), "path")), "/v1/files/a b/c?d");
	ck_assert_str_eq(json_string_value(json_object_get(asked(0), "method")), "DELETE");
	answer_done(&a);
}
END_TEST

START_TEST(only_paths_below_v1_pass)
{
	static const char *const PATHS[] = {"/v1/../health", "/v1/a/..", "/v1/./models", "/v1/%2e%2e/health", "/tokenize", "/v2/models"};
	struct answer a = ask_with("GET", PATHS[_i], NULL, NULL);
	ck_assert_msg(a.raw.status == 400 || a.raw.status == 404, "%d", a.raw.status);
	ck_assert_uint_eq(n_asked(), 0);
	answer_done(&a);
}
END_TEST

START_TEST(health_is_the_servers)
{
	struct answer a = ask_with("GET", "/health", NULL, NULL);
	ck_assert_int_eq(a.raw.status, 200);
	answer_done(&a);
	fake.healthy = false;
	a = ask_with("GET", "/health", NULL, NULL);
	ck_assert_int_eq(a.raw.status, 503);
	answer_done(&a);
	a = ask_with("GET", "/metrics", NULL, NULL);
	ck_assert_ptr_nonnull(strstr(a.raw.body.data, "kaito_gateway_upstream_up 0"));
	ck_assert_ptr_nonnull(strstr(a.raw.body.data, "kaito_gateway_requests_total{handler=\"/health\",status=\"5xx\"} 1"));
	answer_done(&a);
	a = ask_with("GET", "/", NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(a.json, "message")), "Server is running");
	answer_done(&a);
}
END_TEST

START_TEST(a_server_that_is_away_is_told)
{
	http_server_free(server);
	server = NULL;
	expect_failure("{\"prompt\":\"it\"}", 502, "the model server is not ready");
	struct answer a = ask_with("POST", "/v1/completions", NULL, "{}");
	ck_assert_int_eq(a.raw.status, 502);
	answer_done(&a);
	a = ask_with("GET", "/health", NULL, NULL);
	ck_assert_int_eq(a.raw.status, 503);
	answer_done(&a);
}
END_TEST

START_TEST(a_silent_server_times_out)
{
	stop();
	start_with("tuned", 1);
	expect_failure("{\"prompt\":\"linger\"}", 504, "silent for too long");
}
END_TEST

/* A client that leaves frees the server: its request is ended too. */
START_TEST(a_client_that_leaves_ends_the_request)
{
	static const char BODY[] = "{\"prompt\":\"linger\"}";
	int fd = raw_connect(gateway_port(gateway));
	char *text = mem_printf("POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", _i ? "v1/completions" : "chat", sizeof BODY - 1, BODY);
	raw_send(fd, text);
	wait_for(&fake.waiting);
	close(fd);
	wait_for(&fake.gone);
	free(text);
}
END_TEST

START_TEST(other_urls_are_refused)
{
	static const char *const URLS[] = {NULL, "", "https://127.0.0.1:1", "http://", "http://h/path", "http://h:1?q", "http://u@h:1", "127.0.0.1:5000"};
	struct gateway *g = NULL;
	struct err err;
	ck_assert_int_lt(gateway_start(&g, &(struct gateway_options){.upstream = URLS[_i]}, &err), 0);
	ck_assert_int_eq(err.kind, ERR_USAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gateway");
	TCase *tcase = tcase_create("gateway"), *bare = tcase_create("options");
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_prompt_becomes_a_completion);
	tcase_add_test(tcase, parameters_are_translated);
	tcase_add_test(tcase, messages_become_a_chat_completion);
	tcase_add_test(tcase, a_prompt_without_continuation_is_asked_as_a_message);
	tcase_add_test(tcase, lengths_count_new_tokens_where_the_server_does_not_tokenize);
	tcase_add_test(tcase, a_server_that_only_chats_gets_messages);
	tcase_add_test(tcase, without_a_name_the_first_model_answers);
	tcase_add_test(tcase, failures_have_upstreams_words);
	tcase_add_test(tcase, answers_of_the_server_are_judged);
	tcase_add_test(tcase, credentials_go_on_to_the_server);
	tcase_add_test(tcase, streams_pass_through);
	tcase_add_test(tcase, errors_pass_through_whole);
	tcase_add_loop_test(tcase, only_paths_below_v1_pass, 0, 6);
	tcase_add_test(tcase, health_is_the_servers);
	tcase_add_test(tcase, a_server_that_is_away_is_told);
	tcase_add_test(tcase, a_silent_server_times_out);
	tcase_add_loop_test(tcase, a_client_that_leaves_ends_the_request, 0, 2);
	tcase_add_loop_test(bare, other_urls_are_refused, 0, 8);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, bare);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
