/* chat.c: POST /chat on top of an OpenAI server. `messages` become a chat completion, a plain `prompt` a completion; a completion that
 * ends without a word is asked again as a user message, as `kaito serve` does; so is every prompt where the server only chats. Lengths count the prompt, as transformers counts them: the
 * server's /tokenize is asked where that matters, and where it has none only new tokens are counted. */
#include "gateway/state.h"

#include "codec/json.h"
#include "contract/chat_request.h"

struct question { struct http_exchange *x; const struct chat_request *r; const char *model, *prompt; int64_t context_tokens; };

/* --- lengths --------------------------------------------------------------------------------------------------------- */

static bool counts_prompt(const struct chat_request *r)
{
	return r->k.max_new_tokens == CHAT_REQUEST_ABSENT || (r->k.min_new_tokens == CHAT_REQUEST_ABSENT && r->k.min_length > 0);
}

/* 0 where the server does not tell. */
static int count_tokens(const struct question *q, const json_t *messages, int64_t *tokens, struct err *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	const char *why = NULL;
	int status;
	json_t *body = messages ? json_pack("{s:s, s:O, s:b}", "model", q->model, "messages", messages, "add_generation_prompt", 1)
				: json_pack("{s:s, s:s}", "model", q->model, "prompt", q->prompt);
	*tokens = 0;
	if (!counts_prompt(q->r)) {
		json_decref(body);
		return 0;
	}
	if (upstream_ask(q->x, "/tokenize", body, &status, &answer, &why, err) < 0)
		return -1;
	int64_t count = json_integer_value(json_object_get(answer, "count"));
	*tokens = count > 0 ? count : 0;
	return 0;
}

static int set_lengths(const struct question *q, const json_t *messages, json_t *body, struct err *err)
{
	int64_t prompt, most, least;
	if (count_tokens(q, messages, &prompt, err) < 0)
		return -1;
	most = chat_request_max_tokens(q->r, prompt);
	least = chat_request_min_tokens(q->r, prompt);
	json_object_set_new(body, "max_tokens", json_integer(most));
	if (least > 0)
		json_object_set_new(body, "min_tokens", json_integer(least < most ? least : most));
	if (q->r->long_generation && q->context_tokens > most)
		json_object_set_new(body, "truncate_prompt_tokens", json_integer(q->context_tokens - most));
	return 0;
}

/* --- sampling -------------------------------------------------------------------------------------------------------- */

