/* test_client.c: the HTTP client against a server that misbehaves on request. */
#include "http/scripted.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/digest.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>

static struct scripted server;
static struct http_client *client;
static struct http_response got;
static struct err err;

static void start(void) { scripted_start(&server, NULL); }
static void stop(void) { scripted_stop(&server); }
static void setup(void)
{
	client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE, .stall_s = 1, .retry = {3, 5, 20}});
	json_decref(scripted_log(&server));
	err = ERR_INIT;
}
static void teardown(void)
{
	http_response_done(&got);
	http_client_free(client);
}

/* Send to "http://127.0.0.1:PORT" + path (or to a whole URL). */
static int send_request(struct http_request q, const char *path)
{
	char *url = path[0] == '/' ? mem_printf("http://127.0.0.1:%d%s", server.port, path) : mem_strdup(path);
	q.url = url;
	q.method = q.method ? q.method : "GET";
	http_response_done(&got);
	int rc = http_client_send(client, &q, &got, &err);
	free(url);
	return rc;
}

static void expect_body(const char *want)
{
	ck_assert_int_eq(got.status, 200);
	ck_assert_str_eq(got.body.data, want);
}

static size_t requests_for(const char *prefix)
{
	json_t *log = scripted_log(&server);
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(log); i++)
		n += strncmp(scripted_log_string(log, i, "path"), prefix, strlen(prefix)) == 0;
	json_decref(log);
	return n;
}

START_TEST(body_headers_and_status_arrive)
{
	ck_assert_msg(send_request((struct http_request){0}, "/ok/a") == 0, "%s", err.message);
	ck_assert_int_eq(got.status, 200);
	ck_assert_uint_eq(got.body.len, 200000);
	ck_assert_str_eq(http_response_header(&got, "etag"), "\"a\"");
	ck_assert_ptr_null(http_response_header(&got, "x-none"));
	ck_assert(got.private_peer);
	ck_assert_int_eq(send_request((struct http_request){.method = "HEAD"}, "/ok/a"), 0);
	ck_assert_uint_eq(got.body.len, 0);
	ck_assert_str_eq(http_response_header(&got, "content-length"), "200000");
	ck_assert_int_eq(send_request((struct http_request){0}, "/nothing"), 0);
	ck_assert_int_eq(got.status, 404);
	ck_assert_str_eq(got.body.data, "no such route");
}
END_TEST

START_TEST(body_past_its_limit_is_refused)
{
	ck_assert_int_eq(send_request((struct http_request){.body_max = 200000}, "/ok/a"), 0);
	ck_assert_int_lt(send_request((struct http_request){.body_max = 199999}, "/ok/a"), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	ck_assert_int_lt(send_request((struct http_request){0}, "/headers"), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
}
END_TEST

START_TEST(failing_status_is_retried_then_handed_back)
{
	ck_assert_int_eq(send_request((struct http_request){0}, "/status/503/2/x"), 0);
	ck_assert_int_eq(got.status, 200);
	ck_assert_uint_eq(requests_for("/status/503/2/x"), 3);
	ck_assert_int_eq(send_request((struct http_request){0}, "/status/500/9/x"), 0);
	ck_assert_int_eq(got.status, 500);
	ck_assert_uint_eq(requests_for("/status/500"), 3);
	ck_assert_int_eq(send_request((struct http_request){.once = true}, "/status/502/9/x"), 0);
	ck_assert_int_eq(got.status, 502);
	ck_assert_uint_eq(requests_for("/status/502"), 1);
	ck_assert_int_eq(send_request((struct http_request){0}, "/status/403/9/x"), 0);
	ck_assert_uint_eq(requests_for("/status/403"), 1);
}
END_TEST

START_TEST(retry_after_is_honoured_and_too_long_a_one_is_not_waited_for)
{
	int64_t before = clock_now_ms();
	ck_assert_int_eq(send_request((struct http_request){0}, "/status/429/1/x?after=1"), 0);
	ck_assert_int_eq(got.status, 200);
	ck_assert_int_ge(clock_now_ms() - before, 1000);
	ck_assert_int_eq(send_request((struct http_request){0}, "/status/429/1/y?after=86400"), 0);
	ck_assert_int_eq(got.status, 429);
}
END_TEST

START_TEST(stall_and_refused_connection_are_errors_in_words)
{
	ck_assert_int_lt(send_request((struct http_request){.once = true}, "/stall/9/x"), 0);
	ck_assert_int_eq(err.kind, ERR_TIMEOUT);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	char *url = mem_printf("http://user:secret@127.0.0.1:%d/p?sig=secret", ntohs(sa.sin_port));
	ck_assert_int_lt(send_request((struct http_request){0}, url), 0);
	ck_assert_int_eq(err.kind, ERR_NETWORK);
	ck_assert_msg(!strstr(err.message, "secret"), "%s", err.message);
	close(fd);
	free(url);
}
END_TEST

START_TEST(an_answer_that_drips_is_not_waited_for)
{
	for (int direct = 0; direct < 2; direct++) {
		http_client_free(client);
		client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_ANY, .stall_s = 10, .direct = direct});
		int64_t before = clock_now_ms();
		ck_assert_int_lt(send_request((struct http_request){.once = true, .no_redirect = true, .total_ms = 300}, "/drip/a"), 0);
		ck_assert_int_eq(err.kind, ERR_TIMEOUT);
		ck_assert_int_ge(clock_now_ms() - before, 290);
		ck_assert_int_lt(clock_now_ms() - before, 3000);
	}
}
END_TEST

