/* test_server.c: the server as clients meet it, good and bad ones, over real sockets on loopback. */
#include "base/clock.h"
#include "base/limits.h"
#include "http/raw_client.h"
#include "http/server.h"
#include "http/sse.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What handlers and tests tell each other. */
struct gate {
	pthread_mutex_t mu;
	pthread_cond_t cond;
	int entered, released, gone, done, last_status;
};

static void gate_add(struct gate *g, int *counter)
{
	pthread_mutex_lock(&g->mu);
	++*counter;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->mu);
}

static void gate_wait(struct gate *g, const int *counter, int at_least)
{
	pthread_mutex_lock(&g->mu);
	while (*counter < at_least)
		pthread_cond_wait(&g->cond, &g->mu);
	pthread_mutex_unlock(&g->mu);
}

static int on_echo(struct http_exchange *x, struct err *err)
{
	(void)err;
	http_reply_header(x, "X-Echo", http_query(x, "q") ? http_query(x, "q") : "none");
	return http_reply(x, 200, "text/plain", http_body(x));
}

static int on_inline(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, json_pack("{s:s}", "id", http_request_id(x)));
}

static int on_fail(struct http_exchange *x, struct err *err)
{
	(void)x;
	return err_set(err, ERR_INVALID, "field 'a' is wrong");
}

static int on_silent(struct http_exchange *x, struct err *err)
{
	(void)x, (void)err;
	return 0;
}

static int on_wait(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct gate *g = http_context(x);
	gate_add(g, &g->entered);
	gate_wait(g, &g->released, 1);
	return http_reply(x, 200, "text/plain", STR("waited"));
}

static void note_gone(void *arg)
{
	struct gate *g = arg;
	gate_add(g, &g->gone);
}

static int on_until_gone(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct gate *g = http_context(x);
	http_on_gone(x, note_gone, g);
	gate_add(g, &g->entered);
	gate_wait(g, &g->gone, 1);
	ck_assert(http_gone(x));
	return http_reply(x, 200, "text/plain", STR("nobody reads this"));
}

static int on_events(struct http_exchange *x, struct err *err)
{
	sse_begin(x);
	for (int i = 0; i < 3; i++)
		if (sse_send(x, i == 1 ? "middle" : NULL, json_pack("{s:i}", "n", i), err) < 0)
			return -1;
	return sse_send_text(x, NULL, STR("two\nlines"), err);
}

/* Streams until the client is gone or too slow. */
static int on_flood(struct http_exchange *x, struct err *err)
{
	struct gate *g = http_context(x);
	static const char zeros[65536];
	http_stream_begin(x, 200, "application/octet-stream");
	for (int i = 0; i < 10000; i++) {
		if (http_stream_write(x, (str){zeros, sizeof zeros}, err) < 0) {
			gate_add(g, &g->gone);
			return -1;
		}
	}
	return 0;
}

static const struct http_route ROUTES[] = {
	{"POST", "/echo", on_echo, 0, NULL},
	{"GET", "/inline", on_inline, HTTP_INLINE | HTTP_PUBLIC, NULL},
	{"GET", "/fail", on_fail, 0, NULL},
	{"GET", "/silent", on_silent, 0, NULL},
	{"GET", "/wait", on_wait, 0, NULL},
	{"GET", "/until-gone", on_until_gone, 0, NULL},
	{"GET", "/events", on_events, 0, NULL},
	{"GET", "/flood", on_flood, 0, NULL},
};

static struct gate gate;
static struct http_server *server;

static void on_done(void *context, const struct http_exchange *x, int status, int64_t elapsed_ms)
{
	(void)x;
	struct gate *g = context;
	ck_assert_int_ge(elapsed_ms, 0);
	pthread_mutex_lock(&g->mu);
	g->last_status = status;
	g->done++;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->mu);
}

