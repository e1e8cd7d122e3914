/* list.c: lists, page by page, and watches (client.h). */
#include "base/clock.h"
#include "kube/list_reader.h"
#include "kube/meta.h"
#include "kube/request.h"
#include "kube/watch_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define PAGE 500
#define RESTARTS 5
#define IDLE_MS ((int64_t)300000)
#define WATCH_BUFFER_BYTES 4096 /* held for as long as the watch is open */

/* --- lists ----------------------------------------------------------------------------------------------------- */

struct listing {
	struct kube_client *client;
	const struct kube_resource *resource;
	const char *namespace_;
	const struct kube_list_options *options;
	void (*item)(void *context, json_t *object);
	void *context;
	char *next;              /* the continue token; NULL: the first page */
	char *version;
};

static void take_item(void *context, json_t *object)
{
	struct listing *l = context;
	kube_name_kind(l->resource, object);
	l->item(l->context, object);
}

static int feed_list(void *context, const struct http_response *head, const void *data, size_t len, struct err *err)
{
	(void)head;
	return list_reader_feed(context, (str){data, len}, err);
}

static char *page_path(const struct listing *l)
{
	char limit[24];
	CLEANUP(mem_freep) char *base = kube_path(l->resource, l->namespace_, NULL, NULL);
	struct buf path = {0};
	snprintf(limit, sizeof limit, "%" PRId64, l->options->page > 0 ? l->options->page : PAGE);
	buf_puts(&path, base);
	kube_path_query(&path, "limit", limit);
	kube_path_query(&path, "labelSelector", l->options->label_selector);
	kube_path_query(&path, "fieldSelector", l->options->field_selector);
	kube_path_query(&path, l->next ? "continue" : "resourceVersion", l->next ? l->next : l->options->resource_version);
	return buf_take(&path);
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = with && with[0] ? mem_strdup(with) : NULL;
}

/* *delivered: a part of this page was read, so that it cannot simply be asked for again. */
static int read_page(struct listing *l, bool *delivered, struct err *err)
{
	CLEANUP(mem_freep) char *path = page_path(l);
	CLEANUP(list_reader_done) struct list_reader reader = {.item = take_item, .context = l};
	CLEANUP(buf_done) struct buf unused = {0};
	CLEANUP(json_decrefp) json_t *list = NULL;
	struct kube_sent sent = {0};
	const struct kube_request q = {.method = "GET", .path = path, .sink = feed_list, .context = &reader, .repeatable = true};
	int rc = kube_request_send(l->client, &q, &unused, &sent, err);
	*delivered = sent.delivered;
	if (rc < 0 || list_reader_finish(&reader, &list, err) < 0)
		return -1;
	replace(&l->next, json_text_at(list, "", "metadata", "continue", NULL));
	replace(&l->version, json_text_at(list, "", "metadata", "resourceVersion", NULL));
	return 0;
}

static bool worth_restart(const struct listing *l, bool delivered, const struct err *err)
{
	if (err->kind == ERR_GONE)
		return l->next; /* the token has expired; a first page cannot */
	return delivered && (err->kind == ERR_NETWORK || err->kind == ERR_TIMEOUT || err->kind == ERR_PROTOCOL);
}

static int read_all(struct listing *l, void (*restart)(void *context), struct err *err)
{
	for (int restarts = 0;;) {
		bool delivered = false;
		if (read_page(l, &delivered, err) == 0) {
			if (!l->next)
				return 0;
			continue;
		}
		if (!worth_restart(l, delivered, err) || ++restarts > RESTARTS)
			return -1;
		if (restart)
			restart(l->context);
		replace(&l->next, NULL);
	}
}

int kube_list(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const struct kube_list_options *options,
	      void (*item)(void *context, json_t *object), void (*restart)(void *context), void *context, char **version, struct err *err)
{
	struct err local = ERR_INIT;
	struct listing l = {c, r, namespace_, options ? options : &(struct kube_list_options){0}, item, context, NULL, NULL};
	int rc = read_all(&l, restart, err ? err : &local);
	free(l.next);
	if (rc == 0 && version)
		*version = l.version ? l.version : mem_strdup("");
	else
		free(l.version);
	return rc;
}

static void append(void *array, json_t *object) { json_array_append_new(array, object); }
static void clear(void *array) { json_array_clear(array); }

int kube_list_array(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const char *label_selector, json_t **out, struct err *err)
{
	CLEANUP(json_decrefp) json_t *array = json_array();
	if (kube_list(c, r, namespace_, &(struct kube_list_options){.label_selector = label_selector}, append, clear, array, NULL, err) < 0)
		return -1;
	*out = json_incref(array);
	return 0;
}

/* --- watches --------------------------------------------------------------------------------------------------- */


static int feed_watch(void *context, const struct http_response *head, const void *data, size_t len, struct err *err)
{
	(void)head;
	return watch_reader_feed(context, (str){data, len}, err);
}

/* The server ends a watch after this long; random, so that many do not end together. */
static void put_timeout(struct buf *path)
{
	uint32_t random = 0;
	char text[16];
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	snprintf(text, sizeof text, "%u", 300 + random % 300);
	kube_path_query(path, "timeoutSeconds", text);
}

static char *watch_path(const struct kube_resource *r, const char *namespace_, const struct kube_watch_options *o)
{
	CLEANUP(mem_freep) char *base = kube_path(r, namespace_, NULL, NULL);
	struct buf path = {0};
	buf_puts(&path, base);
	buf_puts(&path, "?watch=true&allowWatchBookmarks=true");
	kube_path_query(&path, "resourceVersion", o->version);
	kube_path_query(&path, "labelSelector", o->label_selector);
	kube_path_query(&path, "fieldSelector", o->field_selector);
	put_timeout(&path);
	return buf_take(&path);
}

int kube_watch(struct kube_client *c, const struct kube_resource *r, const char *namespace_, const struct kube_watch_options *options,
	       void (*on_event)(void *context, const char *type, json_t *object), void *context, struct err *err)
{
	struct err local = ERR_INIT;
	err = err ? err : &local;
	CLEANUP(mem_freep) char *path = watch_path(r, namespace_, options);
	CLEANUP(buf_done) struct buf unused = {0};
	CLEANUP(watch_reader_done) struct watch_reader reader = {.on_event = on_event, .context = context};
	struct kube_sent sent = {0};
	const struct kube_request q = {
		.method = "GET", .path = path, .sink = feed_watch, .context = &reader, .repeatable = true, .once = true,
		.stall_ms = options->idle_ms > 0 ? options->idle_ms : IDLE_MS, .buffer_bytes = WATCH_BUFFER_BYTES, .cancel = options->cancel,
	};
	int rc = kube_request_send(c, &q, &unused, &sent, err);
	return rc < 0 && err->kind == ERR_TIMEOUT && sent.delivered ? 0 : rc;
}
