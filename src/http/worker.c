/* worker.c: threads that run handlers. They are made on demand up to max_workers and stay until the server ends; a
 * handler may therefore block (on the engine, on a slow reader) without holding up the I/O threads. */
#include "http/exchange.h"

#include <signal.h>

static void *work(void *arg)
{
	struct http_server *s = arg;
	pthread_mutex_lock(&s->mu);
	for (;;) {
		while (!s->queue_head && !s->stopping) {
			s->idle_workers++;
			pthread_cond_wait(&s->work, &s->mu);
			s->idle_workers--;
		}
		struct http_exchange *x = s->queue_head;
		if (!x)
			break;
		s->queue_head = x->next;
		s->queued--;
		pthread_mutex_unlock(&s->mu);
		exchange_run(x);
		exchange_unref(x);
		pthread_mutex_lock(&s->mu);
	}
	pthread_mutex_unlock(&s->mu);
	return NULL;
}

/* Signals are for the main thread. */
static int spawn(struct http_server *s)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&s->workers[s->n_workers], NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->n_workers += rc == 0;
	return rc;
}

int worker_submit(struct http_exchange *x, struct err *err)
{
	struct http_server *s = x->server;
	int rc = 0;
	pthread_mutex_lock(&s->mu);
	if (s->draining) {
		rc = err_set(err, ERR_CANCELLED, "the server is shutting down");
	} else if (s->queued >= 4 * s->o.max_workers) {
		rc = err_set(err, ERR_BUSY, "%d requests wait already; try again later", s->queued);
	} else if (s->idle_workers <= s->queued && s->n_workers < s->o.max_workers && spawn(s) != 0 && s->n_workers == 0) {
		rc = err_set(err, ERR_NO_MEMORY, "cannot start a worker thread");
	} else {
		x->next = NULL;
		if (s->queue_head)
			s->queue_tail->next = x;
		else
			s->queue_head = x;
		s->queue_tail = x;
		s->queued++;
		s->in_flight++;
		x->peer->working = x;
		watcher_add(s, x->peer);
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->mu);
	return rc;
}

void worker_stop_all(struct http_server *s)
{
	pthread_mutex_lock(&s->mu);
	s->stopping = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->mu);
	for (int i = 0; i < s->n_workers; i++)
		pthread_join(s->workers[i], NULL);
}