static void start(struct http_server_options o)
{
	struct err err = ERR_INIT;
	gate = (struct gate){.mu = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
	o.host = "127.0.0.1";
	o.routes = ROUTES;
	o.n_routes = sizeof ROUTES / sizeof ROUTES[0];
	o.context = &gate;
	o.on_done = on_done;
	ck_assert_msg(http_server_start(&server, &o, &err) == 0, "%s", err.message);
}

static void start_default(void) { start((struct http_server_options){0}); }
static void stop(void)
{
	http_server_free(server);
	server = NULL;
}

static struct raw_reply ask(const char *method, const char *path, const char *extra, const char *body)
{
	return raw_request(http_server_port(server), method, path, extra, body);
}

#define CHECK_REPLY(method, path, extra, body_in, want_status, want_body) \
	do { \
		struct raw_reply r_ = ask(method, path, extra, body_in); \
		ck_assert_int_eq(r_.status, want_status); \
		ck_assert_msg(strstr(r_.body.data, want_body) != NULL, "%s", r_.body.data); \
		raw_reply_done(&r_); \
	} while (0)

START_TEST(server_answers_plain_inline_and_failing_routes)
{
	start_default();
	CHECK_REPLY("POST", "/echo?q=a%20b", NULL, "hello", 200, "hello");
	CHECK_REPLY("GET", "/fail", NULL, NULL, 400, "field 'a' is wrong");
	CHECK_REPLY("GET", "/silent", NULL, NULL, 500, "no reply");
	CHECK_REPLY("GET", "/inlin", NULL, NULL, 404, "did you mean /inline");
	struct raw_reply r = ask("POST", "/echo?q=a%20b", NULL, "");
	ck_assert_ptr_nonnull(strcasestr(r.head, "X-Echo: a b\r\n"));
	raw_reply_done(&r);
	r = ask("DELETE", "/echo", NULL, NULL);
	ck_assert_int_eq(r.status, 405);
	ck_assert_ptr_nonnull(strcasestr(r.head, "Allow: POST\r\n"));
	raw_reply_done(&r);
	r = ask("HEAD", "/inline", NULL, NULL);
	ck_assert_int_eq(r.status, 200);
	ck_assert_uint_eq(r.body.len, 0);
	raw_reply_done(&r);
	stop();
}
END_TEST

START_TEST(server_echoes_good_request_ids_and_replaces_bad_ones)
{
	start_default();
	struct raw_reply r = ask("GET", "/inline", "X-Request-Id: abc-1\r\n", NULL);
	ck_assert_ptr_nonnull(strcasestr(r.head, "X-Request-Id: abc-1\r\n"));
	ck_assert_str_eq(r.body.data, "{\"id\":\"abc-1\"}");
	raw_reply_done(&r);
	r = ask("GET", "/inline", "X-Request-Id: has space\r\n", NULL);
	ck_assert_ptr_nonnull(strcasestr(r.head, "X-Request-Id: req-"));
	raw_reply_done(&r);
	stop();
}
END_TEST

START_TEST(server_keeps_a_connection_for_several_requests)
{
	start_default();
	int fd = raw_connect(http_server_port(server));
	for (int i = 0; i < 3; i++) {
		struct buf in = {0};
		raw_send(fd, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nabcd");
		ck_assert(raw_read_until(fd, &in, "abcd"));
		buf_done(&in);
	}
	close(fd);
	stop();
}
END_TEST

START_TEST(server_takes_a_body_at_the_limit_and_refuses_one_past_it)
{
	start((struct http_server_options){.max_body_bytes = 1000});
	char body[1002] = {0};
	memset(body, 'x', 1000);
	CHECK_REPLY("POST", "/echo", NULL, body, 200, "xxxx");
	body[1000] = 'x';
	CHECK_REPLY("POST", "/echo", NULL, body, 413, "larger than 1000 bytes");
	CHECK_REPLY("POST", "/echo", "Expect: 100-continue\r\n", body, 413, "larger than 1000 bytes");
	/* without a length */
	int fd = raw_connect(http_server_port(server));
	struct buf in = {0};
	raw_send(fd, "POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
	raw_send(fd, body);
	raw_send(fd, "\r\n0\r\n\r\n");
	raw_read_until(fd, &in, NULL);
	ck_assert_ptr_nonnull(strstr(in.data, "HTTP/1.1 413"));
	buf_done(&in);
	close(fd);
	stop();
}
END_TEST

START_TEST(server_refuses_a_head_past_the_limit)
{
	start_default();
	struct buf extra = {0};
	for (int i = 0; i < 60; i++)
		buf_printf(&extra, "X-Pad-%d: %0*d\r\n", i, 1000, 1);
	CHECK_REPLY("GET", "/inline", extra.data, NULL, 200, "id");
	for (int i = 60; i < 70; i++)
		buf_printf(&extra, "X-Pad-%d: %0*d\r\n", i, 1000, 1);
	CHECK_REPLY("GET", "/inline", extra.data, NULL, 431, "head is larger");
	buf_done(&extra);
	stop();
}
END_TEST

START_TEST(server_streams_events)
{
	start_default();
	struct raw_reply r = ask("GET", "/events", NULL, NULL);
	ck_assert_int_eq(r.status, 200);
	ck_assert_ptr_nonnull(strstr(r.head, "text/event-stream"));
	ck_assert_str_eq(r.body.data, "data: {\"n\":0}\n\nevent: middle\ndata: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: two\ndata: lines\n\n");
	raw_reply_done(&r);
	stop();
}
END_TEST

START_TEST(server_answers_inline_routes_while_all_workers_are_busy)
{
	start((struct http_server_options){.max_workers = 1});
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: t\r\n\r\n");
	gate_wait(&gate, &gate.entered, 1);
	CHECK_REPLY("GET", "/inline", NULL, NULL, 200, "id");
	gate_add(&gate, &gate.released);
	struct buf in = {0};
	ck_assert(raw_read_until(fd, &in, "waited"));
	buf_done(&in);
	close(fd);
	stop();
}
END_TEST

START_TEST(server_notices_a_client_that_leaves_while_a_handler_works)
{
	start_default();
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, "GET /until-gone HTTP/1.1\r\nHost: t\r\n\r\n");
	gate_wait(&gate, &gate.entered, 1);
	close(fd);
	gate_wait(&gate, &gate.done, 1);
	ck_assert_int_eq(gate.gone, 1);
	stop();
}
END_TEST

START_TEST(server_stops_a_stream_when_its_client_leaves_or_does_not_read)
{
	start((struct http_server_options){.send_timeout_ms = 300});
	int fd = raw_connect(http_server_port(server));
	struct buf in = {0};
	raw_send(fd, "GET /flood HTTP/1.1\r\nHost: t\r\n\r\n");
	ck_assert(raw_read_until(fd, &in, "200 OK"));
	buf_done(&in);
	close(fd);
	gate_wait(&gate, &gate.gone, 1);
	fd = raw_connect(http_server_port(server));
	raw_send(fd, "GET /flood HTTP/1.1\r\nHost: t\r\n\r\n");
	gate_wait(&gate, &gate.gone, 2);
	close(fd);
	stop();
}
END_TEST

START_TEST(server_cuts_a_request_that_drips)
{
	start((struct http_server_options){.receive_timeout_ms = 400});
	int fd = raw_connect(http_server_port(server));
	int64_t begun = clock_now_ms();
	raw_send(fd, "GET /inline HTTP/1.1\r\n");
	char byte;
	while (recv(fd, &byte, 1, MSG_DONTWAIT) != 0 && clock_now_ms() - begun < RAW_TIMEOUT_MS) {
		raw_send(fd, "X");
		clock_sleep_ms(20);
	}
	ck_assert_int_lt(clock_now_ms() - begun, RAW_TIMEOUT_MS);
	close(fd);
	stop();
}
END_TEST

static void *drain(void *arg)
{
	(void)arg;
	http_server_drain(server, RAW_TIMEOUT_MS);
	return NULL;
}

START_TEST(server_finishes_running_requests_and_refuses_new_ones_while_draining)
{
	start_default();
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, "GET /wait HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	gate_wait(&gate, &gate.entered, 1);
	pthread_t t;
	pthread_create(&t, NULL, drain, NULL);
	for (int status = 200; status != 503;) { /* until the drain has begun */
		struct raw_reply r = ask("POST", "/echo", NULL, "x");
		status = r.status;
		raw_reply_done(&r);
	}
	CHECK_REPLY("GET", "/inline", NULL, NULL, 200, "id");
	gate_add(&gate, &gate.released);
	struct buf in = {0};
	raw_read_until(fd, &in, NULL);
	ck_assert_ptr_nonnull(strstr(in.data, "waited"));
	buf_done(&in);
	close(fd);
	pthread_join(t, NULL);
	stop();
}
END_TEST

START_TEST(server_stop_cancels_what_runs)
{
	start_default();
	int fd = raw_connect(http_server_port(server));
	raw_send(fd, "GET /until-gone HTTP/1.1\r\nHost: t\r\n\r\n");
	gate_wait(&gate, &gate.entered, 1);
	stop();
	ck_assert_int_eq(gate.gone, 1);
	close(fd);
}
END_TEST

START_TEST(server_names_a_port_in_use)
{
	start_default();
	struct http_server *second = NULL;
	struct err err = ERR_INIT;
	char port[16];
	snprintf(port, sizeof port, "port %d", http_server_port(server));
	struct http_server_options o = {.host = "127.0.0.1", .port = http_server_port(server)};
	ck_assert_int_lt(http_server_start(&second, &o, &err), 0);
	ck_assert_int_eq(err.kind, ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.message, port));
	o = (struct http_server_options){.host = "nowhere"};
	ck_assert_int_lt(http_server_start(&second, &o, &err), 0);
	ck_assert_int_eq(err.kind, ERR_USAGE);
	stop();
}
END_TEST

static void *hammer(void *arg)
{
	for (int i = 0; i < 20; i++) {
		struct raw_reply r = raw_request(*(int *)arg, "POST", "/echo", NULL, "ping");
		ck_assert_int_eq(r.status, 200);
		raw_reply_done(&r);
		r = raw_request(*(int *)arg, "GET", "/events", NULL, NULL);
		ck_assert_ptr_nonnull(strstr(r.body.data, "lines"));
		raw_reply_done(&r);
	}
	return NULL;
}

START_TEST(server_answers_many_clients_at_once)
{
	start_default();
	int port = http_server_port(server);
	pthread_t threads[8];
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, hammer, &port);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	stop();
	ck_assert_int_eq(gate.done, 8 * 40);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("server");
	TCase *t = tcase_create("all");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, server_answers_plain_inline_and_failing_routes);
	tcase_add_test(t, server_echoes_good_request_ids_and_replaces_bad_ones);
	tcase_add_test(t, server_keeps_a_connection_for_several_requests);
	tcase_add_test(t, server_takes_a_body_at_the_limit_and_refuses_one_past_it);
	tcase_add_test(t, server_refuses_a_head_past_the_limit);
	tcase_add_test(t, server_streams_events);
	tcase_add_test(t, server_answers_inline_routes_while_all_workers_are_busy);
	tcase_add_test(t, server_notices_a_client_that_leaves_while_a_handler_works);
	tcase_add_test(t, server_stops_a_stream_when_its_client_leaves_or_does_not_read);
	tcase_add_test(t, server_cuts_a_request_that_drips);
	tcase_add_test(t, server_finishes_running_requests_and_refuses_new_ones_while_draining);
	tcase_add_test(t, server_stop_cancels_what_runs);
	tcase_add_test(t, server_names_a_port_in_use);
	tcase_add_test(t, server_answers_many_clients_at_once);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
