/* event_recorder.c: see event_recorder.h. Reconciles put events into a bounded queue; one thread sends them. What was sent
 * lately is remembered by what it says, so that its repetition becomes a higher count. */
#include "kube/event_recorder.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/thread.h"
#include "base/vec.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "kube/request.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define STACK_BYTES ((size_t)256 << 10)
#define QUEUE_MAX 1000
#define SENT_MAX 1000
#define REPEAT_MS 600000
#define MESSAGE_MAX 1024    /* as the API server allows */
#define FAREWELL_MS 2000
#define TRIES 10
#define PAUSE_MS 2000

struct event {
	char *key;               /* all that makes two events the same */
	json_t *object;
	int64_t count;
};
/* What was sent lately; kept by key. */
struct sent { char *name, *namespace_; int64_t count, at_ms; };

struct event_recorder {
	struct kube_client *client;
	char *component;
	int64_t quiet_ms;        /* immutable after the first event */
	pthread_t thread;
	bool started;
	atomic_bool abandon;
	struct map sent;         /* owner: the thread */
	pthread_mutex_t mu;      /* guards all below */
	pthread_cond_t changed;
	VEC(struct event) queue;
	bool stop, done;
	int64_t farewell_ms;     /* set with stop: until then the queue is sent */
	uint64_t dropped;
};

static void free_sent(void *p)
{
	struct sent *s = p;
	free(s->name);
	free(s->namespace_);
	free(s);
}

static void event_done(struct event *e)
{
	free(e->key);
	json_decref(e->object);
}

/* --- making one -------------------------------------------------------------------------------------------------- */

