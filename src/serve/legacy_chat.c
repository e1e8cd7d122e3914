/* legacy_chat.c: POST /chat, the native API of upstream's transformers server before 0.2 (reference: KAITO up to 0.8).
 * A plain `prompt` is completed as it stands; `messages` go through the chat template. A chat model may have nothing to add to a bare
 * question: a completion that ends at once, without a word, is answered as a user message instead, so that the quick start's call gets
 * its answer (`apply_chat_template` decides it either way). Defaults and error texts are upstream's, lengths count the prompt as transformers counts them. Without "model" the first adapter that the
 * server was started with answers, as upstream's server merges its adapters into every answer. */
#include "serve/prompt.h"
#include "serve/routes.h"
#include "serve/sampling.h"

#include "base/clock.h"
#include "codec/json.h"
#include "contract/chat_request.h"

/* --- lengths -------------------------------------------------------------------------------------------------------- */

static int set_limits(const struct serve *s, const struct chat_request *b, struct generation_prompt *p, struct sampling *out, struct err *err)
{
	int64_t wanted = chat_request_max_tokens(b, (int64_t)p->len), room = (int64_t)s->max_model_len - (int64_t)p->len;
	if (room < wanted && b->long_generation) {
		if (wanted >= s->max_model_len)
			return err_set(err, ERR_LIMIT, "'generate_kwargs.max_new_tokens': leaves no room for a prompt in a context of %d tokens", s->max_model_len);
		size_t keep = (size_t)(s->max_model_len - wanted);
		*p = (struct generation_prompt){p->ids + (p->len - keep), keep};
		room = wanted;
	}
	out->min_tokens = (int32_t)chat_request_min_tokens(b, (int64_t)p->len);
	return sampling_limit(s, SAMPLING_ABSENT, wanted < room || room < 1 ? wanted : room, p->len, out, err);
}

static int set_end(const json_t *eos, struct sampling_body *out, json_t **ids, struct err *err)
{
	if (!eos)
		return 0;
	if (!json_is_integer(eos) && !json_is_array(eos))
		return err_set(err, ERR_INVALID, "'generate_kwargs.eos_token_id': must be a token id or a list of them, not %s", json_type_name(eos));
	*ids = json_is_array(eos) ? json_incref((json_t *)eos) : json_pack("[O]", eos);
	out->stop_ids = *ids;
	out->ignore_eos = true;
	return 0;
}

static int build(struct http_exchange *x, const struct chat_request *b, struct generation_prompt *p, struct sampling *out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *ids = NULL;
	const struct chat_request_kwargs *k = &b->k;
	struct sampling_body s = sampling_body_default();
	s.temperature = k->do_sample ? k->temperature : 0;
	s.top_k = k->top_k;
	s.top_p = k->top_p;
	s.typical_p = k->typical_p;
	s.min_p = k->min_p;
	s.repetition_penalty = k->repetition_penalty;
	s.seed = k->seed;
	s.stop = k->stop_strings;
	if (set_end(k->eos_token_id, &s, &ids, err) < 0 || sampling_build(x, &s, -1, out, err) < 0)
		return -1;
	return set_limits(serve_of(x), b, p, out, err);
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

static int reply(struct http_exchange *x, const struct chat_request *b, str prompt, const struct generation_choice *c)
{
	str answer = buf_str(&c->text);
	CLEANUP(buf_done) struct buf whole = {.max = SIZE_MAX / 2};
	if (!b->messages && b->return_full_text)
		buf_put_str(&whole, prompt);
	buf_put_str(&whole, b->clean_up_spaces ? chat_request_clean_up(http_arena(x), answer) : answer);
	str text = buf_str(&whole);
	return http_reply_json(x, 200, json_pack("{s:o}", "Result", serve_text(text)));
}

/* Old clients read "detail", as FastAPI puts it; "error" is there for the others. */
static int reply_failure(struct http_exchange *x, const struct err *err)
{
	int status = err_traits(err->kind)->http_status;
	json_t *value = error_json(err, status);
	json_object_set_new(value, "detail", json_string(json_string_value(json_object_get(json_object_get(value, "error"), "message"))));
	return http_reply_json(x, status, value);
}

static const char *default_model(struct serve *s, struct arena *arena)
{
	pthread_mutex_lock(&s->mu);
	const char *name = s->n_adapters ? arena_strdup(arena, str_of(s->adapters[0].name)) : NULL;
	pthread_mutex_unlock(&s->mu);
	return name;
}

/* One generation of the request's text; 0 with *g set, positive when the client is already answered. */
static int generate(struct http_exchange *x, const struct chat_request *b, const json_t *messages, const char *prompt, int32_t adapter,
		    struct generation **g, struct err *err)
{
	struct generation_prompt p;
	struct generation_spec spec = {.prompts = &p, .n_prompts = 1, .n = 1, .adapter = adapter};
	struct prompt_chat chat = {.messages = messages, .add_generation_prompt = true};
	if ((messages ? prompt_from_chat(x, &chat, &p, err) : prompt_from_text(x, str_of(prompt), true, &p, err)) < 0 || build(x, b, &p, &spec.sampling, err) < 0)
		return -1;
	spec.deadline_ms = sampling_deadline(serve_of(x), b->timeout);
	int rc = generation_start(g, x, &spec, err);
	return rc == 0 ? generation_collect(*g, err) : rc;
}

/* The prompt as a conversation of one user message; the caller drops the reference. */
static json_t *as_messages(const char *prompt) { return json_pack("[{s:s, s:s}]", "role", "user", "content", prompt); }

static bool says_nothing(struct generation *g) { return str_trim(buf_str(&generation_at(g, 0)->text)).len == 0; }

static int answer(struct http_exchange *x, const json_t *json, struct err *err)
{
	struct serve *s = serve_of(x);
	struct chat_request b;
	const char *shown;
	int32_t adapter;
	if (chat_request_decode(json, &b, err) < 0)
		return -1;
	if (models_find(x, b.model ? b.model : default_model(s, http_arena(x)), &adapter, &shown) > 0)
		return 0;
	const char *prompt = arena_printf(http_arena(x), "%s%s", b.prefix ? b.prefix : "", b.prompt ? b.prompt : "");
	CLEANUP(json_decrefp) json_t *question = b.messages || b.as_message == 0 || (b.as_message < 0 && !s->o.chat_template) ? NULL : as_messages(prompt);
	CLEANUP(generation_freep) struct generation *g = NULL;
	int rc = generate(x, &b, b.as_message > 0 && !b.messages ? question : b.messages, prompt, adapter, &g, err);
	if (rc == 0 && b.as_message < 0 && question && says_nothing(g)) {
		CLEANUP(generation_freep) struct generation *second = NULL;
		rc = generate(x, &b, question, prompt, adapter, &second, err);
		return rc < 0 ? -1 : rc > 0 ? 0 : reply(x, &b, str_of(arena_printf(http_arena(x), "%s\n\n", prompt)), generation_at(second, 0));
	}
	return rc < 0 ? -1 : rc > 0 ? 0 : reply(x, &b, str_of(prompt), generation_at(g, 0));
}

int serve_legacy_chat(struct http_exchange *x, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	if (http_body_json(x, &json, err) < 0 || answer(x, json, err) < 0)
		return reply_failure(x, err);
	return 0;
}
