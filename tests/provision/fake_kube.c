/* fake_kube.c: see fake_kube.h. */
#include "fake_kube.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kube_client { int unused; };
struct event_recorder { int unused; };
struct informer { struct informer_options o; json_t *frozen; struct informer *next; };

static struct {
	json_t *objects; /* plural -> array */
	struct buf log;
	const char *forbidden, *absent, *stale, *unreadable;
	int requests, serial, writes_left; /* before the crash; 0: none is planned, -1: crashed */
	bool frozen, crash_after;
	struct informer *informers;
	struct kube_client client;
	struct event_recorder events;
} f;

static json_t *rows(const struct kube_resource *r)
{
	json_t *list = json_object_get(f.objects, r->plural);
	if (!list)
		json_object_set_new(f.objects, r->plural, list = json_array());
	return list;
}

static bool is_named(const json_t *object, const char *ns, const char *name)
{
	return strcmp(meta_name(object), name) == 0 && strcmp(meta_namespace(object), ns ? ns : "") == 0;
}

static size_t find(const json_t *list, const char *ns, const char *name)
{
	size_t i = 0;
	while (i < json_array_size(list) && !is_named(json_array_get(list, i), ns, name))
		i++;
	return i;
}

void fake_reset(void)
{
	json_decref(f.objects);
	f.objects = json_object();
	buf_clear(&f.log);
	f.forbidden = f.absent = f.stale = f.unreadable = NULL;
	f.requests = f.serial = f.writes_left = 0;
	f.frozen = false;
}

struct kube_client *fake_client(void) { return &f.client; }
struct event_recorder *fake_events(void) { return &f.events; }
void fake_forbid(const char *plural) { f.forbidden = plural; }
void fake_no_crd(const char *plural) { f.absent = plural; }
void fake_deny_reads(const char *plural) { f.unreadable = plural; }
void fake_stale_lists(const char *plural) { f.stale = plural; }
int fake_requests(void) { return f.requests; }
const char *fake_log(void) { return f.log.data ? f.log.data : ""; }
void fake_log_clear(void) { buf_clear(&f.log); }
size_t fake_count(const struct kube_resource *r) { return json_array_size(rows(r)); }
json_t *fake_nth(const struct kube_resource *r, size_t n) { return json_array_get(rows(r), n); }
json_t *fake_object(const struct kube_resource *r, const char *ns, const char *name) { return json_array_get(rows(r), find(rows(r), ns, name)); }
void fake_remove(const struct kube_resource *r, const char *ns, const char *name) { json_array_remove(rows(r), find(rows(r), ns, name)); }

static void stamp(json_t *object)
{
	json_t *meta = json_object_get(object, "metadata");
	char text[32];
	snprintf(text, sizeof text, "%d", ++f.serial);
	json_object_set_new(meta, "resourceVersion", json_string(text));
	if (!meta_uid(object)[0]) {
		snprintf(text, sizeof text, "uid-%d", f.serial);
		json_object_set_new(meta, "uid", json_string(text));
		json_object_set_new(meta, "generation", json_integer(1));
		snprintf(text, sizeof text, "2026-01-01T00:%02d:%02dZ", f.serial / 60 % 60, f.serial % 60);
		if (!json_object_get(meta, "creationTimestamp"))
			json_object_set_new(meta, "creationTimestamp", json_string(text));
	}
}

void fake_put(const struct kube_resource *r, json_t *object)
{
	fake_remove(r, meta_namespace(object), meta_name(object));
	stamp(object);
	json_array_append_new(rows(r), object);
}

void fake_set_condition(json_t *object, const char *type, const char *status, const char *reason, const char *message)
{
	json_t *st = json_object_get(object, "status");
	if (!st)
		json_object_set_new(object, "status", st = json_object());
	json_t *conditions = json_object_get(st, "conditions");
	if (!conditions)
		json_object_set_new(st, "conditions", conditions = json_array());
	condition_set(conditions, &(struct condition){type, status, reason, message}, 1, "2026-01-01T00:00:00Z");
}

static bool absent(const struct kube_resource *r, struct err *err)
{
	f.requests++;
	if (f.absent && strcmp(f.absent, r->plural) == 0)
		return (void)err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource"), true;
	return false;
}

static void note(const char *verb, const struct kube_resource *r, const char *sub, const char *name)
{
	buf_printf(&f.log, "%s %s%s%s %s\n", verb, r->plural, sub ? "/" : "", sub ? sub : "", name);
}

static int not_found(const struct kube_resource *r, const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found", r->plural, name);
}

int kube_client_pause(const struct kube_client *c, int64_t ms, struct err *err)
{
	(void)c, (void)err;
	clock_sleep_ms(ms);
	return 0;
}

