/* fake_api.c: see fake_api.h. One thread accepts, one serves each connection. All state is guarded by one mutex; a watch
 * is an index into the log of changes. */
#include "kube/fake_api.h"

#include "base/fd.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct change { long version; char *collection, *space; char *type; json_t *object; bool raw; };
struct fault { char *method, *part, *retry_after; int times, status; enum fake_fault kind; };
struct seen { char *method, *path; json_t *what; };
struct connection { struct fake_api *f; int fd; pthread_t thread; };

struct fake_api {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	int listener, port;
	pthread_t acceptor;
	bool down;
	VEC(struct connection *) connections;
	struct map objects;      /* path -> json_t */
	VEC(struct change) log;
	VEC(struct fault) faults;
	VEC(struct seen) seen;
	long version, compacted, stale_version;
	int stale_lists, uid;
	unsigned end_generation;
	bool end_abruptly;
	size_t accepted, watches;
	char *authorization;
	char kubeconfig[64];
};

struct request { char method[8], path[2048], query[2048], type[128], authorization[2048], agent[128], host[128]; char *body; size_t body_len; };

/* --- small things ---------------------------------------------------------------------------------------------- */

static bool send_all(int fd, const char *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, data + at, len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* "/api/v1/namespaces/a/pods/x" -> collection "/api/v1/pods", space "a", name "x". */
struct where { char collection[256], space[128], name[256], sub[64]; };
static struct where split(const char *path)
{
	struct where w = {0};
	char copy[2048], *parts[12] = {0};
	size_t n = 0;
	snprintf(copy, sizeof copy, "%s", path);
	for (char *p = copy, *next; p && n < 12; p = next) {
		next = strchr(p, '/');
		if (next)
			*next++ = 0;
		if (*p)
			parts[n++] = p;
	}
	size_t at = strcmp(parts[0], "api") == 0 ? 2 : 3;
	size_t head = at;
	if (n > at + 2 && strcmp(parts[at], "namespaces") == 0) {
		snprintf(w.space, sizeof w.space, "%s", parts[at + 1]);
		at += 2;
	}
	for (size_t i = 0; i < head; i++)
		snprintf(w.collection + strlen(w.collection), sizeof w.collection - strlen(w.collection), "/%s", parts[i]);
	if (at < n)
		snprintf(w.collection + strlen(w.collection), sizeof w.collection - strlen(w.collection), "/%s", parts[at]);
	if (at + 1 < n)
		snprintf(w.name, sizeof w.name, "%s", parts[at + 1]);
	if (at + 2 < n)
		snprintf(w.sub, sizeof w.sub, "%s", parts[at + 2]);
	return w;
}

static char *object_path(const struct where *w, const char *name)
{
	const char *slash = strrchr(w->collection, '/');
	if (!w->space[0])
		return mem_printf("%s/%s", w->collection, name);
	return mem_printf("%.*s/namespaces/%s%s/%s", (int)(slash - w->collection), w->collection, w->space, slash, name);
}

static bool query_value(const char *query, const char *key, char *out, size_t size)
{
	size_t len = strlen(key);
	for (const char *p = query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
		if (strncmp(p, key, len) == 0 && p[len] == '=') {
			snprintf(out, size, "%.*s", (int)strcspn(p + len + 1, "&"), p + len + 1);
			return true;
		}
	return false;
}

/* --- the store; mu is held ------------------------------------------------------------------------------------- */

static void log_change(struct fake_api *f, const char *collection, const char *space, const char *type, json_t *object, bool raw)
{
	vec_push(&f->log, (struct change){f->version, mem_strdup(collection), mem_strdup(space), mem_strdup(type), object, raw});
	pthread_cond_broadcast(&f->changed);
}

static void stamp(struct fake_api *f, json_t *object)
{
	char text[24];
	json_t *meta = json_object_get(object, "metadata");
	snprintf(text, sizeof text, "%ld", f->version);
	json_object_set_new(meta, "resourceVersion", json_string(text));
	if (!json_object_get(meta, "uid")) {
		snprintf(text, sizeof text, "uid-%d", ++f->uid);
		json_object_set_new(meta, "uid", json_string(text));
	}
	json_object_set_new(meta, "managedFields", json_pack("[{s:s}]", "manager", text));
}

static void store(struct fake_api *f, const char *path, json_t *object)
{
	struct where w = split(path);
	const json_t *old = map_get(&f->objects, str_of(path));
	f->version++;
	if (old && !json_object_get(json_object_get(object, "metadata"), "uid"))
		json_object_set(json_object_get(object, "metadata"), "uid", json_object_get(json_object_get(old, "metadata"), "uid"));
	stamp(f, object);
	log_change(f, w.collection, w.space, old ? "MODIFIED" : "ADDED", json_deep_copy(object), false);
	map_put(&f->objects, str_of(path), object);
}

static void drop(struct fake_api *f, const char *path)
{
	json_t *old = map_get(&f->objects, str_of(path));
	struct where w = split(path);
	if (!old)
		return;
	f->version++;
	json_t *last = json_deep_copy(old);
	stamp(f, last);
	log_change(f, w.collection, w.space, "DELETED", last, false);
	map_remove(&f->objects, str_of(path));
}

/* --- answers --------------------------------------------------------------------------------------------------- */

struct answer { int status; json_t *body; const char *retry_after; };

static struct answer refusal(int status, const char *reason, const char *message)
{
	return (struct answer){status, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "kind", "Status", "apiVersion", "v1", "status", "Failure", "reason", reason,
						 "message", message, "code", status), NULL};
}

static struct answer found(json_t *object, int status) { return (struct answer){status, json_deep_copy(object), NULL}; }

static struct answer list(struct fake_api *f, const struct where *w, const char *query)
{
	char text[64] = "", from[64] = "";
	long limit = query_value(query, "limit", text, sizeof text) ? strtol(text, NULL, 10) : 0, skip = 0, version = f->version, n = 0;
	if (query_value(query, "continue", from, sizeof from)) {
		skip = strtol(from, NULL, 10);
		version = strtol(strchr(from, '.') + 1, NULL, 10);
		if (version < f->compacted)
			return refusal(410, "Expired", "The provided continue parameter is too old");
	}
	if (f->stale_lists > 0) {
		f->stale_lists--;
		version = f->stale_version;
	}
	json_t *items = json_array(), *meta = json_object();
	struct map_entry e;
	for (size_t i = 0; map_next(&f->objects, &i, &e);) {
		char path[1024];
		snprintf(path, sizeof path, "%.*s", STR_FMT(e.key));
		struct where at = split(path);
		bool newer = strtol(meta_version(e.value), NULL, 10) > version && version == f->stale_version;
		if (strcmp(at.collection, w->collection) != 0 || (w->space[0] && strcmp(at.space, w->space) != 0) || newer || n++ < skip)
			continue;
		if (limit && (long)json_array_size(items) == limit) {
			snprintf(text, sizeof text, "%ld.%ld", skip + limit, version);
			json_object_set_new(meta, "continue", json_string(text));
			break;
		}
		json_t *item = json_deep_copy(e.value);
		json_object_del(item, "kind"); /* as members of built-in lists */
		json_object_del(item, "apiVersion");
		json_array_append_new(items, item);
	}
	snprintf(text, sizeof text, "%ld", version);
	json_object_set_new(meta, "resourceVersion", json_string(text));
	return (struct answer){200, json_pack("{s:s, s:s, s:o, s:o}", "kind", "List", "apiVersion", "v1", "metadata", meta, "items", items), NULL};
}

static struct answer create(struct fake_api *f, const struct where *w, json_t *object)
{
	char name[256];
	const char *prefix = json_text_at(object, "", "metadata", "generateName", NULL);
	snprintf(name, sizeof name, "%s", meta_name(object));
	if (!name[0])
		snprintf(name, sizeof name, "%s%d", prefix, f->uid + 1);
	char *path = object_path(w, name);
	struct answer a;
	if (map_has(&f->objects, str_of(path))) {
		a = refusal(409, "AlreadyExists", "already exists");
	} else {
		json_object_set_new(json_object_get(object, "metadata"), "name", json_string(name));
		store(f, path, json_incref(object));
		a = found(object, 201);
	}
	free(path);
	return a;
}

static void merge(json_t *into, const json_t *patch)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
		if (json_is_null(value))
			json_object_del(into, key);
		else if (json_is_object(value) && json_is_object(json_object_get(into, key)))
			merge(json_object_get(into, key), value);
		else
			json_object_set_new(into, key, json_deep_copy(value));
	}
}

