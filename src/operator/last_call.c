/* last_call.c: see last_call.h. */
#include "operator/last_call.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include <pthread.h>
#include <unistd.h>

enum { STACK_BYTES = 128 << 10 };

struct last_call {
	int64_t limit_ms, end_ms;
	void (*tell)(void *context);
	void *context;
	pthread_t thread;
	pthread_mutex_t mu;  /* guards done */
	pthread_cond_t changed;
	bool done;
};

static void *run(void *context)
{
	struct last_call *l = context;
	struct timespec t = {l->end_ms / 1000, l->end_ms % 1000 * 1000000};
	pthread_mutex_lock(&l->mu);
	while (!l->done && clock_now_ms() < l->end_ms)
		pthread_cond_timedwait(&l->changed, &l->mu, &t);
	bool done = l->done;
	pthread_mutex_unlock(&l->mu);
	if (done)
		return NULL;
	log_error("not ended within %lld ms; leaving all the same", (long long)l->limit_ms);
	l->tell(l->context);
	_exit(1);
}

static void release(struct last_call *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mu);
	free(l);
}

struct last_call *last_call_new(int64_t limit_ms, void (*tell)(void *context), void *context)
{
	struct last_call *l = mem_alloc(sizeof *l);
	*l = (struct last_call){.limit_ms = limit_ms, .end_ms = clock_now_ms() + limit_ms, .tell = tell, .context = context};
	pthread_mutex_init(&l->mu, NULL);
	thread_cond_init(&l->changed);
	if (thread_start(&l->thread, STACK_BYTES, run, l) == 0)
		return l;
	release(l);
	return NULL;
}

void last_call_free(struct last_call *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->mu);
	l->done = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mu);
	pthread_join(l->thread, NULL);
	release(l);
}
