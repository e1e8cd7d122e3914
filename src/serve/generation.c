/* generation.c: see generation.h. The engine's thread copies each event into a list node and signals; everything else
 * happens on the handler's thread, so only the list is shared. */
#include "serve/generation.h"
#include "serve/routes.h"

#include "base/clock.h"

struct node {
	struct node *next;
	size_t choice;
	struct engine_event event;     /* text and top point behind the node */
	struct err err;
};
struct slot { struct generation *g; size_t choice; }; /* the engine's callback argument */

struct generation {
	struct http_exchange *x;
	int n;                         /* choices of each prompt */
	size_t n_choices, n_submitted, n_ended;
	struct generation_choice *choices;
	struct slot *slots;
	int64_t start_ms;
	struct node *current;          /* the event of the last generation_next */
	pthread_mutex_t mu;            /* guards head, tail */
	pthread_cond_t more;
	struct node *head, *tail;
};

/* --- the engine's thread --------------------------------------------------------------------------------------- */

static struct node *copy_event(const struct engine_event *e, size_t choice)
{
	size_t top = e->n_top * sizeof *e->top;
	struct node *n = mem_alloc(sizeof *n + top + e->text.len);
	char *tail = (char *)(n + 1);
	n->choice = choice;
	n->event = *e;
	if (top)
		memcpy(tail, e->top, top);
	n->event.top = (const struct token_logprob *)tail;
	if (e->text.len)
		memcpy(tail + top, e->text.data, e->text.len);
	n->event.text.data = tail + top;
	if (e->err)
		n->err = *e->err;
	n->event.err = NULL;
	return n;
}

static void on_event(void *arg, const struct engine_event *event)
{
	struct slot *slot = arg;
	struct generation *g = slot->g;
	struct node *n = copy_event(event, slot->choice);
	pthread_mutex_lock(&g->mu);
	if (g->tail)
		g->tail->next = n;
	else
		g->head = n;
	g->tail = n;
	pthread_cond_signal(&g->more);
	pthread_mutex_unlock(&g->mu);
}

/* --- the handler's thread -------------------------------------------------------------------------------------- */

static void cancel_all(void *arg)
{
	struct generation *g = arg;
	for (size_t i = 0; i < g->n_submitted; i++)
		engine_cancel(serve_of(g->x)->o.engine, g->choices[i].engine_id);
}

static int submit(struct generation *g, const struct generation_spec *spec, size_t choice, struct err *err)
{
	const struct generation_prompt *p = &spec->prompts[choice / (size_t)spec->n];
	g->slots[choice] = (struct slot){g, choice};
	struct engine_request r = {
		.prompt = p->ids, .n_prompt = p->len, .sampling = spec->sampling, .adapter = spec->adapter,
		.deadline_ms = spec->deadline_ms, .score_prompt = spec->score_prompt, .on_event = on_event, .arg = &g->slots[choice],
	};
	r.sampling.seed += choice % (size_t)spec->n;
	if (engine_submit(serve_of(g->x)->o.engine, &r, &g->choices[choice].engine_id, err) < 0)
		return -1;
	g->n_submitted++;
	return 0;
}

static void count_params(struct serve *s, const struct generation_spec *spec)
{
	metrics_observe(s->metrics, METRIC_PARAM_N, NULL, spec->n);
	metrics_observe(s->metrics, METRIC_PARAM_MAX_TOKENS, NULL, spec->sampling.max_tokens);
}

int generation_start(struct generation **out, struct http_exchange *x, const struct generation_spec *spec, struct err *err)
{
	struct generation *g = mem_alloc(sizeof *g);
	g->x = x;
	g->n = spec->n;
	g->n_choices = spec->n_prompts * (size_t)spec->n;
	g->choices = mem_array(g->n_choices, sizeof *g->choices);
	g->slots = mem_array(g->n_choices, sizeof *g->slots);
	g->start_ms = clock_now_ms();
	pthread_mutex_init(&g->mu, NULL);
	pthread_cond_init(&g->more, NULL);
	atomic_fetch_add(&serve_of(x)->sequences, (int)g->n_choices);
	for (size_t i = 0; i < g->n_choices; i++) {
		if (submit(g, spec, i, err) < 0) {
			generation_free(g);
			return err->kind == ERR_BUSY ? admission_reply_full(x) + 1 : -1;
		}
	}
	count_params(serve_of(x), spec);
	http_on_gone(x, cancel_all, g);
	*out = g;
	return 0;
}

static struct node *take(struct generation *g)
{
	pthread_mutex_lock(&g->mu);
	while (!g->head)
		pthread_cond_wait(&g->more, &g->mu);
	struct node *n = g->head;
	g->head = n->next;
	if (!g->head)
		g->tail = NULL;
	pthread_mutex_unlock(&g->mu);
	return n;
}

static struct generation_token add_token(struct generation_choice *c, const struct engine_event *e)
{
	struct generation_token t = {e->id, e->chosen.logprob, (uint32_t)c->top.len, (uint32_t)e->n_top, c->text.len};
	vec_append(&c->top, e->top, e->n_top);
	return t;
}

static void measure_token(struct generation *g, struct generation_choice *c)
{
	struct metrics *m = serve_of(g->x)->metrics;
	int64_t now = clock_now_ms();
	if (c->started)
		metrics_observe(m, METRIC_INTER_TOKEN, NULL, (double)(now - c->last_ms) / 1000);
	else
		metrics_observe(m, METRIC_TTFT, NULL, (double)(now - g->start_ms) / 1000);
	c->started = true;
	c->last_ms = now;
}

