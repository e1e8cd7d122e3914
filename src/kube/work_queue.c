/* work_queue.c: see work_queue.h. One item per key that is waiting, in work or has failed lately; a key that is none of it
 * costs nothing. Keys that are ready stand in a list in order of arrival, delayed ones in a heap by due time. */
#include "kube/work_queue.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/vec.h"
#include "kube/token_bucket.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

#define BACKOFF_FIRST_MS 5
#define BACKOFF_MAX_MS 1000000
#define ALL_KEYS_RATE 10
#define ALL_KEYS_BURST 100

struct item {
	struct item *next;       /* in the list of ready ones */
	int failures;
	bool ready, in_work, again; /* again: added while in work */
	size_t heap_place;       /* 1-based; 0: not delayed */
	int64_t due_ms, added_ms, started_ms;
	char key[];
};

struct work_queue {
	char *name;
	pthread_mutex_t mu;      /* guards all below */
	pthread_cond_t changed;
	struct map items;
	struct item *first, **last;
	VEC(struct item *) delayed; /* a binary heap */
	struct token_bucket bucket;
	int64_t first_ms, max_ms; /* back-off of a failing key */
	struct work_queue_figures figures;
	bool stopped;
};

struct work_queue *work_queue_new(const char *name)
{
	struct work_queue *q = mem_alloc(sizeof *q);
	q->name = mem_strdup(name);
	q->last = &q->first;
	q->first_ms = BACKOFF_FIRST_MS;
	q->max_ms = BACKOFF_MAX_MS;
	q->items.free_value = free;
	pthread_mutex_init(&q->mu, NULL);
	thread_cond_init(&q->changed);
	token_bucket_init(&q->bucket, ALL_KEYS_RATE, ALL_KEYS_BURST, clock_now_ms());
	return q;
}

void work_queue_free(struct work_queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->mu);
	map_done(&q->items);
	vec_done(&q->delayed);
	free(q->name);
	free(q);
}

static struct item *item_of(struct work_queue *q, const char *key)
{
	struct item *item = map_get(&q->items, str_of(key));
	if (item)
		return item;
	size_t len = strlen(key);
	item = mem_alloc(sizeof *item + len + 1);
	memcpy(item->key, key, len + 1);
	map_put(&q->items, (str){key, len}, item);
	return item;
}

static void forget_if_unused(struct work_queue *q, struct item *item)
{
	if (!item->ready && !item->in_work && !item->again && !item->heap_place && !item->failures)
		map_remove(&q->items, str_of(item->key));
}

/* --- the heap of delayed items --- */

static void heap_set(struct work_queue *q, size_t at, struct item *item)
{
	q->delayed.data[at] = item;
	item->heap_place = at + 1;
}

static void heap_up(struct work_queue *q, size_t at)
{
	struct item *item = q->delayed.data[at];
	for (; at > 0 && q->delayed.data[(at - 1) / 2]->due_ms > item->due_ms; at = (at - 1) / 2)
		heap_set(q, at, q->delayed.data[(at - 1) / 2]);
	heap_set(q, at, item);
}

static void heap_down(struct work_queue *q, size_t at)
{
	struct item *item = q->delayed.data[at];
	for (;;) {
		size_t child = at * 2 + 1;
		if (child + 1 < q->delayed.len && q->delayed.data[child + 1]->due_ms < q->delayed.data[child]->due_ms)
			child++;
		if (child >= q->delayed.len || q->delayed.data[child]->due_ms >= item->due_ms)
			break;
		heap_set(q, at, q->delayed.data[child]);
		at = child;
	}
	heap_set(q, at, item);
}

static void heap_remove(struct work_queue *q, struct item *item)
{
	size_t at = item->heap_place - 1;
	struct item *moved = q->delayed.data[--q->delayed.len];
	item->heap_place = 0;
	if (moved == item)
		return;
	heap_set(q, at, moved);
	heap_down(q, at);
	heap_up(q, moved->heap_place - 1);
}

/* --- adding; the lock is held --- */

static void add_ready(struct work_queue *q, struct item *item, int64_t now)
{
	if (item->heap_place && item->due_ms <= now)
		heap_remove(q, item);
	if (item->ready || item->again)
		return;
	q->figures.adds++;
	item->added_ms = now;
	if (item->in_work) {
		item->again = true;
		return;
	}
	item->ready = true;
	item->next = NULL;
	*q->last = item;
	q->last = &item->next;
	q->figures.depth++;
	pthread_cond_signal(&q->changed);
}

static void add_delayed(struct work_queue *q, const char *key, int64_t delay_ms)
{
	int64_t now = clock_now_ms();
	struct item *item = item_of(q, key);
	if (delay_ms <= 0) {
		add_ready(q, item, now);
		return;
	}
	if (item->heap_place && item->due_ms <= now + delay_ms)
		return;
	item->due_ms = now + delay_ms;
	if (!item->heap_place) {
		vec_push(&q->delayed, item);
		item->heap_place = q->delayed.len;
	}
	heap_up(q, item->heap_place - 1);
	if (item->heap_place == 1)
		pthread_cond_signal(&q->changed); /* a waiter has to wake up earlier */
}