static struct answer change_object(struct fake_api *f, const struct request *q, const char *path, json_t *body)
{
	json_t *old = map_get(&f->objects, str_of(path));
	if (!old)
		return refusal(404, "NotFound", "not found");
	if (strcmp(q->method, "PUT") == 0 && meta_version(body)[0] && strcmp(meta_version(body), meta_version(old)) != 0)
		return refusal(409, "Conflict", "the object has been modified");
	json_t *fresh = strcmp(q->method, "PUT") == 0 ? json_incref(body) : json_deep_copy(old);
	if (strcmp(q->method, "PATCH") == 0 && json_is_object(body))
		merge(fresh, body);
	store(f, path, fresh);
	return found(fresh, 200);
}

static struct answer remove_object(struct fake_api *f, const char *path, const json_t *body)
{
	json_t *old = map_get(&f->objects, str_of(path));
	const char *uid = json_text_at(body, "", "preconditions", "uid", NULL);
	if (!old)
		return refusal(404, "NotFound", "not found");
	if (uid[0] && strcmp(uid, meta_uid(old)) != 0)
		return refusal(409, "Conflict", "Precondition failed: UID");
	drop(f, path);
	return (struct answer){200, json_pack("{s:s, s:s}", "kind", "Status", "status", "Success"), NULL};
}

