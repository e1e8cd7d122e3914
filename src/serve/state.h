/* state.h: what endpoint files share. Private to src/serve. */
#pragma once
#include "base/map.h"
#include "http/metrics.h"
#include "http/server.h"
#include "serve/serve.h"
#include <pthread.h>
#include <stdatomic.h>

struct serve_adapter { char *name, *source; double strength; int64_t created; };
struct serve_keys { unsigned char (*hashes)[32]; size_t n; };

struct serve {
	struct serve_options o;          /* immutable after start */
	struct http_server *http;
	struct metrics *metrics;         /* has its own lock */
	struct serve_keys keys;          /* immutable after start */
	int64_t started;                 /* Unix time */
	int32_t max_model_len, max_sequences;
	char *bos, *eos;                 /* for chat templates; NULL when there is none */
	atomic_int sequences;            /* admitted and not finished */
	atomic_bool stopping;            /* ends pulls of adapters */
	pthread_mutex_t mu;              /* guards adapters */
	struct serve_adapter adapters[LIMIT_ADAPTERS];
	size_t n_adapters;
};

static inline struct serve *serve_of(const struct http_exchange *x) { return http_context(x); }

/* error.c */
json_t *serve_text(str s); /* a JSON string; U+FFFD for what is not UTF-8 (a cut message, half a character) */
void error_render(const struct err *err, int status, struct buf *out);   /* the OpenAI shape */
json_t *error_json(const struct err *err, int status);
int error_reply(struct http_exchange *x, int status, const char *type, const char *param, const char *code, const char *message);

/* admission.c: API keys and the rate limit, before a request reaches a worker */
WARN_UNUSED int keys_load(struct serve_keys *keys, const char *path, struct err *err);
void keys_done(struct serve_keys *keys);
bool admission_guard(struct http_exchange *x);
int admission_reply_full(struct http_exchange *x);  /* upstream's 429 */

/* models.c: names to adapters */
/* -1: the base model; >= 0: the engine's adapter. `name` NULL: the base. 1 with nothing set: a 404 reply was given. */
WARN_UNUSED int models_find(struct http_exchange *x, const char *name, int32_t *adapter, const char **shown);
WARN_UNUSED int models_add_adapter(struct serve *s, const char *name, const char *source, double strength, struct err *err);
WARN_UNUSED int models_remove_adapter(struct serve *s, const char *name, struct err *err);
void models_done(struct serve *s);

/* endpoints, one per row of routes.c */
int serve_page(struct http_exchange *x, struct err *err);
int serve_health(struct http_exchange *x, struct err *err);
int serve_version(struct http_exchange *x, struct err *err);
int serve_metrics(struct http_exchange *x, struct err *err);
int serve_openapi_document(struct http_exchange *x, struct err *err);
int serve_models(struct http_exchange *x, struct err *err);
int serve_model(struct http_exchange *x, struct err *err);
int serve_load_adapter(struct http_exchange *x, struct err *err);
int serve_unload_adapter(struct http_exchange *x, struct err *err);
int serve_tokenize(struct http_exchange *x, struct err *err);
int serve_detokenize(struct http_exchange *x, struct err *err);
int serve_embeddings(struct http_exchange *x, struct err *err);
int serve_completions(struct http_exchange *x, struct err *err);
int serve_chat_completions(struct http_exchange *x, struct err *err);
int serve_responses(struct http_exchange *x, struct err *err);
int serve_legacy_chat(struct http_exchange *x, struct err *err);
