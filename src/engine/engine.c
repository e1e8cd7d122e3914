/* engine.c: the engine's life, its thread and its queue. The thread owns slots, cache and running sequences; other threads
 * only touch what `mu` guards: the queue, cancel flags, the adapter table, counters. Events are sent with no lock held. */
#include "engine/engine_internal.h"

#include "base/clock.h"
#include "base/mem.h"

enum { DEFAULT_CONTEXT = 4096, DEFAULT_SEQUENCES = 8, DEFAULT_CHUNK = 512, SEQUENCES_MAX = 256, SAMPLES_MIN = 16 };

/* --- building -------------------------------------------------------------------------------------------------------- */

static int options(struct engine *e, const struct engine_options *o, struct err *err)
{
	const struct model_config *c = &e->model->config;
	e->options = *o;
	if (o->max_model_len < 0 || o->max_model_len > c->context)
		return err_set(err, ERR_USAGE, "max_model_len is %d, this model allows up to %d", o->max_model_len, c->context);
	if (o->max_sequences < 0 || o->max_sequences > SEQUENCES_MAX)
		return err_set(err, ERR_USAGE, "%d sequences at once asked for; the limit is %d", o->max_sequences, SEQUENCES_MAX);
	if (o->max_waiting < 0 || o->prefill_chunk < 0 || o->prefill_chunk > LIMIT_CONTEXT_TOKENS)
		return err_set(err, ERR_USAGE, "max_waiting and prefill_chunk must not be negative");
	if (o->max_model_len == 0)
		e->options.max_model_len = c->context < DEFAULT_CONTEXT ? c->context : DEFAULT_CONTEXT;
	if (o->max_sequences == 0)
		e->options.max_sequences = DEFAULT_SEQUENCES;
	if (o->max_waiting == 0)
		e->options.max_waiting = e->options.max_sequences * 8;
	if (o->prefill_chunk == 0)
		e->options.prefill_chunk = DEFAULT_CHUNK;
	return 0;
}

static void find_end_ids(struct engine *e)
{
	int32_t vocab = e->tokenizer ? tokenizer_vocab_size(e->tokenizer) : 0;
	for (int pass = 0; pass < 2; pass++) {
		size_t n = 0;
		for (int32_t id = 0; id < vocab; id++)
			if (tokenizer_is_eog(e->tokenizer, id)) {
				if (pass)
					e->end_ids[n] = id;
				n++;
			}
		if (!pass)
			e->end_ids = mem_array(n, sizeof *e->end_ids);
		e->n_end_ids = n;
	}
}

static void allocate(struct engine *e)
{
	size_t n = (size_t)e->options.max_sequences, rows = n + (size_t)e->options.prefill_chunk;
	e->slots = mem_array(n, sizeof *e->slots);
	for (size_t i = 0; i < n; i++)
		e->slots[i].tokens = mem_array((size_t)e->options.max_model_len, sizeof(int32_t));
	e->ids = mem_array(rows, sizeof *e->ids);
	e->sample_rows = mem_array(n, sizeof *e->sample_rows);
	e->segments = mem_array(n, sizeof *e->segments);
	e->sampled = mem_array(n, sizeof *e->sampled);
	e->samplers = mem_array((size_t)pool_threads(e->pool), sizeof *e->samplers);
	for (int i = 0; i < pool_threads(e->pool); i++)
		sampler_scratch_init(&e->samplers[i], e->model->config.vocab);
	find_end_ids(e);
	e->waiting_tail = &e->waiting;
}

static int build(struct engine *e, const struct engine_options *o, struct err *err)
{
	if (options(e, o, err) < 0 || pool_new(&e->pool, o->threads, err) < 0 || model_pack(e->model, o->compute, e->pool, err) < 0)
		return -1;
	enum kv_type type = o->compute == COMPUTE_F32 ? KV_F32 : KV_F16;
	if (kv_cache_init(&e->kv, &e->model->config, type, e->options.max_sequences, e->options.max_model_len, err) < 0)
		return -1;
	int32_t samples = e->options.max_sequences > SAMPLES_MIN ? e->options.max_sequences : SAMPLES_MIN;
	struct forward_options f = {.compute = o->compute, .max_rows = e->options.prefill_chunk + e->options.max_sequences, .max_samples = samples};
	if (forward_new(&e->forward, e->model, &e->kv, e->pool, f, err) < 0)
		return -1;
	allocate(e);
	return 0;
}