/* The object's name, and the time in hexadecimal digits, as client-go names events. */
static void put_name(json_t *meta, const char *object_name)
{
	struct timespec t;
	char name[254];
	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(name, sizeof name, "%.230s.%" PRIx64, object_name, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
	json_object_set_new(meta, "name", json_string(name));
}

static json_t *involved_reference(const json_t *o)
{
	json_t *r = json_object();
	const char *const members[][2] = {
		{"kind", json_text_at(o, "", "kind", NULL)}, {"namespace", meta_namespace(o)}, {"name", meta_name(o)}, {"uid", meta_uid(o)},
		{"apiVersion", json_text_at(o, "", "apiVersion", NULL)}, {"resourceVersion", meta_version(o)},
	};
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (members[i][1][0])
			json_object_set_new(r, members[i][0], json_string(members[i][1]));
	return r;
}

static char *component_of(const struct event_recorder *r, const json_t *involved)
{
	const char *star = strchr(r->component, '*');
	if (!star)
		return mem_strdup(r->component);
	return mem_printf("%.*s%s%s", (int)(star - r->component), r->component, json_text_at(involved, "", "kind", NULL), star + 1);
}

static json_t *new_event(const struct event_recorder *r, const json_t *involved, const char *type, const char *reason, const char *message)
{
	char now[32];
	const char *space = meta_namespace(involved)[0] ? meta_namespace(involved) : "default";
	clock_rfc3339(clock_wall_s(), now);
	json_t *e = meta_new(&KUBE_EVENTS, space, "");
	put_name(json_object_get(e, "metadata"), meta_name(involved));
	json_object_set_new(e, "involvedObject", involved_reference(involved));
	json_object_set_new(e, "reason", json_string(reason));
	json_object_set_new(e, "message", json_string(message));
	CLEANUP(mem_freep) char *component = component_of(r, involved);
	json_object_set_new(e, "source", json_pack("{s:s}", "component", component));
	json_object_set_new(e, "firstTimestamp", json_string(now));
	json_object_set_new(e, "lastTimestamp", json_string(now));
	json_object_set_new(e, "count", json_integer(1));
	json_object_set_new(e, "type", json_string(type));
	json_object_set_new(e, "reportingComponent", json_string(component));
	json_object_set_new(e, "reportingInstance", json_string(""));
	return e;
}

/* At most MESSAGE_MAX bytes, not cut within a character. */
__attribute__((format(printf, 1, 0)))
static char *format_message(const char *fmt, va_list ap)
{
	struct buf out = {0};
	char text[MESSAGE_MAX + 1];
	int n = vsnprintf(text, sizeof text, fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n > MESSAGE_MAX ? MESSAGE_MAX : (size_t)n, bad;
	if (!str_is_utf8((str){text, len}, &bad))
		len = bad;
	buf_put(&out, text, len);
	return buf_take(&out);
}

static void remove_first(struct event_recorder *r)
{
	event_done(&r->queue.data[0]);
	memmove(r->queue.data, r->queue.data + 1, --r->queue.len * sizeof *r->queue.data);
}

static void push(struct event_recorder *r, char *key, json_t *object)
{
	pthread_mutex_lock(&r->mu);
	for (size_t i = 0; i < r->queue.len; i++)
		if (strcmp(r->queue.data[i].key, key) == 0) { /* still waiting: one request for both */
			r->queue.data[i].count++;
			json_object_set(r->queue.data[i].object, "lastTimestamp", json_object_get(object, "lastTimestamp"));
			pthread_mutex_unlock(&r->mu);
			event_done(&(struct event){key, object, 1});
			return;
		}
	if (r->queue.len == QUEUE_MAX) {
		remove_first(r);
		r->dropped++;
	}
	vec_push(&r->queue, (struct event){key, object, 1});
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mu);
}

void event_emit(struct event_recorder *r, const json_t *involved, const char *type, const char *reason, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	CLEANUP(mem_freep) char *message = format_message(fmt, ap);
	va_end(ap);
	char *key = mem_printf("%s/%s/%s/%s/%s/%s", meta_uid(involved), meta_namespace(involved), meta_name(involved), type, reason, message);
	push(r, key, new_event(r, involved, type, reason, message));
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static int post(struct event_recorder *r, const struct event *e, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(&KUBE_EVENTS, meta_namespace(e->object), NULL, NULL);
	CLEANUP(buf_done) struct buf body = {0};
	json_object_set_new(e->object, "count", json_integer(e->count));
	json_print(e->object, JSON_PRINT_COMPACT, &body);
	const struct kube_request q = {.method = "POST", .path = path, .content_type = "application/json", .body = buf_str(&body),
				       .cancel = &r->abandon, .repeatable = true, .detached = true};
	if (kube_request_object(r->client, &q, NULL, NULL, err) == 0)
		return 0;
	return err->kind == ERR_EXISTS ? 0 : -1; /* the name is ours alone: an earlier try arrived */
}

static int raise_count(struct event_recorder *r, const struct sent *s, const struct event *e, struct err *err)
{
	CLEANUP(mem_freep) char *path = kube_path(&KUBE_EVENTS, s->namespace_, s->name, NULL);
	CLEANUP(buf_done) struct buf body = {0};
	buf_printf(&body, "{\"count\":%" PRId64 ",\"lastTimestamp\":\"%s\"}", s->count + e->count, json_text_at(e->object, "", "lastTimestamp", NULL));
	const struct kube_request q = {.method = "PATCH", .path = path, .content_type = "application/merge-patch+json", .body = buf_str(&body),
				       .cancel = &r->abandon, .repeatable = true, .detached = true};
	return kube_request_object(r->client, &q, NULL, NULL, err);
}

static void forget_old(struct event_recorder *r)
{
	struct map_entry next;
	int64_t now = clock_now_ms();
	for (size_t i = 0; map_next(&r->sent, &i, &next);) {
		const struct sent *s = next.value;
		if (now - s->at_ms >= REPEAT_MS)
			map_remove(&r->sent, next.key);
	}
	if (r->sent.count >= SENT_MAX)
		map_done(&r->sent);
}

static int send_event(struct event_recorder *r, const struct event *e, struct err *err)
{
	struct sent *s = map_get(&r->sent, str_of(e->key));
	if (s && clock_now_ms() - s->at_ms < r->quiet_ms)
		return 0;
	if (s && clock_now_ms() - s->at_ms < REPEAT_MS) {
		if (raise_count(r, s, e, err) == 0) {
			s->count += e->count;
			s->at_ms = clock_now_ms();
			return 0;
		}
		if (err->kind != ERR_NOT_FOUND) /* events expire on the server */
			return -1;
	}
	if (post(r, e, err) < 0)
		return -1;
	if (r->sent.count >= SENT_MAX)
		forget_old(r);
	s = mem_alloc(sizeof *s);
	*s = (struct sent){mem_strdup(meta_name(e->object)), mem_strdup(meta_namespace(e->object)), e->count, clock_now_ms()};
	map_put(&r->sent, str_of(e->key), s);
	return 0;
}

/* False when the recorder is to end. */
static bool pause_unless_stopped(struct event_recorder *r)
{
	int64_t until = clock_now_ms() + PAUSE_MS;
	struct timespec t = {until / 1000, until % 1000 * 1000000};
	pthread_mutex_lock(&r->mu);
	while (!r->stop && clock_now_ms() < until)
		pthread_cond_timedwait(&r->changed, &r->mu, &t);
	bool stop = r->stop;
	pthread_mutex_unlock(&r->mu);
	return !stop;
}

static void deliver(struct event_recorder *r, const struct event *e)
{
	for (int i = 0; i < TRIES; i++) {
		struct err err = ERR_INIT;
		if (send_event(r, e, &err) == 0)
			return;
		bool later = err.kind == ERR_NETWORK || err.kind == ERR_TIMEOUT || err.kind == ERR_BUSY || err.kind == ERR_PROTOCOL;
		if (!later || !pause_unless_stopped(r))
			break;
	}
	pthread_mutex_lock(&r->mu);
	r->dropped++;
	pthread_mutex_unlock(&r->mu);
}

static bool take(struct event_recorder *r, struct event *out)
{
	pthread_mutex_lock(&r->mu);
	while (!r->queue.len && !r->stop)
		pthread_cond_wait(&r->changed, &r->mu);
	bool some = r->queue.len && !atomic_load(&r->abandon);
	if (some) {
		*out = r->queue.data[0];
		memmove(r->queue.data, r->queue.data + 1, --r->queue.len * sizeof *r->queue.data);
	}
	pthread_mutex_unlock(&r->mu);
	return some;
}

static void *run(void *context)
{
	struct event_recorder *r = context;
	struct event e;
	while (take(r, &e)) {
		deliver(r, &e);
		event_done(&e);
	}
	pthread_mutex_lock(&r->mu);
	r->done = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->mu);
	return NULL;
}

struct event_recorder *event_recorder_new(struct kube_client *client, const char *component)
{
	struct event_recorder *r = mem_alloc(sizeof *r);
	r->client = client;
	r->component = mem_strdup(component);
	r->sent.free_value = free_sent;
	pthread_mutex_init(&r->mu, NULL);
	thread_cond_init(&r->changed);
	r->started = thread_start(&r->thread, STACK_BYTES, run, r) == 0;
	return r;
}

void event_recorder_set_quiet(struct event_recorder *r, int64_t quiet_ms) { r->quiet_ms = quiet_ms; }

uint64_t event_recorder_dropped(struct event_recorder *r)
{
	pthread_mutex_lock(&r->mu);
	uint64_t dropped = r->dropped;
	pthread_mutex_unlock(&r->mu);
	return dropped;
}

void event_recorder_stop(struct event_recorder *r)
{
	pthread_mutex_lock(&r->mu);
	if (!r->stop)
		r->farewell_ms = clock_now_ms() + FAREWELL_MS;
	r->stop = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->mu);
}

static void say_farewell(struct event_recorder *r)
{
	event_recorder_stop(r);
	pthread_mutex_lock(&r->mu);
	struct timespec t = {r->farewell_ms / 1000, r->farewell_ms % 1000 * 1000000};
	while (!r->done && clock_now_ms() < r->farewell_ms)
		pthread_cond_timedwait(&r->changed, &r->mu, &t);
	pthread_mutex_unlock(&r->mu);
	atomic_store(&r->abandon, true);
	pthread_join(r->thread, NULL);
}

void event_recorder_free(struct event_recorder *r)
{
	if (!r)
		return;
	if (r->started)
		say_farewell(r);
	for (size_t i = 0; i < r->queue.len; i++)
		event_done(&r->queue.data[i]);
	vec_done(&r->queue);
	map_done(&r->sent);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mu);
	free(r->component);
	free(r);
}
