/* pools.c: see pools.h. What is known of a pool carries the time it was true at: the start of the LIST that showed it, or the moment of an
 * own request's answer. A LIST that began before that moment says nothing about the pool, so that a pool just created never seems
 * gone. Trees stay inside, where the mutex guards them; what is handed out is a copy. */
#include "azure/pools.h"

#include "azure/pools_listing.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/json.h"
#include <pthread.h>
#include <string.h>

/* Between lists, in units of the least spacing: after something is expected, then the second, then on, and after PATIENT_AFTER_MS
 * without a change. */
enum { FIRST = 1, SECOND = 2, STEADY = 5, PATIENT = 10 };
#define UNIT_MS 1000
#define PATIENT_AFTER_MS 120000
#define YIELD_MS 10000     /* how long pools_yield lasts */
#define FAILED_MS 2000     /* after a failed list, doubled each time */
#define FAILED_MAX_MS 30000
#define LIST_WAIT_MS 30000
#define CANCEL_MS 200      /* a caller that waits for a list looks so often whether the process is to stop */
#define STACK_BYTES ((size_t)512 << 10)

struct entry {
	char *claim;            /* who waits; NULL: nobody */
	char *pool;             /* its JSON as text; NULL: not there */
	int64_t known_ms;       /* 0: never known */
	bool expected, asked;
};
struct pools {
	struct arm *arm;
	const struct azure_environment *environment;
	struct cloud_hooks hooks;
	const atomic_bool *cancel;
	int64_t unit_ms;
	pthread_t thread;
	bool started;
	pthread_mutex_t mu;     /* guards all below */
	pthread_cond_t wake;    /* for the thread */
	pthread_cond_t listed;  /* for pools_list */
	bool stop, asked;       /* asked: a list is wanted now, whatever is expected */
	struct map entries;     /* pool -> struct entry */
	size_t expected;        /* entries that are */
	int64_t list_ms;        /* start of the last good list; 0: none */
	int64_t ended_ms;       /* end of the last attempt */
	int64_t changed_ms;     /* when something was last expected or seen to change */
	int64_t yield_ms;       /* until then */
	int64_t closed_ms;      /* no list before then: the request budget */
	int64_t failed_ms;      /* start of the last attempt when it failed, else 0 */
	int rounds, failures;   /* lists since changed_ms; failed ones in a row */
	struct err last;        /* why the last one failed */
};

static void entry_free(void *value)
{
	struct entry *e = value;
	free(e->pool);
	free(e->claim);
	free(e);
}

static struct entry *entry_at(struct pools *p, const char *pool)
{
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (!e)
		map_put(&p->entries, str_of(pool), e = mem_alloc(sizeof *e));
	return e;
}

/* An entry that nobody waits for and that has no pool is forgotten. */
static void tidy(struct pools *p, const char *pool)
{
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (e && !e->pool && !e->expected && !e->asked)
		map_remove(&p->entries, str_of(pool));
}

/* --- when ------------------------------------------------------------------------------------------------------- */

