/* prompt.c: see prompt.h. Chat messages are brought into the form that templates expect before rendering: content parts
 * joined to text, tool call arguments parsed. */
#include "serve/prompt.h"

#include "codec/json.h"
#include <string.h>

#define PROMPTS_MAX 1024
#define MESSAGES_MAX 8192

/* --- ids ------------------------------------------------------------------------------------------------------ */

int prompt_from_text(struct http_exchange *x, str text, bool add_special, struct generation_prompt *out, struct err *err)
{
	struct token_vec ids = {0};
	int rc = tokenizer_encode(serve_of(x)->o.tokenizer, text, add_special, true, &ids, err);
	if (rc == 0) {
		int32_t *copy = arena_array(http_arena(x), ids.len, sizeof *copy);
		if (ids.len)
			memcpy(copy, ids.data, ids.len * sizeof *copy);
		*out = (struct generation_prompt){copy, ids.len};
	}
	vec_done(&ids);
	return rc;
}

int prompt_from_ids(struct http_exchange *x, const json_t *ids, const char *field, struct generation_prompt *out, struct err *err)
{
	size_t i, n = json_array_size(ids);
	json_t *item;
	int32_t vocab = serve_of(x)->o.vocab, *copy = arena_array(http_arena(x), n, sizeof *copy);
	json_array_foreach((json_t *)ids, i, item) {
		if (!json_is_integer(item))
			return err_set(err, ERR_INVALID, "'%s': item %zu must be a token id, not %s", field, i, json_type_name(item));
		json_int_t id = json_integer_value(item);
		if (id < 0 || id >= vocab)
			return err_set(err, ERR_INVALID, "'%s': token id %lld is not in the vocabulary of %d", field, (long long)id, vocab);
		copy[i] = (int32_t)id;
	}
	*out = (struct generation_prompt){copy, n};
	return 0;
}

static int from_item(struct http_exchange *x, const json_t *v, const char *field, struct generation_prompt *out, struct err *err)
{
	if (json_is_string(v))
		return prompt_from_text(x, (str){json_string_value(v), json_string_length(v)}, true, out, err);
	if (json_is_array(v))
		return prompt_from_ids(x, v, field, out, err);
	return err_set(err, ERR_INVALID, "'%s': must be a text, a list of texts, a list of token ids or a list of such lists, not %s", field, json_type_name(v));
}

int prompt_from_any(struct http_exchange *x, const json_t *value, const char *field, struct generation_prompt **out, size_t *n, struct err *err)
{
	const json_t *first = json_array_get(value, 0);
	bool many = json_is_string(first) || json_is_array(first);
	size_t count = many ? json_array_size(value) : 1;
	if (json_is_array(value) && !first)
		return err_set(err, ERR_INVALID, "'%s': must not be empty", field);
	if (count > PROMPTS_MAX)
		return err_set(err, ERR_LIMIT, "'%s': at most %d in one request", field, PROMPTS_MAX);
	struct generation_prompt *prompts = arena_array(http_arena(x), count, sizeof *prompts);
	for (size_t i = 0; i < count; i++)
		if (from_item(x, many ? json_array_get(value, i) : value, field, &prompts[i], err) < 0)
			return -1;
	*out = prompts;
	*n = count;
	return 0;
}

/* --- chat ----------------------------------------------------------------------------------------------------- */

static bool is_text_part(const char *type)
{
	return strcmp(type, "text") == 0 || strcmp(type, "input_text") == 0 || strcmp(type, "output_text") == 0;
}

/* [{"type":"text","text":…}, …] -> the texts, one a line, as vLLM joins them. */
static int join_parts(const json_t *parts, size_t number, json_t **out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	size_t i;
	json_t *part;
	json_array_foreach((json_t *)parts, i, part) {
		const char *type = json_string_value(json_object_get(part, "type"));
		const json_t *content = json_is_string(part) ? part : json_object_get(part, "text");
		if (type && !is_text_part(type))
			return err_set(err, ERR_INVALID, "'messages': message %zu has a part of type '%.40s'; this model reads text only", number, type);
		if (!json_is_string(content))
			return err_set(err, ERR_INVALID, "'messages': part %zu of message %zu has no text", i, number);
		if (i > 0)
			buf_putc(&text, '\n');
		buf_put(&text, json_string_value(content), json_string_length(content));
	}
	*out = json_stringn(buf_str(&text).data, text.len);
	return 0;
}

