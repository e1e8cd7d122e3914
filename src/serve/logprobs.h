/* logprobs.h: token probabilities in the two shapes that OpenAI's APIs have. */
#pragma once
#include "serve/generation.h"

/* Chat: {"content":[{"token","logprob","bytes","top_logprobs":[…]}]} of tokens[from, to). */
json_t *logprobs_chat(const struct serve *s, const struct generation_choice *c, size_t from, size_t to);
json_t *logprobs_chat_items(const struct serve *s, const struct generation_choice *c, size_t from, size_t to);
/* Completions: {"text_offset","token_logprobs","tokens","top_logprobs"} of tokens[from, to). offset: added to text offsets.
 * with_prompt: the prompt's tokens first (echo); the first has null, nothing comes before it. */
struct logprobs_text { size_t from, to, offset; bool with_prompt; const struct generation_prompt *prompt; };
json_t *logprobs_completion(const struct serve *s, const struct generation_choice *c, const struct logprobs_text *t);
