/* watcher.c: one thread that notices what libmicrohttpd 0.9.75 does not: a client that leaves while its connection is
 * suspended (EPOLLRDHUP on a second epoll instance), and a request that does not arrive in time however slowly it
 * drips (the library's timeout restarts with each byte). */
#include "http/exchange.h"

#include "base/clock.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define TICK_MS 250

void watcher_add(struct http_server *s, struct http_peer *p)
{
	struct epoll_event e = {.events = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLONESHOT, .data.ptr = p};
	epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, p->fd, &e);
}

void watcher_remove(struct http_server *s, struct http_peer *p)
{
	struct epoll_event unused = {0};
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, p->fd, &unused);
}

/* An event may name a peer that was freed meanwhile: only peers still in the list count. */
static struct http_exchange *find_working(struct http_server *s, const void *peer)
{
	struct http_exchange *x = NULL;
	pthread_mutex_lock(&s->mu);
	for (struct http_peer *p = s->peers; p && !x; p = p->next)
		if (p == peer && p->working)
			x = exchange_ref(p->working);
	pthread_mutex_unlock(&s->mu);
	return x;
}

static void close_late(struct http_server *s)
{
	int64_t now = clock_now_ms();
	pthread_mutex_lock(&s->mu);
	for (struct http_peer *p = s->peers; p; p = p->next)
		if (p->receiving && now - p->since_ms > s->o.receive_timeout_ms)
			shutdown(p->fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->mu);
}

static void *watch(void *arg)
{
	struct http_server *s = arg;
	for (;;) {
		struct epoll_event events[32];
		int n = epoll_wait(s->epoll_fd, events, 32, TICK_MS);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == s)
				return NULL;
			struct http_exchange *x = find_working(s, events[i].data.ptr);
			if (!x)
				continue;
			exchange_mark_gone(x);
			exchange_unref(x);
		}
		close_late(s);
	}
}

int watcher_start(struct http_server *s, struct err *err)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->wake_fd = eventfd(0, EFD_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
	if (s->epoll_fd < 0 || s->wake_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &e) < 0)
		return err_set_errno(err, ERR_IO, errno, "start the connection watcher");
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&s->watcher, NULL, watch, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? err_set_errno(err, ERR_NO_MEMORY, rc, "start the connection watcher") : 0;
}

void watcher_stop(struct http_server *s)
{
	uint64_t one = 1;
	while (write(s->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(s->watcher, NULL);
}
