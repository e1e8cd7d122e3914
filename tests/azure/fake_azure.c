/* fake_azure.c: see fake_azure.h. All state is guarded by one mutex; handlers run on the server's threads. */
#include "azure/fake_azure.h"

#include "base/clock.h"
#include "http/server.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>

#define REPLIES_MAX 64
#define REQUESTS_MAX 512

static struct http_server *server;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static struct { struct fake_reply reply; int used; } replies[REPLIES_MAX];
static struct fake_request *requests[REQUESTS_MAX];
static size_t n_replies, n_requests;
static bool open_gate;

static const char *const NOTED[] = {"authorization", "accept", "content-type", "user-agent", "metadata", "x-identity-header", "x-ms-client-request-id",
				    "x-ms-return-client-request-id", "if-match", "if-none-match", "via", "host"};

static void copy(char *out, size_t size, const char *text) { snprintf(out, size, "%s", text ? text : ""); }

static void note(struct http_exchange *x)
{
	struct fake_request *r = mem_alloc(sizeof *r);
	str method = http_method(x), path = http_path(x), body = http_body(x);
	snprintf(r->method, sizeof r->method, "%.*s", STR_FMT(method));
	snprintf(r->path, sizeof r->path, "%.*s", STR_FMT(path));
	copy(r->api_version, sizeof r->api_version, http_query(x, "api-version"));
	copy(r->resource, sizeof r->resource, http_query(x, "resource"));
	copy(r->client_id, sizeof r->client_id, http_query(x, "client_id"));
	copy(r->q, sizeof r->q, http_query(x, "q"));
	for (size_t i = 0; i < sizeof NOTED / sizeof NOTED[0]; i++)
		if (http_header(x, NOTED[i]))
			buf_printf(&r->headers, "%s: %s\n", NOTED[i], http_header(x, NOTED[i]));
	buf_put(&r->body, body.data, body.len);
	ck_assert_int_lt((int)n_requests, REQUESTS_MAX);
	requests[n_requests++] = r;
}

static bool matches(const struct fake_reply *r, str method, str path)
{
	return (!r->method || str_eqz(method, r->method)) && (!r->part || memmem(path.data, path.len, r->part, strlen(r->part)));
}

static bool choose(str method, str path, struct fake_reply *out)
{
	for (size_t i = 0; i < n_replies; i++)
		if ((!replies[i].reply.times || replies[i].used < replies[i].reply.times) && matches(&replies[i].reply, method, path)) {
			replies[i].used++;
			*out = replies[i].reply;
			return true;
		}
	return false;
}

static void put_header(struct http_exchange *x, const char *name, const char *value)
{
	char text[8192];
	const char *hole = strstr(value, "%PORT%");
	snprintf(text, sizeof text, "%.*s", hole ? (int)(hole - value) : (int)sizeof text - 1, value);
	size_t n = strlen(text);
	if (hole)
		snprintf(text + n, sizeof text - n, "%d%s", http_server_port(server), hole + 6);
	http_reply_header(x, name, text);
}

static int answer(struct http_exchange *x, struct err *err)
{
	struct fake_reply r = {.status = 404, .body = "{\"error\":{\"code\":\"NotPrepared\",\"message\":\"the test has no answer\"}}"};
	(void)err;
	pthread_mutex_lock(&mu);
	note(x);
	choose(http_method(x), http_path(x), &r);
	while (r.hold && !open_gate)
		pthread_cond_wait(&released, &mu);
	pthread_mutex_unlock(&mu);
	if (r.delay_ms)
		clock_sleep_ms(r.delay_ms);
	for (size_t i = 0; i + 1 < 8 && r.headers[i]; i += 2)
		put_header(x, r.headers[i], r.headers[i + 1]);
	return http_reply(x, r.status, "application/json", str_of(r.body ? r.body : ""));
}

int fake_azure_start(void)
{
	static const struct http_route ROUTES[] = {
		{"GET", "/{path...}", answer}, {"PUT", "/{path...}", answer}, {"POST", "/{path...}", answer}, {"DELETE", "/{path...}", answer},
	};
	struct err err = ERR_INIT;
	int rc = http_server_start(&server, &(struct http_server_options){.host = "127.0.0.1", .routes = ROUTES, .n_routes = 4, .max_workers = 32, .io_threads = 1}, &err);
	ck_assert_msg(rc == 0, "%s", err.message);
	open_gate = false;
	return http_server_port(server);
}

void fake_azure_forget(void)
{
	pthread_mutex_lock(&mu);
	for (size_t i = 0; i < n_requests; i++) {
		buf_done(&requests[i]->headers);
		buf_done(&requests[i]->body);
		free(requests[i]);
	}
	n_requests = n_replies = 0;
	memset(replies, 0, sizeof replies);
	pthread_mutex_unlock(&mu);
}

void fake_azure_release(void)
{
	pthread_mutex_lock(&mu);
	open_gate = true;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&mu);
}

void fake_azure_stop(void)
{
	fake_azure_release();
	http_server_free(server);
	server = NULL;
	fake_azure_forget();
}

void fake_azure_reply(const struct fake_reply *r)
{
	pthread_mutex_lock(&mu);
	ck_assert_int_lt((int)n_replies, REPLIES_MAX);
	replies[n_replies++].reply = *r;
	pthread_mutex_unlock(&mu);
}

size_t fake_azure_count(const char *method, const char *part)
{
	size_t n = 0;
	pthread_mutex_lock(&mu);
	for (size_t i = 0; i < n_requests; i++)
		n += (!method || strcmp(requests[i]->method, method) == 0) && (!part || strstr(requests[i]->path, part));
	pthread_mutex_unlock(&mu);
	return n;
}

const struct fake_request *fake_azure_request(size_t n)
{
	pthread_mutex_lock(&mu);
	const struct fake_request *r = n < n_requests ? requests[n] : NULL;
	pthread_mutex_unlock(&mu);
	ck_assert_ptr_nonnull(r);
	return r;
}

const struct fake_request *fake_azure_last(void)
{
	pthread_mutex_lock(&mu);
	size_t n = n_requests;
	pthread_mutex_unlock(&mu);
	ck_assert_int_gt((int)n, 0);
	return fake_azure_request(n - 1);
}

bool fake_azure_has_header(const struct fake_request *r, const char *line)
{
	const char *found = r->headers.data ? strstr(r->headers.data, line) : NULL;
	return found && (found == r->headers.data || found[-1] == '\n');
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

const char *fake_azure_field(const struct fake_request *r, const char *key)
{
	static char out[16384];
	size_t len = strlen(key), n = 0;
	for (const char *p = r->body.data; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
		if (strncmp(p, key, len) != 0 || p[len] != '=')
			continue;
		for (p += len + 1; *p && *p != '&' && n + 1 < sizeof out; n++) {
			bool escaped = *p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0;
			out[n] = escaped ? (char)(hex(p[1]) * 16 + hex(p[2])) : *p;
			p += escaped ? 3 : 1;
		}
		out[n] = 0;
		return out;
	}
	return NULL;
}
