/* sampler.h: from one row of logits to one token. Each rule is a function of its own; sampler_choose applies them in this
 * order, which is transformers' (processors, then warpers) with OpenAI's penalties beside the repetition penalty:
 *
 *   logit bias, mask of end tokens (min_tokens), repetition penalty, presence and frequency penalty,
 *   then for temperature 0: the largest logit (the lowest id among equals);
 *   else temperature, top-k, top-p, min-p, typical-p, and a draw.
 *
 * The draw depends on the request's seed and the token's index only, never on other requests or threads.
 * Log probabilities reported are of the model's own logits, before any rule.
 */
#pragma once
#include "engine/engine.h"

/* Tokens still in question, with logits (after temperature) and, once computed, probabilities. Storage: sampler scratch. */
struct candidates { int32_t *ids; float *logits, *p; int32_t n; };

struct sampler_scratch { struct candidates c; uint32_t *stamp; uint32_t epoch; int32_t vocab; float *raw; /* [vocab] for the caller */ };
void sampler_scratch_init(struct sampler_scratch *s, int32_t vocab);
void sampler_scratch_done(struct sampler_scratch *s);

/* What one draw needs beside the logits. History: prompt, then output. */
struct sampler_input {
	const struct sampling *sampling;
	const int32_t *prompt; size_t n_prompt;
	const int32_t *output; size_t n_output;
	const int32_t *end_ids; size_t n_end_ids; /* masked while n_output < min_tokens */
};

void sampler_bias(float *logits, int32_t vocab, const int32_t *ids, const float *values, size_t n);
void sampler_mask(float *logits, int32_t vocab, const int32_t *ids, size_t n);
/* Each token of prompt and output once: x > 0 ? x / penalty : x * penalty (Keskar et al. 2019). */
void sampler_repetition(float *logits, const struct sampler_input *in, float penalty, struct sampler_scratch *s);
/* x -= presence * [count > 0] + frequency * count, over the output. */
void sampler_presence_frequency(float *logits, const struct sampler_input *in, float presence, float frequency, struct sampler_scratch *s);
int32_t sampler_greedy(const float *logits, int32_t vocab);

void sampler_collect(const float *logits, int32_t vocab, float temperature, struct candidates *c);
void sampler_top_k(struct candidates *c, int32_t k);        /* keeps ties with the k-th */
void sampler_top_p(struct candidates *c, float p);          /* Holtzman et al. 2020: the smallest head whose mass reaches p */
void sampler_min_p(struct candidates *c, float min_p);      /* keeps p >= min_p * max p */
void sampler_typical(struct candidates *c, float mass);     /* Meister et al. 2022 */
int32_t sampler_draw(struct candidates *c, float uniform);  /* uniform in [0, 1) */

/* All of the above; logits are changed. */
int32_t sampler_choose(float *logits, const struct sampler_input *in, struct sampler_scratch *s);
/* log of the sum of exp(logits): a token's log probability is its logit minus this. */
float sampler_log_norm(const float *logits, int32_t vocab);
/* The n most probable tokens, best first, lower id first among equals. */
void sampler_best(const float *logits, int32_t vocab, float log_norm, struct token_logprob *top, size_t n);
