/* engine_internal.h: the engine's state, for its own files: engine.c (life, thread, queue), sequence.c (one request), schedule.c
 * (who runs in the next step), step.c (one step), engine_adapters.c, engine_score.c. */
#pragma once
#include "engine/engine.h"
#include "engine/forward.h"
#include "engine/sampler.h"
#include "engine/stop_match.h"
#include "token/detok.h"
#include <pthread.h>
#include <stdatomic.h>

/* One request from submit to its last event. `next` and `cancelled` are guarded by engine.mu, the rest belongs to the
 * engine's thread once the sequence is in the queue. */
struct sequence {
	struct sequence *next;
	bool cancelled;
	uint64_t id;
	struct engine_request request;  /* arrays point into the arena */
	struct arena arena;
	int32_t slot;                   /* -1 while waiting */
	int32_t *tokens;                /* the slot's list: prompt, then output */
	int32_t n_prompt, n_tokens, n_computed, n_cached;
	bool long_rope;                 /* the keys in the cache were turned with the long factors */
	struct detok detok;
	struct stop_match stop;
	struct buf text, piece;
	int32_t chosen;                 /* result of the last step's draw */
	float chosen_logprob;
	struct token_logprob top[LIMIT_LOGPROBS];
	enum finish finish;
};

struct slot {
	struct sequence *sequence;      /* NULL: free */
	int32_t *tokens;                /* [max_model_len] what the cache holds, kept after the request for its successors */
	int32_t n_cached;
	uint64_t adapter_key;           /* 0: base; else adapter_entry.key of the weights that made the cache */
	bool long_rope;
	uint64_t used;                  /* step number of the last use */
};

/* Guarded by engine.mu; the weights are immutable and outlive every request that counts in `users`. */
struct adapter_entry { char name[128]; struct lora *lora; uint64_t key; int32_t users; bool leaving; };

struct engine {
	struct model *model;
	const struct tokenizer *tokenizer;
	struct engine_options options;
	struct pool *pool;
	struct kv_cache kv;
	struct forward *forward;
	struct sampler_scratch *samplers;    /* one per worker */
	int32_t *end_ids; size_t n_end_ids;

	pthread_t thread;
	bool started;
	pthread_mutex_t mu;
	pthread_cond_t wake, idle;           /* work for the thread; something ended */
	struct sequence *waiting, **waiting_tail;
	int32_t n_waiting, n_running;
	bool stop, draining;
	uint64_t next_id, next_key;
	struct adapter_entry adapters[LIMIT_ADAPTERS];
	struct engine_stats counters;        /* what engine_stats reports and is not derived */

	/* The thread's own. */
	struct slot *slots;
	uint64_t steps;
	const struct lora *step_adapters[LIMIT_ADAPTERS];
	int32_t *ids, *sample_rows, n_samples;
	struct segment *segments;
	struct sequence **sampled;           /* sequence of each sample row */
	struct batch batch;
};

/* sequence.c */
WARN_UNUSED int sequence_new(struct sequence **out, const struct engine *e, const struct engine_request *r, struct err *err);
void sequence_free(struct sequence *s);
void sequence_token(struct engine *e, struct sequence *s, int32_t id);   /* a new output token: text, stop rules, event */
void sequence_prompt_token(struct sequence *s, int32_t index, float logprob, const struct token_logprob *top, size_t n_top);
void sequence_end(struct sequence *s, enum finish finish);               /* a pure end event */

/* schedule.c */
void schedule_admit(struct engine *e, struct sequence *s);   /* takes a free slot; there is one */
void schedule_release(struct engine *e, struct sequence *s); /* leaves its slot, what was computed stays for reuse */
void schedule_batch(struct engine *e);                       /* fills ids, segments, samples, batch */

/* step.c */
void step_run(struct engine *e);
