/* lister.c: see lister.h. Ages count from the start of a list: what happened while it was made may or may not be in it. So an attempt under
 * way serves whoever is content with its start, and nobody asks for another. */
#include "cloud/lister.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"
#include <pthread.h>
#include <string.h>

#define UNIT_MS 1000
#define FAILED_UNITS 2 /* after a failed list, doubled each time */
#define FAILED_MAX_UNITS 30
#define WAIT_MS 30000
#define CANCEL_MS 200  /* a caller that waits for a list looks so often whether the process is to stop */
#define STACK_BYTES ((size_t)512 << 10)

struct waiter { char *claim; int64_t not_before_ms; };

struct lister {
	struct lister_source source;
	struct cloud_hooks hooks;
	const atomic_bool *cancel;
	int64_t unit_ms;
	pthread_t thread;
	pthread_mutex_t mu;     /* guards all below */
	pthread_cond_t wake;    /* for the thread */
	pthread_cond_t ended;   /* for lister_fresh */
	bool started, stop, asked;
	struct map waiting;     /* key -> struct waiter */
	struct map told;        /* the claims that the list being taken concerns */
	int64_t making_ms;      /* start of the attempt under way; 0: none */
	int64_t list_ms;        /* start of the last good list; 0: none */
	int64_t ended_ms;       /* end of the last attempt */
	int64_t failed_ms;      /* start of the last attempt when it failed, else 0 */
	int64_t closed_ms;      /* no list before then: the request budget */
	int failures;           /* in a row */
	struct err last;        /* why the last attempt failed */
};

static void waiter_free(void *value)
{
	struct waiter *w = value;
	free(w->claim);
	free(w);
}

static bool stopping(const struct lister *l) { return l->stop || (l->cancel && atomic_load(l->cancel)); }

static void wait_until(struct lister *l, pthread_cond_t *c, int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	if (ms < 0)
		pthread_cond_wait(c, &l->mu);
	else
		pthread_cond_timedwait(c, &l->mu, &t);
}

/* --- one list ---------------------------------------------------------------------------------------------------- */

static int64_t back_off_ms(const struct lister *l)
{
	int64_t units = (int64_t)FAILED_UNITS << (l->failures < 5 ? l->failures - 1 : 4);
	return l->unit_ms * (units < FAILED_MAX_UNITS ? units : FAILED_MAX_UNITS);
}

/* When the next list is due; -1: not at all. */
static int64_t due(const struct lister *l)
{
	int64_t at = !l->asked ? -1 : l->ended_ms ? l->ended_ms + l->unit_ms : 0;
	if (l->source.due)
		at = l->source.due(l->source.context, l->asked, l->ended_ms, clock_now_ms());
	if (at >= 0 && l->failures > 0)
		at = l->ended_ms + back_off_ms(l);
	return at >= 0 && at < l->closed_ms ? l->closed_ms : at;
}

/* Those for whom the attempt began late enough wait no more; for the others there is to be another. */
static void answer(struct lister *l, int64_t started_ms)
{
	struct map_entry at;
	for (size_t i = 0; map_next(&l->waiting, &i, &at);) {
		const struct waiter *w = at.value;
		if (w->not_before_ms > started_ms)
			continue;
		lister_tell(l, w->claim);
		map_remove(&l->waiting, at.key);
	}
	l->asked |= l->waiting.count > 0;
}

static void settle(struct lister *l, bool made, void *list, int64_t started_ms)
{
	l->ended_ms = clock_now_ms();
	l->failed_ms = made ? 0 : started_ms;
	l->failures = made ? 0 : l->failures + 1;
	l->list_ms = made ? started_ms : l->list_ms;
	l->source.take(l->source.context, made ? list : NULL, started_ms);
	answer(l, started_ms);
	pthread_cond_broadcast(&l->ended);
}

static void tell_all(struct lister *l, struct map *told)
{
	struct map_entry at;
	for (size_t i = 0; map_next(told, &i, &at);) {
		CLEANUP(mem_freep) char *claim = mem_strndup(at.key.data, at.key.len);
		if (l->hooks.changed)
			l->hooks.changed(l->hooks.context, claim);
	}
	map_done(told);
}

/* mu is held on entry and on return, not meanwhile. */
static void list_once(struct lister *l)
{
	struct err err = ERR_INIT;
	void *list = NULL;
	int64_t wait_ms = 0, started_ms = l->making_ms = clock_now_ms();
	l->asked = false;
	pthread_mutex_unlock(&l->mu);
	int rc = l->source.make(l->source.context, &list, &wait_ms, &err);
	pthread_mutex_lock(&l->mu);
	l->making_ms = 0;
	if (rc == 1) {
		l->asked = true;
		l->closed_ms = clock_now_ms() + wait_ms;
	} else {
		l->last = err;
		settle(l, rc == 0, list, started_ms);
	}
	struct map told = l->told;
	l->told = (struct map){0};
	pthread_mutex_unlock(&l->mu);
	tell_all(l, &told);
	pthread_mutex_lock(&l->mu);
}

