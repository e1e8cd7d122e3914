/* routes.c: the table of endpoints. To add one: its handler in the file of its group (declared in state.h), its body
 * table if it takes one, and a row here; the OpenAPI document and docs/api.md follow. */
#include "serve/routes.h"

#include "contract/chat_request.h"

#define BODIES(...) (const struct body_table *const[]){__VA_ARGS__, NULL}

static const struct endpoint PAGE = {"pages", "chat page; with Accept: application/json a greeting", "HTML, or {\"message\"}", NULL, false, false};
static const struct endpoint HEALTH = {"operation", "whether the server can answer", "{\"status\":\"Healthy\"}", NULL, false, false};
static const struct endpoint VERSION = {"operation", "version of this server", "{\"version\"}", NULL, false, false};
static const struct endpoint METRICS = {"operation", "Prometheus metrics", "text exposition format", NULL, false, false};
static const struct endpoint OPENAPI = {"operation", "this API as an OpenAPI document", "OpenAPI 3.1", NULL, false, false};
static const struct endpoint LOAD = {"adapters", "load a LoRA adapter while running", "a line of text", BODIES(&LOAD_ADAPTER_BODY), false, false};
static const struct endpoint UNLOAD = {"adapters", "unload an adapter when its requests are done", "a line of text", BODIES(&UNLOAD_ADAPTER_BODY), false, false};
static const struct endpoint MODELS = {"models", "the base model and loaded adapters", "{\"object\":\"list\",\"data\"}", NULL, false, false};
static const struct endpoint MODEL = {"models", "one of them", "a model object", NULL, false, false};
static const struct endpoint TOKENIZE = {"tokens", "text or messages to token ids", "{\"count\",\"max_model_len\",\"tokens\",\"token_strs\"}", BODIES(&TOKENIZE_BODY), true, false};
static const struct endpoint DETOKENIZE = {"tokens", "token ids to text", "{\"prompt\"}", BODIES(&DETOKENIZE_BODY), false, false};
static const struct endpoint CHAT = {"generation", "upstream's native API before 0.9", "{\"Result\"}", BODIES(&CHAT_REQUEST_BODY, &CHAT_REQUEST_KWARGS_BODY), true, false};
static const struct endpoint CHAT_COMPLETIONS = {"generation", "OpenAI chat completions", "chat.completion", BODIES(&CHAT_BODY, &SAMPLING_BODY), true, true};
static const struct endpoint COMPLETIONS = {"generation", "OpenAI completions", "text_completion", BODIES(&COMPLETION_BODY, &SAMPLING_BODY), true, true};
static const struct endpoint RESPONSES = {"generation", "OpenAI responses", "response", BODIES(&RESPONSE_BODY, &SAMPLING_BODY), true, true};
static const struct endpoint EMBEDDINGS = {"generation", "OpenAI embeddings", "list of embeddings", BODIES(&EMBEDDING_BODY), true, false};

static const struct http_route ROUTES[] = {
	{"GET", "/", serve_page, HTTP_INLINE | HTTP_PUBLIC, &PAGE},
	{"POST", "/chat", serve_legacy_chat, 0, &CHAT},
	{"POST", "/detokenize", serve_detokenize, 0, &DETOKENIZE},
	{"GET", "/health", serve_health, HTTP_INLINE | HTTP_PUBLIC, &HEALTH},
	{"GET", "/metrics", serve_metrics, HTTP_INLINE | HTTP_PUBLIC, &METRICS},
	{"GET", "/openapi.json", serve_openapi_document, HTTP_INLINE | HTTP_PUBLIC, &OPENAPI},
	{"POST", "/tokenize", serve_tokenize, 0, &TOKENIZE},
	{"POST", "/v1/chat/completions", serve_chat_completions, 0, &CHAT_COMPLETIONS},
	{"POST", "/v1/completions", serve_completions, 0, &COMPLETIONS},
	{"POST", "/v1/embeddings", serve_embeddings, 0, &EMBEDDINGS},
	{"POST", "/v1/load_lora_adapter", serve_load_adapter, 0, &LOAD},
	{"GET", "/v1/models", serve_models, HTTP_INLINE, &MODELS},
	{"GET", "/v1/models/{model...}", serve_model, HTTP_INLINE, &MODEL},
	{"POST", "/v1/responses", serve_responses, 0, &RESPONSES},
	{"POST", "/v1/unload_lora_adapter", serve_unload_adapter, 0, &UNLOAD},
	{"GET", "/version", serve_version, HTTP_INLINE | HTTP_PUBLIC, &VERSION},
};

const struct http_route *routes_table(size_t *n)
{
	*n = sizeof ROUTES / sizeof ROUTES[0];
	return ROUTES;
}
