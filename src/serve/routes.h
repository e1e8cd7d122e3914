/* routes.h: the one table of endpoints, and the metrics that they keep. */
#pragma once
#include "contract/body.h"
#include "serve/state.h"

/* What documents and admission need to know about a route; its http_route's detail. */
struct endpoint {
	const char *group, *summary;
	const char *answer;                        /* the 200 reply in words */
	const struct body_table *const *body;      /* NULL: takes none; else NULL-terminated */
	bool limited;                              /* upstream's 429 applies */
	bool streams;                              /* "stream": true answers with server-sent events */
};
const struct http_route *routes_table(size_t *n);

/* Rows of metrics.c, in table order. */
enum metric_id {
	METRIC_RUNNING, METRIC_WAITING, METRIC_KV_USAGE, METRIC_PREEMPTIONS, METRIC_PROMPT_TOKENS, METRIC_GENERATION_TOKENS,
	METRIC_SUCCESS, METRIC_TTFT, METRIC_INTER_TOKEN, METRIC_E2E, METRIC_PROMPT_SIZE, METRIC_GENERATION_SIZE, METRIC_PARAM_N,
	METRIC_PARAM_MAX_TOKENS, METRIC_LORA_INFO, METRIC_CACHE_INFO, METRIC_REJECTED, METRIC_HTTP_REQUESTS, METRIC_HTTP_SECONDS,
	METRIC_RESIDENT_BYTES, METRIC_START_TIME, METRIC_COUNT
};
struct metrics *serve_metrics_new(const char *model);
void serve_count_request(void *context, const struct http_exchange *x, int status, int64_t elapsed_ms); /* http on_done */

/* Bodies, beside their decoders. */
extern const struct body_table SAMPLING_BODY, CHAT_BODY, COMPLETION_BODY, RESPONSE_BODY, EMBEDDING_BODY, TOKENIZE_BODY, DETOKENIZE_BODY,
	LOAD_ADAPTER_BODY, UNLOAD_ADAPTER_BODY, MESSAGES_BODY;