static struct answer serve(struct fake_api *f, const struct request *q, json_t *body)
{
	struct where w = split(q->path);
	if (f->authorization && strcmp(f->authorization, q->authorization) != 0)
		return refusal(401, "Unauthorized", "Unauthorized");
	if (strcmp(q->method, "POST") == 0)
		return create(f, &w, body);
	if (!w.name[0])
		return list(f, &w, q->query);
	char *path = object_path(&w, w.name);
	struct answer a;
	json_t *old = map_get(&f->objects, str_of(path));
	if (strcmp(q->method, "GET") == 0)
		a = old ? found(old, 200) : refusal(404, "NotFound", "not found");
	else if (strcmp(q->method, "DELETE") == 0)
		a = remove_object(f, path, body);
	else
		a = change_object(f, q, path, body);
	free(path);
	return a;
}

/* --- connections ----------------------------------------------------------------------------------------------- */

static void header_of(const char *head, const char *name, char *out, size_t size)
{
	const char *p = strcasestr(head, name);
	if (p)
		snprintf(out, size, "%.*s", (int)strcspn(p + strlen(name), "\r"), p + strlen(name));
}

static bool read_request(int fd, struct buf *in, struct request *q)
{
	char *end;
	while (!in->data || !(end = strstr(in->data, "\r\n\r\n"))) {
		char *into = buf_reserve(in, 16384);
		ssize_t n = recv(fd, into, 16384, 0);
		if (n <= 0)
			return false;
		in->len += (size_t)n;
		in->data[in->len] = 0;
	}
	*q = (struct request){0};
	char target[4096] = "", length[32] = "0";
	size_t head = (size_t)(end - in->data) + 4;
	end[2] = 0;
	sscanf(in->data, "%7s %4095s", q->method, target);
	snprintf(q->path, sizeof q->path, "%.*s", (int)strcspn(target, "?"), target);
	snprintf(q->query, sizeof q->query, "%s", strchr(target, '?') ? strchr(target, '?') + 1 : "");
	header_of(in->data, "\r\nContent-Length: ", length, sizeof length);
	header_of(in->data, "\r\nContent-Type: ", q->type, sizeof q->type);
	header_of(in->data, "\r\nAuthorization: ", q->authorization, sizeof q->authorization);
	header_of(in->data, "\r\nUser-Agent: ", q->agent, sizeof q->agent);
	header_of(in->data, "\r\nHost: ", q->host, sizeof q->host);
	q->body_len = (size_t)strtoul(length, NULL, 10);
	while (in->len < head + q->body_len) {
		char *into = buf_reserve(in, 16384);
		ssize_t n = recv(fd, into, 16384, 0);
		if (n <= 0)
			return false;
		in->len += (size_t)n;
	}
	q->body = mem_strndup(in->data + head, q->body_len);
	memmove(in->data, in->data + head + q->body_len, in->len - head - q->body_len);
	in->len -= head + q->body_len;
	in->data[in->len] = 0;
	return true;
}

