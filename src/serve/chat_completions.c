/* chat_completions.c: POST /v1/chat/completions, whole or streamed. */
#include "serve/logprobs.h"
#include "serve/prompt.h"
#include "serve/routes.h"
#include "serve/sampling.h"

#include "base/clock.h"
#include "codec/json.h"
#include "http/sse.h"

struct chat_body {
	struct sampling_body sampling;
	const char *model;
	const json_t *messages, *tools, *tool_choice, *kwargs, *stream_options;
	bool stream, logprobs, add_generation_prompt, continue_final, add_special;
	int64_t top_logprobs;
};
#define AT(member) offsetof(struct chat_body, member)
static const struct body_field ROWS[] = {
	{"add_generation_prompt", BODY_BOOL, AT(add_generation_prompt), false, 0, 0, "true", "end the prompt where the assistant begins"},
	{"add_special_tokens", BODY_BOOL, AT(add_special), false, 0, 0, "false", "add the tokenizer's own begin token to the template's text"},
	{"chat_template_kwargs", BODY_OBJECT, AT(kwargs), false, 0, 0, NULL, "further variables for the template"},
	{"continue_final_message", BODY_BOOL, AT(continue_final), false, 0, 0, "false", "go on with the last message instead of a new one"},
	{"logprobs", BODY_BOOL, AT(logprobs), false, 0, 0, "false", "give the log probability of each token"},
	{"messages", BODY_ARRAY, AT(messages), true, 0, 0, NULL, "list of {role, content}; content is text or a list of {type: text, text}"},
	{"metadata", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, not kept"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the base model"},
	{"parallel_tool_calls", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"reasoning_effort", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"service_tier", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"store", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, nothing is stored"},
	{"stream", BODY_BOOL, AT(stream), false, 0, 0, "false", "answer with server-sent events"},
	{"stream_options", BODY_OBJECT, AT(stream_options), false, 0, 0, NULL, "{include_usage, continuous_usage_stats}"},
	{"tool_choice", BODY_ANY, AT(tool_choice), false, 0, 0, NULL, "\"none\" or \"auto\""},
	{"tools", BODY_ARRAY, AT(tools), false, 0, 0, NULL, "given to the template; calls in the answer stay text"},
	{"top_logprobs", BODY_INT, AT(top_logprobs), false, 0, LIMIT_LOGPROBS, "0", "best alternatives of each token; needs logprobs"},
	{"user", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
};
const struct body_table CHAT_BODY = BODY_TABLE("chat completion", ROWS);

struct chat {
	struct http_exchange *x;
	struct serve *s;
	struct chat_body body;
	struct generation *g;
	const char *model, *id;
	int64_t created;
	bool usage, usage_always;
};

/* --- pieces of the answer --------------------------------------------------------------------------------------- */

static json_t *text_of(const struct generation_choice *c)
{
	return serve_text(buf_str(&c->text));
}

static json_t *choice_json(const struct chat *c, size_t i)
{
	const struct generation_choice *choice = generation_at(c->g, i);
	json_t *message = json_pack("{s:s,s:o,s:n,s:[]}", "role", "assistant", "content", text_of(choice), "refusal", "tool_calls");
	json_t *logprobs = c->body.logprobs ? logprobs_chat(c->s, choice, 0, choice->tokens.len) : json_null();
	return json_pack("{s:i,s:o,s:o,s:s?,s:n}", "index", (int)i, "message", message, "logprobs", logprobs,
			 "finish_reason", generation_finish_name(choice->finish), "stop_reason");
}

static json_t *envelope(const struct chat *c, const char *object, json_t *choices)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", c->id, "object", object, "created", (json_int_t)c->created, "model", c->model, "choices", choices);
}

static int reply_whole(struct chat *c, struct err *err)
{
	if (generation_collect(c->g, err) < 0)
		return -1;
	json_t *choices = json_array();
	for (size_t i = 0; i < generation_count(c->g); i++)
		json_array_append_new(choices, choice_json(c, i));
	json_t *answer = envelope(c, "chat.completion", choices);
	json_object_set_new(answer, "usage", generation_usage(c->g));
	json_object_set_new(answer, "system_fingerprint", json_null());
	return http_reply_json(c->x, 200, answer);
}

/* --- streaming ---------------------------------------------------------------------------------------------------- */

/* delta and logprobs are taken. */
static int send_chunk(struct chat *c, size_t index, json_t *delta, json_t *logprobs, const char *finish, struct err *err)
{
	json_t *choice = json_pack("{s:i,s:o,s:o,s:s?}", "index", (int)index, "delta", delta, "logprobs", logprobs, "finish_reason", finish);
	json_t *chunk = envelope(c, "chat.completion.chunk", json_pack("[o]", choice));
	if (c->usage_always)
		json_object_set_new(chunk, "usage", generation_usage(c->g));
	return sse_send(c->x, NULL, chunk, err);
}

static int send_event(struct chat *c, size_t index, str text, size_t *told, struct err *err)
{
	const struct generation_choice *choice = generation_at(c->g, index);
	bool ended = choice->finish != FINISH_NONE, fresh = choice->tokens.len > *told;
	if (text.len == 0 && !ended && !(c->body.logprobs && fresh))
		return 0;
	json_t *logprobs = c->body.logprobs && fresh ? logprobs_chat(c->s, choice, *told, choice->tokens.len) : json_null();
	*told = choice->tokens.len;
	json_t *delta = json_pack("{s:o}", "content", serve_text(text));
	return send_chunk(c, index, delta, logprobs, generation_finish_name(choice->finish), err);
}

static int stream_events(struct chat *c, struct err *err)
{
	size_t n = generation_count(c->g), index = 0;
	size_t *told = arena_array(http_arena(c->x), n, sizeof *told);
	for (size_t i = 0; i < n; i++)
		if (send_chunk(c, i, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), json_null(), NULL, err) < 0)
			return -1;
	for (;;) {
		str text;
		int rc = generation_next(c->g, &index, &text, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (send_event(c, index, text, &told[index], err) < 0)
			return -1;
	}
}

/* Past the first byte an error can only be an event. */
static int reply_stream(struct chat *c, struct err *err)
{
	sse_begin(c->x);
	if (stream_events(c, err) < 0) {
		if (sse_send(c->x, NULL, error_json(err, err_traits(err->kind)->http_status), err) < 0)
			return -1;
	} else if (c->usage) {
		json_t *chunk = envelope(c, "chat.completion.chunk", json_array());
		json_object_set_new(chunk, "usage", generation_usage(c->g));
		if (sse_send(c->x, NULL, chunk, err) < 0)
			return -1;
	}
	return sse_send_text(c->x, NULL, STR("[DONE]"), err);
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

static int check_tool_choice(const struct chat_body *b, const json_t **tools, struct err *err)
{
	const char *word = json_string_value(b->tool_choice);
	*tools = word && strcmp(word, "none") == 0 ? NULL : b->tools;
	if (b->tool_choice && (!word || (strcmp(word, "none") != 0 && strcmp(word, "auto") != 0)))
		return err_set(err, ERR_INVALID, "'tool_choice': only \"none\" and \"auto\" are supported; a call cannot be forced");
	return 0;
}

static int begin(struct chat *c, int32_t adapter, struct err *err)
{
	const struct chat_body *b = &c->body;
	struct prompt_chat in = {.messages = b->messages, .kwargs = b->kwargs, .add_generation_prompt = b->add_generation_prompt,
				 .continue_final = b->continue_final, .add_special = b->add_special};
	struct generation_prompt prompt;
	struct generation_spec spec = {.prompts = &prompt, .n_prompts = 1, .n = (int)b->sampling.n, .adapter = adapter,
				       .deadline_ms = sampling_deadline(c->s, b->sampling.timeout)};
	if (!b->logprobs && b->top_logprobs > 0)
		return err_set(err, ERR_INVALID, "'top_logprobs': needs logprobs to be true");
	if (check_tool_choice(b, &in.tools, err) < 0 || sampling_build(c->x, &b->sampling, b->logprobs ? b->top_logprobs : -1, &spec.sampling, err) < 0 ||
	    prompt_from_chat(c->x, &in, &prompt, err) < 0 || sampling_limit(c->s, sampling_asked(&b->sampling), 0, prompt.len, &spec.sampling, err) < 0)
		return -1;
	return generation_start(&c->g, c->x, &spec, err);
}

static int decode(const json_t *json, struct chat *c, struct err *err)
{
	c->body = (struct chat_body){.sampling = sampling_body_default(), .add_generation_prompt = true};
	if (body_decode(&SAMPLING_BODY, json, "", &c->body.sampling, err) < 0 || body_decode(&CHAT_BODY, json, "", &c->body, err) < 0)
		return -1;
	c->usage = json_is_true(json_object_get(c->body.stream_options, "include_usage"));
	c->usage_always = c->usage && json_is_true(json_object_get(c->body.stream_options, "continuous_usage_stats"));
	if (c->body.stream_options && !c->body.stream)
		return err_set(err, ERR_INVALID, "'stream_options': only with stream");
	return 0;
}

int serve_chat_completions(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct chat c = {.x = x, .s = serve_of(x), .created = clock_wall_s()};
	int32_t adapter;
	if (http_body_json(x, &json, err) < 0 || decode(json, &c, err) < 0)
		return -1;
	if (models_find(x, c.body.model, &adapter, &c.model) > 0)
		return 0;
	c.id = arena_printf(http_arena(x), "chatcmpl-%s", http_request_id(x));
	int rc = begin(&c, adapter, err);
	if (rc == 0)
		rc = c.body.stream ? reply_stream(&c, err) : reply_whole(&c, err);
	generation_free(c.g);
	return rc < 0 ? -1 : 0;
}