static int64_t spacing(const struct pools *p, int64_t now)
{
	if (p->failures > 0) {
		int64_t ms = FAILED_MS << (p->failures < 5 ? p->failures - 1 : 4);
		return ms < FAILED_MAX_MS ? ms : FAILED_MAX_MS;
	}
	if (now < p->yield_ms)
		return PATIENT * p->unit_ms;
	if (p->asked || p->rounds == 0)
		return FIRST * p->unit_ms;
	if (p->rounds == 1)
		return SECOND * p->unit_ms;
	return (now - p->changed_ms < PATIENT_AFTER_MS ? STEADY : PATIENT) * p->unit_ms;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* When the next list is due; -1: not at all. */
static int64_t due(const struct pools *p, int64_t now)
{
	if (!p->asked && p->expected == 0)
		return -1;
	if (p->ended_ms == 0 && p->asked)
		return later(now, p->closed_ms);
	bool from_change = !p->asked && p->rounds == 0 && p->changed_ms > p->ended_ms;
	return later((from_change ? p->changed_ms : p->ended_ms) + spacing(p, now), p->closed_ms);
}

static void wait_until(struct pools *p, pthread_cond_t *c, int64_t ms)
{
	if (ms < 0) {
		pthread_cond_wait(c, &p->mu);
		return;
	}
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	pthread_cond_timedwait(c, &p->mu, &t);
}

static bool stopping(const struct pools *p) { return p->stop || (p->cancel && atomic_load(p->cancel)); }

/* --- what changed ------------------------------------------------------------------------------------------------ */

struct told { char **claims; size_t n, cap; };

static void tell(struct told *t, const char *claim)
{
	if (t->n == t->cap)
		t->claims = mem_realloc(t->claims, (t->cap = t->cap ? t->cap * 2 : 16) * sizeof *t->claims);
	t->claims[t->n++] = mem_strdup(claim);
}

/* New reference; NULL for NULL. */
static json_t *parse(const char *text)
{
	json_t *pool = NULL;
	struct err ignored = ERR_INIT; /* it was printed here */
	return text && json_parse(&pool, str_of(text), "agent pool", &ignored) == 0 ? pool : NULL;
}

static bool differs(const char *before, const char *now)
{
	if (!before || !now || strcmp(before, now) == 0)
		return before != now && (!before || !now);
	CLEANUP(json_decrefp) json_t *a = parse(before), *b = parse(now);
	struct agent_pool x, y;
	if (!agent_pool_read(&x, a) || !agent_pool_read(&y, b))
		return true;
	return strcmp(x.state, y.state) != 0 || x.instance != y.instance || strcmp(x.claim_uid, y.claim_uid) != 0;
}

/* A list that began at started_ms shows `pool` (NULL: not) for the entry. */
static void show(struct pools *p, struct entry *e, const char *pool, int64_t started_ms, struct told *t)
{
	bool newer = e->known_ms <= started_ms, asked = e->asked;
	bool changed = newer && differs(e->pool, pool);
	if (newer) {
		if (!pool || !e->pool || strcmp(pool, e->pool) != 0) {
			free(e->pool);
			e->pool = pool ? mem_strdup(pool) : NULL;
		}
		e->known_ms = started_ms;
	}
	e->asked = false;
	if (changed)
		p->changed_ms = clock_now_ms(), p->rounds = 0;
	if (e->claim && (asked || (changed && e->expected)))
		tell(t, e->claim);
}

static void show_all(struct pools *p, const struct map *listed, int64_t started_ms, struct told *t)
{
	struct map_entry at;
	for (size_t i = 0; map_next(listed, &i, &at);)
		entry_at(p, at.key.data);
	for (size_t i = 0; map_next(&p->entries, &i, &at);)
		show(p, at.value, map_get(listed, at.key), started_ms, t);
	for (size_t i = 0; map_next(&p->entries, &i, &at);) {
		const struct entry *e = at.value;
		if (!e->pool && !e->expected && !e->asked)
			map_remove(&p->entries, at.key);
	}
}

/* Those that asked learn from pools_look that it failed. */
static void fail_all(struct pools *p, struct told *t)
{
	struct map_entry at;
	for (size_t i = 0; map_next(&p->entries, &i, &at);) {
		struct entry *e = at.value;
		if (e->asked && e->claim)
			tell(t, e->claim);
		e->asked = false;
	}
}

static void finish(struct pools *p, int result, const struct map *listed, int64_t started_ms, struct told *t)
{
	p->ended_ms = clock_now_ms();
	p->rounds++;
	if (result == 0) {
		p->list_ms = started_ms;
		p->failures = 0;
		p->failed_ms = 0;
		show_all(p, listed, started_ms, t);
	} else {
		p->failures++;
		p->failed_ms = started_ms;
		fail_all(p, t);
	}
	pthread_cond_broadcast(&p->listed);
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

/* mu is held on entry and on return, not meanwhile. */
static void list_once(struct pools *p)
{
	struct map listed = {.free_value = free};
	struct told told = {0};
	struct err err = ERR_INIT;
	int64_t started_ms = clock_now_ms(), wait_ms = 0;
	p->asked = false;
	pthread_mutex_unlock(&p->mu);
	int result = pools_listing(p->arm, p->environment, &listed, &wait_ms, &err);
	pthread_mutex_lock(&p->mu);
	if (result == 1) { /* the gate is closed */
		p->asked = true;
		p->closed_ms = clock_now_ms() + wait_ms;
	} else {
		p->last = err;
		finish(p, result, &listed, started_ms, &told);
	}
	pthread_mutex_unlock(&p->mu);
	for (size_t i = 0; i < told.n; i++) {
		p->hooks.changed(p->hooks.context, told.claims[i]);
		free(told.claims[i]);
	}
	free(told.claims);
	pthread_mutex_lock(&p->mu);
	map_done(&listed);
}

static void *run(void *context)
{
	struct pools *p = context;
	pthread_mutex_lock(&p->mu);
	while (!stopping(p)) {
		int64_t now = clock_now_ms(), at = due(p, now);
		if (at >= 0 && at <= now)
			list_once(p);
		else
			wait_until(p, &p->wake, at);
	}
	pthread_mutex_unlock(&p->mu);
	return NULL;
}

/* The thread is started by the first need. */
static void need(struct pools *p)
{
	if (!p->started && !p->stop) {
		p->started = thread_start(&p->thread, STACK_BYTES, run, p) == 0;
	}
	pthread_cond_signal(&p->wake);
}

struct pools *pools_new(struct arm *arm, const struct azure_environment *e, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel)
{
	struct pools *p = mem_alloc(sizeof *p);
	p->arm = arm;
	p->environment = e;
	p->hooks = *hooks;
	p->cancel = cancel;
	p->unit_ms = unit_ms ? unit_ms : UNIT_MS;
	p->entries.free_value = entry_free;
	pthread_mutex_init(&p->mu, NULL);
	thread_cond_init(&p->wake);
	thread_cond_init(&p->listed);
	return p;
}

void pools_free(struct pools *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->mu);
	p->stop = true;
	pthread_cond_broadcast(&p->wake);
	pthread_cond_broadcast(&p->listed);
	pthread_mutex_unlock(&p->mu);
	if (p->started)
		pthread_join(p->thread, NULL);
	map_done(&p->entries);
	pthread_cond_destroy(&p->wake);
	pthread_cond_destroy(&p->listed);
	pthread_mutex_destroy(&p->mu);
	free(p);
}

/* --- for claims -------------------------------------------------------------------------------------------------- */

/* NULL: nobody waits any more. */
static void name_claim(struct entry *e, const char *claim)
{
	char *name = claim ? mem_strdup(claim) : NULL;
	free(e->claim);
	e->claim = name;
}

void pools_expect(struct pools *p, const char *pool, const char *claim)
{
	pthread_mutex_lock(&p->mu);
	struct entry *e = entry_at(p, pool);
	name_claim(e, claim);
	if (!e->expected) {
		e->expected = true;
		p->expected++;
		p->changed_ms = clock_now_ms();
		p->rounds = 0;
		need(p);
	}
	pthread_mutex_unlock(&p->mu);
}

void pools_settled(struct pools *p, const char *pool)
{
	pthread_mutex_lock(&p->mu);
	struct entry *e = map_get(&p->entries, str_of(pool));
	if (e) {
		p->expected -= e->expected;
		e->expected = e->asked = false;
		name_claim(e, NULL);
		tidy(p, pool);
	}
	pthread_mutex_unlock(&p->mu);
}

static void ask(struct pools *p)
{
	p->asked = true;
	need(p);
}

int pools_look(struct pools *p, const char *pool, const char *claim, int64_t not_before_ms, json_t **out, struct err *err)
{
	pthread_mutex_lock(&p->mu);
	struct entry *e = map_get(&p->entries, str_of(pool));
	int result = 2;
	if (e && e->known_ms > 0 && e->known_ms >= not_before_ms)
		result = e->pool ? 0 : 1;
	else if (p->list_ms > 0 && p->list_ms >= not_before_ms)
		result = 1;
	else if (p->failed_ms > 0 && p->failed_ms >= not_before_ms)
		result = -1;
	if (result == 0)
		*out = parse(e->pool);
	if (result == -1 || result == 2) {
		e = entry_at(p, pool);
		name_claim(e, claim);
		e->asked = true;
		ask(p);
	}
	if (result == -1 && err)
		*err = p->last;
	pthread_mutex_unlock(&p->mu);
	return result;
}

json_t *pools_known(struct pools *p, const char *pool)
{
	pthread_mutex_lock(&p->mu);
	const struct entry *e = map_get(&p->entries, str_of(pool));
	json_t *known = e ? parse(e->pool) : NULL;
	pthread_mutex_unlock(&p->mu);
	return known;
}

void pools_learn(struct pools *p, const char *pool, const json_t *body)
{
	pthread_mutex_lock(&p->mu);
	struct entry *e = entry_at(p, pool);
	free(e->pool);
	e->pool = body ? pools_listing_text(body) : NULL;
	e->known_ms = clock_now_ms() + 1; /* a list that begins in this millisecond may have been answered before */
	tidy(p, pool);
	pthread_mutex_unlock(&p->mu);
}

void pools_yield(struct pools *p)
{
	pthread_mutex_lock(&p->mu);
	p->yield_ms = clock_now_ms() + YIELD_MS;
	pthread_mutex_unlock(&p->mu);
}

/* --- for everyone ------------------------------------------------------------------------------------------------ */

/* The names of the pools now; the caller frees all. */
static char **names_of(struct pools *p, size_t *n)
{
	char **all = mem_array(p->entries.count + 1, sizeof *all);
	struct map_entry at;
	*n = 0;
	for (size_t i = 0; map_next(&p->entries, &i, &at);) {
		const struct entry *e = at.value;
		if (e->pool)
			all[(*n)++] = mem_strndup(at.key.data, at.key.len);
	}
	return all;
}

/* Waits for a list that began at not_before_ms or later. mu is held. */
static int fresh(struct pools *p, int64_t not_before_ms, struct err *err)
{
	int64_t asked_ms = clock_now_ms(), deadline = asked_ms + LIST_WAIT_MS;
	while (p->list_ms == 0 || p->list_ms < not_before_ms) {
		if (p->failed_ms >= asked_ms) {
			*err = p->last;
			return -1;
		}
		if (stopping(p) || clock_now_ms() >= deadline)
			return err_set(err, stopping(p) ? ERR_CANCELLED : ERR_TIMEOUT, "the agent pools were not listed: %s",
				       p->last.kind ? p->last.message : "the request budget is used up");
		ask(p);
		int64_t look_ms = clock_now_ms() + CANCEL_MS;
		wait_until(p, &p->listed, look_ms < deadline ? look_ms : deadline);
	}
	return 0;
}

int pools_list(struct pools *p, int64_t max_age_ms, void (*fn)(void *context, const json_t *pool), void *context, struct err *err)
{
	struct err why = ERR_INIT;
	pthread_mutex_lock(&p->mu);
	if (fresh(p, clock_now_ms() - max_age_ms, &why) < 0) {
		pthread_mutex_unlock(&p->mu);
		if (err)
			*err = why;
		return -1;
	}
	size_t n;
	char **all = names_of(p, &n);
	pthread_mutex_unlock(&p->mu);
	for (size_t i = 0; i < n; i++) { /* one tree at a time */
		CLEANUP(json_decrefp) json_t *pool = pools_known(p, all[i]);
		if (pool)
			fn(context, pool);
		free(all[i]);
	}
	free(all);
	return 0;
}

int pools_ready(struct pools *p, struct err *err)
{
	int result = 0;
	pthread_mutex_lock(&p->mu);
	if (p->list_ms == 0 || p->failed_ms) {
		result = 1;
		if (err)
			*err = p->last;
		if (err && !p->last.kind)
			(void)err_set(err, ERR_BUSY, "the agent pools of %.63s were not listed yet", p->environment->cluster);
		ask(p);
	}
	pthread_mutex_unlock(&p->mu);
	return result;
}

int64_t pools_age_ms(struct pools *p)
{
	pthread_mutex_lock(&p->mu);
	int64_t age = p->list_ms ? clock_now_ms() - p->list_ms : -1;
	pthread_mutex_unlock(&p->mu);
	return age;
}
