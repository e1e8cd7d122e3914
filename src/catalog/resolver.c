/* resolver.c: models outside the catalogue, by name. A thread asks the hub; whoever wants the answer waits for it until a deadline of its
 * own, so that an admission is quick however slow the hub is, while the question goes on and its answer serves the next one who asks.
 * One question per name is under way at a time, and LIMIT_HUB_QUESTIONS over all names.
 *
 * What is found stays for the process's life: a model's row does not change under a running Workspace. Failures are forgotten when nobody
 * waits for them any more, so that another try asks again. */
#include "catalog/model.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/thread.h"
#include "base/vec.h"
#include "catalog/hub_facts.h"
#include "hub/source.h"
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>
#include <time.h>

enum { STACK_BYTES = 512 << 10 };
#define QUESTION_MS ((int64_t)30000)     /* then whoever waits next ends it */
#define LOOK_MS ((int64_t)200)          /* so often whoever waits looks whether the process is to stop */
#define KEPT_FRESH_S ((int64_t)7 * 86400) /* kept answers younger than this are not asked for again */

struct entry { /* guarded by the resolver's mu; while `running`, its thread alone uses arena and facts */
	struct catalog_resolver *resolver;
	char *name, *key;        /* as first written; in lower case */
	char *token;             /* of the question under way */
	bool running, found;
	unsigned waiters;
	int64_t started_ms;
	atomic_bool cancel;
	struct arena arena;
	struct catalog_model model;
	struct err err;          /* why it was not found */
	bool with_token;         /* the failed question had one */
};
struct catalog_resolver {
	char *url, *folder;
	bool trusted;
	const atomic_bool *stop; /* NULL: nobody sets it */
	pthread_mutex_t mu;
	pthread_cond_t changed;  /* a question ended; CLOCK_MONOTONIC */
	struct map entries;      /* lower-case name -> entry */
	unsigned in_flight;
	VEC(pthread_t) ended;    /* threads to join: what a thread keeps for itself is freed at its very end */
};

static void entry_free(void *value)
{
	struct entry *e = value;
	arena_done(&e->arena);
	free(e->name);
	free(e->key);
	free(e->token);
	free(e);
}

struct catalog_resolver *catalog_resolver_new(const char *hub_url, const char *cache_dir)
{
	struct catalog_resolver *r = mem_alloc(sizeof *r);
	const char *from_env = getenv("HF_ENDPOINT");
	r->trusted = hub_url != NULL;
	r->url = mem_strdup(hub_url ? hub_url : from_env && from_env[0] ? from_env : "https://huggingface.co");
	for (size_t n = strlen(r->url); n && r->url[n - 1] == '/';)
		r->url[--n] = 0;
	r->folder = cache_dir && cache_dir[0] ? mem_strdup(cache_dir) : NULL;
	r->entries.free_value = entry_free;
	thread_cond_init(&r->changed);
	pthread_mutex_init(&r->mu, NULL);
	return r;
}

void catalog_resolver_stop_with(struct catalog_resolver *r, const atomic_bool *stop) { r->stop = stop; }

/* Caller holds mu, which a thread in `ended` needs no more. */
static void join_ended(struct catalog_resolver *r)
{
	for (size_t i = 0; i < r->ended.len; i++)
		pthread_join(r->ended.data[i], NULL);
	r->ended.len = 0;
}

void catalog_resolver_free(struct catalog_resolver *r)
{
	if (!r)
		return;
	struct map_entry item;
	pthread_mutex_lock(&r->mu);
	for (size_t i = 0; map_next(&r->entries, &i, &item);)
		atomic_store(&((struct entry *)item.value)->cancel, true);
	while (r->in_flight)
		pthread_cond_wait(&r->changed, &r->mu);
	join_ended(r);
	pthread_mutex_unlock(&r->mu);
	vec_done(&r->ended);
	map_done(&r->entries);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mu);
	free(r->url);
	free(r->folder);
	free(r);
}

/* --- the question, on its own thread ------------------------------------------------------------------------------ */

static int ask(struct entry *e, struct hub_facts *facts, struct err *err)
{
	const struct catalog_resolver *r = e->resolver;
	int64_t age_s = 0;
	bool kept = r->folder && hub_facts_load(r->folder, e->name, facts, &age_s) == 1;
	if (kept && age_s < KEPT_FRESH_S)
		return 0;
	struct hub_facts asked = {0};
	const struct hub_facts_source source = {r->url, r->trusted, e->token, &e->cancel};
	if (hub_facts_ask(&source, e->name, &asked, err) < 0)
		/* An old answer is better than none while the hub is away. */
		return kept && (err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || err->kind == ERR_BUSY) ? 0 : -1;
	hub_facts_done(facts);
	*facts = asked;
	if (r->folder)
		hub_facts_save(r->folder, e->name, facts);
	return 0;
}

