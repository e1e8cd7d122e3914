/* direct.c: see direct.h. The answer's framing is in answer.c. */
#include "http/direct.h"

#include "base/clock.h"
#include "http/answer.h"
#include "http/transfer.h"
#include <poll.h>
#include <stdio.h>
#include <strings.h>

#define IDLE_MS 30000
#define READ_BYTES 8192
#define LOOK_MS 200 /* so often a request that waits looks whether it is to stop */

struct direct {
	CURL *handle;
	curl_socket_t fd;
	char *origin, *cert;  /* what it was opened for */
};

/* One exchange under way. */
struct exchange {
	const struct http_options *options;
	const struct http_request *request;
	struct direct *connection;
	int64_t moved_ms;     /* when bytes moved last */
	int64_t end_ms;       /* when the answer must be complete; 0: no matter */
	bool heard;           /* the answer has begun */
	struct err *err;
};

/* --- connections ------------------------------------------------------------------------------------------------- */

static void direct_free(struct direct *d)
{
	if (!d)
		return;
	curl_easy_cleanup(d->handle);
	free(d->origin);
	free(d->cert);
	free(d);
}

void direct_pool_init(struct direct_pool *p) { pthread_mutex_init(&p->mu, NULL); }

void direct_pool_done(struct direct_pool *p)
{
	for (size_t i = 0; i < p->count; i++)
		direct_free(p->idle[i].connection);
	pthread_mutex_destroy(&p->mu);
}

/* "https://host:6443" of a URL: all that decides where a connection goes. */
static str origin_of(const char *url)
{
	const char *host = strstr(url, "://");
	return (str){url, host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?") : 0};
}

static str cert_of(const struct http_request *q) { return q->tls ? q->tls->cert : (str){0}; }

static bool fits(const struct direct *d, const struct http_request *q)
{
	return str_eqz(origin_of(q->url), d->origin) && str_eqz(cert_of(q), d->cert);
}

/* Bytes that nobody asked for mean that the server said good-bye. */
static bool is_dead(const struct direct *d)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};
	return poll(&p, 1, 0) != 0;
}

static struct direct *take(struct direct_pool *p, const struct http_request *q)
{
	for (;;) {
		pthread_mutex_lock(&p->mu);
		struct direct *d = p->count ? p->idle[--p->count].connection : NULL;
		pthread_mutex_unlock(&p->mu);
		if (!d || (fits(d, q) && !is_dead(d)))
			return d;
		direct_free(d);
	}
}

static void give(struct direct_pool *p, struct direct *d)
{
	struct direct *surplus = NULL;
	int64_t now = clock_now_ms();
	pthread_mutex_lock(&p->mu);
	if (p->count == DIRECT_IDLE || (p->count && now - p->idle[0].since_ms >= IDLE_MS)) {
		surplus = p->idle[0].connection;
		memmove(p->idle, p->idle + 1, --p->count * sizeof p->idle[0]);
	}
	p->idle[p->count].connection = d;
	p->idle[p->count++].since_ms = now;
	pthread_mutex_unlock(&p->mu);
	direct_free(surplus);
}

static struct direct *connect_to(const struct http_options *o, const struct http_request *q, struct err *err)
{
	struct http_response unused = {0};
	struct transfer_result result = {0};
	const struct http_request plain = {.method = "GET", .url = q->url, .tls = q->tls, .cancel = q->cancel, .detached = q->detached, .stall_ms = q->stall_ms};
	const struct transfer x = {.options = o, .request = &plain, .url = q->url, .reach = o->reach, .response = &unused};
	struct direct *d = mem_alloc(sizeof *d);
	str origin = origin_of(q->url), cert = cert_of(q);
	d->handle = curl_easy_init();
	d->origin = mem_strndup(origin.data, origin.len);
	d->cert = mem_strndup(cert.data ? cert.data : "", cert.len);
	if (!d->handle)
		err_set(err, ERR_NO_MEMORY, "cannot create an HTTP handle");
	else if (transfer_connect(&x, d->handle, &result, err) == 0 && curl_easy_getinfo(d->handle, CURLINFO_ACTIVESOCKET, &d->fd) == CURLE_OK)
		return d;
	direct_free(d);
	return NULL;
}

/* --- moving bytes ------------------------------------------------------------------------------------------------- */

static int broken(const struct exchange *x, enum err_kind kind, const char *why)
{
	CLEANUP(mem_freep) char *shown = http_redact_url(x->request->url);
	return err_set(x->err, kind, "%s %s: %s", x->request->method, shown, why);
}

static bool is_set(const atomic_bool *flag) { return flag && atomic_load(flag); }

static int in_time(const struct exchange *x)
{
	return x->end_ms && clock_now_ms() >= x->end_ms ? broken(x, ERR_TIMEOUT, "the answer was not complete in time") : 0;
}

