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

struct legacy_kwargs {
	int64_t max_length, min_length, max_new_tokens, min_new_tokens, num_beams, top_k, seed, pad_token_id, num_return_sequences;
	bool do_sample;
	double temperature, top_p, typical_p, min_p, repetition_penalty;
	const json_t *eos_token_id, *stop_strings;
};
struct legacy_body {
	const char *prompt, *prefix, *long_generation, *model;
	const json_t *messages, *kwargs, *template_choice;
	bool return_full_text, clean_up_spaces;
	int8_t as_message; /* 1: the prompt is a user message, 0: a text to complete, -1: complete, and ask again if that says nothing */
	double timeout;
	struct legacy_kwargs k;
};
#define AT(member) offsetof(struct legacy_body, member)
static const struct body_field ROWS[] = {
	{"apply_chat_template", BODY_ANY, AT(template_choice), false, 0, 0, NULL, "true: the prompt is a user message; false: a text to complete; absent: complete, and answer as a message when that gives no text"},
	{"clean_up_tokenization_spaces", BODY_BOOL, AT(clean_up_spaces), false, 0, 0, "false", "remove spaces before punctuation and contractions"},
	{"generate_kwargs", BODY_OBJECT, AT(kwargs), false, 0, 0, NULL, "generation parameters, see the next table"},
	{"handle_long_generation", BODY_STRING, AT(long_generation), false, 0, 0, NULL, "\"hole\": drop the beginning of a prompt that does not fit"},
	{"messages", BODY_ANY, AT(messages), false, 0, 0, NULL, "conversation; the answer is the assistant's reply"},
	{"model", BODY_STRING, AT(model), false, 0, 0, NULL, "served name or adapter; absent: the first adapter, else the base model"},
	{"prefix", BODY_STRING, AT(prefix), false, 0, 0, NULL, "text put before the prompt"},
	{"prompt", BODY_STRING, AT(prompt), false, 0, 0, NULL, "text to go on with"},
	{"return_full_text", BODY_BOOL, AT(return_full_text), false, 0, 0, "true", "put the prompt before the answer"},
	{"timeout", BODY_FLOAT, AT(timeout), false, 0, 1e6, NULL, "seconds after which the request ends with 504"},
};
const struct body_table LEGACY_BODY = BODY_TABLE("chat", ROWS);
#undef AT
#define AT(member) offsetof(struct legacy_kwargs, member)
static const struct body_field KWARGS_ROWS[] = {
	{"do_sample", BODY_BOOL, AT(do_sample), false, 0, 0, "true", "false is greedy"},
	{"early_stopping", BODY_UNUSED, 0, false, 0, 0, "false", "concerns beams only; accepted"},
	{"eos_token_id", BODY_ANY, AT(eos_token_id), false, 0, 0, NULL, "token id or list that ends the generation instead of the model's"},
	{"max_length", BODY_INT, AT(max_length), false, 1, 1e9, "200", "ceiling of prompt and new tokens together"},
	{"max_new_tokens", BODY_INT, AT(max_new_tokens), false, 1, 1e9, NULL, "ceiling of new tokens; wins over max_length"},
	{"min_length", BODY_INT, AT(min_length), false, 0, 1e9, "0", "floor of prompt and new tokens together"},
	{"min_new_tokens", BODY_INT, AT(min_new_tokens), false, 0, 1e9, NULL, "floor of new tokens; wins over min_length"},
	{"min_p", BODY_FLOAT, AT(min_p), false, 0, 1, "0.0", "drop tokens less likely than this share of the likeliest"},
	{"num_beams", BODY_INT, AT(num_beams), false, 0, 0, "1", "only 1: beam search is not supported"},
	{"num_return_sequences", BODY_INT, AT(num_return_sequences), false, 0, 0, "1", "only 1"},
	{"pad_token_id", BODY_INT, AT(pad_token_id), false, 0, 1e9, NULL, "accepted: single prompts need no padding"},
	{"repetition_penalty", BODY_FLOAT, AT(repetition_penalty), false, 1e-4, 100, "1.0", "divides logits of tokens in prompt and output"},
	{"seed", BODY_INT, AT(seed), false, 0, 0, NULL, "same seed, same text"},
	{"stop_strings", BODY_ANY, AT(stop_strings), false, 0, 0, NULL, "text or list of texts that end the generation"},
	{"temperature", BODY_FLOAT, AT(temperature), false, 0, 100, "1.0", "0 is greedy"},
	{"top_k", BODY_INT, AT(top_k), false, 0, 1e9, "10", "keep the k likeliest tokens; 0: all"},
	{"top_p", BODY_FLOAT, AT(top_p), false, 0, 1, "1.0", "keep the likeliest tokens up to this total probability"},
	{"typical_p", BODY_FLOAT, AT(typical_p), false, 0, 1, "1.0", "keep the most typical tokens up to this total probability"},
};
const struct body_table LEGACY_KWARGS_BODY = BODY_TABLE("chat: generate_kwargs", KWARGS_ROWS);