static void *run(void *context)
{
	struct entry *e = context;
	struct catalog_resolver *r = e->resolver;
	struct hub_facts facts = {0};
	struct catalog_model model = {0};
	struct err err = ERR_INIT;
	bool found = ask(e, &facts, &err) == 0 && derive_model(e->name, &facts.files, facts.config, facts.gated, &e->arena, &model, &err) == 0;
	hub_facts_done(&facts);
	if (!found) {
		arena_done(&e->arena);
		e->arena = (struct arena){0};
	}
	pthread_mutex_lock(&r->mu);
	e->model = model;
	e->err = err;
	e->found = found;
	e->with_token = e->token != NULL;
	e->running = false;
	if (e->token)
		explicit_bzero(e->token, strlen(e->token));
	free(e->token);
	e->token = NULL;
	if (!found && !e->waiters)
		map_remove(&r->entries, str_of(e->key));
	r->in_flight--;
	vec_push(&r->ended, pthread_self());
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->mu);
	return NULL;
}

/* Caller holds mu. */
static int start(struct entry *e, const char *token, struct err *err)
{
	struct catalog_resolver *r = e->resolver;
	if (r->in_flight >= LIMIT_HUB_QUESTIONS)
		return err_set(err, ERR_BUSY, "%d models are being looked up on the hub already; %s must wait", (int)r->in_flight, e->name);
	join_ended(r);
	pthread_t thread;
	e->token = token && token[0] ? mem_strdup(token) : NULL;
	e->running = true;
	e->started_ms = clock_now_ms();
	atomic_store(&e->cancel, false);
	r->in_flight++;
	int failed = thread_start(&thread, STACK_BYTES, run, e);
	if (!failed)
		return 0;
	r->in_flight--;
	e->running = false;
	return err_set_errno(err, ERR_INTERNAL, failed, "start a thread to look up %s", e->name);
}

/* --- those who wait ----------------------------------------------------------------------------------------------- */

static bool stopping(const struct catalog_resolver *r) { return r->stop && atomic_load(r->stop); }

/* Caller holds mu. 0: the question ended; -1: the deadline passed, or the process is to stop. */
static int wait_for(struct entry *e, int64_t deadline_ms, int64_t asked_ms, struct err *err)
{
	while (e->running) {
		int64_t now = clock_now_ms(), look = now + LOOK_MS < deadline_ms ? now + LOOK_MS : deadline_ms;
		const struct timespec limit = {look / 1000, look % 1000 * 1000000};
		if (now - e->started_ms > QUESTION_MS)
			atomic_store(&e->cancel, true);
		if (stopping(e->resolver))
			return err_set(err, ERR_CANCELLED, "stopped while the model hub was asked about %s", e->name);
		if (now >= deadline_ms)
			return err_set(err, ERR_TIMEOUT, "the model hub has not answered about %s within %lld ms; it is still being asked", e->name, (long long)asked_ms);
		pthread_cond_timedwait(&e->resolver->changed, &e->resolver->mu, &limit);
	}
	return 0;
}

/* Caller holds mu and counts among e's waiters. */
static int obtain(struct entry *e, const char *token, int64_t deadline_ms, int64_t asked_ms, struct err *err)
{
	for (;;) {
		bool started = !e->running && !e->found;
		if (started && start(e, token, err) < 0)
			return -1;
		if (wait_for(e, deadline_ms, asked_ms, err) < 0)
			return -1;
		if (e->found)
			return 0;
		/* Somebody else's question failed for want of the token that this caller has. */
		if (!started && !e->with_token && token && token[0] && (e->err.kind == ERR_DENIED || e->err.kind == ERR_NOT_FOUND))
			continue;
		if (err)
			*err = e->err;
		return -1;
	}
}

static char *lower(const char *name)
{
	char *out = mem_strdup(name);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

static int check_name(const char *preset, struct err *err)
{
	struct source parsed = {0};
	struct err why = ERR_INIT;
	CLEANUP(mem_freep) char *address = mem_printf("hf://%.250s", preset);
	if (!catalog_model_is_hub_name(preset))
		return err_set(err, ERR_NOT_FOUND, "model is not registered: %.100s", preset);
	bool ok = source_parse(address, &parsed, &why) == 0 && strcmp(parsed.repository, preset) == 0;
	source_done(&parsed);
	return ok ? 0 : err_set(err, ERR_INVALID, "'%.100s' is not a model's name: it is ORG/NAME, of letters, digits and . _ -", preset);
}

/* Caller holds mu. */
static struct entry *find_entry(struct catalog_resolver *r, const char *name)
{
	CLEANUP(mem_freep) char *key = lower(name);
	struct entry *e = map_get(&r->entries, str_of(key));
	if (e)
		return e;
	e = mem_alloc(sizeof *e);
	e->resolver = r;
	e->name = mem_strdup(name);
	e->key = mem_strdup(key);
	map_put(&r->entries, str_of(key), e);
	return e;
}

int catalog_resolve(struct catalog_resolver *r, const char *preset, const char *token, int64_t deadline_ms, const struct catalog_model **out, struct err *err)
{
	const struct catalog_model *row = catalog_model_find(preset);
	if (row) {
		*out = row;
		return 0;
	}
	if (check_name(preset, err) < 0)
		return -1;
	pthread_mutex_lock(&r->mu);
	struct entry *e = find_entry(r, preset);
	e->waiters++;
	int rc = obtain(e, token, clock_now_ms() + (deadline_ms > 0 ? deadline_ms : 0), deadline_ms, err);
	e->waiters--;
	if (rc == 0)
		*out = &e->model;
	else if (!e->waiters && !e->running)
		map_remove(&r->entries, str_of(e->key));
	pthread_mutex_unlock(&r->mu);
	return rc;
}
