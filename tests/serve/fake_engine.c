/* fake_engine.c: see fake_engine.h. A thread per request, so that many may be held at once. */
#include "serve/fake_engine.h"

#include "base/clock.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FAKE_REQUESTS 4096

struct fake_request {
	struct engine *e;
	struct engine_request r;
	int32_t *prompt;
	uint64_t id;
	bool cancelled;
	pthread_t thread;
};
struct engine {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct fake_engine o;
	struct fake_request *requests[FAKE_REQUESTS];
	uint64_t n;
	int active, held, cancelled;
	bool open, drained;
	uint64_t prompt_tokens, output_tokens;
	struct { char name[128]; char folder[256]; } adapters[LIMIT_ADAPTERS];
	int n_adapters;
	struct sampling last;
	int last_adapter;
};
struct tokenizer { char bytes[256]; };

/* --- tokenizer and template ------------------------------------------------------------------------------------------ */

static struct tokenizer the_tokenizer; /* written once by fake_tokenizer, before any thread */

struct tokenizer *fake_tokenizer(void)
{
	for (int i = 0; i < 256; i++)
		the_tokenizer.bytes[i] = (char)i;
	return &the_tokenizer;
}
int32_t tokenizer_vocab_size(const struct tokenizer *t) { (void)t; return 258; }
int32_t tokenizer_bos(const struct tokenizer *t) { (void)t; return 256; }
int32_t tokenizer_eos(const struct tokenizer *t) { (void)t; return 257; }

str tokenizer_token(const struct tokenizer *t, int32_t id)
{
	if (id > 255)
		return id == 256 ? STR("<bos>") : STR("<eos>");
	return (str){&t->bytes[id], 1};
}

int tokenizer_encode(const struct tokenizer *t, str text, bool add_special, bool parse_special, struct token_vec *out, struct err *err)
{
	(void)t, (void)parse_special;
	size_t bad;
	if (!str_is_utf8(text, &bad))
		return err_set(err, ERR_INVALID, "text is not UTF-8 at byte %zu", bad);
	if (add_special)
		vec_push(out, 256);
	for (size_t i = 0; i < text.len; i++)
		vec_push(out, (unsigned char)text.data[i]);
	return 0;
}

void tokenizer_piece(const struct tokenizer *t, int32_t id, bool first, struct buf *out)
{
	(void)first;
	buf_put_str(out, tokenizer_token(t, id));
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < n; i++)
		if (!skip_special || ids[i] < 256)
			tokenizer_piece(t, ids[i], false, out);
	return 0;
}

/* --- the engine -------------------------------------------------------------------------------------------------------- */

struct sampling sampling_default(void)
{
	return (struct sampling){.temperature = 1, .top_p = 1, .typical_p = 1, .repetition_penalty = 1, .max_tokens = 16, .top_logprobs = -1, .skip_special = true};
}

struct engine *fake_engine_new(const struct fake_engine *options)
{
	struct engine *e = mem_alloc(sizeof *e);
	pthread_mutex_init(&e->mu, NULL);
	pthread_cond_init(&e->changed, NULL);
	e->o = *options;
	e->o.max_sequences = e->o.max_sequences ? e->o.max_sequences : 4;
	e->o.max_waiting = e->o.max_waiting ? e->o.max_waiting : 4096;
	e->o.max_model_len = e->o.max_model_len ? e->o.max_model_len : 1000;
	return e;
}

void engine_free(struct engine *e)
{
	for (uint64_t i = 0; i < e->n; i++) {
		engine_cancel(e, i);
		pthread_join(e->requests[i]->thread, NULL);
		free(e->requests[i]->prompt);
		free(e->requests[i]);
	}
	free(e);
}

void fake_release(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	e->open = true;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mu);
}

static int locked_read(struct engine *e, const int *value)
{
	pthread_mutex_lock(&e->mu);
	int v = *value;
	pthread_mutex_unlock(&e->mu);
	return v;
}
int fake_cancelled(struct engine *e) { return locked_read(e, &e->cancelled); }
int fake_held(struct engine *e) { return locked_read(e, &e->held); }

struct sampling fake_last_sampling(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	struct sampling s = e->last;
	pthread_mutex_unlock(&e->mu);
	return s;
}

int32_t fake_last_adapter(struct engine *e) { return locked_read(e, &e->last_adapter); }

