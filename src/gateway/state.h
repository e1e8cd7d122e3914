/* state.h: what the files of this room share. */
#pragma once
#include "gateway/gateway.h"
#include "http/client.h"
#include "http/metrics.h"
#include "http/server.h"
#include <pthread.h>

enum gateway_metric { GATEWAY_REQUESTS, GATEWAY_SECONDS, GATEWAY_UPSTREAM_ERRORS, GATEWAY_UPSTREAM_UP, GATEWAY_METRIC_COUNT };

struct gateway { /* immutable after start, apart from what mu guards */
	char *upstream, *model, *host;
	struct http_client *client, *prober;   /* prober has short deadlines, for /health */
	struct http_server *server;
	struct metrics *metrics;
	pthread_mutex_t mu;
	char *first_model;                     /* mu: what the server listed first, once known */
	int64_t context_tokens;                /* mu: its context, 0 unknown */
};

/* One request to the server behind, ended when the client leaves. `request` lacks only its url; path begins with '/'. The error's message
 * is fit for the client. */
WARN_UNUSED int upstream_send_with(struct http_client *client, struct http_exchange *x, struct http_request *request, const char *path, struct http_response *out,
				   struct err *err); /* with the library's own message */
WARN_UNUSED int upstream_send(struct http_exchange *x, struct http_request *request, const char *path, struct http_response *out, struct err *err);
/* POST of a JSON body (taken); *out the answer's JSON, or NULL with *status past 299 and *why the server's own words (arena). */
WARN_UNUSED int upstream_ask(struct http_exchange *x, const char *path, json_t *body, int *status, json_t **out, const char **why, struct err *err);
/* The model that /chat uses, in the exchange's arena, and the context in tokens (0: unknown). */
WARN_UNUSED int upstream_model(struct http_exchange *x, const char **model, int64_t *context_tokens, struct err *err);
/* "Name: value" lines that go on to the server, NULL-terminated, in the arena; *authorization is kept apart. */
const char *const *upstream_headers(struct http_exchange *x, const char **authorization);

http_handler gateway_chat, gateway_forward, gateway_health, gateway_metrics, gateway_root, gateway_version;