START_TEST(redirects_are_followed_up_to_the_limit)
{
	char *path = mem_printf("/hops/%d", LIMIT_REDIRECTS);
	ck_assert_msg(send_request((struct http_request){0}, path) == 0, "%s", err.message);
	expect_body("arrived");
	free(path);
	path = mem_printf("/hops/%d", LIMIT_REDIRECTS + 1);
	ck_assert_int_lt(send_request((struct http_request){0}, path), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	free(path);
	ck_assert_int_lt(send_request((struct http_request){0}, "/loop"), 0);
	ck_assert_int_eq(send_request((struct http_request){.no_redirect = true}, "/loop"), 0);
	ck_assert_int_eq(got.status, 302);
	/* A POST is not turned into something else. */
	ck_assert_int_eq(send_request((struct http_request){.method = "POST"}, "/redirect?to=/auth"), 0);
	ck_assert_int_eq(got.status, 302);
	ck_assert_int_eq(send_request((struct http_request){.method = "PUT", .body = {.data = "abc", .len = 3}}, "/redirect?code=307&to=/upload"), 0);
	ck_assert_str_eq(got.body.data, "PUT 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(credentials_do_not_follow_to_another_host)
{
	struct http_request q = {.authorization = "Bearer t0ken"};
	ck_assert_int_eq(send_request(q, "/auth"), 0);
	expect_body("Bearer t0ken");
	ck_assert_int_eq(send_request(q, "/redirect?to=/auth"), 0);
	expect_body("Bearer t0ken");
	char *path = mem_printf("/redirect?to=http://localhost:%d/auth", server.port);
	ck_assert_msg(send_request(q, path) == 0, "%s", err.message);
	expect_body("none");
	free(path);
	path = mem_printf("http://me:pw@127.0.0.1:%d/redirect?to=http://localhost:%d/auth", server.port, server.port);
	ck_assert_int_eq(send_request((struct http_request){0}, path), 0);
	expect_body("none");
	free(path);
}
END_TEST

START_TEST(redirect_to_forbidden_or_odd_places_is_refused)
{
	static const struct { const char *to; enum err_kind kind; } ROWS[] = {
		{"http://169.254.169.254/latest/meta-data", ERR_DENIED}, {"http://[fd00:ec2::254]/", ERR_DENIED},
		{"http://[::ffff:169.254.169.254]/", ERR_DENIED},        {"http://0.0.0.0/", ERR_DENIED},
		{"http://2852039166/", ERR_DENIED},                      {"file:///etc/passwd", ERR_PROTOCOL},
		{"gopher://127.0.0.1/", ERR_PROTOCOL},                   {"ftp://127.0.0.1/", ERR_PROTOCOL},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char *path = mem_printf("/redirect?to=%s", ROWS[i].to);
		ck_assert_int_lt(send_request((struct http_request){0}, path), 0);
		ck_assert_msg(err.kind == ROWS[i].kind, "%s: %s", ROWS[i].to, err.message);
		free(path);
	}
}
END_TEST

START_TEST(private_addresses_are_refused_when_not_allowed)
{
	http_client_free(client);
	client = http_client_new(&(struct http_options){.retry = {3, 5, 20}});
	static const char *const HOSTS[] = {"127.0.0.1", "localhost", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]"};
	for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++) {
		char *url = mem_printf("http://%s:%d/ok/a", HOSTS[i], server.port);
		ck_assert_int_lt(send_request((struct http_request){0}, url), 0);
		ck_assert_msg(err.kind == ERR_DENIED, "%s: %s", url, err.message);
		ck_assert_ptr_nonnull(strstr(err.message, "--allow-private"));
		free(url);
	}
	ck_assert_uint_eq(requests_for("/"), 0);
	/* The host that the caller trusts may be private, and what it redirects to then, too. */
	ck_assert_int_eq(send_request((struct http_request){.trust_host = true}, "/redirect?to=/auth"), 0);
	char *path = mem_printf("/redirect?to=http://localhost:%d/auth", server.port);
	ck_assert_int_eq(send_request((struct http_request){.trust_host = true}, path), 0);
	free(path);
}
END_TEST

START_TEST(public_host_may_not_redirect_to_a_private_one)
{
	/* The scripted server plays the proxy, and so every public host. It is private itself, which is allowed. */
	http_client_free(client);
	client = http_client_new(&(struct http_options){.retry = {1, 5, 20}});
	char *proxy = mem_printf("http://127.0.0.1:%d", server.port);
	setenv("http_proxy", proxy, 1);
	setenv("no_proxy", "localhost", 1);
	ck_assert_int_lt(send_request((struct http_request){0}, "http://10.1.2.3/x"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_msg(send_request((struct http_request){0}, "http://example.com/x") == 0, "%s", err.message);
	ck_assert_int_eq(got.status, 404); /* the path of a proxied request is a whole URL, for which there is no route */
	/* localhost is not proxied; port 1 is not the proxy's: refused, not tried. */
	ck_assert_int_lt(send_request((struct http_request){.trust_host = false}, "http://localhost:1/x"), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	free(proxy);
}
END_TEST

START_TEST(uploads_from_memory_and_file_with_progress)
{
	char path[] = "/tmp/kaito-client-XXXXXX", want[DIGEST_TEXT];
	int fd = mkstemp(path);
	char *data = mem_alloc(700000);
	for (size_t i = 0; i < 700000; i++)
		data[i] = (char)(i * 31 >> 3);
	ck_assert_int_eq(fd_write_all(fd, data, 700000, path, &err), 0);
	digest_of(data + 100000, 500000, want);
	const struct http_body file = {.fd = fd, .offset = 100000, .len = 500000, .from_file = true};
	ck_assert_int_eq(send_request((struct http_request){.method = "PUT", .body = file}, "/upload"), 0);
	ck_assert_int_eq(got.status, 201);
	ck_assert_ptr_nonnull(strstr(got.body.data, digest_hex(want)));
	const struct http_body memory = {.data = data + 100000, .len = 500000};
	ck_assert_int_eq(send_request((struct http_request){.method = "PATCH", .body = memory}, "/upload"), 0);
	ck_assert_ptr_nonnull(strstr(got.body.data, digest_hex(want)));
	ck_assert_int_eq(send_request((struct http_request){.method = "POST"}, "/upload"), 0);
	ck_assert_ptr_nonnull(strstr(got.body.data, "POST 0 "));
	/* A body is sent again after a failure. */
	ck_assert_int_eq(send_request((struct http_request){.method = "PUT", .body = file}, "/status/500/1/again"), 0);
	ck_assert_int_eq(got.status, 200);
	close(fd);
	unlink(path);
	free(data);
}
END_TEST

struct failing_sink { size_t bytes; };

static int sink(void *context, const struct http_response *head, const void *data, size_t len, struct err *e)
{
	struct failing_sink *s = context;
	(void)data;
	ck_assert_int_eq(head->status, 200);
	s->bytes += len;
	return s->bytes > 100000 ? err_set(e, ERR_NO_SPACE, "no room") : 0;
}

START_TEST(sink_can_stop_and_error_status_does_not_reach_it)
{
	struct failing_sink s = {0};
	ck_assert_int_lt(send_request((struct http_request){.sink = sink, .context = &s}, "/ok/a"), 0);
	ck_assert_int_eq(err.kind, ERR_NO_SPACE);
	ck_assert_uint_eq(requests_for("/ok/"), 1);
	s.bytes = 0;
	ck_assert_int_eq(send_request((struct http_request){.sink = sink, .context = &s}, "/nothing"), 0);
	ck_assert_uint_eq(s.bytes, 0);
	ck_assert_uint_eq(got.body.len, 13);
}
END_TEST

static void *cancel_later(void *flag)
{
	clock_sleep_ms(200);
	atomic_store((atomic_bool *)flag, true);
	return NULL;
}

START_TEST(cancel_stops_a_stalled_transfer)
{
	atomic_bool cancel = false;
	http_client_free(client);
	client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_PRIVATE, .cancel = &cancel});
	pthread_t thread;
	pthread_create(&thread, NULL, cancel_later, &cancel);
	int64_t before = clock_now_ms();
	ck_assert_int_lt(send_request((struct http_request){0}, "/stall/9/z"), 0);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_int_lt(clock_now_ms() - before, 2500);
	pthread_join(thread, NULL);
}
END_TEST

/* One client per way of sending, with a connection that is kept. */
static void connected_client(bool direct, const atomic_bool *cancel, const atomic_int_fast64_t *until_ms)
{
	http_client_free(client);
	client = http_client_new(&(struct http_options){.reach = ADDRESS_REACH_ANY, .retry = {3, 5, 20}, .direct = direct, .http1 = true, .cancel = cancel, .until_ms = until_ms});
	ck_assert_int_eq(send_request((struct http_request){.once = true, .no_redirect = true}, "/auth"), 0);
	json_decref(scripted_log(&server));
}

START_TEST(what_was_not_sent_before_the_stop_is_not_sent)
{
	for (int direct = 0; direct < 2; direct++) {
		atomic_bool cancel = false, own = true;
		connected_client(direct, &cancel, NULL);
		ck_assert_int_lt(send_request((struct http_request){.method = "PUT", .once = true, .no_redirect = true, .cancel = &own}, "/upload"), 0);
		ck_assert_int_eq(err.kind, ERR_CANCELLED);
		atomic_store(&cancel, true);
		ck_assert_int_lt(send_request((struct http_request){.method = "PUT", .once = true, .no_redirect = true}, "/upload"), 0);
		ck_assert_int_eq(err.kind, ERR_CANCELLED);
		ck_assert_uint_eq(requests_for("/"), 0);
		ck_assert_int_eq(send_request((struct http_request){.method = "PUT", .once = true, .no_redirect = true, .detached = true}, "/upload"), 0);
		ck_assert_int_eq(got.status, 201);
	}
}
END_TEST

START_TEST(after_the_lease_only_reads_are_sent)
{
	for (int direct = 0; direct < 2; direct++) {
		atomic_int_fast64_t until = 0;
		static const char *const CHANGES[] = {"PUT", "PATCH", "POST", "DELETE"};
		connected_client(direct, NULL, &until);
		const struct http_request put = {.method = "PUT", .once = true, .no_redirect = true};
		ck_assert_int_eq(send_request(put, "/upload"), 0);
		atomic_store(&until, clock_now_ms() + 600000);
		ck_assert_int_eq(send_request(put, "/upload"), 0);
		json_decref(scripted_log(&server));
		atomic_store(&until, clock_now_ms());
		for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
			ck_assert_int_lt(send_request((struct http_request){.method = CHANGES[i], .once = true, .no_redirect = true}, "/upload"), 0);
			ck_assert_int_eq(err.kind, ERR_CANCELLED);
		}
		ck_assert_uint_eq(requests_for("/"), 0);
		ck_assert_int_eq(send_request((struct http_request){.once = true, .no_redirect = true}, "/auth"), 0);
		ck_assert_int_eq(send_request((struct http_request){.method = "PUT", .once = true, .no_redirect = true, .any_time = true}, "/upload"), 0);
		ck_assert_int_eq(got.status, 201);
	}
}
END_TEST

START_TEST(urls_are_redacted_and_compared)
{
	static const struct { const char *url, *want; } ROWS[] = {
		{"https://u:p@h.example/a/b?sig=s#f", "https://h.example/a/b?…"},
		{"https://h.example/a", "https://h.example/a"},
		{"https://tok@h.example:8443/a", "https://h.example:8443/a"},
		{"::", "(unreadable URL)"},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		char *shown = http_redact_url(ROWS[i].url);
		ck_assert_str_eq(shown, ROWS[i].want);
		free(shown);
	}
	ck_assert(http_same_origin("https://a.b/x", "https://A.b:443/y"));
	ck_assert(!http_same_origin("https://a.b/x", "http://a.b/x"));
	ck_assert(!http_same_origin("https://a.b/x", "https://a.b:444/x"));
	ck_assert(!http_same_origin("https://a.b/x", "https://a.b.evil/x"));
	ck_assert_int_lt(send_request((struct http_request){0}, "not a url?secret"), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_msg(!strstr(err.message, "secret"), "%s", err.message);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tc = tcase_create("client");
	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, body_headers_and_status_arrive);
	tcase_add_test(tc, body_past_its_limit_is_refused);
	tcase_add_test(tc, failing_status_is_retried_then_handed_back);
	tcase_add_test(tc, retry_after_is_honoured_and_too_long_a_one_is_not_waited_for);
	tcase_add_test(tc, stall_and_refused_connection_are_errors_in_words);
	tcase_add_test(tc, an_answer_that_drips_is_not_waited_for);
	tcase_add_test(tc, redirects_are_followed_up_to_the_limit);
	tcase_add_test(tc, credentials_do_not_follow_to_another_host);
	tcase_add_test(tc, redirect_to_forbidden_or_odd_places_is_refused);
	tcase_add_test(tc, private_addresses_are_refused_when_not_allowed);
	tcase_add_test(tc, public_host_may_not_redirect_to_a_private_one);
	tcase_add_test(tc, uploads_from_memory_and_file_with_progress);
	tcase_add_test(tc, sink_can_stop_and_error_status_does_not_reach_it);
	tcase_add_test(tc, cancel_stops_a_stalled_transfer);
	tcase_add_test(tc, what_was_not_sent_before_the_stop_is_not_sent);
	tcase_add_test(tc, after_the_lease_only_reads_are_sent);
	tcase_add_test(tc, urls_are_redacted_and_compared);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
