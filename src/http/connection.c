/* connection.c: libmicrohttpd's callbacks: collect a request, hand it to a worker with the connection suspended, and
 * queue the reply when the connection is resumed. All of it runs on I/O threads and never blocks. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/limits.h"

/* --- the reply --------------------------------------------------------------------------------------------- */

static void release(void *cls) { exchange_unref(cls); }

static struct MHD_Response *make_response(struct http_exchange *x)
{
	if (x->streaming) {
		struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, x, release);
		if (r)
			exchange_ref(x);
		return r;
	}
	size_t len = x->reply_body.len;
	return MHD_create_response_from_buffer(len, buf_take(&x->reply_body), MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_reply(struct http_exchange *x)
{
	if (x->status == HTTP_HUNG_UP)
		return MHD_NO;
	struct MHD_Response *r = make_response(x);
	if (!r)
		return MHD_NO;
	if (x->reply_type)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->reply_type);
	MHD_add_response_header(r, "X-Request-Id", x->id);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	for (const struct http_pair *p = x->reply_headers; p; p = p->next)
		MHD_add_response_header(r, p->name, p->value);
	enum MHD_Result rc = MHD_queue_response(x->conn, (unsigned)x->status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result refuse(struct http_exchange *x, int status, const struct err *err)
{
	http_reply_error(x, status, err);
	return send_reply(x);
}

/* --- a complete request ------------------------------------------------------------------------------------- */

static enum MHD_Result refuse_no_route(struct http_exchange *x, const char *allow, const struct err *err)
{
	if (allow[0])
		http_reply_header(x, "Allow", allow);
	return refuse(x, allow[0] ? 405 : 404, err);
}

/* Worker threads take over: the connection sleeps until exchange_wake. */
static enum MHD_Result hand_over(struct http_exchange *x)
{
	struct err err = ERR_INIT;
	exchange_ref(x);
	pthread_mutex_lock(&x->mu);
	x->suspended = true;
	MHD_suspend_connection(x->conn);
	pthread_mutex_unlock(&x->mu);
	if (worker_submit(x, &err) == 0)
		return MHD_YES;
	exchange_unref(x);
	pthread_mutex_lock(&x->mu);
	exchange_wake(x);
	pthread_mutex_unlock(&x->mu);
	http_reply_header(x, "Retry-After", "1");
	http_reply_error(x, 503, &err);
	x->ready = true; /* the resumed connection asks again and gets it */
	return MHD_YES;
}

static enum MHD_Result dispatch(struct http_exchange *x)
{
	struct err err = ERR_INIT;
	char allow[64];
	if (x->too_large) {
		err_set(&err, ERR_LIMIT, "the request body is larger than %zu bytes", x->server->o.max_body_bytes);
		return refuse(x, 413, &err);
	}
	if (router_find(x->server->o.routes, x->server->o.n_routes, http_method(x), http_path(x), &x->match, allow, &err) < 0)
		return refuse_no_route(x, allow, &err);
	if (!(x->match.route->flags & HTTP_PUBLIC) && x->server->o.guard && x->server->o.guard(x))
		return send_reply(x);
	if (!(x->match.route->flags & HTTP_INLINE))
		return hand_over(x);
	exchange_run(x);
	return send_reply(x);
}

/* --- callbacks ---------------------------------------------------------------------------------------------- */

static void set_receiving(struct http_exchange *x, bool receiving)
{
	pthread_mutex_lock(&x->server->mu);
	x->peer->receiving = receiving;
	x->peer->since_ms = clock_now_ms();
	pthread_mutex_unlock(&x->server->mu);
}

/* After the head: refuse at once what would only waste the client's time. */
static enum MHD_Result begin(struct http_server *s, struct MHD_Connection *conn, const char *url, const char *method, void **state)
{
	struct http_exchange *x = exchange_new(s, conn, method, url);
	struct err err = ERR_INIT;
	*state = x;
	x->peer = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	const union MHD_ConnectionInfo *head = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (head && head->header_size > LIMIT_HTTP_HEADER_BYTES) {
		err_set(&err, ERR_LIMIT, "the request head is larger than %zu bytes", LIMIT_HTTP_HEADER_BYTES);
		return refuse(x, 431, &err);
	}
	int64_t length = 0;
	const char *given = http_header(x, "Content-Length");
	if (given && str_to_i64(str_of(given), &length) && (uint64_t)length > s->o.max_body_bytes) {
		/* A client that waits for "100 Continue", or means to send very much, is told now. Others would see
		 * a reset instead of the answer if the connection closed on them, so their body is read and dropped. */
		x->too_large = true;
		if (http_header(x, "Expect") || (uint64_t)length > 8 * s->o.max_body_bytes)
			return dispatch(x);
	}
	return MHD_YES;
}

enum MHD_Result connection_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
				   const char *upload, size_t *upload_size, void **state)
{
	(void)version;
	struct http_exchange *x = *state;
	if (!x)
		return begin(cls, conn, url, method, state);
	if (*upload_size > 0) {
		if (!x->too_large)
			buf_put(&x->body, upload, *upload_size);
		x->too_large = x->too_large || x->body.overflow;
		*upload_size = 0;
		return MHD_YES;
	}
	if (!x->seen_body) {
		x->seen_body = true;
		set_receiving(x, false);
		return dispatch(x);
	}
	pthread_mutex_lock(&x->mu);
	bool ready = x->ready;
	pthread_mutex_unlock(&x->mu);
	return ready ? send_reply(x) : MHD_YES;
}

void connection_completed(void *cls, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
	(void)conn, (void)why;
	struct http_server *s = cls;
	struct http_exchange *x = *state;
	if (!x)
		return;
	*state = NULL;
	exchange_mark_gone(x);
	set_receiving(x, true);
	if (s->o.on_done)
		s->o.on_done(s->o.context, x, x->status, clock_now_ms() - x->start_ms);
	pthread_mutex_lock(&s->mu);
	if (x->peer->working == x) {
		watcher_remove(s, x->peer);
		x->peer->working = NULL;
		if (--s->in_flight == 0)
			pthread_cond_broadcast(&s->idle);
	}
	pthread_mutex_unlock(&s->mu);
	exchange_unref(x);
}

void connection_notify(void *cls, struct MHD_Connection *conn, void **socket_state, enum MHD_ConnectionNotificationCode what)
{
	struct http_server *s = cls;
	struct http_peer *p = *socket_state;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		p = mem_alloc(sizeof *p);
		p->server = s;
		p->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		p->since_ms = clock_now_ms();
		p->receiving = true;
		*socket_state = p;
		pthread_mutex_lock(&s->mu);
		p->next = s->peers;
		if (p->next)
			p->next->prev = p;
		s->peers = p;
		pthread_mutex_unlock(&s->mu);
		return;
	}
	pthread_mutex_lock(&s->mu);
	if (p->prev)
		p->prev->next = p->next;
	else
		s->peers = p->next;
	if (p->next)
		p->next->prev = p->prev;
	pthread_mutex_unlock(&s->mu);
	free(p);
}
