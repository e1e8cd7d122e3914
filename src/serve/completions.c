/* completions.c: POST /v1/completions, whole or streamed: texts or token ids in, text out. */
#include "serve/logprobs.h"
#include "serve/prompt.h"
#include "serve/routes.h"
#include "serve/sampling.h"

#include "base/clock.h"
#include "codec/json.h"
#include "http/sse.h"

#define COMPLETION_MAX_TOKENS 16 /* OpenAI's default */

struct completion_body {
	struct sampling_body sampling;
	const char *model, *suffix;
	const json_t *prompt, *stream_options;
	bool stream, echo;
	int64_t logprobs, best_of; /* logprobs: -1 absent */
};
#define AT(member) offsetof(struct completion_body, member)
static const struct body_field ROWS[] = {
	{"best_of", BODY_INT, AT(best_of), false, 1, LIMIT_CHOICES, NULL, "only the value of n"},
	{"echo", BODY_BOOL, AT(echo), false, 0, 0, "false", "put the prompt before the text; with max_tokens 0 nothing else"},
	{"logprobs", BODY_INT, AT(logprobs), false, 0, LIMIT_LOGPROBS, NULL, "log probabilities, and of so many alternatives"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the base model"},
	{"prompt", BODY_ANY, AT(prompt), true, 0, 0, NULL, "text, list of texts, list of token ids, or list of such lists"},
	{"stream", BODY_BOOL, AT(stream), false, 0, 0, "false", "answer with server-sent events"},
	{"stream_options", BODY_OBJECT, AT(stream_options), false, 0, 0, NULL, "{include_usage, continuous_usage_stats}"},
	{"suffix", BODY_STRING, AT(suffix), false, 0, 0, NULL, "not supported"},
	{"user", BODY_UNUSED, 0, false, 0, 0, NULL, "accepted, has no effect"},
};
const struct body_table COMPLETION_BODY = BODY_TABLE("completion", ROWS);

struct completion {
	struct http_exchange *x;
	struct serve *s;
	struct completion_body body;
	struct generation *g;
	struct generation_prompt *prompts;
	size_t n_prompts;
	str *echoes;               /* text of each prompt, with echo */
	const char *model, *id;
	int64_t created;
	bool usage, usage_always, no_output;
};

/* --- pieces of the answer --------------------------------------------------------------------------------------- */

static size_t prompt_number(const struct completion *c, size_t choice) { return choice / (size_t)c->body.sampling.n; }

static str echo_of(const struct completion *c, size_t choice)
{
	return c->body.echo ? c->echoes[prompt_number(c, choice)] : STR("");
}

static json_t *logprobs_json(const struct completion *c, size_t choice, size_t from, size_t to, bool with_prompt)
{
	const struct generation_choice *g = generation_at(c->g, choice);
	if (c->body.logprobs < 0)
		return json_null();
	size_t offset = with_prompt ? 0 : echo_of(c, choice).len + (from > 0 ? g->tokens.data[from - 1].text_end : 0);
	struct logprobs_text t = {from, c->no_output ? from : to, offset, with_prompt, &c->prompts[prompt_number(c, choice)]};
	return logprobs_completion(c->s, g, &t);
}

static json_t *choice_json(size_t index, json_t *text, json_t *logprobs, const char *finish)
{
	return json_pack("{s:i,s:o,s:o,s:s?,s:n}", "index", (int)index, "text", text, "logprobs", logprobs, "finish_reason", finish, "stop_reason");
}

static json_t *whole_choice(const struct completion *c, size_t i)
{
	const struct generation_choice *g = generation_at(c->g, i);
	CLEANUP(buf_done) struct buf text = {.max = SIZE_MAX / 2};
	buf_put_str(&text, echo_of(c, i));
	if (!c->no_output)
		buf_put_str(&text, buf_str(&g->text));
	return choice_json(i, serve_text(buf_str(&text)), logprobs_json(c, i, 0, g->tokens.len, c->body.echo),
			   c->no_output ? "length" : generation_finish_name(g->finish));
}

static json_t *envelope(const struct completion *c, json_t *choices)
{
	return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", c->id, "object", "text_completion", "created", (json_int_t)c->created, "model", c->model, "choices", choices);
}

static int reply_whole(struct completion *c, struct err *err)
{
	if (generation_collect(c->g, err) < 0)
		return -1;
	json_t *choices = json_array();
	for (size_t i = 0; i < generation_count(c->g); i++)
		json_array_append_new(choices, whole_choice(c, i));
	json_t *answer = envelope(c, choices);
	json_object_set_new(answer, "usage", generation_usage(c->g));
	return http_reply_json(c->x, 200, answer);
}

/* --- streaming ---------------------------------------------------------------------------------------------------- */

static int send_chunk(struct completion *c, json_t *choice, struct err *err)
{
	json_t *chunk = envelope(c, json_pack("[o]", choice));
	if (c->usage_always)
		json_object_set_new(chunk, "usage", generation_usage(c->g));
	return sse_send(c->x, NULL, chunk, err);
}

/* The prompt goes out with the first event of its choice, when its tokens' probabilities are known. */
static int send_event(struct completion *c, size_t index, str text, size_t *told, bool *echoed, struct err *err)
{
	const struct generation_choice *g = generation_at(c->g, index);
	bool ended = g->finish != FINISH_NONE, fresh = g->tokens.len > *told, echo = c->body.echo && !*echoed;
	if (g->tokens.len == 0 && !ended)
		return 0;
	if (text.len == 0 && !ended && !echo && !(c->body.logprobs >= 0 && fresh))
		return 0;
	CLEANUP(buf_done) struct buf whole = {.max = SIZE_MAX / 2};
	buf_put_str(&whole, echo ? echo_of(c, index) : STR(""));
	buf_put_str(&whole, text);
	json_t *logprobs = fresh || echo ? logprobs_json(c, index, *told, g->tokens.len, echo) : json_null();
	*told = g->tokens.len;
	*echoed = true;
	return send_chunk(c, choice_json(index, serve_text(buf_str(&whole)), logprobs, generation_finish_name(g->finish)), err);
}

static int stream_events(struct completion *c, struct err *err)
{
	size_t n = generation_count(c->g), index = 0;
	size_t *told = arena_array(http_arena(c->x), n, sizeof *told);
	bool *echoed = arena_array(http_arena(c->x), n, sizeof *echoed);
	for (;;) {
		str text;
		int rc = generation_next(c->g, &index, &text, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (send_event(c, index, text, &told[index], &echoed[index], err) < 0)
			return -1;
	}
}

static int reply_stream(struct completion *c, struct err *err)
{
	sse_begin(c->x);
	if (stream_events(c, err) < 0) {
		if (sse_send(c->x, NULL, error_json(err, err_traits(err->kind)->http_status), err) < 0)
			return -1;
	} else if (c->usage) {
		json_t *chunk = envelope(c, json_array());
		json_object_set_new(chunk, "usage", generation_usage(c->g));
		if (sse_send(c->x, NULL, chunk, err) < 0)
			return -1;
	}
	return sse_send_text(c->x, NULL, STR("[DONE]"), err);
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

static int decode(const json_t *json, struct completion *c, struct err *err)
{
	struct completion_body *b = &c->body;
	*b = (struct completion_body){.sampling = sampling_body_default(), .logprobs = -1};
	if (body_decode(&SAMPLING_BODY, json, "", &b->sampling, err) < 0 || body_decode(&COMPLETION_BODY, json, "", b, err) < 0)
		return -1;
	if (b->best_of && b->best_of != b->sampling.n)
		return err_set(err, ERR_INVALID, "'best_of': must equal n (%lld); best-of search is not supported", (long long)b->sampling.n);
	if (b->suffix && b->suffix[0])
		return err_set(err, ERR_INVALID, "'suffix': inserting text is not supported");
	if (b->stream_options && !b->stream)
		return err_set(err, ERR_INVALID, "'stream_options': only with stream");
	c->usage = json_is_true(json_object_get(b->stream_options, "include_usage"));
	c->usage_always = c->usage && json_is_true(json_object_get(b->stream_options, "continuous_usage_stats"));
	return 0;
}

static int fill_echoes(struct completion *c, struct err *err)
{
	c->echoes = arena_array(http_arena(c->x), c->n_prompts, sizeof *c->echoes);
	for (size_t i = 0; c->body.echo && i < c->n_prompts; i++) {
		CLEANUP(buf_done) struct buf text = {0};
		if (tokenizer_decode(c->s->o.tokenizer, c->prompts[i].ids, c->prompts[i].len, true, &text, err) < 0)
			return -1;
		c->echoes[i] = (str){arena_strdup(http_arena(c->x), buf_str(&text)), text.len};
	}
	return 0;
}

/* The tightest prompt decides the ceiling. max_tokens 0 with echo asks for the prompt's scores only: one token is
 * generated, as the engine needs, and not shown. */
static int set_limits(struct completion *c, struct sampling *sampling, struct err *err)
{
	int64_t asked = sampling_asked(&c->body.sampling);
	size_t longest = 0;
	c->no_output = asked == 0 && c->body.echo && !c->body.stream;
	for (size_t i = 0; i < c->n_prompts; i++) {
		if (c->prompts[i].len == 0)
			return err_set(err, ERR_INVALID, "'prompt': prompt %zu is empty", i);
		longest = c->prompts[i].len > longest ? c->prompts[i].len : longest;
	}
	if ((size_t)c->body.sampling.n * c->n_prompts > 4 * LIMIT_CHOICES)
		return err_set(err, ERR_LIMIT, "'prompt': prompts times n may be %d at most", 4 * LIMIT_CHOICES);
	return sampling_limit(c->s, c->no_output ? 1 : asked, COMPLETION_MAX_TOKENS, longest, sampling, err);
}

static int begin(struct completion *c, int32_t adapter, struct err *err)
{
	const struct completion_body *b = &c->body;
	struct generation_spec spec = {.n = (int)b->sampling.n, .adapter = adapter, .deadline_ms = sampling_deadline(c->s, b->sampling.timeout),
				       .score_prompt = b->echo && b->logprobs >= 0};
	if (sampling_build(c->x, &b->sampling, b->logprobs, &spec.sampling, err) < 0 ||
	    prompt_from_any(c->x, b->prompt, "prompt", &c->prompts, &c->n_prompts, err) < 0 || set_limits(c, &spec.sampling, err) < 0 || fill_echoes(c, err) < 0)
		return -1;
	spec.prompts = c->prompts;
	spec.n_prompts = c->n_prompts;
	return generation_start(&c->g, c->x, &spec, err);
}

int serve_completions(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	struct completion c = {.x = x, .s = serve_of(x), .created = clock_wall_s()};
	int32_t adapter;
	if (http_body_json(x, &json, err) < 0 || decode(json, &c, err) < 0)
		return -1;
	if (models_find(x, c.body.model, &adapter, &c.model) > 0)
		return 0;
	c.id = arena_printf(http_arena(x), "cmpl-%s", http_request_id(x));
	int rc = begin(&c, adapter, err);
	if (rc == 0)
		rc = c.body.stream ? reply_stream(&c, err) : reply_whole(&c, err);
	generation_free(c.g);
	return rc < 0 ? -1 : 0;
}