/* Only what differs from no effect is sent: not every server knows every word. */
static void set_sampling(const struct chat_request_kwargs *k, json_t *body)
{
	json_object_set_new(body, "temperature", json_real(k->do_sample ? k->temperature : 0));
	if (k->top_k > 0 && k->do_sample)
		json_object_set_new(body, "top_k", json_integer(k->top_k));
	const struct { const char *name; double value, neutral; } ROWS[] = {
		{"top_p", k->top_p, 1}, {"typical_p", k->typical_p, 1}, {"min_p", k->min_p, 0}, {"repetition_penalty", k->repetition_penalty, 1},
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
		if (ROWS[i].value != ROWS[i].neutral)
			json_object_set_new(body, ROWS[i].name, json_real(ROWS[i].value));
	if (k->seed != CHAT_REQUEST_ABSENT)
		json_object_set_new(body, "seed", json_integer(k->seed));
	if (k->stop_strings)
		json_object_set(body, "stop", (json_t *)(uintptr_t)k->stop_strings);
	if (k->eos_token_id) {
		json_object_set_new(body, "stop_token_ids", json_is_array(k->eos_token_id) ? json_incref((json_t *)(uintptr_t)k->eos_token_id) : json_pack("[O]", k->eos_token_id));
		json_object_set_new(body, "ignore_eos", json_true());
	}
}

static int check(const struct chat_request *r, struct err *err)
{
	const json_t *eos = r->k.eos_token_id, *stop = r->k.stop_strings;
	if (eos && !json_is_integer(eos) && !json_is_array(eos))
		return err_set(err, ERR_INVALID, "'generate_kwargs.eos_token_id': must be a token id or a list of them, not %s", json_type_name(eos));
	if (stop && !json_is_string(stop) && !json_is_array(stop))
		return err_set(err, ERR_INVALID, "'generate_kwargs.stop_strings': must be a text or a list of them, not %s", json_type_name(stop));
	if (r->messages && !json_is_array(r->messages))
		return err_set(err, ERR_INVALID, "'messages': must be an array, not %s", json_type_name(r->messages));
	return 0;
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

static int text_of(const json_t *answer, bool chat, str *out, struct err *err)
{
	const json_t *choice = json_array_get(json_object_get(answer, "choices"), 0);
	const json_t *text = chat ? json_object_get(json_object_get(choice, "message"), "content") : json_object_get(choice, "text");
	if (!choice || (!json_is_string(text) && !(chat && (!text || json_is_null(text)))))
		return err_set(err, ERR_PROTOCOL, "the model server's answer has no text");
	*out = (str){json_string_value(text) ? json_string_value(text) : "", json_string_length(text)};
	return 0;
}

/* A refusal is the client's mistake, a failure is not: upstream answered those with 500. */
static int refused(int status, const char *why, struct err *err)
{
	enum err_kind kind = status == 404 || status == 405 ? ERR_NOT_FOUND : status == 429 ? ERR_BUSY : status == 401 || status == 403 ? ERR_DENIED
			     : status >= 400 && status < 500 ? ERR_INVALID : ERR_INTERNAL;
	return err_set(err, kind, "%s", why);
}

/* messages NULL: the prompt is completed. *out lives in the exchange's arena. */
static int generate(const struct question *q, const json_t *messages, str *out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *answer = NULL;
	const char *why = NULL;
	int status;
	str text;
	json_t *body = json_pack("{s:s, s:b}", "model", q->model, "stream", 0);
	if (messages)
		json_object_set(body, "messages", (json_t *)(uintptr_t)messages);
	else
		json_object_set_new(body, "prompt", json_string(q->prompt));
	set_sampling(&q->r->k, body);
	if (set_lengths(q, messages, body, err) < 0) {
		json_decref(body);
		return -1;
	}
	if (upstream_ask(q->x, messages ? "/v1/chat/completions" : "/v1/completions", body, &status, &answer, &why, err) < 0)
		return -1;
	if (!answer)
		return refused(status, why, err);
	if (text_of(answer, messages != NULL, &text, err) < 0)
		return -1;
	*out = (str){arena_strndup(http_arena(q->x), text.data, text.len), text.len};
	return 0;
}

/* --- answering ------------------------------------------------------------------------------------------------------- */

static int reply(const struct question *q, const char *joint, str answer)
{
	CLEANUP(buf_done) struct buf text = {.max = LIMIT_JSON_BYTES};
	if (!q->r->messages && q->r->return_full_text) {
		buf_puts(&text, q->prompt);
		buf_puts(&text, joint);
	}
	buf_put_str(&text, q->r->clean_up_spaces ? chat_request_clean_up(http_arena(q->x), answer) : answer);
	return http_reply_json(q->x, 200, json_pack("{s:s%}", "Result", text.data ? text.data : "", text.len));
}

/* Old clients read "detail", as FastAPI puts it; "error" is there for the others. */
static int reply_failure(struct http_exchange *x, const struct err *err)
{
	int status = err_traits(err->kind)->http_status;
	return http_reply_json(x, status, json_pack("{s:{s:s, s:i}, s:s}", "error", "message", err->message, "code", status, "detail", err->message));
}

static int answer_prompt(const struct question *q, struct err *err)
{
	CLEANUP(json_decrefp) json_t *as_message = json_pack("[{s:s, s:s}]", "role", "user", "content", q->prompt);
	str text = {0}, second;
	bool free_choice = q->r->as_message < 0;
	int rc = generate(q, q->r->as_message > 0 ? as_message : NULL, &text, err);
	if (rc < 0 && free_choice && err->kind == ERR_NOT_FOUND) /* upstream's transformers server has no completions */
		return generate(q, as_message, &second, err) < 0 ? -1 : reply(q, "\n\n", second);
	if (rc < 0 || !free_choice || str_trim(text).len > 0)
		return rc < 0 ? -1 : reply(q, "", text);
	struct err ignored; /* a server without a chat template refuses: then the model has nothing to say */
	if (generate(q, as_message, &second, &ignored) < 0)
		return reply(q, "", text);
	return reply(q, "\n\n", second);
}

static int answer(struct http_exchange *x, const json_t *json, struct err *err)
{
	struct chat_request r;
	struct question q = {.x = x, .r = &r};
	str text;
	if (chat_request_decode(json, &r, err) < 0 || check(&r, err) < 0 || upstream_model(x, &q.model, &q.context_tokens, err) < 0)
		return -1;
	q.model = r.model ? r.model : q.model;
	q.prompt = arena_printf(http_arena(x), "%s%s", r.prefix ? r.prefix : "", r.prompt ? r.prompt : "");
	if (!r.messages)
		return answer_prompt(&q, err);
	return generate(&q, r.messages, &text, err) < 0 ? -1 : reply(&q, "", text);
}

int gateway_chat(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	if (http_body_json(x, &json, err) < 0 || answer(x, json, err) < 0)
		return reply_failure(x, err);
	return 0;
}
