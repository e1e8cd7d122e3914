/* collator.c: see collator.h. Every path ends in one list of tokens and a list of byte or token ranges that count. */
#include "tune/collator.h"

static int render(const struct collator *c, const json_t *messages, bool prompt_only, struct chat_spans *spans, struct buf *out, struct err *err)
{
	struct chat_render r = {.messages = messages, .add_generation_prompt = prompt_only, .bos_token = c->bos, .eos_token = c->eos, .generation = spans};
	if (!c->chat)
		return err_set(err, ERR_MODEL, "the model has no chat template, which rows of messages need: set ModelConfig.chat_template");
	return chat_template_render(c->chat, &r, out, err);
}

static json_t *first_messages(const json_t *messages, size_t n)
{
	json_t *part = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append(part, json_array_get(messages, i));
	return part;
}

static int render_first(const struct collator *c, const json_t *messages, size_t n, bool prompt_only, struct buf *out, struct err *err)
{
	json_t *part = first_messages(messages, n);
	int rc = render(c, part, prompt_only, NULL, out, err);
	json_decref(part);
	return rc;
}

static bool is_assistant(const json_t *message)
{
	const char *role = json_string_value(json_object_get(message, "role"));
	return role && strcmp(role, "assistant") == 0;
}

/* Byte ranges of the assistant's turns for a template without {% generation %}: what message i adds to the text of the
 * messages before it (with the generation prompt). Refused when the template rewrites earlier text. */
static int turns_by_prefix(const struct collator *c, const json_t *messages, str text, struct chat_spans *spans, struct err *err)
{
	for (size_t i = 0; i < json_array_size(messages); i++) {
		CLEANUP(buf_done) struct buf before = {0}, after = {0};
		if (!is_assistant(json_array_get(messages, i)))
			continue;
		if (render_first(c, messages, i, true, &before, err) < 0 || render_first(c, messages, i + 1, false, &after, err) < 0)
			return -1;
		if (!str_starts(buf_str(&after), buf_str(&before)) || !str_starts(text, buf_str(&after)))
			return err_set(err, ERR_DATA, "assistant_only_loss: the chat template does not mark assistant turns with {%% generation %%} and they cannot be told apart");
		vec_push(spans, (struct chat_span){before.len, after.len});
	}
	return 0;
}

static bool inside(const struct chat_spans *spans, size_t from, size_t to)
{
	for (size_t i = 0; i < spans->len; i++)
		if (from < spans->data[i].to && to > spans->data[i].from)
			return true;
	return false;
}

/* Marks the tokens outside the byte ranges; false when the tokens' bytes do not add up to the text (a normalising tokenizer). */
static bool mark_by_bytes(const struct collator *c, str text, const struct chat_spans *spans, struct token_vec *tokens)
{
	size_t at = 0;
	CLEANUP(buf_done) struct buf piece = {0};
	for (size_t i = 0; i < tokens->len; i++) {
		buf_clear(&piece);
		tokenizer_piece(c->tokenizer, tokens->data[i], i == 0, &piece);
		if (!inside(spans, at, at + piece.len))
			tokens->data[i] = ~tokens->data[i];
		at += piece.len;
	}
	return at == text.len;
}

/* Tokenizes the ranges and what lies between them one by one. */
static int encode_in_parts(const struct collator *c, str text, const struct chat_spans *spans, struct token_vec *tokens, struct err *err)
{
	size_t at = 0;
	tokens->len = 0;
	for (size_t s = 0; s <= spans->len; s++) {
		size_t from = s < spans->len ? spans->data[s].from : text.len, to = s < spans->len ? spans->data[s].to : text.len;
		size_t first = tokens->len;
		if (from > at && tokenizer_encode(c->tokenizer, str_sub(text, at, from), false, true, tokens, err) < 0)
			return -1;
		for (size_t i = first; i < tokens->len; i++)
			tokens->data[i] = ~tokens->data[i];
		if (to > from && tokenizer_encode(c->tokenizer, str_sub(text, from, to), false, true, tokens, err) < 0)
			return -1;
		at = to;
	}
	return 0;
}