/* What the request will be answered with, and what its prompt asks the fake to do. */
struct script { char text[4096]; size_t len; bool hold, fail; };

static void read_script(const struct fake_request *q, struct script *s)
{
	char prompt[4096];
	size_t n = 0;
	for (size_t i = 0; i < q->r.n_prompt && n < sizeof prompt - 1; i++)
		if (q->prompt[i] < 256)
			prompt[n++] = (char)q->prompt[i];
	prompt[n] = 0;
	s->hold = strstr(prompt, "[hold]") != NULL;
	s->fail = strstr(prompt, "[fail]") != NULL;
	for (size_t i = 0; i < n; i++)
		s->text[i] = (char)toupper((unsigned char)prompt[i]);
	s->len = n;
	if (strstr(prompt, "[utf8]")) {
		memcpy(s->text, "é", 2);
		s->len = 2;
	}
}

/* Where the answer ends because a stop string is complete; s->len when none is. */
static size_t stop_at(const struct fake_request *q, const struct script *s)
{
	size_t end = s->len;
	for (size_t k = 0; k < q->r.sampling.n_stop; k++) {
		str stop = q->r.sampling.stop[k];
		for (size_t i = 0; i + stop.len <= end; i++)
			if (memcmp(s->text + i, stop.data, stop.len) == 0)
				end = i;
	}
	return end;
}

/* Waits for a slot and, when held, for the gate. The reason to end early, or FINISH_NONE. */
static enum finish wait_turn(struct fake_request *q, bool hold)
{
	struct engine *e = q->e;
	enum finish f = FINISH_NONE;
	pthread_mutex_lock(&e->mu);
	while (hold && !e->open && !q->cancelled) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 5000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&e->changed, &e->mu, &until);
		if (q->r.deadline_ms && clock_now_ms() > q->r.deadline_ms) {
			f = FINISH_DEADLINE;
			break;
		}
	}
	if (q->cancelled)
		f = FINISH_CANCELLED;
	pthread_mutex_unlock(&e->mu);
	return f;
}

static void send_token(const struct fake_request *q, int32_t id, str text, int32_t output_tokens, enum finish finish)
{
	struct token_logprob top[LIMIT_LOGPROBS];
	int32_t n_top = q->r.sampling.top_logprobs > 0 ? q->r.sampling.top_logprobs : 0;
	for (int32_t i = 0; i < n_top; i++)
		top[i] = (struct token_logprob){(id + i) % 256, -0.5f - (float)i};
	struct engine_event ev = {.id = id, .text = text, .chosen = {id, -0.5f}, .top = top, .n_top = (size_t)n_top, .finish = finish,
				  .prompt_tokens = (int32_t)q->r.n_prompt, .output_tokens = output_tokens};
	q->r.on_event(q->r.arg, &ev);
}

static void send_end(const struct fake_request *q, enum finish finish, int32_t output_tokens, const struct err *err)
{
	struct engine_event ev = {.id = -1, .finish = finish, .prompt_tokens = (int32_t)q->r.n_prompt, .output_tokens = output_tokens, .err = err};
	q->r.on_event(q->r.arg, &ev);
}

static enum finish generate(const struct fake_request *q, const struct script *s, int32_t *count)
{
	size_t end = stop_at(q, s), sent = 0;
	if (q->r.score_prompt)
		for (size_t i = 1; i < q->r.n_prompt; i++)
			send_token(q, q->prompt[i], tokenizer_token(&the_tokenizer, q->prompt[i]), 0, FINISH_NONE);
	for (size_t i = 0; i < end; i++) {
		if (*count == q->r.sampling.max_tokens)
			return FINISH_LENGTH;
		size_t whole = (unsigned char)s->text[i] >= 0xC0 ? sent : i + 1; /* hold back half a character */
		++*count;
		send_token(q, (unsigned char)s->text[i], (str){s->text + sent, whole - sent}, *count, FINISH_NONE);
		sent = whole;
		enum finish f = i == 0 ? wait_turn((struct fake_request *)(uintptr_t)q, s->hold) : FINISH_NONE;
		if (f != FINISH_NONE)
			return f;
	}
	return *count == q->r.sampling.max_tokens && end == s->len ? FINISH_LENGTH : FINISH_STOP;
}

