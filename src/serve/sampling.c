/* sampling.c: the parameters' table and their translation. Ranges are OpenAI's and vLLM's, whichever is wider. */
#include "serve/sampling.h"
#include "serve/routes.h"

#include "base/clock.h"
#include "codec/json.h"
#include <stdlib.h>
#include <sys/random.h>

#define AT(member) offsetof(struct sampling_body, member)
/* To add a parameter: a member in sampling.h, its default below, a row here, its use in sampling_build. */
static const struct body_field ROWS[] = {
	{"frequency_penalty", BODY_FLOAT, AT(frequency_penalty), false, -2, 2, "0.0", "lowers tokens by how often the output has them"},
	{"ignore_eos", BODY_BOOL, AT(ignore_eos), false, 0, 0, "false", "go on after an end-of-generation token"},
	{"include_stop_str_in_output", BODY_BOOL, AT(include_stop), false, 0, 0, "false", "keep the stop string in the text"},
	{"logit_bias", BODY_OBJECT, AT(logit_bias), false, 0, 0, NULL, "token id (as text) to a number from -100 to 100 added to its logit"},
	{"max_completion_tokens", BODY_INT, AT(max_completion_tokens), false, 0, 1e9, NULL, "ceiling of new tokens; wins over max_tokens"},
	{"max_tokens", BODY_INT, AT(max_tokens), false, 0, 1e9, NULL, "ceiling of new tokens"},
	{"min_p", BODY_FLOAT, AT(min_p), false, 0, 1, "0.0", "drop tokens less likely than this share of the likeliest"},
	{"min_tokens", BODY_INT, AT(min_tokens), false, 0, 1e9, "0", "no end of generation before"},
	{"n", BODY_INT, AT(n), false, 1, LIMIT_CHOICES, "1", "choices to generate"},
	{"presence_penalty", BODY_FLOAT, AT(presence_penalty), false, -2, 2, "0.0", "lowers tokens that the output has"},
	{"repetition_penalty", BODY_FLOAT, AT(repetition_penalty), false, 1e-4, 100, "1.0", "divides logits of tokens in prompt and output"},
	{"response_format", BODY_OBJECT, AT(response_format), false, 0, 0, NULL, "only {\"type\": \"text\"}"},
	{"seed", BODY_INT, AT(seed), false, 0, 0, NULL, "same seed, same text"},
	{"skip_special_tokens", BODY_BOOL, AT(skip_special_tokens), false, 0, 0, "true", "special tokens give no text"},
	{"stop", BODY_ANY, AT(stop), false, 0, 0, NULL, "text or list of texts that end the generation"},
	{"stop_token_ids", BODY_ARRAY, AT(stop_ids), false, 0, 0, NULL, "token ids that end the generation"},
	{"temperature", BODY_FLOAT, AT(temperature), false, 0, 100, "1.0", "0 is greedy"},
	{"timeout", BODY_FLOAT, AT(timeout), false, 0, 1e6, NULL, "seconds after which the request ends with 504"},
	{"top_k", BODY_INT, AT(top_k), false, -1, 1e9, "0", "keep the k likeliest tokens; 0 and -1: all"},
	{"top_p", BODY_FLOAT, AT(top_p), false, 0, 1, "1.0", "keep the likeliest tokens up to this total probability"},
	{"typical_p", BODY_FLOAT, AT(typical_p), false, 0, 1, "1.0", "keep the most typical tokens up to this total probability"},
};
const struct body_table SAMPLING_BODY = BODY_TABLE("sampling", ROWS);

struct sampling_body sampling_body_default(void)
{
	return (struct sampling_body){
		.temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1, .n = 1, .skip_special_tokens = true,
		.seed = SAMPLING_ABSENT, .max_tokens = SAMPLING_ABSENT, .max_completion_tokens = SAMPLING_ABSENT,
	};
}

uint64_t sampling_random_seed(void)
{
	uint64_t seed;
	return getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed ? seed : (uint64_t)clock_now_ns();
}

static int add_stop(const json_t *v, str *stop, size_t *n, struct err *err)
{
	if (!json_is_string(v))
		return err_set(err, ERR_INVALID, "'stop': must be a string or a list of strings, not %s", json_type_name(v));
	if (*n == LIMIT_STOP_STRINGS)
		return err_set(err, ERR_LIMIT, "'stop': at most %d strings", LIMIT_STOP_STRINGS);
	if (json_string_length(v) > 0)
		stop[(*n)++] = (str){json_string_value(v), json_string_length(v)};
	return 0;
}

static int build_stop(struct http_exchange *x, const json_t *v, struct sampling *out, struct err *err)
{
	size_t i;
	json_t *item;
	str *stop = arena_array(http_arena(x), LIMIT_STOP_STRINGS, sizeof *stop);
	out->stop = stop;
	if (!json_is_array(v))
		return v ? add_stop(v, stop, &out->n_stop, err) : 0;
	json_array_foreach((json_t *)v, i, item)
		if (add_stop(item, stop, &out->n_stop, err) < 0)
			return -1;
	return 0;
}

static int build_stop_ids(struct http_exchange *x, const json_t *v, struct sampling *out, struct err *err)
{
	size_t i, n = json_array_size(v);
	json_t *item;
	if (n > LIMIT_LOGIT_BIAS)
		return err_set(err, ERR_LIMIT, "'stop_token_ids': at most %d", LIMIT_LOGIT_BIAS);
	int32_t *ids = arena_array(http_arena(x), n, sizeof *ids);
	json_array_foreach((json_t *)v, i, item) {
		json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
		if (id < 0 || id >= serve_of(x)->o.vocab)
			return err_set(err, ERR_INVALID, "'stop_token_ids': item %zu is not a token id below %d", i, serve_of(x)->o.vocab);
		ids[i] = (int32_t)id;
	}
	out->stop_ids = ids;
	out->n_stop_ids = n;
	return 0;
}