static void measure_end(struct generation *g, const struct generation_choice *c)
{
	static const char *const LABELS[] = {
		[FINISH_NONE] = NULL, [FINISH_STOP] = "finished_reason=\"stop\"", [FINISH_LENGTH] = "finished_reason=\"length\"",
		[FINISH_CANCELLED] = "finished_reason=\"abort\"", [FINISH_DEADLINE] = "finished_reason=\"abort\"", [FINISH_ERROR] = "finished_reason=\"error\"",
	};
	struct metrics *m = serve_of(g->x)->metrics;
	metrics_add(m, METRIC_SUCCESS, LABELS[c->finish], 1);
	metrics_observe(m, METRIC_E2E, NULL, (double)(clock_now_ms() - g->start_ms) / 1000);
	metrics_observe(m, METRIC_PROMPT_SIZE, NULL, c->n_prompt);
	metrics_observe(m, METRIC_GENERATION_SIZE, NULL, c->n_output);
	atomic_fetch_sub(&serve_of(g->x)->sequences, 1);
}

/* A scored prompt token; its text is the prompt's, which the endpoint has already. */
static bool is_of_prompt(const struct engine_event *e) { return e->id >= 0 && e->output_tokens == 0; }

/* Adds the event to its choice; says whether it was the choice's last. */
static bool apply(struct generation *g, const struct node *n)
{
	struct generation_choice *c = &g->choices[n->choice];
	const struct engine_event *e = &n->event;
	bool of_prompt = is_of_prompt(e);
	if (!of_prompt)
		buf_put_str(&c->text, e->text);
	c->n_prompt = e->prompt_tokens ? e->prompt_tokens : c->n_prompt;
	c->n_cached = e->cached_tokens ? e->cached_tokens : c->n_cached;
	if (of_prompt) {
		vec_push(&c->prompt_tokens, add_token(c, e));
	} else if (e->id >= 0) {
		c->n_output = e->output_tokens;
		vec_push(&c->tokens, add_token(c, e));
		measure_token(g, c);
	}
	if (e->finish == FINISH_NONE)
		return false;
	c->finish = e->finish;
	c->n_output = e->output_tokens ? e->output_tokens : c->n_output;
	g->n_ended++;
	measure_end(g, c);
	return true;
}

static int finish_error(const struct node *n, struct err *err)
{
	switch (n->event.finish) {
	case FINISH_NONE:
	case FINISH_STOP:
	case FINISH_LENGTH:
		return 0;
	case FINISH_CANCELLED:
		return err_set(err, ERR_CANCELLED, "the request was cancelled");
	case FINISH_DEADLINE:
		return err_set(err, ERR_TIMEOUT, "the request took longer than its deadline allows");
	case FINISH_ERROR:
		break;
	}
	if (n->err.kind == ERR_NONE)
		return err_set(err, ERR_INTERNAL, "the engine failed without a reason");
	*err = n->err;
	return -1;
}

int generation_next(struct generation *g, size_t *choice, str *text, struct err *err)
{
	free(g->current);
	g->current = NULL;
	if (g->n_ended == g->n_choices)
		return 1;
	struct node *n = g->current = take(g);
	bool last = apply(g, n);
	*choice = n->choice;
	*text = is_of_prompt(&n->event) ? STR("") : n->event.text;
	return last ? finish_error(n, err) : 0;
}

int generation_collect(struct generation *g, struct err *err)
{
	size_t choice;
	str text;
	for (;;) {
		int rc = generation_next(g, &choice, &text, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
}

size_t generation_count(const struct generation *g) { return g->n_choices; }
const struct generation_choice *generation_at(const struct generation *g, size_t choice) { return &g->choices[choice]; }

const char *generation_finish_name(enum finish f)
{
	static const char *const NAMES[] = {
		[FINISH_NONE] = NULL, [FINISH_STOP] = "stop", [FINISH_LENGTH] = "length",
		[FINISH_CANCELLED] = "abort", [FINISH_DEADLINE] = "abort", [FINISH_ERROR] = "error",
	};
	return NAMES[f];
}

void generation_tokens(const struct generation *g, int64_t *prompt, int64_t *output, int64_t *cached)
{
	*prompt = *output = *cached = 0;
	for (size_t i = 0; i < g->n_choices; i++) {
		*output += g->choices[i].n_output;
		if (i % (size_t)g->n == 0) {
			*prompt += g->choices[i].n_prompt;
			*cached += g->choices[i].n_cached;
		}
	}
}

json_t *generation_usage(const struct generation *g)
{
	int64_t prompt, output, cached;
	generation_tokens(g, &prompt, &output, &cached);
	json_t *details = cached ? json_pack("{s:I}", "cached_tokens", (json_int_t)cached) : json_null();
	return json_pack("{s:I,s:I,s:I,s:o}", "prompt_tokens", (json_int_t)prompt, "total_tokens", (json_int_t)(prompt + output),
			 "completion_tokens", (json_int_t)output, "prompt_tokens_details", details);
}

static void release(struct generation *g)
{
	for (size_t i = 0; i < g->n_choices; i++) {
		buf_done(&g->choices[i].text);
		vec_done(&g->choices[i].tokens);
		vec_done(&g->choices[i].prompt_tokens);
		vec_done(&g->choices[i].top);
	}
	free(g->current);
	free(g->choices);
	free(g->slots);
	pthread_mutex_destroy(&g->mu);
	pthread_cond_destroy(&g->more);
	free(g);
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	http_on_gone(g->x, NULL, NULL);
	if (g->n_ended < g->n_submitted)
		cancel_all(g);
	while (g->n_ended < g->n_submitted) {
		struct node *n = take(g);
		apply(g, n);
		free(n);
	}
	atomic_fetch_sub(&serve_of(g->x)->sequences, (int)(g->n_choices - g->n_submitted));
	release(g);
}
