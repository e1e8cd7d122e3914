/* exchange.c: one request and its reply: the accessors that handlers use, and the life of the object. */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "codec/json.h"
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

#define REQUEST_ID_MAX 128

struct http_pair *exchange_pair(struct http_exchange *x, struct http_pair **list, const char *name, const char *value)
{
	struct http_pair *p = arena_alloc(&x->arena, sizeof *p);
	*p = (struct http_pair){*list, arena_strdup(&x->arena, str_of(name)), arena_strdup(&x->arena, str_of(value ? value : ""))};
	*list = p;
	return p;
}

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct http_exchange *x = cls;
	exchange_pair(x, kind == MHD_HEADER_KIND ? &x->headers : &x->query, name, value);
	return MHD_YES;
}

static bool is_good_id(const char *id)
{
	size_t len = id ? strlen(id) : 0;
	for (size_t i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] > '~')
			return false;
	return len > 0 && len <= REQUEST_ID_MAX;
}

static const char *choose_id(struct http_exchange *x)
{
	static atomic_uint_fast64_t counter;
	const char *given = http_header(x, "X-Request-Id");
	if (is_good_id(given))
		return given;
	uint64_t now = (uint64_t)clock_now_ns(), n = atomic_fetch_add(&counter, 1);
	return arena_printf(&x->arena, "req-%016llx", (unsigned long long)random_u64(now, RANDOM_SAMPLE, 0, n));
}

struct http_exchange *exchange_new(struct http_server *s, struct MHD_Connection *conn, const char *method, const char *path)
{
	struct http_exchange *x = mem_alloc(sizeof *x);
	x->server = s;
	x->conn = conn;
	x->refs = 1;
	x->start_ms = clock_now_ms();
	x->body.max = s->o.max_body_bytes;
	x->stream.max = (size_t)16 << 20;
	pthread_mutex_init(&x->mu, NULL);
	thread_cond_init(&x->changed);
	x->method = arena_strdup(&x->arena, str_of(method));
	x->path = arena_strdup(&x->arena, str_of(path));
	MHD_get_connection_values(conn, MHD_HEADER_KIND, copy_header, x);
	MHD_get_connection_values(conn, MHD_GET_ARGUMENT_KIND, copy_header, x);
	x->id = choose_id(x);
	return x;
}

struct http_exchange *exchange_ref(struct http_exchange *x)
{
	pthread_mutex_lock(&x->mu);
	x->refs++;
	pthread_mutex_unlock(&x->mu);
	return x;
}

void exchange_unref(struct http_exchange *x)
{
	pthread_mutex_lock(&x->mu);
	bool last = --x->refs == 0;
	pthread_mutex_unlock(&x->mu);
	if (!last)
		return;
	pthread_mutex_destroy(&x->mu);
	pthread_cond_destroy(&x->changed);
	buf_done(&x->body);
	buf_done(&x->reply_body);
	buf_done(&x->stream);
	arena_done(&x->arena);
	free(x);
}

void exchange_wake(struct http_exchange *x)
{
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->conn);
}

/* --- the client leaving --------------------------------------------------------------------------------- */

void exchange_mark_gone(struct http_exchange *x)
{
	pthread_mutex_lock(&x->mu);
	void (*fn)(void *) = x->gone ? NULL : x->gone_fn;
	void *arg = x->gone_arg;
	x->gone = true;
	x->gone_running = x->gone_running || fn;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->mu);
	if (!fn)
		return;
	fn(arg);
	pthread_mutex_lock(&x->mu);
	x->gone_running = false;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->mu);
}

bool http_gone(struct http_exchange *x)
{
	pthread_mutex_lock(&x->mu);
	bool gone = x->gone;
	pthread_mutex_unlock(&x->mu);
	return gone;
}

void http_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&x->mu);
	while (x->gone_running)
		pthread_cond_wait(&x->changed, &x->mu);
	x->gone_fn = fn;
	x->gone_arg = arg;
	bool now = x->gone;
	pthread_mutex_unlock(&x->mu);
	if (now && fn)
		fn(arg);
}

