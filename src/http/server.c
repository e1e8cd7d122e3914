/* server.c: the life of a server: listen, start the threads, drain, stop. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/thread.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* --- listening ---------------------------------------------------------------------------------------------- */

/* A numeric address; no name service, so that "localhost" is spelled out by the caller. */
static int parse_address(const char *host, int port, struct sockaddr_storage *out, socklen_t *len, struct err *err)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof *out);
	if (host && strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (host && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof *v4;
		return 0;
	}
	if (host && inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return err_set(err, ERR_USAGE, "'%s' is not a numeric address to listen on, such as 127.0.0.1 or ::", host);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*len = sizeof *v6;
	return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_storage *address, socklen_t len, bool both)
{
	int on = 1, off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? &off : &on, sizeof on);
	return bind(fd, (const struct sockaddr *)address, len) < 0 || listen(fd, 1024) < 0 ? -1 : 0;
}

static int bound_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;
	getsockname(fd, (struct sockaddr *)&address, &len);
	return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port : ((struct sockaddr_in6 *)&address)->sin6_port);
}

static int open_socket(struct http_server *s, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len;
	if (parse_address(s->o.host, s->o.port, &address, &len, err) < 0)
		return -1;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && !s->o.host) { /* a machine without IPv6 */
		s->o.host = "0.0.0.0";
		return open_socket(s, err);
	}
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "open a socket");
	s->listen_fd = fd;
	if (bind_and_listen(fd, &address, len, !s->o.host) == 0) {
		s->port = bound_port(fd);
		return 0;
	}
	if (errno == EADDRINUSE)
		return err_set(err, ERR_BUSY, "port %d is in use; stop the other server or choose another --port", s->o.port);
	return err_set_errno(err, ERR_IO, errno, "listen on %s port %d", s->o.host ? s->o.host : "*", s->o.port);
}

/* --- start --------------------------------------------------------------------------------------------------- */

static void set_defaults(struct http_server_options *o)
{
	o->max_workers = o->max_workers > 0 ? o->max_workers : 128;
	o->io_threads = o->io_threads > 0 ? o->io_threads : 2;
	o->max_body_bytes = o->max_body_bytes ? o->max_body_bytes : LIMIT_HTTP_BODY_BYTES;
	o->receive_timeout_ms = o->receive_timeout_ms > 0 ? o->receive_timeout_ms : 60000;
	o->send_timeout_ms = o->send_timeout_ms > 0 ? o->send_timeout_ms : 30000;
}

static int start_daemon(struct http_server *s, struct err *err)
{
	unsigned timeout_s = (unsigned)(s->o.send_timeout_ms + 999) / 1000;
	struct MHD_OptionItem tls[3];
	tls_options(s, tls);
	s->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | (s->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL,
		connection_request, s,
		MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)s->o.io_threads,
		MHD_OPTION_CONNECTION_LIMIT, 4096u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)2 * LIMIT_HTTP_HEADER_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
		MHD_OPTION_NOTIFY_COMPLETED, connection_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, connection_notify, s,
		MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
	if (!s->daemon)
		return err_set(err, ERR_INTERNAL, "cannot start the HTTP library's threads");
	s->listen_fd = -1; /* the daemon's now */
	return 0;
}

static void release(struct http_server *s)
{
	fd_closep(&s->listen_fd);
	fd_closep(&s->epoll_fd);
	fd_closep(&s->wake_fd);
	tls_stop(s);
	pthread_mutex_destroy(&s->mu);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->idle);
	free(s->workers);
	free(s);
}

int http_server_start(struct http_server **out, const struct http_server_options *o, struct err *err)
{
	struct http_server *s = mem_alloc(sizeof *s);
	s->o = *o;
	set_defaults(&s->o);
	s->listen_fd = s->epoll_fd = s->wake_fd = -1;
	s->workers = mem_array((size_t)s->o.max_workers, sizeof *s->workers);
	pthread_mutex_init(&s->mu, NULL);
	pthread_cond_init(&s->work, NULL);
	thread_cond_init(&s->idle);
	if (tls_start(s, err) < 0 || open_socket(s, err) < 0 || watcher_start(s, err) < 0) {
		release(s);
		return -1;
	}
	if (start_daemon(s, err) < 0) {
		watcher_stop(s);
		release(s);
		return -1;
	}
	*out = s;
	return 0;
}

int http_server_port(const struct http_server *s) { return s->port; }

/* --- stop ---------------------------------------------------------------------------------------------------- */

/* Waits until no request is with a worker or on its way out; true if so before the deadline (0: none). */
static bool wait_idle(struct http_server *s, int64_t until_ms)
{
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
	int late = 0;
	while (s->in_flight > 0 && !late)
		late = until_ms ? pthread_cond_timedwait(&s->idle, &s->mu, &until) : pthread_cond_wait(&s->idle, &s->mu);
	return s->in_flight == 0;
}

/* Handlers stop at their next look; replies to clients that do not read are cut. Caller holds s->mu. */
static void cut_all(struct http_server *s)
{
	for (struct http_peer *p = s->peers; p; p = p->next)
		if (p->working)
			shutdown(p->fd, SHUT_RDWR); /* the watcher sees the hang-up and marks the exchange */
}

void http_server_drain(struct http_server *s, int64_t grace_ms)
{
	pthread_mutex_lock(&s->mu);
	s->draining = true;
	if (!wait_idle(s, clock_now_ms() + grace_ms)) {
		cut_all(s);
		wait_idle(s, 0);
	}
	pthread_mutex_unlock(&s->mu);
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	http_server_drain(s, 0);
	worker_stop_all(s);
	MHD_stop_daemon(s->daemon);
	watcher_stop(s);
	release(s);
}