/* --- the thread --------------------------------------------------------------------------------------------------------- */

static void adapter_done(struct engine *e, const struct sequence *s)
{
	if (s->request.adapter >= 0)
		e->adapters[s->request.adapter].users--;
}

static bool expired(const struct sequence *s)
{
	return s->request.deadline_ms > 0 && clock_now_ms() >= s->request.deadline_ms;
}

/* Takes cancelled and expired sequences out of the queue. Called with mu held. */
static struct sequence *take_hopeless(struct engine *e)
{
	struct sequence *gone = NULL;
	struct sequence **at = &e->waiting;
	while (*at) {
		struct sequence *s = *at;
		if (!s->cancelled && !expired(s) && !e->stop) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = gone;
		gone = s;
		e->n_waiting--;
		adapter_done(e, s);
	}
	e->waiting_tail = at;
	return gone;
}

static void admit(struct engine *e)
{
	while (e->waiting && e->n_running < e->options.max_sequences) {
		struct sequence *s = e->waiting;
		e->waiting = s->next;
		if (e->waiting == NULL)
			e->waiting_tail = &e->waiting;
		s->next = NULL;
		e->n_waiting--;
		e->n_running++;
		schedule_admit(e, s);
	}
	for (int32_t i = 0; i < LIMIT_ADAPTERS; i++)
		e->step_adapters[i] = e->adapters[i].lora;
}

static void end_list(struct sequence *list, bool stopping)
{
	while (list) {
		struct sequence *s = list;
		list = s->next;
		sequence_end(s, s->cancelled || stopping ? FINISH_CANCELLED : FINISH_DEADLINE);
		sequence_free(s);
	}
}

/* Running sequences that were cancelled or ran out of time get their last event now. */
static void mark_hopeless(struct engine *e)
{
	for (int32_t i = 0; i < e->options.max_sequences; i++) {
		struct sequence *s = e->slots[i].sequence;
		if (s == NULL)
			continue;
		pthread_mutex_lock(&e->mu);
		bool cancelled = s->cancelled || e->stop;
		pthread_mutex_unlock(&e->mu);
		if (cancelled || expired(s))
			sequence_end(s, cancelled ? FINISH_CANCELLED : FINISH_DEADLINE);
	}
}

static void reap(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	for (int32_t i = 0; i < e->options.max_sequences; i++) {
		struct sequence *s = e->slots[i].sequence;
		if (s == NULL || s->finish == FINISH_NONE)
			continue;
		e->counters.prompt_tokens += (uint64_t)s->n_prompt;
		e->counters.output_tokens += (uint64_t)(s->n_tokens - s->n_prompt);
		e->counters.requests_done++;
		schedule_release(e, s);
		adapter_done(e, s);
		e->n_running--;
		sequence_free(s);
	}
	pthread_cond_broadcast(&e->idle);
	pthread_mutex_unlock(&e->mu);
}

static void *thread_main(void *arg)
{
	struct engine *e = arg;
	pthread_mutex_lock(&e->mu);
	while (!e->stop || e->n_running || e->n_waiting) {
		if (e->n_running + e->n_waiting == 0) {
			pthread_cond_wait(&e->wake, &e->mu);
			continue;
		}
		struct sequence *gone = take_hopeless(e);
		bool stopping = e->stop;
		admit(e);
		bool work = e->n_running > 0;
		pthread_cond_broadcast(&e->idle);
		pthread_mutex_unlock(&e->mu);
		end_list(gone, stopping);
		mark_hopeless(e);
		reap(e);
		if (work && e->n_running > 0) {
			step_run(e);
			reap(e);
		}
		pthread_mutex_lock(&e->mu);
	}
	pthread_mutex_unlock(&e->mu);
	return NULL;
}

/* --- the interface ---------------------------------------------------------------------------------------------------------- */

int engine_new(struct engine **out, struct model *m, const struct tokenizer *t, const struct engine_options *o, struct err *err)
{
	struct engine *e = mem_alloc(sizeof *e);
	e->model = m;
	e->tokenizer = t;
	pthread_mutex_init(&e->mu, NULL);
	pthread_cond_init(&e->wake, NULL);
	pthread_cond_init(&e->idle, NULL);
	if (build(e, o, err) < 0) {
		engine_free(e);
		return -1;
	}
	int rc = pthread_create(&e->thread, NULL, thread_main, e);
	if (rc != 0) {
		engine_free(e);
		return err_set_errno(err, ERR_NO_MEMORY, rc, "start the engine's thread");
	}
	e->started = true;
	*out = e;
	return 0;
}

