/* direct.h: one small request and its answer, spoken in HTTP/1.1 by ourselves on a connection that libcurl opened (names, TLS, proxies
 * are its business). A request to an API server costs half of what it costs through libcurl's transfers, which set up and tear down
 * everything around each. Whole answers only: nothing is streamed, redirected or repeated. A client that uses it trusts the same
 * authorities in all requests. Private to client.c. */
#pragma once
#include "http/client.h"
#include <pthread.h>

#define DIRECT_IDLE 16
struct direct;
struct direct_pool {
	pthread_mutex_t mu;  /* guards all below */
	struct { struct direct *connection; int64_t since_ms; } idle[DIRECT_IDLE]; /* the last used is used next */
	size_t count;
};
void direct_pool_init(struct direct_pool *p);
void direct_pool_done(struct direct_pool *p);
/* Whether the request can be sent this way. */
bool direct_can(const struct http_options *o, const struct http_request *q);
/* As http_client_send. A kept connection that turns out to be dead is replaced once. */
WARN_UNUSED int direct_send(struct direct_pool *p, const struct http_options *o, const struct http_request *q, struct http_response *out, struct err *err);