static bool reply(int fd, const struct answer *a, bool half)
{
	struct buf body = {0}, out = {0};
	json_print(a->body, JSON_PRINT_COMPACT, &body);
	buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n", a->status, body.len);
	if (a->retry_after)
		buf_printf(&out, "Retry-After: %s\r\n", a->retry_after);
	buf_puts(&out, "\r\n");
	buf_put(&out, body.data, half ? body.len / 2 : body.len);
	bool ok = send_all(fd, out.data, out.len) && !half;
	buf_done(&body);
	buf_done(&out);
	return ok;
}

static bool send_chunk(int fd, str data)
{
	char size[32];
	snprintf(size, sizeof size, "%zx\r\n", data.len);
	return send_all(fd, size, strlen(size)) && send_all(fd, data.data, data.len) && send_all(fd, "\r\n", 2);
}

static bool send_change(int fd, const char *type, const json_t *object)
{
	struct buf line = {0};
	json_t *event = json_pack("{s:s, s:O}", "type", type, "object", object);
	json_print(event, JSON_PRINT_COMPACT, &line);
	buf_putc(&line, '\n');
	/* In two pieces, so that a reader must put lines together. */
	bool ok = send_chunk(fd, str_sub(buf_str(&line), 0, line.len / 2)) && send_chunk(fd, str_sub(buf_str(&line), line.len / 2, line.len));
	json_decref(event);
	buf_done(&line);
	return ok;
}

static bool is_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	return poll(&p, 1, 0) > 0;
}

/* mu is held on entry and on return. Returns whether the connection can go on. */
static bool watch(struct fake_api *f, int fd, const struct request *q, const struct where *w)
{
	char text[32] = "0";
	query_value(q->query, "resourceVersion", text, sizeof text);
	long from = strtol(text, NULL, 10);
	static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
	bool ok = send_all(fd, HEAD, sizeof HEAD - 1);
	if (from < f->compacted) {
		struct answer a = refusal(410, "Expired", "too old resource version");
		ok = send_change(fd, "ERROR", a.body) && send_all(fd, "0\r\n\r\n", 5);
		json_decref(a.body);
		return ok;
	}
	size_t at = f->log.len;
	while (at > 0 && f->log.data[at - 1].version > from)
		at--;
	unsigned generation = f->end_generation;
	f->watches++;
	pthread_cond_broadcast(&f->changed);
	for (;;) {
		for (; ok && at < f->log.len; at++) {
			const struct change *c = &f->log.data[at];
			bool mine = strcmp(c->collection, w->collection) == 0 && (!w->space[0] || strcmp(c->space, w->space) == 0);
			if (mine && (c->raw || c->version > from))
				ok = send_change(fd, c->type, c->object);
		}
		if (!ok || f->down || generation != f->end_generation)
			break;
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 20000000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&f->changed, &f->mu, &t);
		ok = ok && !is_gone(fd);
	}
	f->watches--;
	if (!ok || f->down)
		return false;
	if (f->end_abruptly)
		return send_chunk(fd, STR("{\"type\":\"ADDED\",\"obj")) && false;
	return send_all(fd, "0\r\n\r\n", 5);
}

static struct fault *fault_for(struct fake_api *f, const struct request *q, const char *target)
{
	for (size_t i = 0; i < f->faults.len; i++) {
		struct fault *x = &f->faults.data[i];
		if (x->times > 0 && strcmp(x->method, q->method) == 0 && strstr(target, x->part)) {
			x->times--;
			return x;
		}
	}
	return NULL;
}

