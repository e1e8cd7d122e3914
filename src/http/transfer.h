/* transfer.h: one HTTP request and its answer on one libcurl handle: no redirects, no retries. Private to client.c. */
#pragma once
#include "http/client.h"
#include <curl/curl.h>

struct transfer {
	const struct http_options *options;
	const struct http_request *request;
	const char *url;                /* instead of the request's */
	const char *authorization;      /* instead of the request's */
	enum address_reach reach;
	bool fresh;                     /* do not reuse a connection that was opened under a wider reach */
	struct http_response *response;
};
struct transfer_result { bool retryable, delivered; };

/* 0 with response->status set, or -1; *result says in both cases whether the sink got bytes, and after -1 whether
 * another try may help. */
WARN_UNUSED int transfer_run(const struct transfer *x, CURL *handle, struct transfer_result *result, struct err *err);
/* Connects for x (TLS and proxies included) and leaves the connection to curl_easy_send and curl_easy_recv. */
WARN_UNUSED int transfer_connect(const struct transfer *x, CURL *handle, struct transfer_result *result, struct err *err);
/* Whether a request that has not gone out yet still may: ERR_CANCELLED once the process is told to stop, or its lease is over. */
WARN_UNUSED int transfer_may_send(const struct http_options *o, const struct http_request *q, struct err *err);
/* A line of an answer's head, "Name: value". */
void transfer_put_header(struct http_response *r, str line);