static void stop_thread(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	e->stop = true;
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->mu);
	pthread_join(e->thread, NULL);
}

void engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	if (e->started)
		stop_thread(e);
	for (int32_t i = 0; e->slots && i < e->options.max_sequences; i++)
		free(e->slots[i].tokens);
	for (int i = 0; e->samplers && i < pool_threads(e->pool); i++)
		sampler_scratch_done(&e->samplers[i]);
	for (int i = 0; i < LIMIT_ADAPTERS; i++)
		lora_free(e->adapters[i].lora);
	forward_free(e->forward);
	kv_cache_done(&e->kv);
	pool_free(e->pool);
	pthread_cond_destroy(&e->idle);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->mu);
	free(e->slots);
	free(e->ids);
	free(e->sample_rows);
	free(e->segments);
	free(e->sampled);
	free(e->samplers);
	free(e->end_ids);
	free(e);
}

void engine_drain(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	e->draining = true;
	while (e->n_running + e->n_waiting > 0)
		pthread_cond_wait(&e->idle, &e->mu);
	pthread_mutex_unlock(&e->mu);
}

/* Called with mu held. */
static int enqueue(struct engine *e, struct sequence *s, struct err *err)
{
	int32_t a = s->request.adapter;
	if (e->draining || e->stop)
		return err_set(err, ERR_BUSY, "the server is shutting down");
	if (a >= LIMIT_ADAPTERS || (a >= 0 && (e->adapters[a].lora == NULL || e->adapters[a].leaving)))
		return err_set(err, ERR_NOT_FOUND, "the adapter was unloaded");
	if (e->n_running + e->n_waiting >= e->options.max_sequences + e->options.max_waiting)
		return err_set(err, ERR_BUSY, "%d requests are waiting already; try again later", e->n_waiting);
	if (a >= 0)
		e->adapters[a].users++;
	s->id = ++e->next_id;
	*e->waiting_tail = s;
	e->waiting_tail = &s->next;
	e->n_waiting++;
	pthread_cond_signal(&e->wake);
	return 0;
}

int engine_submit(struct engine *e, const struct engine_request *r, uint64_t *id, struct err *err)
{
	struct sequence *s;
	if (sequence_new(&s, e, r, err) < 0)
		return -1;
	pthread_mutex_lock(&e->mu);
	int rc = enqueue(e, s, err);
	if (rc == 0 && id)
		*id = s->id;
	pthread_mutex_unlock(&e->mu);
	if (rc < 0)
		sequence_free(s);
	return rc;
}

void engine_cancel(struct engine *e, uint64_t id)
{
	pthread_mutex_lock(&e->mu);
	for (struct sequence *s = e->waiting; s; s = s->next)
		if (s->id == id)
			s->cancelled = true;
	for (int32_t i = 0; i < e->options.max_sequences; i++)
		if (e->slots[i].sequence && e->slots[i].sequence->id == id)
			e->slots[i].sequence->cancelled = true;
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->mu);
}

static double kv_usage(const struct engine *e)
{
	int64_t used = 0;
	for (int32_t i = 0; i < e->options.max_sequences; i++)
		used += e->slots[i].sequence ? e->options.max_model_len : 0;
	return (double)used / ((double)e->options.max_model_len * e->options.max_sequences);
}

static size_t weight_bytes(const struct engine *e)
{
	const struct model *m = e->model;
	size_t sum = m->head.pack ? mat_pack_bytes(&m->head) : m->head.row_bytes * (size_t)m->head.rows;
	for (int32_t layer = 0; layer < m->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct mat *w = &m->layers[layer].linear[slot];
			sum += w->pack ? mat_pack_bytes(w) : w->row_bytes * (size_t)w->rows;
		}
	return sum;
}

void engine_stats(const struct engine *e, struct engine_stats *out)
{
	pthread_mutex_lock((pthread_mutex_t *)&e->mu);
	*out = e->counters;
	out->running = e->n_running;
	out->waiting = e->n_waiting;
	out->kv_usage = kv_usage(e);
	pthread_mutex_unlock((pthread_mutex_t *)&e->mu);
	out->weight_bytes = weight_bytes(e);
	out->kv_bytes = e->kv.bytes;
	out->scratch_bytes = forward_bytes(e->forward);
	out->max_model_len = e->options.max_model_len;
	out->max_sequences = e->options.max_sequences;
}