static int encode_assistant(const struct collator *c, const json_t *messages, str text, struct chat_spans *spans, struct token_vec *out, struct err *err)
{
	if (spans->len == 0 && turns_by_prefix(c, messages, text, spans, err) < 0)
		return -1;
	if (spans->len == 0)
		return err_set(err, ERR_DATA, "assistant_only_loss: no message has the role 'assistant'");
	if (tokenizer_encode(c->tokenizer, text, false, true, out, err) < 0)
		return -1;
	return mark_by_bytes(c, text, spans, out) ? 0 : encode_in_parts(c, text, spans, out, err);
}

/* Tokens of `whole`; those that it shares with `prompt` from the start are marked as not trained on. */
static int encode_completion(const struct collator *c, str prompt, str whole, bool specials, struct token_vec *out, struct err *err)
{
	struct token_vec start = {0};
	int rc = tokenizer_encode(c->tokenizer, prompt, specials, true, &start, err);
	if (rc == 0)
		rc = tokenizer_encode(c->tokenizer, whole, specials, true, out, err);
	for (size_t i = 0; rc == 0 && i < start.len && i < out->len && start.data[i] == out->data[i]; i++)
		out->data[i] = ~out->data[i];
	vec_done(&start);
	return rc;
}

static int encode_messages(const struct collator *c, const json_t *messages, struct token_vec *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0}, prompt = {0};
	struct chat_spans spans = {0};
	size_t n = json_array_size(messages);
	if (n == 0)
		return err_set(err, ERR_DATA, "the list of messages is empty");
	int rc = render(c, messages, false, c->assistant_only ? &spans : NULL, &text, err);
	if (rc == 0 && c->assistant_only)
		rc = encode_assistant(c, messages, buf_str(&text), &spans, out, err);
	else if (rc == 0 && c->completion_only == 1)
		rc = render_first(c, messages, n - 1, true, &prompt, err) < 0 ? -1 : encode_completion(c, buf_str(&prompt), buf_str(&text), false, out, err);
	else if (rc == 0)
		rc = tokenizer_encode(c->tokenizer, buf_str(&text), false, true, out, err);
	vec_done(&spans);
	return rc;
}

static void put_with_eos(const struct collator *c, str text, struct buf *out)
{
	buf_put_str(out, text);
	if (c->eos && !str_ends(text, str_of(c->eos)))
		buf_puts(out, c->eos);
}

static int encode_plain(const struct collator *c, const struct data_row *row, struct token_vec *out, struct err *err)
{
	CLEANUP(buf_done) struct buf whole = {.max = BUF_MAX_DEFAULT};
	bool pair = row->shape == DATA_COMPLETION;
	if (c->assistant_only)
		return err_set(err, ERR_CONFIG, "assistant_only_loss needs rows of messages; this dataset has %s", pair ? "prompts and completions" : "plain text");
	if (pair)
		buf_put_str(&whole, buf_str(&row->prompt));
	put_with_eos(c, buf_str(&row->text), &whole);
	if (whole.overflow)
		return err_set(err, ERR_LIMIT, "the text is longer than %zu bytes", BUF_MAX_DEFAULT);
	if (pair && c->completion_only != 0)
		return encode_completion(c, buf_str(&row->prompt), buf_str(&whole), true, out, err);
	return tokenizer_encode(c->tokenizer, buf_str(&whole), true, true, out, err);
}

static void cut(const struct collator *c, struct example *e)
{
	size_t max = (size_t)c->max_length;
	if (c->max_length <= 0 || e->tokens.len <= max)
		return;
	e->cut = (int32_t)(e->tokens.len - max);
	if (c->keep_end)
		memmove(e->tokens.data, e->tokens.data + e->cut, max * sizeof *e->tokens.data);
	e->tokens.len = max;
}

int collator_encode(const struct collator *c, const struct data_row *row, struct example *out, struct err *err)
{
	out->tokens.len = 0;
	out->cut = out->trained = 0;
	int rc = row->shape == DATA_MESSAGES ? encode_messages(c, row->messages, &out->tokens, err) : encode_plain(c, row, &out->tokens, err);
	if (rc < 0) {
		if (err && err->kind == ERR_INVALID)
			err->kind = ERR_DATA;
		return -1;
	}
	cut(c, out);
	for (size_t i = 1; i < out->tokens.len; i++)
		out->trained += out->tokens.data[i] >= 0;
	return 0;
}