/* --- the request ------------------------------------------------------------------------------------------ */

static const char *pair_find(const struct http_pair *list, const char *name, int (*compare)(const char *, const char *))
{
	for (; list; list = list->next)
		if (compare(list->name, name) == 0)
			return list->value;
	return NULL;
}

void *http_context(const struct http_exchange *x) { return x->server->o.context; }
const struct http_route *http_route(const struct http_exchange *x) { return x->match.route; }
str http_method(const struct http_exchange *x) { return str_of(x->method); }
str http_path(const struct http_exchange *x) { return str_of(x->path); }
const char *http_header(const struct http_exchange *x, const char *name) { return pair_find(x->headers, name, strcasecmp); }
const char *http_query(const struct http_exchange *x, const char *name) { return pair_find(x->query, name, strcmp); }
str http_body(const struct http_exchange *x) { return buf_str(&x->body); }
const char *http_request_id(const struct http_exchange *x) { return x->id; }
struct arena *http_arena(struct http_exchange *x) { return &x->arena; }

str http_param(const struct http_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->match.n_params; i++)
		if (str_eqz(x->match.params[i].name, name))
			return x->match.params[i].value;
	return STR("");
}

bool http_accepts(const struct http_exchange *x, const char *type)
{
	const char *accept = http_header(x, "Accept");
	return accept && strcasestr(accept, type);
}

int http_body_json(const struct http_exchange *x, json_t **out, struct err *err)
{
	if (x->body.len == 0)
		return err_set(err, ERR_INVALID, "the request has no body; send a JSON object");
	return json_parse(out, http_body(x), "request body", err);
}

/* --- the reply -------------------------------------------------------------------------------------------- */

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
	exchange_pair(x, &x->reply_headers, name, value);
}

/* First reply wins: a handler that fails after it replied does not reply twice. */
static bool claim(struct http_exchange *x, int status)
{
	pthread_mutex_lock(&x->mu);
	bool mine = x->status == 0;
	if (mine)
		x->status = status;
	pthread_mutex_unlock(&x->mu);
	return mine;
}

int http_reply(struct http_exchange *x, int status, const char *type, str body)
{
	if (!claim(x, status))
		return 0;
	x->reply_type = type;
	x->reply_body.max = SIZE_MAX / 2;
	buf_put_str(&x->reply_body, body);
	return 0;
}

int http_reply_json(struct http_exchange *x, int status, json_t *value)
{
	CLEANUP(buf_done) struct buf text = {.max = SIZE_MAX / 2};
	json_print(value, JSON_PRINT_COMPACT, &text);
	json_decref(value);
	return http_reply(x, status, "application/json", buf_str(&text));
}

static void plain_error(const struct err *err, int status, struct buf *out)
{
	buf_puts(out, "{\"error\":{\"message\":");
	json_put_string(out, str_of(err->message));
	buf_printf(out, ",\"type\":\"%s\",\"code\":%d}}", err_traits(err->kind)->name, status);
}

int http_reply_error(struct http_exchange *x, int status, const struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (status == 0)
		status = err_traits(err->kind)->http_status;
	(x->server->o.render_error ? x->server->o.render_error : plain_error)(err, status, &text);
	return http_reply(x, status, "application/json", buf_str(&text));
}

void http_hang_up(struct http_exchange *x) { (void)claim(x, HTTP_HUNG_UP); }

/* --- running the handler ---------------------------------------------------------------------------------- */

void exchange_run(struct http_exchange *x)
{
	struct err err = ERR_INIT;
	if (x->match.route->handler(x, &err) < 0)
		http_reply_error(x, 0, &err);
	http_on_gone(x, NULL, NULL);
	err_set(&err, ERR_INTERNAL, "the handler gave no reply");
	http_reply_error(x, 0, &err);
	http_stream_end(x);
	pthread_mutex_lock(&x->mu);
	x->ready = true;
	exchange_wake(x);
	pthread_mutex_unlock(&x->mu);
}
