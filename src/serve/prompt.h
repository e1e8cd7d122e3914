/* prompt.h: from what clients send as input to token ids. Results live in the exchange's arena. */
#pragma once
#include "serve/generation.h"

struct prompt_chat {
	const json_t *messages, *tools, *kwargs;   /* messages: required; tools, chat_template_kwargs: may be NULL */
	bool add_generation_prompt, continue_final, add_special;
};
/* Messages -> the template's text -> ids. ERR_INVALID when the model has no template, with what to do. */
WARN_UNUSED int prompt_from_chat(struct http_exchange *x, const struct prompt_chat *chat, struct generation_prompt *out, struct err *err);
WARN_UNUSED int prompt_from_text(struct http_exchange *x, str text, bool add_special, struct generation_prompt *out, struct err *err);
/* "field": one text, list of texts, list of ids or list of lists of ids. */
WARN_UNUSED int prompt_from_any(struct http_exchange *x, const json_t *value, const char *field, struct generation_prompt **out, size_t *n, struct err *err);
/* A list of ids, each checked. */
WARN_UNUSED int prompt_from_ids(struct http_exchange *x, const json_t *ids, const char *field, struct generation_prompt *out, struct err *err);