static int decode(const json_t *json, struct legacy_body *b, struct err *err)
{
	*b = (struct legacy_body){.return_full_text = true,
		.k = {.max_length = 200, .max_new_tokens = SAMPLING_ABSENT, .min_new_tokens = SAMPLING_ABSENT, .num_beams = 1, .num_return_sequences = 1,
		      .top_k = 10, .seed = SAMPLING_ABSENT, .do_sample = true, .temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1}};
	if (body_decode(&LEGACY_BODY, json, "", b, err) < 0 || (b->kwargs && body_decode(&LEGACY_KWARGS_BODY, b->kwargs, "generate_kwargs.", &b->k, err) < 0))
		return -1;
	if (b->template_choice && !json_is_boolean(b->template_choice))
		return err_set(err, ERR_INVALID, "'apply_chat_template': must be true or false, not %s", json_type_name(b->template_choice));
	b->as_message = b->template_choice ? json_is_true(b->template_choice) : -1;
	if (!b->prompt && b->messages && json_array_size(b->messages) == 0)
		return err_set(err, ERR_INVALID, "Conversational parameter messages required");
	if (!b->messages && (!b->prompt || !b->prompt[0]))
		return err_set(err, ERR_INVALID, "Text generation parameter prompt required");
	if (b->k.num_beams != 1 || b->k.num_return_sequences != 1)
		return err_set(err, ERR_INVALID, "'generate_kwargs.%s': only 1 is supported", b->k.num_beams != 1 ? "num_beams" : "num_return_sequences");
	if (b->long_generation && strcmp(b->long_generation, "hole") != 0)
		return err_set(err, ERR_INVALID, "'handle_long_generation': must be null or \"hole\", not '%.40s'", b->long_generation);
	return 0;
}

/* --- lengths -------------------------------------------------------------------------------------------------------- */

/* New tokens that the request allows, by transformers' counting: max_length holds the prompt too, and one token comes at least. */
static int64_t new_tokens(const struct legacy_kwargs *k, size_t n_prompt)
{
	int64_t n = k->max_new_tokens != SAMPLING_ABSENT ? k->max_new_tokens : k->max_length - (int64_t)n_prompt;
	return n < 1 ? 1 : n;
}

static int set_limits(const struct serve *s, const struct legacy_body *b, struct generation_prompt *p, struct sampling *out, struct err *err)
{
	int64_t wanted = new_tokens(&b->k, p->len), room = (int64_t)s->max_model_len - (int64_t)p->len;
	if (room < wanted && b->long_generation) {
		if (wanted >= s->max_model_len)
			return err_set(err, ERR_LIMIT, "'generate_kwargs.max_new_tokens': leaves no room for a prompt in a context of %d tokens", s->max_model_len);
		size_t keep = (size_t)(s->max_model_len - wanted);
		*p = (struct generation_prompt){p->ids + (p->len - keep), keep};
		room = wanted;
	}
	int64_t least = b->k.min_new_tokens != SAMPLING_ABSENT ? b->k.min_new_tokens : b->k.min_length - (int64_t)p->len;
	out->min_tokens = (int32_t)(least < 0 ? 0 : least);
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

static int build(struct http_exchange *x, const struct legacy_body *b, struct generation_prompt *p, struct sampling *out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *ids = NULL;
	const struct legacy_kwargs *k = &b->k;
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

/* As transformers' tokenizers clean up English. */
static str clean_up(struct http_exchange *x, str text)
{
	static const char *const PAIRS[][2] = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"},
					       {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
	char *out = arena_strndup(http_arena(x), text.data, text.len);
	size_t len = text.len;
	for (size_t p = 0; p < sizeof PAIRS / sizeof PAIRS[0]; p++) {
		str from = str_of(PAIRS[p][0]), to = str_of(PAIRS[p][1]);
		size_t w = 0;
		for (size_t r = 0; r < len;) {
			bool hit = len - r >= from.len && memcmp(out + r, from.data, from.len) == 0;
			if (hit)
				memcpy(out + w, to.data, to.len);
			else
				out[w] = out[r];
			w += hit ? to.len : 1;
			r += hit ? from.len : 1;
		}
		len = w;
	}
	return (str){out, len};
}

static int reply(struct http_exchange *x, const struct legacy_body *b, str prompt, const struct generation_choice *c)
{
	str answer = buf_str(&c->text);
	CLEANUP(buf_done) struct buf whole = {.max = SIZE_MAX / 2};
	if (!b->messages && b->return_full_text)
		buf_put_str(&whole, prompt);
	buf_put_str(&whole, b->clean_up_spaces ? clean_up(x, answer) : answer);
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
static int generate(struct http_exchange *x, const struct legacy_body *b, const json_t *messages, const char *prompt, int32_t adapter,
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
	struct legacy_body b;
	const char *shown;
	int32_t adapter;
	if (decode(json, &b, err) < 0)
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