int kube_get(struct kube_client *c, const struct kube_resource *r, const char *ns, const char *name, json_t **out, struct err *err)
{
	(void)c;
	if (absent(r, err))
		return -1;
	if (f.unreadable && strcmp(f.unreadable, r->plural) == 0)
		return err_set(err, ERR_DENIED, "%s is forbidden", r->plural);
	json_t *found = fake_object(r, ns, name);
	if (!found)
		return not_found(r, name, err);
	if (out)
		*out = json_deep_copy(found);
	return 0;
}

static bool selected(const json_t *object, const char *selector)
{
	const char *eq = selector ? strchr(selector, '=') : NULL;
	if (!eq)
		return true;
	CLEANUP(mem_freep) char *key = mem_strndup(selector, (size_t)(eq - selector));
	const char *value = meta_label(object, key);
	return value && strcmp(value, eq + 1) == 0;
}

int kube_list_array(struct kube_client *c, const struct kube_resource *r, const char *ns, const char *selector, json_t **out, struct err *err)
{
	(void)c;
	if (absent(r, err))
		return -1;
	*out = json_array();
	if (f.stale && strcmp(f.stale, r->plural) == 0)
		return 0;
	const json_t *o;
	size_t i;
	json_array_foreach(rows(r), i, o)
		if ((!ns || strcmp(ns, meta_namespace(o)) == 0) && selected(o, selector))
			json_array_append_new(*out, json_deep_copy(o));
	return 0;
}

/* The one field selector that is used: "spec.nodeName=NAME". */
static bool on_node(const json_t *object, const char *selector)
{
	const char *eq = selector ? strchr(selector, '=') : NULL;
	return !eq || strcmp(json_text_at(object, "", "spec", "nodeName", NULL), eq + 1) == 0;
}

int kube_list(struct kube_client *c, const struct kube_resource *r, const char *ns, const struct kube_list_options *o, void (*item)(void *context, json_t *object),
	      void (*restart)(void *context), void *context, char **version, struct err *err)
{
	(void)restart;
	json_t *all = NULL, *object;
	size_t i;
	if (kube_list_array(c, r, ns, o->label_selector, &all, err) < 0)
		return -1;
	json_array_foreach(all, i, object)
		if (on_node(object, o->field_selector))
			item(context, json_incref(object));
	json_decref(all);
	if (version)
		*version = mem_strdup("1");
	return 0;
}

int kube_create_subresource(struct kube_client *c, const struct kube_resource *r, const char *sub, const json_t *object, struct err *err)
{
	(void)c;
	if (absent(r, err))
		return -1;
	note("create", r, sub, meta_name(object));
	json_t *stored = fake_object(r, meta_namespace(object), meta_name(object));
	const char *uid = json_text_at(object, "", "deleteOptions", "preconditions", "uid", NULL), *refusal = stored ? meta_annotation(stored, FAKE_REFUSES) : NULL;
	if (!stored)
		return not_found(r, meta_name(object), err);
	if (uid[0] && strcmp(uid, meta_uid(stored)) != 0)
		return err_set(err, ERR_CONFLICT, "the UID in the precondition does not match");
	if (refusal)
		return err_set(err, strstr(refusal, "more than one") ? ERR_PROTOCOL : ERR_BUSY, "%s", refusal);
	return kube_delete(c, r, meta_namespace(object), meta_name(object), NULL, err);
}

int kube_create(struct kube_client *c, const struct kube_resource *r, const json_t *object, json_t **out, struct err *err)
{
	(void)c;
	if (absent(r, err))
		return -1;
	note("create", r, NULL, meta_name(object));
	if (f.forbidden && strcmp(f.forbidden, r->plural) == 0)
		return err_set(err, ERR_DENIED, "%s is forbidden: exceeded quota", r->plural);
	if (fake_object(r, meta_namespace(object), meta_name(object)))
		return err_set(err, ERR_EXISTS, "%s \"%s\" already exists", r->plural, meta_name(object));
	json_t *stored = json_deep_copy(object);
	stamp(stored);
	json_array_append_new(rows(r), stored);
	if (out)
		*out = json_deep_copy(stored);
	return 0;
}

/* An object whose last finalizer went while it was being deleted is gone. */
static void settle(const struct kube_resource *r, json_t *object)
{
	if (meta_deleting(object) && json_array_size(json_at(object, "metadata", "finalizers", NULL)) == 0)
		json_array_remove(rows(r), find(rows(r), meta_namespace(object), meta_name(object)));
}