/* --- the thread -------------------------------------------------------------------------------------------------- */

static void *run(void *context)
{
	struct lister *l = context;
	pthread_mutex_lock(&l->mu);
	while (!stopping(l)) {
		int64_t at = due(l);
		if (at >= 0 && at <= clock_now_ms())
			list_once(l);
		else
			wait_until(l, &l->wake, at);
	}
	pthread_mutex_unlock(&l->mu);
	return NULL;
}

void lister_need(struct lister *l)
{
	if (!l->started && !l->stop)
		l->started = thread_start(&l->thread, STACK_BYTES, run, l) == 0;
	pthread_cond_signal(&l->wake);
}

struct lister *lister_new(const struct lister_source *source, const struct cloud_hooks *hooks, int64_t unit_ms, const atomic_bool *cancel)
{
	struct lister *l = mem_alloc(sizeof *l);
	l->source = *source;
	l->hooks = *hooks;
	l->cancel = cancel;
	l->unit_ms = unit_ms ? unit_ms : UNIT_MS;
	l->waiting.free_value = waiter_free;
	pthread_mutex_init(&l->mu, NULL);
	thread_cond_init(&l->wake);
	thread_cond_init(&l->ended);
	return l;
}

void lister_free(struct lister *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->mu);
	l->stop = true;
	pthread_cond_broadcast(&l->wake);
	pthread_cond_broadcast(&l->ended);
	pthread_mutex_unlock(&l->mu);
	if (l->started)
		pthread_join(l->thread, NULL);
	map_done(&l->waiting);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->ended);
	pthread_mutex_destroy(&l->mu);
	free(l);
}

int64_t lister_unit_ms(const struct lister *l) { return l->unit_ms; }
void lister_lock(struct lister *l) { pthread_mutex_lock(&l->mu); }
void lister_unlock(struct lister *l) { pthread_mutex_unlock(&l->mu); }

/* --- who asks ---------------------------------------------------------------------------------------------------- */

static void ask(struct lister *l, int64_t not_before_ms)
{
	if (l->making_ms == 0 || l->making_ms < not_before_ms)
		l->asked = true;
	lister_need(l);
}

static void wait_for(struct lister *l, const char *key, const char *claim, int64_t not_before_ms)
{
	struct waiter *w = mem_alloc(sizeof *w);
	*w = (struct waiter){mem_strdup(claim), not_before_ms};
	map_put(&l->waiting, str_of(key), w);
	ask(l, not_before_ms);
}

static int failure(const struct lister *l, struct err *err)
{
	if (err)
		*err = l->last;
	return -1;
}

static int gave_up(const struct lister *l, struct err *err)
{
	bool stop = stopping(l), closed = l->closed_ms > clock_now_ms();
	return err_set(err, stop ? ERR_CANCELLED : ERR_TIMEOUT, "%s were not listed: %s", l->source.what,
		       l->last.kind ? l->last.message : closed ? "the request budget is used up" : stop ? "stopping" : "no answer in time");
}

int lister_look(struct lister *l, const char *key, const char *claim, int64_t not_before_ms, struct err *err)
{
	if (l->list_ms > 0 && l->list_ms >= not_before_ms)
		return 0;
	wait_for(l, key, claim, not_before_ms);
	return l->failed_ms > 0 && l->failed_ms >= not_before_ms ? failure(l, err) : 2;
}

void lister_forget(struct lister *l, const char *key) { map_remove(&l->waiting, str_of(key)); }
void lister_tell(struct lister *l, const char *claim) { map_put(&l->told, str_of(claim), l); }

int lister_fresh(struct lister *l, int64_t max_age_ms, struct err *err)
{
	int64_t asked_ms = clock_now_ms(), not_before_ms = asked_ms - max_age_ms, deadline = asked_ms + WAIT_MS;
	while (l->list_ms == 0 || l->list_ms < not_before_ms) {
		if (l->failed_ms >= asked_ms)
			return failure(l, err);
		if (stopping(l) || clock_now_ms() >= deadline)
			return gave_up(l, err);
		ask(l, not_before_ms);
		int64_t look_ms = clock_now_ms() + CANCEL_MS;
		wait_until(l, &l->ended, look_ms < deadline ? look_ms : deadline);
	}
	return 0;
}

int lister_ready(struct lister *l, struct err *err)
{
	lister_lock(l);
	int rc = l->list_ms > 0 && l->failed_ms == 0 ? 0 : 1;
	if (rc && l->last.kind)
		(void)failure(l, err);
	else if (rc)
		(void)err_set(err, ERR_BUSY, "%s were not listed yet", l->source.what);
	if (rc)
		ask(l, 0);
	lister_unlock(l);
	return rc;
}

int64_t lister_age_ms(struct lister *l)
{
	lister_lock(l);
	int64_t age = l->list_ms > 0 ? clock_now_ms() - l->list_ms : -1;
	lister_unlock(l);
	return age;
}