static void note(struct fake_api *f, const struct request *q, const char *target)
{
	vec_push(&f->seen, (struct seen){mem_strdup(q->method), mem_strdup(target),
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", target, "type", q->type, "body", q->body, "agent", q->agent, "host", q->host)});
}

/* mu is held. Returns whether the connection can go on. */
static bool handle(struct fake_api *f, int fd, const struct request *q)
{
	char target[4200];
	snprintf(target, sizeof target, "%s%s%s", q->path, q->query[0] ? "?" : "", q->query);
	note(f, q, target);
	const struct fault *x = fault_for(f, q, target);
	if (x && x->kind == FAKE_DROP_BEFORE)
		return false;
	while (x && x->kind == FAKE_HANG && !f->down)
		pthread_cond_wait(&f->changed, &f->mu);
	if (x && x->kind == FAKE_ANSWER) {
		struct answer a = refusal(x->status, x->status == 429 ? "TooManyRequests" : "Injected", "injected");
		a.retry_after = x->retry_after;
		bool ok = reply(fd, &a, false);
		json_decref(a.body);
		return ok;
	}
	struct where w = split(q->path);
	if (strstr(q->query, "watch=true"))
		return watch(f, fd, q, &w);
	json_t *body = q->body_len ? json_loads(q->body, 0, NULL) : NULL;
	struct answer a = serve(f, q, body);
	json_decref(body);
	bool ok = x && x->kind == FAKE_DROP_AFTER ? false : reply(fd, &a, x && x->kind == FAKE_DROP_BODY);
	json_decref(a.body);
	return ok;
}

static void *serve_connection(void *context)
{
	struct connection *c = context;
	struct buf in = {0};
	struct request q;
	for (bool ok = true; ok && read_request(c->fd, &in, &q);) {
		pthread_mutex_lock(&c->f->mu);
		ok = !c->f->down && handle(c->f, c->fd, &q);
		pthread_mutex_unlock(&c->f->mu);
		free(q.body);
	}
	shutdown(c->fd, SHUT_RDWR);
	buf_done(&in);
	return NULL;
}

static void *accept_all(void *context)
{
	struct fake_api *f = context;
	for (int fd; (fd = accept(f->listener, NULL, NULL)) >= 0;) {
		struct connection *c = mem_alloc(sizeof *c);
		*c = (struct connection){.f = f, .fd = fd};
		pthread_mutex_lock(&f->mu);
		f->accepted++;
		vec_push(&f->connections, c);
		pthread_create(&c->thread, NULL, serve_connection, c);
		pthread_mutex_unlock(&f->mu);
	}
	return NULL;
}

void fake_api_up(struct fake_api *f)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int one = 1;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(f->listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(f->listener, 64) < 0)
		abort();
	getsockname(f->listener, (struct sockaddr *)&a, &len);
	f->port = ntohs(a.sin_port);
	f->down = false;
	pthread_create(&f->acceptor, NULL, accept_all, f);
}

void fake_api_down(struct fake_api *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->acceptor, NULL);
	close(f->listener);
	pthread_mutex_lock(&f->mu);
	f->down = true;
	pthread_cond_broadcast(&f->changed);
	for (size_t i = 0; i < f->connections.len; i++)
		shutdown(f->connections.data[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&f->mu);
	for (size_t i = 0; i < f->connections.len; i++) {
		pthread_join(f->connections.data[i]->thread, NULL);
		close(f->connections.data[i]->fd);
		free(f->connections.data[i]);
	}
	f->connections.len = 0;
}

/* --- the test's side ------------------------------------------------------------------------------------------- */

static void decref(void *object) { json_decref(object); }

struct fake_api *fake_api_new(void)
{
	struct fake_api *f = mem_alloc(sizeof *f);
	f->objects.free_value = decref;
	f->version = 100;
	f->stale_version = -1;
	pthread_mutex_init(&f->mu, NULL);
	pthread_cond_init(&f->changed, NULL);
	fake_api_up(f);
	return f;
}

void fake_api_free(struct fake_api *f)
{
	fake_api_down(f);
	map_done(&f->objects);
	for (size_t i = 0; i < f->log.len; i++) {
		free(f->log.data[i].collection), free(f->log.data[i].space), free(f->log.data[i].type);
		json_decref(f->log.data[i].object);
	}
	for (size_t i = 0; i < f->faults.len; i++)
		free(f->faults.data[i].method), free(f->faults.data[i].part), free(f->faults.data[i].retry_after);
	for (size_t i = 0; i < f->seen.len; i++) {
		free(f->seen.data[i].method), free(f->seen.data[i].path);
		json_decref(f->seen.data[i].what);
	}
	vec_done(&f->log);
	vec_done(&f->faults);
	vec_done(&f->seen);
	vec_done(&f->connections);
	free(f->authorization);
	if (f->kubeconfig[0])
		unlink(f->kubeconfig);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->mu);
	free(f);
}