static void *serve_one(void *arg)
{
	struct fake_request *q = arg;
	struct engine *e = q->e;
	struct script s = {0};
	struct err failure = ERR_INIT;
	int32_t count = 0;
	read_script(q, &s);
	enum finish f = FINISH_NONE;
	if (s.fail) {
		err_set(&failure, ERR_INTERNAL, "the fake fails as asked");
		f = FINISH_ERROR;
	} else if (q->r.embed) {
		f = wait_turn(q, s.hold);
		for (int i = 0; i < 4; i++)
			q->r.embedding[i] = i == 0 ? (float)q->r.n_prompt : 0.1f;
		f = f == FINISH_NONE ? FINISH_STOP : f;
	} else {
		f = generate(q, &s, &count);
	}
	pthread_mutex_lock(&e->mu);
	e->active--;
	e->held -= s.hold;
	e->cancelled += f == FINISH_CANCELLED;
	e->prompt_tokens += q->r.n_prompt;
	e->output_tokens += (uint64_t)count;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mu);
	send_end(q, f, count, s.fail ? &failure : NULL);
	return NULL;
}

static struct fake_request *copy_request(struct engine *e, const struct engine_request *r)
{
	struct fake_request *q = mem_alloc(sizeof *q);
	*q = (struct fake_request){.e = e, .r = *r, .prompt = mem_array(r->n_prompt, sizeof *q->prompt), .id = e->n};
	memcpy(q->prompt, r->prompt, r->n_prompt * sizeof *q->prompt);
	return q;
}

int engine_submit(struct engine *e, const struct engine_request *r, uint64_t *id, struct err *err)
{
	struct script s = {0};
	pthread_mutex_lock(&e->mu);
	if (e->active >= e->o.max_sequences + e->o.max_waiting || e->n == FAKE_REQUESTS) {
		pthread_mutex_unlock(&e->mu);
		return err_set(err, ERR_BUSY, "the fake's queue is full");
	}
	struct fake_request *q = copy_request(e, r);
	read_script(q, &s);
	e->requests[e->n++] = q;
	e->last = r->sampling;
	e->last_adapter = r->adapter;
	e->active++;
	e->held += s.hold;
	*id = q->id;
	pthread_create(&q->thread, NULL, serve_one, q);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mu);
	return 0;
}

void engine_cancel(struct engine *e, uint64_t id)
{
	pthread_mutex_lock(&e->mu);
	if (id < e->n)
		e->requests[id]->cancelled = true;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->mu);
}

void engine_stats(const struct engine *shared, struct engine_stats *out)
{
	struct engine *e = (struct engine *)(uintptr_t)shared;
	pthread_mutex_lock(&e->mu);
	int waiting = e->active > e->o.max_sequences ? e->active - e->o.max_sequences : 0;
	*out = (struct engine_stats){.running = e->active - waiting, .waiting = waiting, .prompt_tokens = e->prompt_tokens, .output_tokens = e->output_tokens,
				     .max_model_len = e->o.max_model_len, .max_sequences = e->o.max_sequences, .kv_usage = 0.5, .kv_bytes = 4096};
	pthread_mutex_unlock(&e->mu);
}

/* --- adapters ---------------------------------------------------------------------------------------------------------- */

int32_t engine_adapter_find(const struct engine *e, const char *name)
{
	for (int i = 0; i < e->n_adapters; i++)
		if (strcmp(e->adapters[i].name, name) == 0)
			return i;
	return -1;
}

int engine_adapter_add(struct engine *e, const char *name, const char *folder, float strength, struct err *err)
{
	(void)strength;
	if (engine_adapter_find(e, name) >= 0)
		return err_set(err, ERR_EXISTS, "an adapter '%s' is loaded already", name);
	if (strstr(folder, "missing"))
		return err_set(err, ERR_NOT_FOUND, "no adapter_config.json in '%s'", folder);
	snprintf(e->adapters[e->n_adapters].name, sizeof e->adapters[0].name, "%s", name);
	snprintf(e->adapters[e->n_adapters++].folder, sizeof e->adapters[0].folder, "%s", folder);
	return 0;
}

int engine_adapter_remove(struct engine *e, const char *name, struct err *err)
{
	int32_t i = engine_adapter_find(e, name);
	if (i < 0)
		return err_set(err, ERR_NOT_FOUND, "no adapter '%s' is loaded", name);
	e->adapters[i].name[0] = 0;
	return 0;
}
