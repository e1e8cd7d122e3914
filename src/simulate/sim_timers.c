/* sim_timers.c: the simulator's time and the one thread that runs what is due: a binary heap of events, the earliest first and, at the
 * same time, in the order they were made. No thread for each pool, so that a thousand of them cost a thousand rows. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "base/thread.h"
#include <signal.h>

int64_t sim_timers_now_ms(const struct simulator *s) { return clock_now_ms() + s->clock_ms; }
int64_t sim_timers_wall_s(const struct simulator *s) { return clock_wall_s() + s->clock_ms / 1000; }

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
	struct sim_event t = *a;
	*a = *b;
	*b = t;
}

static void add(struct simulator *s, struct sim_event e)
{
	struct sim_timers *t = &s->timers;
	e.order = ++t->order;
	vec_push(&t->heap, e);
	size_t i = t->heap.len - 1;
	for (; i > 0 && before(&t->heap.data[i], &t->heap.data[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&t->heap.data[i], &t->heap.data[(i - 1) / 2]);
	if (i == 0)
		pthread_cond_signal(&t->changed);
}

void sim_timers_finish(struct simulator *s, int64_t due_ms, uint64_t id)
{
	add(s, (struct sim_event){.due_ms = due_ms, .kind = SIM_EVENT_FINISH, .id = id});
}

void sim_timers_node(struct simulator *s, int64_t due_ms, enum sim_event_kind kind, const struct sim_node_job *job)
{
	add(s, (struct sim_event){.due_ms = due_ms, .kind = kind, .job = *job});
}

static struct sim_event take_first(struct sim_timers *t)
{
	struct sim_event first = t->heap.data[0], *h = t->heap.data;
	h[0] = h[--t->heap.len];
	for (size_t i = 0, n = t->heap.len;;) {
		size_t least = i, left = 2 * i + 1, right = left + 1;
		if (left < n && before(&h[left], &h[least]))
			least = left;
		if (right < n && before(&h[right], &h[least]))
			least = right;
		if (least == i)
			return first;
		swap(&h[i], &h[least]);
		i = least;
	}
}

static void run(struct simulator *s, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_EVENT_FINISH: s->cloud->due(s, e->id); break;
	case SIM_EVENT_JOIN: sim_joiner_pool_due(s, &e->job); break;
	case SIM_EVENT_NODE: sim_joiner_add(s, &e->job); break;
	}
}

void sim_timers_advance(struct simulator *s, int64_t ms)
{
	struct sim_timers *t = &s->timers;
	s->clock_ms += ms;
	while (t->heap.len && t->heap.data[0].due_ms <= sim_timers_now_ms(s)) {
		struct sim_event e = take_first(t);
		run(s, &e);
	}
	pthread_cond_signal(&t->changed);
}

static void *work(void *arg)
{
	struct simulator *s = arg;
	struct sim_timers *t = &s->timers;
	pthread_mutex_lock(&s->mu);
	while (!s->stopping) {
		int64_t wait_ms = t->heap.len ? t->heap.data[0].due_ms - sim_timers_now_ms(s) : INT64_MAX;
		if (wait_ms <= 0) {
			struct sim_event e = take_first(t);
			run(s, &e);
		} else if (wait_ms == INT64_MAX) {
			pthread_cond_wait(&t->changed, &s->mu);
		} else {
			int64_t until = clock_now_ms() + wait_ms;
			pthread_cond_timedwait(&t->changed, &s->mu, &(struct timespec){until / 1000, until % 1000 * 1000000});
		}
	}
	pthread_mutex_unlock(&s->mu);
	return NULL;
}

int sim_timers_start(struct simulator *s, struct err *err)
{
	thread_cond_init(&s->timers.changed);
	int rc = pthread_create(&s->timers.thread, NULL, work, s);
	s->timers.running = rc == 0;
	return rc ? err_set_errno(err, ERR_NO_MEMORY, rc, "start the simulator's timer thread") : 0;
}

/* The simulator is stopping already. */
void sim_timers_stop(struct simulator *s)
{
	if (!s->timers.running)
		return;
	pthread_mutex_lock(&s->mu);
	pthread_cond_signal(&s->timers.changed);
	pthread_mutex_unlock(&s->mu);
	pthread_join(s->timers.thread, NULL);
	vec_done(&s->timers.heap);
	pthread_cond_destroy(&s->timers.changed);
}
