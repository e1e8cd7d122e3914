/* responses.c: POST /v1/responses, OpenAI's newer chat API: `input` is a text or a list of items, the answer a list of output
 * items; streamed as named events with a sequence number. Nothing is stored, so previous_response_id is refused. */
#include "serve/logprobs.h"
#include "serve/prompt.h"
#include "serve/routes.h"
#include "serve/sampling.h"

#include "base/clock.h"
#include "codec/json.h"
#include "http/sse.h"

struct response_body {
	const char *model, *instructions, *previous, *truncation;
	const json_t *input, *tools, *tool_choice, *text, *metadata, *include, *kwargs;
	bool stream;
	int64_t max_output_tokens, top_logprobs;
};
#define AT(member) offsetof(struct response_body, member)
static const struct body_field ROWS[] = {
	{"background", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted; answers always come at once"},
	{"chat_template_kwargs", BODY_OBJECT, AT(kwargs), false, 0, 0, NULL, "further variables for the template"},
	{"include", BODY_ARRAY, AT(include), false, 0, 0, NULL, "\"message.output_text.logprobs\" asks for log probabilities"},
	{"input", BODY_ANY, AT(input), true, 0, 0, NULL, "text, or list of messages {role, content}"},
	{"instructions", BODY_STRING, AT(instructions), false, 0, 0, NULL, "a system message put first"},
	{"max_output_tokens", BODY_INT, AT(max_output_tokens), false, 1, 1e9, NULL, "ceiling of new tokens"},
	{"metadata", BODY_OBJECT, AT(metadata), false, 0, 0, NULL, "given back in the answer"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the base model"},
	{"parallel_tool_calls", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"previous_response_id", BODY_STRING, AT(previous), false, 0, 0, NULL, "not supported: nothing is stored"},
	{"reasoning", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"service_tier", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
	{"store", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, nothing is stored"},
	{"stream", BODY_BOOL, AT(stream), false, 0, 0, "false", "answer with server-sent events"},
	{"text", BODY_OBJECT, AT(text), false, 0, 0, NULL, "only {\"format\": {\"type\": \"text\"}}"},
	{"tool_choice", BODY_ANY, AT(tool_choice), false, 0, 0, NULL, "\"none\" or \"auto\""},
	{"tools", BODY_ARRAY, AT(tools), false, 0, 0, NULL, "given to the template; calls in the answer stay text"},
	{"top_logprobs", BODY_INT, AT(top_logprobs), false, 0, LIMIT_LOGPROBS, "0", "best alternatives of each token"},
	{"truncation", BODY_STRING, AT(truncation), false, 0, 0, "\"disabled\"", "only disabled"},
	{"user", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
};
const struct body_table RESPONSE_BODY = BODY_TABLE("response", ROWS);

struct response {
	struct http_exchange *x;
	struct serve *s;
	struct sampling_body sampling;
	struct response_body body;
	struct generation *g;
	const char *model, *id, *item_id;
	int64_t created;
	int sequence;
	bool logprobs;
};

/* --- input ---------------------------------------------------------------------------------------------------------- */

/* A list of chat messages; new reference. */
static int to_messages(const struct response_body *b, json_t **out, struct err *err)
{
	size_t i;
	json_t *item;
	CLEANUP(json_decrefp) json_t *list = json_array();
	if (b->instructions)
		json_array_append_new(list, json_pack("{s:s,s:s}", "role", "system", "content", b->instructions));
	if (json_is_string(b->input))
		json_array_append_new(list, json_pack("{s:s,s:O}", "role", "user", "content", b->input));
	else if (!json_is_array(b->input))
		return err_set(err, ERR_INVALID, "'input': must be a text or a list of messages, not %s", json_type_name(b->input));
	json_array_foreach((json_t *)(json_is_array(b->input) ? b->input : NULL), i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));
		if (type && strcmp(type, "message") != 0)
			return err_set(err, ERR_INVALID, "'input': item %zu of type '%.40s' is not supported, only messages are", i, type);
		if (!json_is_object(item))
			return err_set(err, ERR_INVALID, "'input': item %zu must be a message, not %s", i, json_type_name(item));
		json_array_append_new(list, json_pack("{s:O*,s:O*}", "role", json_object_get(item, "role"), "content", json_object_get(item, "content")));
	}
	*out = json_incref(list);
	return 0;
}

static bool wants_logprobs(const struct response_body *b)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)b->include, i, item)
		if (json_is_string(item) && strcmp(json_string_value(item), "message.output_text.logprobs") == 0)
			return true;
	return b->top_logprobs > 0;
}

