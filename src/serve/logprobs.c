/* logprobs.c: see logprobs.h. A token's text may be a part of a character: then it prints with U+FFFD and "bytes" has
 * the truth. */
#include "serve/logprobs.h"

#include "codec/json.h"
#include <math.h>

static void piece(const struct serve *s, int32_t id, struct buf *out)
{
	buf_clear(out);
	tokenizer_piece(s->o.tokenizer, id, false, out);
}

/* JSON has no infinity; OpenAI's clients know this number for "never". */
static json_t *number(float logprob) { return json_real(isfinite(logprob) ? (double)logprob : -9999.0); }

static json_t *entry(const struct serve *s, int32_t id, float logprob)
{
	CLEANUP(buf_done) struct buf text = {0};
	piece(s, id, &text);
	json_t *bytes = json_array();
	for (size_t i = 0; i < text.len; i++)
		json_array_append_new(bytes, json_integer((unsigned char)text.data[i]));
	return json_pack("{s:o,s:o,s:o}", "token", serve_text(buf_str(&text)), "logprob", number(logprob), "bytes", bytes);
}

json_t *logprobs_chat_items(const struct serve *s, const struct generation_choice *c, size_t from, size_t to)
{
	json_t *list = json_array();
	for (size_t i = from; i < to; i++) {
		const struct generation_token *t = &c->tokens.data[i];
		json_t *item = entry(s, t->id, t->logprob), *top = json_array();
		for (uint32_t k = 0; k < t->n_top; k++)
			json_array_append_new(top, entry(s, c->top.data[t->first_top + k].id, c->top.data[t->first_top + k].logprob));
		json_object_set_new(item, "top_logprobs", top);
		json_array_append_new(list, item);
	}
	return list;
}

json_t *logprobs_chat(const struct serve *s, const struct generation_choice *c, size_t from, size_t to)
{
	return json_pack("{s:o}", "content", logprobs_chat_items(s, c, from, to));
}

/* --- completions ---------------------------------------------------------------------------------------------- */

struct columns { json_t *tokens, *logprobs, *top, *offsets; size_t offset; };

/* The chosen token is always among the best, as vLLM shows it. */
static json_t *top_object(const struct serve *s, const struct generation_choice *c, const struct generation_token *t)
{
	CLEANUP(buf_done) struct buf text = {0};
	json_t *top = json_object();
	for (uint32_t k = 0; k < t->n_top; k++) {
		const struct token_logprob *p = &c->top.data[t->first_top + k];
		piece(s, p->id, &text);
		CLEANUP(json_decrefp) json_t *name = serve_text(buf_str(&text));
		if (!json_object_get(top, json_string_value(name)))
			json_object_set_new(top, json_string_value(name), number(p->logprob));
	}
	piece(s, t->id, &text);
	CLEANUP(json_decrefp) json_t *name = serve_text(buf_str(&text));
	json_object_set_new(top, json_string_value(name), number(t->logprob));
	return top;
}

static void add_row(const struct serve *s, struct columns *col, int32_t id, json_t *logprob, json_t *top)
{
	CLEANUP(buf_done) struct buf text = {0};
	piece(s, id, &text);
	json_array_append_new(col->tokens, serve_text(buf_str(&text)));
	json_array_append_new(col->logprobs, logprob);
	json_array_append_new(col->top, top);
	json_array_append_new(col->offsets, json_integer((json_int_t)col->offset));
	col->offset += text.len;
}

/* The engine reports prompt tokens from the second on, or all of them: they are aligned at the end. */
static void add_prompt(const struct serve *s, const struct generation_choice *c, const struct generation_prompt *p, struct columns *col)
{
	size_t scored = c->prompt_tokens.len, unscored = p->len - (scored < p->len ? scored : p->len - 1);
	for (size_t i = 0; i < p->len; i++) {
		if (i < unscored) {
			add_row(s, col, p->ids[i], json_null(), json_null());
			continue;
		}
		const struct generation_token *t = &c->prompt_tokens.data[scored - (p->len - i)];
		add_row(s, col, p->ids[i], number(t->logprob), top_object(s, c, t));
	}
}

json_t *logprobs_completion(const struct serve *s, const struct generation_choice *c, const struct logprobs_text *t)
{
	struct columns col = {json_array(), json_array(), json_array(), json_array(), t->offset};
	if (t->with_prompt)
		add_prompt(s, c, t->prompt, &col);
	for (size_t i = t->from; i < t->to; i++) {
		const struct generation_token *token = &c->tokens.data[i];
		add_row(s, &col, token->id, number(token->logprob), top_object(s, c, token));
	}
	return json_pack("{s:o,s:o,s:o,s:o}", "text_offset", col.offsets, "token_logprobs", col.logprobs, "tokens", col.tokens, "top_logprobs", col.top);
}
