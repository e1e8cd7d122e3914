/* sampling.h: the generation parameters that every OpenAI-style endpoint shares, from a request body to the engine. */
#pragma once
#include "serve/state.h"

struct sampling_body {
	double temperature, top_p, min_p, typical_p, repetition_penalty, presence_penalty, frequency_penalty, timeout;
	int64_t top_k, seed, max_tokens, max_completion_tokens, min_tokens, n; /* seed, max_*: INT64_MIN when absent */
	bool ignore_eos, skip_special_tokens, include_stop;
	const json_t *stop, *stop_ids, *logit_bias, *response_format;
};
#define SAMPLING_ABSENT INT64_MIN
struct sampling_body sampling_body_default(void);

/* Into the engine's form; arrays live in the exchange's arena. top_logprobs as engine.h: -1 none. max_tokens is left at 0 for
 * sampling_limit. */
WARN_UNUSED int sampling_build(struct http_exchange *x, const struct sampling_body *b, int64_t top_logprobs, struct sampling *out, struct err *err);
/* The ceiling of new tokens: what was asked, or `otherwise` (0: all that fits). ERR_LIMIT when prompt and ceiling exceed the model. */
WARN_UNUSED int sampling_limit(const struct serve *s, int64_t asked, int64_t otherwise, size_t n_prompt, struct sampling *out, struct err *err);
/* max_completion_tokens, else max_tokens, else SAMPLING_ABSENT. */
int64_t sampling_asked(const struct sampling_body *b);
/* clock_now_ms() value at which the request ends, 0: none. */
int64_t sampling_deadline(const struct serve *s, double timeout_s);
uint64_t sampling_random_seed(void);
