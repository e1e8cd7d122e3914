/* exchange.h: what the files behind server.h share. Private to src/http.
 *
 * An exchange is one request with its reply. Two parties hold it: the library's connection (until on_completed)
 * and, from dispatch to the end of the handler, a worker. Who may touch what:
 *   request part: written on the I/O thread before dispatch, immutable after;
 *   reply part:   the handler's thread until `ready`, then the I/O thread;
 *   shared part:  guarded by mu. */
#pragma once
#include "http/server.h"
#include <microhttpd.h>
#include <pthread.h>

struct http_pair { struct http_pair *next; const char *name, *value; };

struct http_exchange {
	struct http_server *server;
	struct MHD_Connection *conn;
	struct http_peer *peer;
	struct http_exchange *next;          /* work queue, guarded by the server's mu */
	int64_t start_ms;

	/* request */
	struct arena arena;
	struct router_match match;
	const char *method, *path, *id;
	struct http_pair *headers, *query;
	struct buf body;
	bool too_large, seen_body;

	/* reply */
	struct http_pair *reply_headers;
	const char *reply_type;
	struct buf reply_body;

	/* shared */
	pthread_mutex_t mu;
	pthread_cond_t changed;              /* stream drained, gone, hook finished; CLOCK_MONOTONIC */
	int refs;
	int status;                          /* 0: no reply yet */
	bool ready;                          /* the I/O thread may queue the reply */
	bool suspended, gone, completed;
	bool streaming, stream_ended;
	struct buf stream; size_t stream_sent; /* bytes of stream that the library has taken */
	void (*gone_fn)(void *); void *gone_arg; bool gone_running;
};

/* One TCP connection, from accept to close. Linked in the server, guarded by the server's mu. */
struct http_peer {
	struct http_peer *prev, *next;
	struct http_server *server;
	int fd;
	int64_t since_ms;                    /* start of the wait for a request */
	bool receiving;                      /* no complete request yet: receive_timeout_ms applies */
	struct http_exchange *working;       /* dispatched and not yet completed: watched for a hang-up */
};

struct http_server {
	struct http_server_options o;
	struct MHD_Daemon *daemon;
	struct http_tls *tls;                /* NULL: plain HTTP */
	int listen_fd, port, epoll_fd, wake_fd;
	pthread_t watcher;

	pthread_mutex_t mu;                  /* guards everything below */
	pthread_cond_t work, idle;           /* queue grew or stop; in_flight became 0 (CLOCK_MONOTONIC) */
	struct http_peer *peers;
	struct http_exchange *queue_head, *queue_tail;
	pthread_t *workers;
	int n_workers, idle_workers, queued;
	int in_flight;                       /* dispatched to workers and not completed */
	bool draining, stopping;
};

/* exchange.c */
struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *conn, const char *method, const char *path);
struct http_exchange *exchange_ref(struct http_exchange *x);
void exchange_unref(struct http_exchange *x);
void exchange_mark_gone(struct http_exchange *x);
void exchange_run(struct http_exchange *x);        /* the handler, then whatever it left undone */
void exchange_wake(struct http_exchange *x);       /* caller holds x->mu: resume the connection if it is suspended */
struct http_pair *exchange_pair(struct http_exchange *x, struct http_pair **list, const char *name, const char *value);

/* stream.c */
ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max); /* MHD content reader */

/* connection.c: libmicrohttpd's callbacks */
enum MHD_Result connection_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
				   const char *upload, size_t *upload_size, void **state);
void connection_completed(void *cls, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why);
void connection_notify(void *cls, struct MHD_Connection *conn, void **socket_state, enum MHD_ConnectionNotificationCode what);

/* worker.c */
WARN_UNUSED int worker_submit(struct http_exchange *x, struct err *err); /* ERR_BUSY when too many wait */
void worker_stop_all(struct http_server *s);

/* tls.c */
int tls_start(struct http_server *s, struct err *err); /* when the options ask for it */
void tls_options(const struct http_server *s, struct MHD_OptionItem out[3]);
void tls_stop(struct http_server *s);

/* watcher.c */
WARN_UNUSED int watcher_start(struct http_server *s, struct err *err);
void watcher_stop(struct http_server *s);
void watcher_add(struct http_server *s, struct http_peer *p);    /* caller holds s->mu */
void watcher_remove(struct http_server *s, struct http_peer *p); /* caller holds s->mu */
