/* engine.h: text generation with continuous batching. One thread owns the model, the KV cache and the scheduler;
 * callers submit requests from any thread and receive events through a callback on the engine's thread
 * (which must be quick: copy and signal). */
#pragma once
#include "model/adapter.h"
#include "token/tokenizer.h"

struct sampling {
	float temperature;          /* 0: greedy */
	int32_t top_k;              /* 0: off */
	float top_p, min_p, typical_p; /* 1, 0, 1: off */
	float repetition_penalty;   /* 1: off; over prompt and output, as transformers */
	float presence_penalty, frequency_penalty; /* 0: off; over output, as OpenAI */
	uint64_t seed;
	int32_t max_tokens;         /* new tokens; at least 1 */
	int32_t min_tokens;         /* end-of-generation tokens are masked before */
	bool ignore_eos;
	int32_t top_logprobs;       /* -1: no logprobs; 0: the chosen token's; n: and the n best */
	bool skip_special;          /* special tokens give no text */
	const int32_t *bias_ids; const float *bias_values; size_t n_bias;
	const str *stop; size_t n_stop;
	const int32_t *stop_ids; size_t n_stop_ids;
	bool include_stop;          /* keep the stop string in the text */
};
struct sampling sampling_default(void); /* temperature 1, everything off, max_tokens 16 */

enum finish { FINISH_NONE, FINISH_STOP, FINISH_LENGTH, FINISH_CANCELLED, FINISH_DEADLINE, FINISH_ERROR };
struct token_logprob { int32_t id; float logprob; };
struct engine_event {
	int32_t id;                 /* the token, -1 for a pure end event */
	str text;                   /* new complete UTF-8 text, stop strings held back; may be empty */
	struct token_logprob chosen; const struct token_logprob *top; size_t n_top; /* when asked for */
	enum finish finish;         /* FINISH_NONE until the last event */
	int32_t prompt_tokens, output_tokens, cached_tokens;
	const struct err *err;      /* FINISH_ERROR */
};

struct engine_request {
	const int32_t *prompt; size_t n_prompt;    /* copied by engine_submit */
	struct sampling sampling;                  /* arrays copied by engine_submit */
	int32_t adapter;                           /* engine_adapter_find(), -1: base model */
	int64_t deadline_ms;                       /* clock_now_ms() value, 0: none */
	bool embed;                                /* no generation: one end event, embedding filled */
	float *embedding;                          /* [hidden], caller's, embed only: mean-pooled final hidden state, L2-normalised */
	bool score_prompt;                         /* echo + logprobs: one event per prompt token comes first (output_tokens 0); the
						    * first token has no probability: its logprob is NaN */
	void (*on_event)(void *arg, const struct engine_event *event);
	void *arg;
};

struct engine_options {
	int threads;                /* 0: all this process may use */
	enum compute compute;
	int32_t max_model_len;      /* prompt and output of one request; 0: min(model context, 4096) */
	int32_t max_sequences;      /* slots that run at once; 0: 8 */
	int32_t max_waiting;        /* queue; more is ERR_BUSY; 0: max_sequences * 8 */
	int32_t prefill_chunk;      /* rows of one batch; 0: 512 */
};
struct engine;
/* Takes neither model nor tokenizer: both must outlive the engine. Prints nothing; plan goes to *memory_bytes if not NULL. */
WARN_UNUSED int engine_new(struct engine **out, struct model *m, const struct tokenizer *t, const struct engine_options *o, struct err *err);
void engine_free(struct engine *e);      /* cancels what is running */
void engine_drain(struct engine *e);     /* refuse new requests, return when the running ones are done */

/* ERR_BUSY when the queue is full or the engine drains, ERR_LIMIT when the prompt does not fit max_model_len (one place is kept
 * for the first new token), ERR_INVALID for an empty prompt, an id outside the vocabulary or a sampling value out of range.
 * *id names the request for cancel. */
WARN_UNUSED int engine_submit(struct engine *e, const struct engine_request *r, uint64_t *id, struct err *err);
void engine_cancel(struct engine *e, uint64_t id);   /* its last event says FINISH_CANCELLED; harmless when already over */

WARN_UNUSED int engine_adapter_add(struct engine *e, const char *name, const char *folder, float strength, struct err *err); /* ERR_EXISTS, ERR_LIMIT */
WARN_UNUSED int engine_adapter_remove(struct engine *e, const char *name, struct err *err);  /* waits for requests that use it */
int32_t engine_adapter_find(const struct engine *e, const char *name); /* -1 when unknown */
size_t engine_adapter_list(const struct engine *e, char names[][128], size_t max);

struct engine_stats { int32_t running, waiting; uint64_t prompt_tokens, output_tokens, requests_done, preempted; double kv_usage; size_t weight_bytes, kv_bytes, scratch_bytes; int32_t max_model_len, max_sequences; };
void engine_stats(const struct engine *e, struct engine_stats *out);

/* Synchronous helpers over a private batch, for `kaito generate`, tests and bench: logits of the last position of ids
 * (out [vocab]) and mean negative log likelihood of ids[1..]. Must not run while requests are active. */
WARN_UNUSED int engine_logits(struct engine *e, const int32_t *ids, size_t n, int32_t adapter, float *out, struct err *err);
WARN_UNUSED int engine_nll(struct engine *e, const int32_t *ids, size_t n, int32_t adapter, double *mean_nll, struct err *err);