static int check(const struct response_body *b, struct err *err)
{
	const json_t *format = json_object_get(json_object_get(b->text, "format"), "type");
	const char *choice = json_string_value(b->tool_choice);
	if (b->previous)
		return err_set(err, ERR_INVALID, "'previous_response_id': responses are not stored; send the whole conversation as input");
	if (format && !(json_is_string(format) && strcmp(json_string_value(format), "text") == 0))
		return err_set(err, ERR_INVALID, "'text': only the format {\"type\": \"text\"} is supported; guided output is not");
	if (b->tool_choice && (!choice || (strcmp(choice, "none") != 0 && strcmp(choice, "auto") != 0)))
		return err_set(err, ERR_INVALID, "'tool_choice': only \"none\" and \"auto\" are supported; a call cannot be forced");
	if (b->truncation && strcmp(b->truncation, "disabled") != 0)
		return err_set(err, ERR_INVALID, "'truncation': only \"disabled\" is supported");
	return 0;
}

static int begin(struct response *r, int32_t adapter, struct err *err)
{
	const struct response_body *b = &r->body;
	CLEANUP(json_decrefp) json_t *messages = NULL;
	struct generation_prompt prompt;
	struct generation_spec spec = {.prompts = &prompt, .n_prompts = 1, .n = 1, .adapter = adapter,
				       .deadline_ms = sampling_deadline(r->s, r->sampling.timeout)};
	if (check(b, err) < 0 || to_messages(b, &messages, err) < 0)
		return -1;
	const char *choice = json_string_value(b->tool_choice);
	struct prompt_chat chat = {.messages = messages, .tools = choice && strcmp(choice, "none") == 0 ? NULL : b->tools, .kwargs = b->kwargs,
				   .add_generation_prompt = true};
	int64_t asked = b->max_output_tokens != SAMPLING_ABSENT ? b->max_output_tokens : sampling_asked(&r->sampling);
	if (sampling_build(r->x, &r->sampling, r->logprobs ? b->top_logprobs : -1, &spec.sampling, err) < 0 ||
	    prompt_from_chat(r->x, &chat, &prompt, err) < 0 || sampling_limit(r->s, asked, 0, prompt.len, &spec.sampling, err) < 0)
		return -1;
	return generation_start(&r->g, r->x, &spec, err);
}

/* --- pieces of the answer -------------------------------------------------------------------------------------------- */

static json_t *part_json(const struct response *r, bool whole)
{
	const struct generation_choice *c = generation_at(r->g, 0);
	json_t *text = whole ? serve_text(buf_str(&c->text)) : json_string("");
	json_t *logprobs = whole && r->logprobs ? logprobs_chat_items(r->s, c, 0, c->tokens.len) : json_array();
	return json_pack("{s:s,s:o,s:[],s:o}", "type", "output_text", "text", text, "annotations", "logprobs", logprobs);
}

/* status: "in_progress", "completed", "incomplete" */
static json_t *item_json(const struct response *r, const char *status, bool whole)
{
	json_t *content = json_array();
	if (whole)
		json_array_append_new(content, part_json(r, true));
	return json_pack("{s:s,s:s,s:s,s:s,s:o}", "type", "message", "id", r->item_id, "status", status, "role", "assistant", "content", content);
}

static json_t *usage_json(const struct response *r)
{
	int64_t prompt, output, cached;
	generation_tokens(r->g, &prompt, &output, &cached);
	return json_pack("{s:I,s:{s:I},s:I,s:{s:i},s:I}", "input_tokens", (json_int_t)prompt, "input_tokens_details", "cached_tokens", (json_int_t)cached,
			 "output_tokens", (json_int_t)output, "output_tokens_details", "reasoning_tokens", 0, "total_tokens", (json_int_t)(prompt + output));
}

static const char *final_status(const struct response *r)
{
	return generation_at(r->g, 0)->finish == FINISH_LENGTH ? "incomplete" : "completed";
}

static json_t *response_json(const struct response *r, const char *status, const struct err *failure)
{
	const struct response_body *b = &r->body;
	bool done = strcmp(status, "in_progress") != 0 && !failure;
	json_t *limit = b->max_output_tokens == SAMPLING_ABSENT ? json_null() : json_integer((json_int_t)b->max_output_tokens);
	json_t *output = done ? json_pack("[o]", item_json(r, status, true)) : json_array();
	json_t *why = strcmp(status, "incomplete") == 0 ? json_pack("{s:s}", "reason", "max_output_tokens") : json_null();
	json_t *error = failure ? json_pack("{s:s,s:s}", "code", "server_error", "message", failure->message) : json_null();
	json_t *v = json_pack("{s:s,s:s,s:I,s:s,s:o,s:o,s:s?,s:o,s:s,s:o}", "id", r->id, "object", "response", "created_at", (json_int_t)r->created,
			      "status", status, "error", error, "incomplete_details", why, "instructions", b->instructions,
			      "max_output_tokens", limit, "model", r->model, "output", output);
	json_t *rest = json_pack("{s:b,s:n,s:b,s:f,s:{s:{s:s}},s:O?,s:O?,s:f,s:i,s:s,s:O?,s:n}", "parallel_tool_calls", 1, "previous_response_id",
				 "store", 0, "temperature", r->sampling.temperature, "text", "format", "type", "text",
				 "tool_choice", b->tool_choice, "tools", b->tools, "top_p", r->sampling.top_p, "top_logprobs", (int)b->top_logprobs,
				 "truncation", "disabled", "metadata", b->metadata, "user");
	if (!b->tool_choice)
		json_object_set_new(rest, "tool_choice", json_string("auto"));
	if (!b->tools)
		json_object_set_new(rest, "tools", json_array());
	json_object_update_new(v, rest);
	json_object_set_new(v, "usage", done ? usage_json(r) : json_null());
	return v;
}

