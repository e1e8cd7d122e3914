/* server.h: an HTTP/1.1 server over libmicrohttpd. Requests are read by a small epoll thread pool, handlers run on
 * worker threads and may block; a reply is given whole, or streamed piece by piece while the handler runs.
 *
 * What it adds to the library: a routes table with near-miss answers, body and header ceilings, a deadline for the
 * arrival of a request, a ceiling and deadline for slow readers, notice of clients that leave while a handler
 * works (the library does not watch suspended connections), request ids, and an orderly drain.
 *
 * A client that half-closes its side (shutdown(SHUT_WR)) counts as gone, as with nginx. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/router.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct http_server;

struct http_server_options {
	const char *host;              /* numeric address; NULL: all IPv4 and IPv6 addresses */
	int port;                      /* 0: any free one, see http_server_port */
	const struct http_route *routes;
	size_t n_routes;
	void *context;                 /* what http_context returns */
	int max_workers;               /* handlers at once; 0: 128. More requests wait, 4 times as many at most, then 503 */
	int io_threads;                /* 0: 2 */
	size_t max_body_bytes;         /* 0: LIMIT_HTTP_BODY_BYTES; past it 413 */
	int receive_timeout_ms;        /* a request must have arrived in full, an idle connection leaves; 0: 60000 */
	int send_timeout_ms;           /* a client must take a streamed piece; 0: 30000 */
	const char *tls_cert_pem;      /* the chain, leaf first: HTTPS, TLS 1.2 and 1.3; NULL: plain HTTP. Copied, with the key */
	const char *tls_key_pem;
	/* Asked before every route that is not HTTP_PUBLIC. True: it has replied (401, 429). Runs on an I/O thread. NULL: none. */
	bool (*guard)(struct http_exchange *x);
	/* Writes the JSON body of an error reply. NULL: {"error":{"message":…,"code":status}}. */
	void (*render_error)(const struct err *err, int status, struct buf *out);
	/* Told once per request, after the last byte; for access logs and counters. Any thread. NULL: none. */
	void (*on_done)(void *context, const struct http_exchange *x, int status, int64_t elapsed_ms);
};

/* Listens and serves at once. ERR_BUSY names a port in use; ERR_DENIED a privileged one. The options' tables are borrowed. */
WARN_UNUSED int http_server_start(struct http_server **out, const struct http_server_options *o, struct err *err);
int http_server_port(const struct http_server *s);
/* New connections get this pair; open ones are not disturbed. ERR_INVALID when it cannot be used: the old one stays. Any thread. */
WARN_UNUSED int http_server_set_certificate(struct http_server *s, const char *cert_pem, const char *key_pem, struct err *err);
/* Refuse new work with 503, wait up to grace_ms for requests in flight, then mark the rest as gone and wait for them. */
void http_server_drain(struct http_server *s, int64_t grace_ms);
/* The same with no grace, then everything is released. NULL is allowed. */
void http_server_free(struct http_server *s);

/* --- the request; everything returned is borrowed and lives as long as the handler runs ----------------------- */

void *http_context(const struct http_exchange *x);
const struct http_route *http_route(const struct http_exchange *x);    /* NULL before a route matched */
str http_method(const struct http_exchange *x);
str http_path(const struct http_exchange *x);
str http_param(const struct http_exchange *x, const char *name);       /* {name} of the route; empty when absent */
const char *http_header(const struct http_exchange *x, const char *name); /* case-insensitive; NULL when absent */
const char *http_query(const struct http_exchange *x, const char *name);  /* decoded; NULL when absent */
str http_body(const struct http_exchange *x);
const char *http_request_id(const struct http_exchange *x);            /* the client's X-Request-Id, or ours */
struct arena *http_arena(struct http_exchange *x);                     /* freed after the reply */
bool http_accepts(const struct http_exchange *x, const char *type);    /* the Accept header names this type */
/* The body as JSON (limits of codec/json). *out is the caller's. */
WARN_UNUSED int http_body_json(const struct http_exchange *x, json_t **out, struct err *err);

/* The client left, or the server is being stopped. */
bool http_gone(struct http_exchange *x);
/* fn(arg) is called once when the client leaves (at once if it already has), from another thread, with no lock held. NULL
 * removes it; when this returns, fn does not run any more. */
void http_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg);

/* --- the reply; once per request. Headers come before it ------------------------------------------------------- */

void http_reply_header(struct http_exchange *x, const char *name, const char *value);
/* Each returns 0, so that a handler may end with `return http_reply(…)`. Body is copied. */
int http_reply(struct http_exchange *x, int status, const char *type, str body);
int http_reply_json(struct http_exchange *x, int status, json_t *value); /* takes the reference */
int http_reply_error(struct http_exchange *x, int status, const struct err *err); /* status 0: the kind's */
void http_hang_up(struct http_exchange *x); /* closes the connection without an answer; on_done gets HTTP_HUNG_UP */
#define HTTP_HUNG_UP (-1)

/* Streaming: begin, write any number of times, end (or return from the handler). Not for HTTP_INLINE routes.
 * Write blocks while the client is slow; ERR_CANCELLED when it is gone, ERR_TIMEOUT past send_timeout_ms. */
void http_stream_begin(struct http_exchange *x, int status, const char *type);
WARN_UNUSED int http_stream_write(struct http_exchange *x, str data, struct err *err);
void http_stream_end(struct http_exchange *x);
