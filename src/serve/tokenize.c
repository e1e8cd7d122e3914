/* tokenize.c: POST /tokenize and /detokenize, request and answer as vLLM's. */
#include "serve/prompt.h"
#include "serve/routes.h"

#include "codec/json.h"

struct tokenize_body {
	const char *model, *prompt;
	const json_t *messages, *tools, *kwargs, *tokens;
	bool add_special, add_generation_prompt, continue_final, return_strs;
};
#define AT(member) offsetof(struct tokenize_body, member)
static const struct body_field TOKENIZE_ROWS[] = {
	{"add_generation_prompt", BODY_BOOL, AT(add_generation_prompt), false, 0, 0, "true", "with messages: end where the assistant begins"},
	{"add_special_tokens", BODY_BOOL, AT(add_special), false, 0, 0, NULL, "default: true for a prompt, false for messages"},
	{"chat_template_kwargs", BODY_OBJECT, AT(kwargs), false, 0, 0, NULL, "further variables for the template"},
	{"continue_final_message", BODY_BOOL, AT(continue_final), false, 0, 0, "false", "with messages: leave the last one open"},
	{"messages", BODY_ARRAY, AT(messages), false, 0, 0, NULL, "chat messages; this or prompt"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter"},
	{"prompt", BODY_STRING, AT(prompt), false, 0, 0, NULL, "text; this or messages"},
	{"return_token_strs", BODY_BOOL, AT(return_strs), false, 0, 0, "false", "give the tokens' vocabulary entries too"},
	{"tools", BODY_ARRAY, AT(tools), false, 0, 0, NULL, "with messages: given to the template"},
};
const struct body_table TOKENIZE_BODY = BODY_TABLE("tokenize", TOKENIZE_ROWS);
static const struct body_field DETOKENIZE_ROWS[] = {
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter"},
	{"tokens", BODY_ARRAY, AT(tokens), true, 0, 0, NULL, "token ids"},
};
const struct body_table DETOKENIZE_BODY = BODY_TABLE("detokenize", DETOKENIZE_ROWS);

static int to_ids(struct http_exchange *x, const json_t *json, const struct tokenize_body *b, struct generation_prompt *out, struct err *err)
{
	bool given = json_is_boolean(json_object_get(json, "add_special_tokens"));
	if (b->messages) {
		struct prompt_chat chat = {b->messages, b->tools, b->kwargs, b->add_generation_prompt, b->continue_final, given && b->add_special};
		return prompt_from_chat(x, &chat, out, err);
	}
	if (!b->prompt)
		return err_set(err, ERR_INVALID, "'prompt': is required (or messages)");
	return prompt_from_text(x, str_of(b->prompt), !given || b->add_special, out, err);
}

static json_t *token_strs(const struct serve *s, const struct generation_prompt *p)
{
	json_t *list = json_array();
	for (size_t i = 0; i < p->len; i++) {
		str t = tokenizer_token(s->o.tokenizer, p->ids[i]);
		json_array_append_new(list, serve_text(t));
	}
	return list;
}

int serve_tokenize(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct tokenize_body b = {.add_generation_prompt = true};
	struct generation_prompt ids;
	int32_t adapter;
	const char *shown;
	if (http_body_json(x, &json, err) < 0 || body_decode(&TOKENIZE_BODY, json, "", &b, err) < 0)
		return -1;
	if (models_find(x, b.model, &adapter, &shown) > 0)
		return 0;
	if (to_ids(x, json, &b, &ids, err) < 0)
		return -1;
	json_t *tokens = json_array();
	for (size_t i = 0; i < ids.len; i++)
		json_array_append_new(tokens, json_integer(ids.ids[i]));
	json_t *strs = b.return_strs ? token_strs(serve_of(x), &ids) : json_null();
	return http_reply_json(x, 200, json_pack("{s:I,s:i,s:o,s:o}", "count", (json_int_t)ids.len, "max_model_len", serve_of(x)->max_model_len,
						 "tokens", tokens, "token_strs", strs));
}

int serve_detokenize(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	CLEANUP(buf_done) struct buf text = {0}, quoted = {0};
	struct tokenize_body b = {0};
	struct generation_prompt ids;
	int32_t adapter;
	const char *shown;
	if (http_body_json(x, &json, err) < 0 || body_decode(&DETOKENIZE_BODY, json, "", &b, err) < 0)
		return -1;
	if (models_find(x, b.model, &adapter, &shown) > 0)
		return 0;
	if (prompt_from_ids(x, b.tokens, "tokens", &ids, err) < 0 || tokenizer_decode(serve_of(x)->o.tokenizer, ids.ids, ids.len, false, &text, err) < 0)
		return -1;
	buf_puts(&quoted, "{\"prompt\":");
	json_put_string(&quoted, buf_str(&text)); /* a slice of ids may end inside a character */
	buf_putc(&quoted, '}');
	return http_reply(x, 200, "application/json", buf_str(&quoted));
}