/* Templates walk the arguments as an object; clients send them as JSON text. */
static int parse_arguments(json_t *message, size_t number, struct err *err)
{
	size_t i;
	json_t *call;
	json_array_foreach(json_object_get(message, "tool_calls"), i, call) {
		json_t *function = json_object_get(call, "function"), *parsed = NULL;
		const json_t *text = json_object_get(function, "arguments");
		if (!json_is_string(text))
			continue;
		if (json_parse(&parsed, str_of(json_string_value(text)), "tool call arguments", err) < 0)
			return err_wrap(err, "'messages': message %zu", number);
		json_object_set_new(function, "arguments", parsed);
	}
	return 0;
}

static int convert_message(const json_t *m, size_t number, json_t **out, struct err *err)
{
	const json_t *role = json_object_get(m, "role"), *content = json_object_get(m, "content");
	if (!json_is_object(m) || !json_is_string(role))
		return err_set(err, ERR_INVALID, "'messages': message %zu must be an object with a role and content", number);
	if (content && !json_is_null(content) && !json_is_string(content) && !json_is_array(content))
		return err_set(err, ERR_INVALID, "'messages': the content of message %zu must be text or a list of parts, not %s", number, json_type_name(content));
	if ((!content || json_is_null(content)) && !json_object_get(m, "tool_calls"))
		return err_set(err, ERR_INVALID, "'messages': message %zu has no content", number);
	CLEANUP(json_decrefp) json_t *copy = json_deep_copy(m), *text = NULL;
	if (json_is_array(content) && join_parts(content, number, &text, err) < 0)
		return -1;
	if (text)
		json_object_set(copy, "content", text);
	if (strcmp(json_string_value(role), "developer") == 0) /* OpenAI's newer word for it; templates know the older */
		json_object_set_new(copy, "role", json_string("system"));
	if (parse_arguments(copy, number, err) < 0)
		return -1;
	*out = json_incref(copy);
	return 0;
}

static int convert_messages(const json_t *messages, json_t **out, struct err *err)
{
	size_t i;
	json_t *m;
	if (!json_is_array(messages) || json_array_size(messages) == 0)
		return err_set(err, ERR_INVALID, "'messages': must be a list of at least one message");
	if (json_array_size(messages) > MESSAGES_MAX)
		return err_set(err, ERR_LIMIT, "'messages': at most %d", MESSAGES_MAX);
	CLEANUP(json_decrefp) json_t *list = json_array();
	json_array_foreach((json_t *)messages, i, m) {
		json_t *converted = NULL;
		if (convert_message(m, i, &converted, err) < 0)
			return -1;
		json_array_append_new(list, converted);
	}
	*out = json_incref(list);
	return 0;
}

/* Cuts what the template wrote after the last message's own text, so that the model goes on with it. */
static int cut_after_final(const json_t *messages, struct buf *text, struct err *err)
{
	const json_t *content = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
	str want = str_trim((str){json_string_value(content), json_string_length(content)});
	if (want.len == 0)
		return err_set(err, ERR_INVALID, "'continue_final_message': the last message has no text to continue");
	for (size_t at = text->len >= want.len ? text->len - want.len + 1 : 0; at-- > 0;) {
		if (memcmp(text->data + at, want.data, want.len) == 0) {
			text->len = at + want.len;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "'continue_final_message': the chat template changes the last message's text");
}

static int render(struct http_exchange *x, const struct prompt_chat *chat, struct buf *text, struct err *err)
{
	const struct serve *s = serve_of(x);
	CLEANUP(json_decrefp) json_t *messages = NULL;
	if (!s->o.chat_template)
		return err_set(err, ERR_INVALID, "this model has no chat template, so it takes no messages; "
			       "send a plain prompt to /v1/completions, or start the server with --chat-template");
	if (convert_messages(chat->messages, &messages, err) < 0)
		return -1;
	struct chat_render r = {
		.messages = messages, .tools = json_array_size(chat->tools) > 0 ? chat->tools : NULL, .extra = chat->kwargs,
		.add_generation_prompt = chat->add_generation_prompt, .bos_token = s->bos, .eos_token = s->eos,
	};
	if (chat_template_render(s->o.chat_template, &r, text, err) < 0)
		return -1;
	return chat->continue_final ? cut_after_final(messages, text, err) : 0;
}

int prompt_from_chat(struct http_exchange *x, const struct prompt_chat *chat, struct generation_prompt *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {.max = LIMIT_TEMPLATE_OUTPUT};
	if (chat->continue_final && chat->add_generation_prompt)
		return err_set(err, ERR_INVALID, "'continue_final_message': cannot be true together with add_generation_prompt");
	if (render(x, chat, &text, err) < 0)
		return -1;
	return prompt_from_text(x, buf_str(&text), chat->add_special, out, err);
}