static void bump(json_t *object, const json_t *before)
{
	CLEANUP(json_decrefp) json_t *a = json_copy(object), *b = json_copy((json_t *)(uintptr_t)before);
	static const char *const SKIP[] = {"metadata", "status"};
	for (size_t i = 0; i < 2; i++) {
		json_object_del(a, SKIP[i]);
		json_object_del(b, SKIP[i]);
	}
	if (!json_equal(a, b))
		json_object_set_new(json_object_get(object, "metadata"), "generation", json_integer(meta_generation(object) + 1));
	stamp(object);
}

int kube_update(struct kube_client *c, const struct kube_resource *r, const char *sub, const json_t *object, json_t **out, struct err *err)
{
	(void)c;
	if (absent(r, err))
		return -1;
	note("update", r, sub, meta_name(object));
	json_t *stored = fake_object(r, meta_namespace(object), meta_name(object));
	if (!stored)
		return not_found(r, meta_name(object), err);
	if (meta_version(object)[0] && strcmp(meta_version(object), meta_version(stored)) != 0)
		return err_set(err, ERR_CONFLICT, "the object has been modified");
	CLEANUP(json_decrefp) json_t *before = json_deep_copy(stored), *copy = json_deep_copy(object);
	const char *key;
	json_t *value;
	json_object_foreach(copy, key, value)
		if ((strcmp(key, "status") == 0) == (sub != NULL))
			json_object_set(stored, key, value);
	bump(stored, before);
	if (out)
		*out = json_deep_copy(stored);
	settle(r, stored);
	return 0;
}

static void merge(json_t *into, const json_t *patch)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
		json_t *old = json_object_get(into, key);
		if (json_is_null(value))
			json_object_del(into, key);
		else if (json_is_object(value) && json_is_object(old))
			merge(old, value);
		else if (json_is_object(value)) {
			json_t *fresh = json_object();
			merge(fresh, value);
			json_object_set_new(into, key, fresh);
		} else
			json_object_set_new(into, key, json_deep_copy(value));
	}
}

/* The one directive of strategic patches that is used. */
static void drop_listed(json_t *object)
{
	static const char DIRECTIVE[] = "$deleteFromPrimitiveList/finalizers";
	json_t *meta = json_object_get(object, "metadata"), *kept = json_object_get(meta, "finalizers"), *gone = json_object_get(meta, DIRECTIVE), *name;
	size_t i;
	json_array_foreach(gone, i, name)
		for (size_t at = json_array_size(kept); at-- > 0;)
			if (json_equal(json_array_get(kept, at), name))
				json_array_remove(kept, at);
	json_object_del(meta, DIRECTIVE);
}

void fake_crash(int nth, bool after)
{
	f.writes_left = nth;
	f.crash_after = after;
}

/* 0: alive, 1: this write is the last and is carried out, 2: the process is dead before it. */
static int crash_at_write(void)
{
	if (f.writes_left == 0)
		return 0;
	if (f.writes_left > 1) {
		f.writes_left--;
		return 0;
	}
	int how = f.writes_left == 1 && f.crash_after ? 1 : 2;
	f.writes_left = -1;
	return how;
}

static int dead(struct err *err) { return err_set(err, ERR_NETWORK, "the process is dead"); }

static int patch(const struct kube_resource *r, const char *ns, const char *name, const char *sub, enum kube_patch_type type, const json_t *body, json_t **out,
		 struct err *err)
{
	if (absent(r, err))
		return -1;
	note("patch", r, sub, name);
	json_t *stored = fake_object(r, ns, name);
	if (!stored && type != KUBE_PATCH_APPLY)
		return not_found(r, name, err);
	const char *version = json_text_at(body, "", "metadata", "resourceVersion", NULL);
	if (stored && version[0] && strcmp(version, meta_version(stored)) != 0)
		return err_set(err, ERR_CONFLICT, "the object has been modified");
	if (!stored)
		json_array_append_new(rows(r), stored = json_object());
	CLEANUP(json_decrefp) json_t *before = json_deep_copy(stored);
	merge(stored, body);
	drop_listed(stored);
	bump(stored, before);
	if (out)
		*out = json_deep_copy(stored);
	settle(r, stored);
	return 0;
}

int kube_patch(struct kube_client *c, const struct kube_resource *r, const char *ns, const char *name, const char *sub, enum kube_patch_type type, const json_t *body,
	       json_t **out, struct err *err)
{
	(void)c;
	int crash = crash_at_write();
	if (crash == 2)
		return dead(err);
	int rc = patch(r, ns, name, sub, type, body, crash ? NULL : out, err);
	return crash ? dead(err) : rc;
}

