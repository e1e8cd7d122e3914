/* gateway.h: the sidecar that gives any OpenAI server (vLLM, upstream's transformers server, `kaito serve`) the quick start's POST /chat,
 * and passes everything under /v1 through, streams included. It talks to the one server it is told and to nobody else. */
#pragma once
#include "base/err.h"
#include <stdint.h>

struct gateway_options { /* zero: the default in parentheses; strings are copied */
	const char *upstream;  /* "http://127.0.0.1:5000": scheme http, host and port, no path */
	const char *model;     /* what /chat asks for where a request names none (the first that the server lists) */
	const char *host;      /* numeric address to listen on (all) */
	int port;              /* 0: any */
	int max_requests;      /* handled at once; four times as many wait (128) */
	int64_t timeout_s;     /* the server's longest silence in an answer (600) */
};
struct gateway;
/* Listens at once; /health says 503 until the server behind answers. ERR_USAGE: not such a URL. */
WARN_UNUSED int gateway_start(struct gateway **out, const struct gateway_options *options, struct err *err);
int gateway_port(const struct gateway *g);
/* Refuses new work and waits up to grace_ms for what is under way. */
void gateway_drain(struct gateway *g, int64_t grace_ms);
void gateway_free(struct gateway *g);