/* --- streaming --------------------------------------------------------------------------------------------------------- */

/* Takes members; adds type and sequence_number. */
static int send(struct response *r, const char *type, json_t *members, struct err *err)
{
	json_object_set_new(members, "type", json_string(type));
	json_object_set_new(members, "sequence_number", json_integer(r->sequence++));
	return sse_send(r->x, type, members, err);
}

static json_t *place(const struct response *r, const char *key, json_t *value)
{
	return json_pack("{s:s,s:i,s:i,s:o}", "item_id", r->item_id, "output_index", 0, "content_index", 0, key, value);
}

static int send_delta(struct response *r, str text, size_t *told, struct err *err)
{
	const struct generation_choice *c = generation_at(r->g, 0);
	if (text.len == 0)
		return 0;
	json_t *v = place(r, "delta", serve_text(text));
	json_object_set_new(v, "logprobs", r->logprobs ? logprobs_chat_items(r->s, c, *told, c->tokens.len) : json_array());
	*told = c->tokens.len;
	return send(r, "response.output_text.delta", v, err);
}

static int stream_opening(struct response *r, struct err *err)
{
	if (send(r, "response.created", json_pack("{s:o}", "response", response_json(r, "in_progress", NULL)), err) < 0 ||
	    send(r, "response.in_progress", json_pack("{s:o}", "response", response_json(r, "in_progress", NULL)), err) < 0 ||
	    send(r, "response.output_item.added", json_pack("{s:i,s:o}", "output_index", 0, "item", item_json(r, "in_progress", false)), err) < 0)
		return -1;
	return send(r, "response.content_part.added", place(r, "part", part_json(r, false)), err);
}

static int stream_ending(struct response *r, struct err *err)
{
	const struct generation_choice *c = generation_at(r->g, 0);
	const char *status = final_status(r);
	json_t *done = place(r, "text", serve_text(buf_str(&c->text)));
	json_object_set_new(done, "logprobs", r->logprobs ? logprobs_chat_items(r->s, c, 0, c->tokens.len) : json_array());
	if (send(r, "response.output_text.done", done, err) < 0 ||
	    send(r, "response.content_part.done", place(r, "part", part_json(r, true)), err) < 0 ||
	    send(r, "response.output_item.done", json_pack("{s:i,s:o}", "output_index", 0, "item", item_json(r, status, true)), err) < 0)
		return -1;
	const char *type = strcmp(status, "completed") == 0 ? "response.completed" : "response.incomplete";
	return send(r, type, json_pack("{s:o}", "response", response_json(r, status, NULL)), err);
}

static int stream_events(struct response *r, struct err *err)
{
	size_t index, told = 0;
	if (stream_opening(r, err) < 0)
		return -1;
	for (;;) {
		str text;
		int rc = generation_next(r->g, &index, &text, err);
		if (rc < 0)
			return -1;
		if (rc > 0)
			return stream_ending(r, err);
		if (send_delta(r, text, &told, err) < 0)
			return -1;
	}
}

static int reply_stream(struct response *r, struct err *err)
{
	sse_begin(r->x);
	if (stream_events(r, err) == 0)
		return 0;
	struct err failure = *err;
	return send(r, "response.failed", json_pack("{s:o}", "response", response_json(r, "failed", &failure)), err);
}

/* --- the request ------------------------------------------------------------------------------------------------------- */

int serve_responses(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct response r = {.x = x, .s = serve_of(x), .sampling = sampling_body_default(), .body = {.max_output_tokens = SAMPLING_ABSENT},
			     .created = clock_wall_s()};
	int32_t adapter;
	if (http_body_json(x, &json, err) < 0 || body_decode(&SAMPLING_BODY, json, "", &r.sampling, err) < 0 ||
	    body_decode(&RESPONSE_BODY, json, "", &r.body, err) < 0)
		return -1;
	if (r.sampling.n != 1)
		return err_set(err, ERR_INVALID, "'n': a response is one; only 1 is supported");
	if (models_find(x, r.body.model, &adapter, &r.model) > 0)
		return 0;
	r.id = arena_printf(http_arena(x), "resp_%s", http_request_id(x));
	r.item_id = arena_printf(http_arena(x), "msg_%s", http_request_id(x));
	r.logprobs = wants_logprobs(&r.body);
	int rc = begin(&r, adapter, err);
	if (rc == 0 && r.body.stream)
		rc = reply_stream(&r, err);
	else if (rc == 0 && (rc = generation_collect(r.g, err)) == 0)
		http_reply_json(x, 200, response_json(&r, final_status(&r), NULL));
	generation_free(r.g);
	return rc < 0 ? -1 : 0;
}
