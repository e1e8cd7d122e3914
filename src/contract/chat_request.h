/* chat_request.h: the body of POST /chat, the native API of upstream's transformers server before 0.2 (reference: KAITO up to 0.8), as
 * one table: `kaito serve` answers it with its engine, `kaito gateway` by asking another server. Defaults and error texts are upstream's. */
#pragma once
#include "base/arena.h"
#include "contract/body.h"

#define CHAT_REQUEST_ABSENT INT64_MIN /* of a number that was not given */

struct chat_request_kwargs {
	int64_t max_length, min_length, max_new_tokens, min_new_tokens, num_beams, top_k, seed, pad_token_id, num_return_sequences;
	bool do_sample;
	double temperature, top_p, typical_p, min_p, repetition_penalty;
	const json_t *eos_token_id, *stop_strings;
};
struct chat_request { /* pointers are borrowed from the body */
	const char *prompt, *prefix, *long_generation, *model;
	const json_t *messages, *kwargs, *template_choice;
	bool return_full_text, clean_up_spaces;
	int8_t as_message; /* 1: the prompt is a user message, 0: a text to complete, -1: complete, and ask again if that says nothing */
	double timeout;    /* 0: not given */
	struct chat_request_kwargs k;
};
extern const struct body_table CHAT_REQUEST_BODY, CHAT_REQUEST_KWARGS_BODY;

/* ERR_INVALID with upstream's text where it has one. messages is an array, or another type that the caller has to refuse. */
WARN_UNUSED int chat_request_decode(const json_t *json, struct chat_request *out, struct err *err);
/* Tokens that may come, by transformers' counting: max_length holds the prompt too, and one comes at least. */
int64_t chat_request_max_tokens(const struct chat_request *r, int64_t prompt_tokens);
int64_t chat_request_min_tokens(const struct chat_request *r, int64_t prompt_tokens);
/* Without spaces before punctuation and contractions, as transformers' tokenizers clean up English. Lives in the arena. */
str chat_request_clean_up(struct arena *arena, str text);
