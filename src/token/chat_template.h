/* chat_template.h: the Jinja subset that published chat templates use (Jinja 2.11+ semantics as transformers
 * configures it: trim_blocks, lstrip_blocks, sandboxed, loopcontrols, raise_exception, strftime_now, tojson).
 * Immutable after parse; rendering is bounded in steps and output (limits.h). */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>
#include <stdbool.h>

struct chat_template;
/* Errors name the line. */
WARN_UNUSED int chat_template_parse(struct chat_template **out, str source, struct err *err);
void chat_template_free(struct chat_template *t);

/* messages: JSON array of {role, content, ...}; tools: JSON array or NULL; extra: JSON object of further variables
 * (chat_template_kwargs) or NULL. A template's raise_exception gives ERR_INVALID with its text. */
struct chat_spans { struct chat_span { size_t from, to; } *data; size_t len, cap; }; /* usable with vec.h macros */
struct chat_render {
	const json_t *messages, *tools, *extra;
	bool add_generation_prompt;
	const char *bos_token, *eos_token; /* may be NULL */
	/* When not NULL: gets the byte ranges of the output that {% generation %} blocks wrote, counted from what `out`
	 * held before; caller frees with vec_done. */
	struct chat_spans *generation;
};
WARN_UNUSED int chat_template_render(const struct chat_template *t, const struct chat_render *r, struct buf *out, struct err *err);