static int wait_for(struct exchange *x, short events)
{
	int64_t stall_ms = x->request->stall_ms ? x->request->stall_ms : x->options->stall_s * 1000;
	for (;;) {
		if (in_time(x) < 0)
			return -1;
		if ((!x->request->detached && is_set(x->options->cancel)) || is_set(x->request->cancel))
			return broken(x, ERR_CANCELLED, "the transfer was stopped");
		int64_t left = x->moved_ms + stall_ms - clock_now_ms();
		if (left <= 0)
			return broken(x, ERR_TIMEOUT, "nothing was sent or received in time");
		if (x->end_ms && x->end_ms - clock_now_ms() < left)
			left = x->end_ms > clock_now_ms() ? x->end_ms - clock_now_ms() : 1;
		struct pollfd p = {.fd = x->connection->fd, .events = events};
		if (poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS) > 0)
			return 0;
	}
}

static int send_all(struct exchange *x, str data)
{
	for (size_t sent = 0; sent < data.len;) {
		size_t n = 0;
		CURLcode code = curl_easy_send(x->connection->handle, data.data + sent, data.len - sent, &n);
		if (code == CURLE_AGAIN) {
			if (wait_for(x, POLLOUT) < 0)
				return -1;
			continue;
		}
		if (code != CURLE_OK)
			return broken(x, ERR_NETWORK, "the connection was lost while sending");
		sent += n;
		x->moved_ms = clock_now_ms();
	}
	return 0;
}

static int receive(struct exchange *x, struct answer *answer)
{
	char bytes[READ_BYTES];
	while (!answer_complete(answer)) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(x->connection->handle, bytes, sizeof bytes, &n);
		if (code == CURLE_AGAIN) {
			if (wait_for(x, POLLIN) < 0)
				return -1;
			continue;
		}
		if (code != CURLE_OK || n == 0) {
			if (code == CURLE_OK && answer_ended(answer))
				return 0;
			return broken(x, ERR_NETWORK, "the connection was closed before the answer was complete");
		}
		x->heard = true;
		x->moved_ms = clock_now_ms();
		if (in_time(x) < 0)
			return -1;
		if (answer_feed(answer, (str){bytes, n}, x->err) < 0)
			return err_wrap(x->err, "%s", x->request->method);
	}
	return 0;
}

/* Head and, when it is small, body in one piece: one TLS record. */
static void put_request(const struct exchange *x, struct buf *out)
{
	const struct http_request *q = x->request;
	str origin = origin_of(q->url);
	const char *target = q->url + origin.len, *host = strstr(q->url, "://") + 3;
	buf_printf(out, "%s %s%s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: %s\r\n", q->method, target[0] == '/' ? "" : "/", target,
		   (int)(q->url + origin.len - host), host, x->options->user_agent);
	for (const char *const *h = q->headers; h && *h; h++)
		buf_printf(out, "%s\r\n", *h);
	if (q->authorization)
		buf_printf(out, "Authorization: %s\r\n", q->authorization);
	if (q->body.len || (strcmp(q->method, "GET") != 0 && strcmp(q->method, "DELETE") != 0))
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)q->body.len);
	buf_puts(out, "\r\n");
	buf_put(out, q->body.data, q->body.len);
}

static int speak(struct exchange *x, struct http_response *out, bool *keep)
{
	CLEANUP(buf_done) struct buf request = {0};
	CLEANUP(answer_done) struct answer answer = {.response = out, .body_max = x->request->body_max};
	request.max = x->request->body.len + 65536;
	put_request(x, &request);
	if (request.overflow)
		return broken(x, ERR_LIMIT, "its head is too large");
	if (transfer_may_send(x->options, x->request, x->err) < 0)
		return err_wrap(x->err, "%s", x->request->method);
	x->moved_ms = clock_now_ms();
	if (send_all(x, buf_str(&request)) < 0 || wait_for(x, POLLIN) < 0 || receive(x, &answer) < 0)
		return -1;
	*keep = answer_keeps(&answer);
	out->url = mem_strdup(x->request->url);
	return 0;
}

/* Nothing that could end a line of the head early, or that only libcurl understands. */
static bool is_plain(const char *text, bool is_url)
{
	for (const char *p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || (is_url && (*p == ' ' || *p == '@' || *p == '#')))
			return false;
	return true;
}

bool direct_can(const struct http_options *o, const struct http_request *q)
{
	if (!is_plain(q->url, true) || !is_plain(q->authorization, false))
		return false;
	return o->direct && o->reach == ADDRESS_REACH_ANY && q->once && q->no_redirect && !q->sink && !q->sent && !q->body.from_file &&
	       (q->repeatable || !q->body.len) && origin_of(q->url).len && strcmp(q->method, "HEAD") != 0;
}

int direct_send(struct direct_pool *p, const struct http_options *o, const struct http_request *q, struct http_response *out, struct err *err)
{
	int64_t end_ms = q->total_ms ? clock_now_ms() + q->total_ms : 0;
	struct direct *d = take(p, q);
	for (bool kept = d != NULL;; kept = false, out->reconnected = true) {
		bool keep = false;
		if (!d && !(d = connect_to(o, q, err)))
			return -1;
		struct exchange x = {.options = o, .request = q, .connection = d, .end_ms = end_ms, .err = err};
		int rc = speak(&x, out, &keep);
		if (rc == 0 && keep)
			give(p, d);
		else
			direct_free(d);
		d = NULL;
		if (rc == 0 || !kept || x.heard || err->kind != ERR_NETWORK)
			return rc;
		http_response_done(out);
	}
}
