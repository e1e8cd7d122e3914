/* bench_runs.c: prompts of random ids (the arithmetic does not care), greedy, end tokens ignored. */
#include "cmd/bench_runs.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include <pthread.h>
#include <stdio.h>

enum { RANK = 8 };

/* What the callbacks of one run record. Guarded by mu. */
struct run {
	pthread_mutex_t mu;
	pthread_cond_t over;
	int32_t sequences, started, ended, tokens;
	int64_t all_started_ns, end_ns;
	int32_t tokens_at_start;
};

static void on_event(void *arg, const struct engine_event *e)
{
	struct run *r = arg;
	pthread_mutex_lock(&r->mu);
	r->tokens += e->id >= 0;
	if (e->output_tokens == 1 && ++r->started == r->sequences) {
		r->all_started_ns = clock_now_ns();
		r->tokens_at_start = r->tokens;
	}
	if (e->finish != FINISH_NONE && ++r->ended == r->sequences) {
		r->end_ns = clock_now_ns();
		pthread_cond_signal(&r->over);
	}
	pthread_mutex_unlock(&r->mu);
}

static void submit(struct bench_runs *b, struct run *r, int32_t prompt, int32_t tokens, int32_t adapter)
{
	int32_t *ids = mem_array((size_t)prompt, sizeof *ids);
	struct engine_request q = {.prompt = ids, .n_prompt = (size_t)prompt, .sampling = sampling_default(), .adapter = adapter, .on_event = on_event, .arg = r};
	b->seed++;
	for (int32_t i = 0; i < prompt; i++)
		ids[i] = (int32_t)random_below(b->seed, RANDOM_TEST, 0, (uint64_t)i, (uint64_t)b->vocab);
	q.sampling.temperature = 0;
	q.sampling.ignore_eos = true;
	q.sampling.max_tokens = tokens;
	struct err err = ERR_INIT;
	if (engine_submit(b->engine, &q, NULL, &err) < 0) {
		fprintf(stderr, "kaito: bench: %s\n", err.message);
		r->ended++;
	}
	free(ids);
}

static void wait_all(struct run *r)
{
	pthread_mutex_lock(&r->mu);
	while (r->ended < r->sequences)
		pthread_cond_wait(&r->over, &r->mu);
	pthread_mutex_unlock(&r->mu);
}

double bench_prefill(struct bench_runs *b, int32_t tokens)
{
	struct run r = {.mu = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER, .sequences = 1};
	int64_t start = clock_now_ns();
	submit(b, &r, tokens, 1, -1);
	wait_all(&r);
	return tokens / ((double)(r.end_ns - start) / 1e9);
}

double bench_decode(struct bench_runs *b, int32_t n, int32_t prompt, int32_t tokens, const int32_t *adapters)
{
	struct run r = {.mu = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER, .sequences = n};
	for (int32_t i = 0; i < n; i++)
		submit(b, &r, prompt, tokens, adapters ? adapters[i] : -1);
	wait_all(&r);
	return (r.tokens - r.tokens_at_start) / ((double)(r.end_ns - r.all_started_ns) / 1e9);
}

static float *noise(struct arena *a, int64_t n, uint64_t seed)
{
	float *x = arena_array(a, (size_t)n, sizeof *x);
	for (int64_t i = 0; i < n; i++)
		x[i] = 0.02f * random_normal(seed, RANDOM_TEST, 1, (uint64_t)i);
	return x;
}

static void fill(struct adapter *a, const struct model *m, const enum linear_slot *slots, size_t n_slots, uint64_t seed)
{
	a->layers = m->config.layers;
	a->pairs = arena_array(&a->arena, (size_t)a->layers * LIN_COUNT, sizeof *a->pairs);
	for (int32_t layer = 0; layer < a->layers; layer++)
		for (size_t i = 0; i < n_slots; i++) {
			const struct mat *w = &m->layers[layer].linear[slots[i]];
			if (w->rows == 0)
				continue;
			*adapter_pair(a, layer, slots[i]) = (struct lora_pair){.rank = RANK, .n = (int32_t)w->rows, .k = (int32_t)w->cols, .scale = 1,
				.a = noise(&a->arena, RANK * w->cols, seed), .b = noise(&a->arena, RANK * w->rows, seed + 1)};
		}
}

static int add_one(struct bench_runs *b, const struct adapter *a, const char *name, int32_t *out, struct err *err)
{
	char folder[] = "/tmp/kaito-bench-XXXXXX";
	struct adapter_meta meta = {.base_model = "bench", .rank = RANK, .alpha = RANK};
	if (mkdtemp(folder) == NULL)
		return err_set(err, ERR_IO, "make a temporary folder for an adapter");
	int rc = adapter_save(a, folder, &meta, err);
	if (rc == 0)
		rc = engine_adapter_add(b->engine, name, folder, 1, err);
	if (rc == 0)
		*out = engine_adapter_find(b->engine, name);
	struct err ignored = ERR_INIT;
	return fd_remove_tree(folder, rc < 0 ? &ignored : err) < 0 ? -1 : rc;
}

int bench_adapters(struct bench_runs *b, const struct model *m, const char *prefix, const enum linear_slot *slots, size_t n_slots, int32_t n, int32_t *out,
		   struct err *err)
{
	for (int32_t i = 0; i < n; i++) {
		struct adapter a = {0};
		char name[64];
		snprintf(name, sizeof name, "%s%d", prefix, i);
		fill(&a, m, slots, n_slots, (uint64_t)i * 2 + 1);
		int rc = add_one(b, &a, name, &out[i], err);
		arena_done(&a.arena);
		if (rc < 0)
			return -1;
	}
	return 0;
}