static int delete(const struct kube_resource *r, const char *ns, const char *name, const struct kube_delete_options *o, struct err *err)
{
	if (absent(r, err))
		return -1;
	if (o && o->grace_s >= 0)
		buf_printf(&f.log, "delete %s %s grace %d\n", r->plural, name, (int)o->grace_s);
	else
		note("delete", r, NULL, name);
	json_t *stored = fake_object(r, ns, name);
	if (!stored)
		return not_found(r, name, err);
	if (o && o->uid && strcmp(o->uid, meta_uid(stored)) != 0)
		return err_set(err, ERR_CONFLICT, "the UID in the precondition does not match");
	char now[32];
	clock_rfc3339(clock_wall_s(), now);
	if (!meta_deleting(stored))
		json_object_set_new(json_object_get(stored, "metadata"), "deletionTimestamp", json_string(now));
	stamp(stored);
	settle(r, stored);
	return 0;
}

int kube_delete(struct kube_client *c, const struct kube_resource *r, const char *ns, const char *name, const struct kube_delete_options *o, struct err *err)
{
	(void)c;
	int crash = crash_at_write();
	if (crash == 2)
		return dead(err);
	int rc = delete(r, ns, name, o, err);
	return crash ? dead(err) : rc;
}

void event_emit(struct event_recorder *e, const json_t *involved, const char *type, const char *reason, const char *fmt, ...)
{
	(void)e;
	va_list args;
	va_start(args, fmt);
	char text[1024];
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_printf(&f.log, "event %s %s %s: %s\n", type, reason, meta_name(involved), text);
}

struct informer *informer_new(struct kube_client *client, const struct informer_options *o)
{
	(void)client;
	struct informer *i = mem_alloc(sizeof *i);
	i->o = *o;
	i->next = f.informers;
	f.informers = i;
	return i;
}

void informer_free(struct informer *i)
{
	struct informer **at = &f.informers;
	if (!i)
		return;
	while (*at && *at != i)
		at = &(*at)->next;
	if (*at)
		*at = i->next;
	json_decref(i->frozen);
	free(i);
}

void informer_start(struct informer *i) { (void)i; }

int informer_wait(struct informer *i, int64_t timeout_ms, struct err *err)
{
	(void)i;
	(void)timeout_ms;
	(void)err;
	return 0;
}

static json_t *show(const struct informer *i)
{
	json_t *out = json_array();
	const json_t *o;
	size_t n;
	json_array_foreach(rows(i->o.resource), n, o) {
		json_t *copy = json_deep_copy(o);
		if (!i->o.transform || i->o.transform(copy))
			json_array_append(out, copy);
		json_decref(copy);
	}
	return out;
}

void fake_freeze(bool frozen)
{
	f.frozen = frozen;
	for (struct informer *i = f.informers; i; i = i->next) {
		json_decref(i->frozen);
		i->frozen = frozen ? show(i) : NULL;
	}
}

json_t *informer_all(struct informer *i)
{
	return i->frozen ? json_deep_copy(i->frozen) : show(i);
}

void informer_learn(struct informer *i, const json_t *object)
{
	if (!i->frozen)
		return;
	json_t *copy = json_deep_copy(object);
	json_array_remove(i->frozen, find(i->frozen, meta_namespace(object), meta_name(object)));
	if (!i->o.transform || i->o.transform(copy))
		json_array_append(i->frozen, copy);
	json_decref(copy);
}

void informer_learn_deleted(struct informer *i, const char *ns, const char *name)
{
	if (i->frozen)
		json_array_remove(i->frozen, find(i->frozen, ns, name));
}

json_t *informer_get(struct informer *i, const char *ns, const char *name)
{
	CLEANUP(json_decrefp) json_t *all = informer_all(i);
	return json_incref(json_array_get(all, find(all, ns, name)));
}

struct match { const char *key; bool found; };

static void compare(void *list, const char *key)
{
	struct match *m = list;
	m->found = m->found || strcmp(m->key, key) == 0;
}

json_t *informer_find(struct informer *i, const char *key)
{
	CLEANUP(json_decrefp) json_t *all = informer_all(i);
	json_t *out = json_array(), *o;
	size_t n;
	json_array_foreach(all, n, o) {
		struct match m = {key, false};
		i->o.index(o, compare, &m);
		size_t at = 0;
		while (m.found && at < json_array_size(out) && strcmp(meta_name(json_array_get(out, at)), meta_name(o)) < 0)
			at++;
		if (m.found)
			json_array_insert(out, at, o);
	}
	return out;
}

size_t informer_count(struct informer *i)
{
	CLEANUP(json_decrefp) json_t *all = informer_all(i);
	return json_array_size(all);
}

void informer_each(struct informer *i, void (*fn)(void *context, const json_t *object), void *context)
{
	CLEANUP(json_decrefp) json_t *all = informer_all(i);
	const json_t *o;
	size_t n;
	json_array_foreach(all, n, o)
		fn(context, o);
}
