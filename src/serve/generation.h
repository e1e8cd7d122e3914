/* generation.h: one HTTP request's sequences in the engine: submitted together, their events gathered in one queue
 * that the handler's thread reads. When the client leaves they are cancelled. Owner: the handler's thread; the engine's
 * thread only appends to the queue. */
#pragma once
#include "base/vec.h"
#include "serve/state.h"

struct generation_prompt { const int32_t *ids; size_t len; };
struct generation_spec {
	const struct generation_prompt *prompts; size_t n_prompts;
	int n;                        /* choices of each prompt */
	struct sampling sampling;     /* choice k of a prompt is seeded with seed + k */
	int32_t adapter;
	int64_t deadline_ms;
	bool score_prompt;
};

struct generation_token { int32_t id; float logprob; uint32_t first_top, n_top; size_t text_end; }; /* top: into choice.top; text_end: choice.text.len after it */
struct generation_choice {
	struct buf text;
	VEC(struct generation_token) tokens;         /* generated; logprobs only when asked for */
	VEC(struct generation_token) prompt_tokens;  /* with score_prompt */
	VEC(struct token_logprob) top;
	enum finish finish;
	int32_t n_prompt, n_output, n_cached;
	uint64_t engine_id;
	int64_t last_ms;
	bool started;
};
struct generation;
/* Choice number = prompt * n + k. -1 with err; 1 when the queue is full and upstream's 429 was given as the reply. Nothing
 * is left running then. */
WARN_UNUSED int generation_start(struct generation **out, struct http_exchange *x, const struct generation_spec *spec, struct err *err);
/* Waits for the next event, adds it to its choice and says which one (*choice) and what text it brought (*text, borrowed until the
 * next call). Returns 0, 1 when all choices have ended, -1 when the engine failed, the deadline passed (ERR_TIMEOUT)
 * or the client left (ERR_CANCELLED). */
WARN_UNUSED int generation_next(struct generation *g, size_t *choice, str *text, struct err *err);
/* Reads all events to the end. */
WARN_UNUSED int generation_collect(struct generation *g, struct err *err);
size_t generation_count(const struct generation *g);
const struct generation_choice *generation_at(const struct generation *g, size_t choice);
const char *generation_finish_name(enum finish f); /* "stop", "length" */
/* {"prompt_tokens","completion_tokens","total_tokens","prompt_tokens_details"}: each prompt counts once. */
json_t *generation_usage(const struct generation *g);
void generation_tokens(const struct generation *g, int64_t *prompt, int64_t *output, int64_t *cached);
/* Cancels what still runs, waits for its end, releases. NULL is allowed. */
void generation_free(struct generation *g);
static inline void generation_freep(struct generation **g) { generation_free(*g); }
