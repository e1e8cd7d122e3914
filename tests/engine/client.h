/* client.h: a caller of the engine for tests: collects one request's events and lets the test wait for them. */
#pragma once
#include "engine/engine.h"
#include "golden.h"
#include <pthread.h>

enum { CLIENT_TOKENS_MAX = 512 };
struct client {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int32_t ids[CLIENT_TOKENS_MAX], n;       /* output tokens */
	double prompt_logprobs; int32_t n_prompt_events;
	float logprobs[CLIENT_TOKENS_MAX];
	struct engine_event last;                /* its pointers are dead */
	struct token_logprob best; size_t n_top; /* first entry of the last event's list */
	bool done, hold;                         /* hold: the engine's thread waits in the first event until released */
	uint64_t id;
	struct engine_request request;
};

static inline void client_on_event(void *arg, const struct engine_event *e)
{
	struct client *c = arg;
	pthread_mutex_lock(&c->mu);
	if (e->id >= 0 && e->output_tokens == 0) {
		c->prompt_logprobs += c->n_prompt_events > 0 ? (double)e->chosen.logprob : 0;
		c->n_prompt_events++;
	} else if (e->id >= 0) {
		c->logprobs[c->n] = e->chosen.logprob;
		c->ids[c->n++] = e->id;
	}
	c->last = *e;
	c->n_top = e->n_top;
	c->best = e->n_top ? e->top[0] : (struct token_logprob){0};
	c->done = e->finish != FINISH_NONE;
	pthread_cond_broadcast(&c->changed);
	while (c->hold)
		pthread_cond_wait(&c->changed, &c->mu);
	pthread_mutex_unlock(&c->mu);
}

static inline void client_init(struct client *c, const struct golden_ids *g, int32_t max_tokens)
{
	*c = (struct client){.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	c->request = (struct engine_request){.prompt = g->ids, .n_prompt = (size_t)g->n, .sampling = sampling_default(), .adapter = -1, .on_event = client_on_event, .arg = c};
	c->request.sampling.temperature = 0;
	c->request.sampling.max_tokens = max_tokens;
	c->request.sampling.ignore_eos = true;
}

static inline void client_submit(struct engine *e, struct client *c)
{
	struct err err = ERR_INIT;
	ck_assert_msg(engine_submit(e, &c->request, &c->id, &err) == 0, "%s", err.message);
}

static inline void client_release(struct client *c)
{
	pthread_mutex_lock(&c->mu);
	c->hold = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mu);
}

static inline void client_wait_first(struct client *c)
{
	pthread_mutex_lock(&c->mu);
	while (c->n == 0)
		pthread_cond_wait(&c->changed, &c->mu);
	pthread_mutex_unlock(&c->mu);
}

static inline void client_wait(struct client *c)
{
	pthread_mutex_lock(&c->mu);
	while (!c->done)
		pthread_cond_wait(&c->changed, &c->mu);
	pthread_mutex_unlock(&c->mu);
}
