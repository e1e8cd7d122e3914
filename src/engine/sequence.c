/* sequence.c: one request's data and what a new token means for it: text, stop rules, events. */
#include "engine/engine_internal.h"

#include "base/mem.h"
#include <math.h>

struct sampling sampling_default(void)
{
	return (struct sampling){.temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1, .max_tokens = 16, .top_logprobs = -1, .skip_special = true};
}

/* --- checks --------------------------------------------------------------------------------------------------- */

static int check_range(const char *name, double value, double min, double max, struct err *err)
{
	if (value >= min && value <= max)
		return 0;
	return err_set(err, ERR_INVALID, "%s is %g, it must be from %g to %g", name, value, min, max);
}

static int check_sampling(const struct sampling *s, struct err *err)
{
	const struct { const char *name; double value, min, max; } rows[] = {
		{"temperature", s->temperature, 0, 100},
		{"top_k", s->top_k, 0, INT32_MAX},
		{"top_p", s->top_p, 1e-9, 1},
		{"min_p", s->min_p, 0, 1},
		{"typical_p", s->typical_p, 1e-9, 1},
		{"repetition_penalty", s->repetition_penalty, 1e-3, 1e3},
		{"presence_penalty", s->presence_penalty, -100, 100},
		{"frequency_penalty", s->frequency_penalty, -100, 100},
		{"max_tokens", s->max_tokens, 1, INT32_MAX},
		{"min_tokens", s->min_tokens, 0, INT32_MAX},
		{"top_logprobs", s->top_logprobs, -1, LIMIT_LOGPROBS},
		{"number of logit_bias entries", (double)s->n_bias, 0, LIMIT_LOGIT_BIAS},
		{"number of stop strings", (double)s->n_stop, 0, LIMIT_STOP_STRINGS},
		{"number of stop ids", (double)s->n_stop_ids, 0, LIMIT_LOGIT_BIAS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (check_range(rows[i].name, rows[i].value, rows[i].min, rows[i].max, err) < 0)
			return -1;
	for (size_t i = 0; i < s->n_bias; i++)
		if (check_range("a logit bias", s->bias_values[i], -1000, 1000, err) < 0)
			return -1;
	return 0;
}

static int check_prompt(const struct engine *e, const struct engine_request *r, struct err *err)
{
	size_t most = (size_t)e->options.max_model_len - (r->embed ? 0 : 1);
	if (r->n_prompt == 0)
		return err_set(err, ERR_INVALID, "the prompt is empty");
	if (r->n_prompt > most)
		return err_set(err, ERR_LIMIT, "the prompt has %zu tokens, this model takes at most %zu (max_model_len %d)", r->n_prompt, most, e->options.max_model_len);
	for (size_t i = 0; i < r->n_prompt; i++)
		if (r->prompt[i] < 0 || r->prompt[i] >= e->model->config.vocab)
			return err_set(err, ERR_INVALID, "token %zu of the prompt is %d, the vocabulary ends at %d", i, r->prompt[i], e->model->config.vocab - 1);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static const void *copy(struct arena *a, const void *data, size_t count, size_t size)
{
	void *out = arena_array(a, count, size);
	if (count)
		memcpy(out, data, count * size);
	return out;
}

static void copy_request(struct sequence *s, const struct engine_request *r)
{
	struct sampling *o = &s->request.sampling;
	s->request = *r;
	s->request.prompt = copy(&s->arena, r->prompt, r->n_prompt, sizeof *r->prompt);
	o->bias_ids = copy(&s->arena, o->bias_ids, o->n_bias, sizeof *o->bias_ids);
	o->bias_values = copy(&s->arena, o->bias_values, o->n_bias, sizeof *o->bias_values);
	o->stop_ids = copy(&s->arena, o->stop_ids, o->n_stop_ids, sizeof *o->stop_ids);
	str *stops = arena_array(&s->arena, o->n_stop, sizeof *stops);
	for (size_t i = 0; i < o->n_stop; i++)
		stops[i] = (str){arena_strdup(&s->arena, o->stop[i]), o->stop[i].len};
	o->stop = stops;
}

int sequence_new(struct sequence **out, const struct engine *e, const struct engine_request *r, struct err *err)
{
	if (check_prompt(e, r, err) < 0 || (!r->embed && check_sampling(&r->sampling, err) < 0))
		return -1;
	struct sequence *s = mem_alloc(sizeof *s);
	copy_request(s, r);
	s->slot = -1;
	s->n_prompt = (int32_t)r->n_prompt;
	s->detok = (struct detok){.tokenizer = e->tokenizer, .skip_special = r->sampling.skip_special};
	s->stop = (struct stop_match){.stops = s->request.sampling.stop, .n = r->sampling.n_stop, .include = r->sampling.include_stop};
	*out = s;
	return 0;
}

void sequence_free(struct sequence *s)
{
	stop_match_done(&s->stop);
	buf_done(&s->text);
	buf_done(&s->piece);
	arena_done(&s->arena);
	free(s);
}

/* --- events --------------------------------------------------------------------------------------------------------- */

static void send(struct sequence *s, struct engine_event event)
{
	event.text = buf_str(&s->text);
	event.finish = s->finish;
	event.prompt_tokens = s->n_prompt;
	event.output_tokens = s->n_tokens > s->n_prompt ? s->n_tokens - s->n_prompt : 0;
	event.cached_tokens = s->n_cached;
	s->request.on_event(s->request.arg, &event);
	buf_clear(&s->text);
}

static void add_logprobs(const struct sequence *s, struct engine_event *event)
{
	if (s->request.sampling.top_logprobs < 0)
		return;
	event->chosen = (struct token_logprob){event->id, s->chosen_logprob};
	event->top = s->top;
	event->n_top = (size_t)s->request.sampling.top_logprobs;
}

static bool is_end_token(const struct engine *e, const struct sequence *s, int32_t id)
{
	const struct sampling *o = &s->request.sampling;
	for (size_t i = 0; i < o->n_stop_ids; i++)
		if (o->stop_ids[i] == id)
			return true;
	return !o->ignore_eos && e->tokenizer && tokenizer_is_eog(e->tokenizer, id);
}

/* Text of the token through detokeniser and stop rules. True when a stop string was completed. */
static bool add_text(struct sequence *s, int32_t n_output)
{
	bool early = n_output < s->request.sampling.min_tokens;
	bool matched = false;
	if (early)
		buf_put_str(&s->text, buf_str(&s->piece));
	else
		matched = stop_match_push(&s->stop, buf_str(&s->piece), &s->text);
	buf_clear(&s->piece);
	return matched;
}

static void finish_text(struct sequence *s)
{
	if (s->detok.tokenizer)
		detok_finish(&s->detok, &s->piece);
	buf_put_str(&s->stop.held, buf_str(&s->piece));
	stop_match_finish(&s->stop, &s->text);
}

void sequence_token(struct engine *e, struct sequence *s, int32_t id)
{
	const struct sampling *o = &s->request.sampling;
	s->tokens[s->n_tokens++] = id;
	int32_t n_output = s->n_tokens - s->n_prompt;
	bool end = is_end_token(e, s, id);
	if (s->detok.tokenizer && (!end || o->include_stop))
		detok_push(&s->detok, id, &s->piece);
	bool matched = add_text(s, n_output);
	if (matched || end)
		s->finish = FINISH_STOP;
	else if (n_output >= o->max_tokens || s->n_tokens >= e->options.max_model_len)
		s->finish = FINISH_LENGTH;
	if (s->finish != FINISH_NONE && !matched)
		finish_text(s);
	struct engine_event event = {.id = id};
	add_logprobs(s, &event);
	send(s, event);
}

void sequence_prompt_token(struct sequence *s, int32_t index, float logprob, const struct token_logprob *top, size_t n_top)
{
	struct engine_event event = {.id = s->tokens[index], .chosen = {s->tokens[index], logprob}, .top = top, .n_top = n_top};
	if (s->detok.tokenizer)
		tokenizer_piece(s->detok.tokenizer, event.id, index == 0, &s->text);
	send(s, event);
}

void sequence_end(struct sequence *s, enum finish finish)
{
	s->finish = finish;
	if (!s->request.embed)
		finish_text(s);
	send(s, (struct engine_event){.id = -1});
}
