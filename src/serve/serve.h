/* serve.h: the inference server: the OpenAI API, vLLM's extras, upstream's /chat and a chat page over one engine.
 * Endpoint groups are one file each; routes.c is the one table of them. */
#pragma once
#include "engine/engine.h"
#include "token/chat_template.h"
#include "token/tokenizer.h"
#include <stdatomic.h>
#include <stdbool.h>

struct serve;
struct serve_options {
	/* Borrowed; must outlive the server. */
	struct engine *engine;
	const struct tokenizer *tokenizer;
	const struct chat_template *chat_template; /* NULL: chat endpoints say so */
	int32_t hidden, vocab;
	const char *const *names; size_t n_names;  /* served model names; the first is the one shown */
	const char *root;                          /* where the model came from */

	const char *host; int port;                /* as http_server_options */
	const char *api_key_file;                  /* one key a line; NULL: no keys asked */
	double request_timeout_s;                  /* 0: none */
	bool no_rate_limit;                        /* do not answer 429 before the engine's queue is really full */
	bool no_runtime_adapters;                  /* /v1/load_lora_adapter and its opposite answer 403 */
	bool log_requests;                         /* one log line a request */
	/* Turns what a client or flag names into a folder (an image is pulled). Caller frees *folder. */
	int (*resolve)(const char *word, const atomic_bool *cancel, char **folder, struct err *err);
};
WARN_UNUSED int serve_new(struct serve **out, const struct serve_options *o, struct err *err);
/* Opens the port and answers; adapters added before are there from the first request on. */
WARN_UNUSED int serve_listen(struct serve *s, struct err *err);
/* Loads an adapter under a name that requests may then give as "model". ERR_EXISTS when taken. */
WARN_UNUSED int serve_add_adapter(struct serve *s, const char *name, const char *source, double strength, struct err *err);
int serve_port(const struct serve *s);      /* after serve_listen */
/* Requests in flight finish (at most grace_ms), new ones get 503. */
void serve_drain(struct serve *s, int64_t grace_ms);
void serve_free(struct serve *s);

/* The reference page of all routes and fields (docs/api.md), and the OpenAPI document. */
void serve_write_api_page(struct buf *out);
json_t *serve_openapi(const char *version);