void work_queue_add(struct work_queue *q, const char *key) { work_queue_add_after(q, key, 0); }

void work_queue_add_after(struct work_queue *q, const char *key, int64_t delay_ms)
{
	pthread_mutex_lock(&q->mu);
	if (!q->stopped)
		add_delayed(q, key, delay_ms);
	pthread_mutex_unlock(&q->mu);
}

void work_queue_set_backoff(struct work_queue *q, int64_t first_ms, int64_t max_ms)
{
	q->first_ms = first_ms > 0 ? first_ms : BACKOFF_FIRST_MS;
	q->max_ms = max_ms > 0 ? max_ms : BACKOFF_MAX_MS;
}

static int64_t backoff_ms(const struct work_queue *q, int failures) /* before this one */
{
	int64_t delay = q->first_ms << (failures < 20 ? failures : 20);
	return delay < q->max_ms ? delay : q->max_ms;
}

void work_queue_add_limited(struct work_queue *q, const char *key)
{
	pthread_mutex_lock(&q->mu);
	if (!q->stopped) {
		struct item *item = item_of(q, key);
		int64_t own = backoff_ms(q, item->failures), all = token_bucket_reserve(&q->bucket, clock_now_ms());
		item->failures++;
		q->figures.retries++;
		add_delayed(q, key, own > all ? own : all);
	}
	pthread_mutex_unlock(&q->mu);
}

void work_queue_forget(struct work_queue *q, const char *key)
{
	pthread_mutex_lock(&q->mu);
	struct item *item = map_get(&q->items, str_of(key));
	if (item) {
		item->failures = 0;
		forget_if_unused(q, item);
	}
	pthread_mutex_unlock(&q->mu);
}

int work_queue_failures(struct work_queue *q, const char *key)
{
	pthread_mutex_lock(&q->mu);
	const struct item *item = map_get(&q->items, str_of(key));
	int failures = item ? item->failures : 0;
	pthread_mutex_unlock(&q->mu);
	return failures;
}

/* --- taking --- */

static void promote_due(struct work_queue *q, int64_t now)
{
	while (q->delayed.len && q->delayed.data[0]->due_ms <= now)
		add_ready(q, q->delayed.data[0], now);
}

static void wait_for_change(struct work_queue *q)
{
	if (!q->delayed.len) {
		pthread_cond_wait(&q->changed, &q->mu);
		return;
	}
	int64_t due = q->delayed.data[0]->due_ms;
	struct timespec until = {due / 1000, due % 1000 * 1000000};
	pthread_cond_timedwait(&q->changed, &q->mu, &until);
}

static struct item *take_first(struct work_queue *q, int64_t now)
{
	struct item *item = q->first;
	q->first = item->next;
	if (!q->first)
		q->last = &q->first;
	item->ready = false;
	item->in_work = true;
	item->started_ms = now;
	q->figures.depth--;
	q->figures.in_work++;
	return item;
}

char *work_queue_take(struct work_queue *q, int64_t *waited_ms)
{
	char *key = NULL;
	pthread_mutex_lock(&q->mu);
	while (!q->stopped) {
		int64_t now = clock_now_ms();
		promote_due(q, now);
		if (q->first) {
			struct item *item = take_first(q, now);
			if (waited_ms)
				*waited_ms = now - item->added_ms;
			key = mem_strdup(item->key);
			break;
		}
		wait_for_change(q);
	}
	pthread_mutex_unlock(&q->mu);
	return key;
}

void work_queue_done(struct work_queue *q, char *key)
{
	pthread_mutex_lock(&q->mu);
	struct item *item = map_get(&q->items, str_of(key));
	if (item && item->in_work) {
		item->in_work = false;
		q->figures.in_work--;
		bool again = item->again;
		item->again = false;
		if (again && !q->stopped) {
			q->figures.adds--; /* counted when it was asked for */
			int64_t asked_ms = item->added_ms;
			add_ready(q, item, clock_now_ms());
			item->added_ms = asked_ms;
		}
		forget_if_unused(q, item);
	}
	pthread_mutex_unlock(&q->mu);
	free(key);
}

void work_queue_stop(struct work_queue *q)
{
	pthread_mutex_lock(&q->mu);
	q->stopped = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->mu);
}

struct work_queue_figures work_queue_figures(struct work_queue *q)
{
	pthread_mutex_lock(&q->mu);
	struct work_queue_figures figures = q->figures;
	figures.waiting = q->delayed.len;
	int64_t now = clock_now_ms();
	struct map_entry entry;
	for (size_t i = 0; figures.in_work && map_next(&q->items, &i, &entry);) {
		const struct item *item = entry.value;
		double running_s = item->in_work ? (double)(now - item->started_ms) / 1000 : 0;
		figures.unfinished_s += running_s;
		figures.longest_running_s = running_s > figures.longest_running_s ? running_s : figures.longest_running_s;
	}
	pthread_mutex_unlock(&q->mu);
	return figures;
}
