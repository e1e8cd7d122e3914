/* parallel.c: see parallel.h. */
#include "http/parallel.h"

#include <pthread.h>
#include <stdbool.h>

#define THREADS_MAX 64

struct pool {
	parallel_job *job;
	void *context;
	size_t n;
	atomic_size_t next;
	atomic_bool stop;
	pthread_mutex_t mu;  /* guards failed and err */
	int failed;
	struct err err;
};

static void *work(void *argument)
{
	struct pool *p = argument;
	for (size_t i; !atomic_load(&p->stop) && (i = atomic_fetch_add(&p->next, 1)) < p->n;) {
		struct err err = ERR_INIT;
		if (p->job(p->context, i, &p->stop, &err) == 0)
			continue;
		pthread_mutex_lock(&p->mu);
		if (!p->failed)
			p->err = err;
		p->failed = 1;
		pthread_mutex_unlock(&p->mu);
		atomic_store(&p->stop, true);
	}
	return NULL;
}

int parallel_run(size_t n, unsigned threads, parallel_job *job, void *context, struct err *err)
{
	struct pool pool = {.job = job, .context = context, .n = n};
	pthread_t ids[THREADS_MAX];
	unsigned started = 0;
	pthread_mutex_init(&pool.mu, NULL);
	while (started < threads && started < THREADS_MAX && started + 1 < n && pthread_create(&ids[started], NULL, work, &pool) == 0)
		started++;
	work(&pool);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	pthread_mutex_destroy(&pool.mu);
	if (pool.failed && err)
		*err = pool.err;
	return pool.failed ? -1 : 0;
}