int fake_api_port(const struct fake_api *f) { return f->port; }

const char *fake_api_kubeconfig(struct fake_api *f, const char *token)
{
	struct buf text = {0};
	buf_printf(&text, "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d/'}}]\nusers: [{name: u, user: {token: '%s'}}]\n"
			  "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n", f->port, token ? token : "");
	snprintf(f->kubeconfig, sizeof f->kubeconfig, "/tmp/kaito-kubeconfig-%d-%d", (int)getpid(), f->port);
	struct err err = ERR_INIT;
	if (fd_write_file(f->kubeconfig, text.data, text.len, 0600, &err) < 0)
		abort();
	buf_done(&text);
	return f->kubeconfig;
}

#define LOCKED(f, ...) do { pthread_mutex_lock(&(f)->mu); __VA_ARGS__; pthread_cond_broadcast(&(f)->changed); pthread_mutex_unlock(&(f)->mu); } while (0)

void fake_api_put(struct fake_api *f, const char *path, json_t *object) { LOCKED(f, store(f, path, object)); }
void fake_api_remove(struct fake_api *f, const char *path) { LOCKED(f, drop(f, path)); }
void fake_api_compact(struct fake_api *f) { LOCKED(f, f->compacted = ++f->version); }
void fake_api_send(struct fake_api *f, const char *collection, const char *type, json_t *object) { LOCKED(f, log_change(f, collection, "", type, object, true)); }
void fake_api_end_watches(struct fake_api *f, bool abruptly) { LOCKED(f, f->end_generation++; f->end_abruptly = abruptly); }
void fake_api_stale_lists(struct fake_api *f, int times, long version) { LOCKED(f, f->stale_lists = times; f->stale_version = version); }

json_t *fake_api_get(struct fake_api *f, const char *path)
{
	json_t *object;
	LOCKED(f, object = json_deep_copy(map_get(&f->objects, str_of(path))));
	return object;
}

void fake_api_fail(struct fake_api *f, const char *method, const char *part, int times, enum fake_fault fault, int status, const char *retry_after)
{
	LOCKED(f, vec_push(&f->faults, (struct fault){mem_strdup(method), mem_strdup(part), retry_after ? mem_strdup(retry_after) : NULL, times, status, fault}));
}

void fake_api_require(struct fake_api *f, const char *authorization)
{
	LOCKED(f, free(f->authorization); f->authorization = authorization ? mem_strdup(authorization) : NULL);
}

size_t fake_api_count(struct fake_api *f, const char *method, const char *part)
{
	size_t n = 0;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->seen.len; i++)
		n += (!method || strcmp(f->seen.data[i].method, method) == 0) && strstr(f->seen.data[i].path, part);
	pthread_mutex_unlock(&f->mu);
	return n;
}

json_t *fake_api_last(struct fake_api *f, const char *method)
{
	json_t *what = NULL;
	pthread_mutex_lock(&f->mu);
	for (size_t i = 0; i < f->seen.len; i++)
		if (strcmp(f->seen.data[i].method, method) == 0)
			what = f->seen.data[i].what;
	what = json_deep_copy(what);
	pthread_mutex_unlock(&f->mu);
	return what;
}

size_t fake_api_connections(struct fake_api *f)
{
	size_t n;
	LOCKED(f, n = f->accepted);
	return n;
}

size_t fake_api_watches(struct fake_api *f)
{
	size_t n;
	LOCKED(f, n = f->watches);
	return n;
}