static int build_bias(struct http_exchange *x, const json_t *v, struct sampling *out, struct err *err)
{
	size_t n = json_object_size(v), i = 0;
	const char *key;
	json_t *item;
	if (n > LIMIT_LOGIT_BIAS)
		return err_set(err, ERR_LIMIT, "'logit_bias': at most %d tokens", LIMIT_LOGIT_BIAS);
	int32_t *ids = arena_array(http_arena(x), n, sizeof *ids);
	float *values = arena_array(http_arena(x), n, sizeof *values);
	json_object_foreach((json_t *)v, key, item) {
		int64_t id;
		double value = json_number_value(item);
		if (!str_to_i64(str_of(key), &id) || id < 0 || id >= serve_of(x)->o.vocab)
			return err_set(err, ERR_INVALID, "'logit_bias': '%.40s' is not a token id below %d", key, serve_of(x)->o.vocab);
		if (!json_is_number(item) || value < -100 || value > 100)
			return err_set(err, ERR_INVALID, "'logit_bias': the value of %.40s must be a number from -100 to 100", key);
		ids[i] = (int32_t)id;
		values[i++] = (float)value;
	}
	out->bias_ids = ids;
	out->bias_values = values;
	out->n_bias = n;
	return 0;
}

static int check_format(const json_t *format, struct err *err)
{
	const json_t *type = json_object_get(format, "type");
	if (format && !(json_is_string(type) && strcmp(json_string_value(type), "text") == 0))
		return err_set(err, ERR_INVALID, "'response_format': only {\"type\": \"text\"} is supported; guided output is not");
	return 0;
}

int sampling_build(struct http_exchange *x, const struct sampling_body *b, int64_t top_logprobs, struct sampling *out, struct err *err)
{
	if (top_logprobs > LIMIT_LOGPROBS)
		return err_set(err, ERR_INVALID, "'top_logprobs': at most %d, not %lld", LIMIT_LOGPROBS, (long long)top_logprobs);
	struct sampling s = sampling_default();
	s.temperature = (float)b->temperature;
	s.top_k = b->top_k < 0 ? 0 : (int32_t)b->top_k;
	s.top_p = b->top_p <= 0 ? 1e-6f : (float)b->top_p; /* 0 means "the likeliest only" to OpenAI's clients */
	s.min_p = (float)b->min_p;
	s.typical_p = b->typical_p <= 0 ? 1e-6f : (float)b->typical_p;
	s.repetition_penalty = (float)b->repetition_penalty;
	s.presence_penalty = (float)b->presence_penalty;
	s.frequency_penalty = (float)b->frequency_penalty;
	s.seed = b->seed == SAMPLING_ABSENT ? sampling_random_seed() : (uint64_t)b->seed;
	s.min_tokens = (int32_t)b->min_tokens;
	s.ignore_eos = b->ignore_eos;
	s.top_logprobs = (int32_t)top_logprobs;
	s.skip_special = b->skip_special_tokens;
	s.include_stop = b->include_stop;
	s.max_tokens = 0;
	if (check_format(b->response_format, err) < 0 || build_stop(x, b->stop, &s, err) < 0 || build_stop_ids(x, b->stop_ids, &s, err) < 0 ||
	    build_bias(x, b->logit_bias, &s, err) < 0)
		return -1;
	*out = s;
	return 0;
}

int64_t sampling_asked(const struct sampling_body *b)
{
	return b->max_completion_tokens != SAMPLING_ABSENT ? b->max_completion_tokens : b->max_tokens;
}

int sampling_limit(const struct serve *s, int64_t asked, int64_t otherwise, size_t n_prompt, struct sampling *out, struct err *err)
{
	int64_t room = (int64_t)s->max_model_len - (int64_t)n_prompt;
	if (n_prompt == 0)
		return err_set(err, ERR_INVALID, "the prompt is empty");
	if (room < 1)
		return err_set(err, ERR_LIMIT, "this model's context is %d tokens, but the prompt alone has %zu; shorten it", s->max_model_len, n_prompt);
	if (asked != SAMPLING_ABSENT && asked < 1)
		return err_set(err, ERR_INVALID, "'max_tokens': must be at least 1, not %lld", (long long)asked);
	if (asked != SAMPLING_ABSENT && asked > room)
		return err_set(err, ERR_LIMIT, "'max_tokens': this model's context is %d tokens; the prompt has %zu, so at most %lld can follow, not %lld",
			       s->max_model_len, n_prompt, (long long)room, (long long)asked);
	if (otherwise == 0 || otherwise > room)
		otherwise = room;
	out->max_tokens = (int32_t)(asked == SAMPLING_ABSENT ? otherwise : asked);
	if (out->min_tokens > out->max_tokens)
		return err_set(err, ERR_INVALID, "'min_tokens': %d is more than the ceiling of %d new tokens", out->min_tokens, out->max_tokens);
	return 0;
}

int64_t sampling_deadline(const struct serve *s, double timeout_s)
{
	double seconds = s->o.request_timeout_s;
	if (timeout_s > 0 && (seconds <= 0 || timeout_s < seconds))
		seconds = timeout_s;
	return seconds > 0 ? clock_now_ms() + (int64_t)(seconds * 1000) : 0;
}
