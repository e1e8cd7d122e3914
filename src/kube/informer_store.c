/* informer_store.c: see informer_store.h. Objects are kept as text (object_text.h), their resourceVersion beside it. Readers
 * take references under the lock and parse after it. */
#include "kube/informer_store.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "kube/key_index.h"
#include "kube/meta.h"
#include "kube/object_text.h"
#include <pthread.h>
#include <stdio.h>

#define TOMBSTONE_MS 60000
#define TOMBSTONES_MAX 4096
#define OWN_VERSIONS 4
#define VERSION_MAX 24
#define UID_MAX 40

enum state { LIVE, HIDDEN, TOMBSTONE };
struct entry {
	enum state state;
	struct object_text *text;   /* NULL for a tombstone */
	uint64_t version;
	char version_text[VERSION_MAX], uid[UID_MAX];
	uint32_t pass;              /* the list that mentioned it last */
	bool announced;             /* listeners know that it exists */
	bool pending;               /* listeners were told of another text */
	uint64_t own[OWN_VERSIONS]; /* the last versions that informer_learn brought */
	uint8_t next_own;
	bool in_tombs;
	int64_t since_ms;           /* when it was hidden or became a tombstone */
	struct entry *next_tomb;
	struct key_index_keys index_keys;
	char key[];
};
typedef VEC(struct entry *) entries;

struct informer_store {
	const struct informer_options *options;
	pthread_mutex_t mu;         /* guards all below */
	struct map all;             /* key -> struct entry */
	struct key_index index;     /* of live entries */
	size_t live;
	uint32_t pass;
	uint64_t newest;
	struct entry *first_tomb, **last_tomb;
	size_t tombs;
};

uint64_t informer_version_number(const char *version)
{
	int64_t n;
	return version && str_to_i64(str_of(version), &n) && n > 0 ? (uint64_t)n : 0;
}

/* --- entries; the lock is held --------------------------------------------------------------------------------- */

static void free_entry(void *p)
{
	struct entry *e = p;
	object_text_unref(e->text);
	key_index_keys_done(&e->index_keys);
	free(e);
}

struct informer_store *informer_store_new(const struct informer_options *options)
{
	struct informer_store *s = mem_alloc(sizeof *s);
	s->options = options;
	s->all.free_value = free_entry;
	s->last_tomb = &s->first_tomb;
	pthread_mutex_init(&s->mu, NULL);
	return s;
}

void informer_store_free(struct informer_store *s)
{
	if (!s)
		return;
	key_index_done(&s->index);
	map_done(&s->all);
	pthread_mutex_destroy(&s->mu);
	free(s);
}

static struct entry *entry_of(struct informer_store *s, const char *key)
{
	struct entry *e = map_get(&s->all, str_of(key));
	if (e)
		return e;
	size_t len = strlen(key);
	e = mem_alloc(sizeof *e + len + 1);
	memcpy(e->key, key, len + 1);
	e->state = TOMBSTONE;
	map_put(&s->all, (str){key, len}, e);
	return e;
}

static void copy_text(char *out, size_t size, const char *text) { snprintf(out, size, "%s", text); }

static void set_version(struct informer_store *s, struct entry *e, const char *version)
{
	copy_text(e->version_text, sizeof e->version_text, version);
	e->version = informer_version_number(version);
	s->newest = e->version > s->newest ? e->version : s->newest;
}

/* --- state changes --------------------------------------------------------------------------------------------- */

static void add_change(struct informer_changes *changes, enum informer_event event, json_t *object)
{
	changes->items[changes->n].event = event;
	changes->items[changes->n++].object = object;
}

static void bury(struct informer_store *s, struct entry *e)
{
	e->since_ms = clock_now_ms();
	if (e->in_tombs)
		return;
	e->in_tombs = true;
	e->next_tomb = NULL;
	*s->last_tomb = e;
	s->last_tomb = &e->next_tomb;
	s->tombs++;
}

/* Forgets tombstones that are old enough, or too many. */
static void clear_tombs(struct informer_store *s)
{
	int64_t now = clock_now_ms();
	while (s->first_tomb && (s->tombs > TOMBSTONES_MAX || s->first_tomb->since_ms + TOMBSTONE_MS <= now)) {
		struct entry *e = s->first_tomb;
		s->first_tomb = e->next_tomb;
		if (!s->first_tomb)
			s->last_tomb = &s->first_tomb;
		s->tombs--;
		e->in_tombs = false;
		if (e->state == TOMBSTONE)
			map_remove(&s->all, str_of(e->key));
	}
}

/* The object is gone, or of no interest any more, as of `version`. */
static void retire(struct informer_store *s, struct entry *e, const char *version, struct informer_changes *changes)
{
	if (e->state == LIVE)
		s->live--;
	if (e->announced && e->text && changes)
		add_change(changes, INFORMER_DELETED, object_text_parse(e->text, s->options->resource, e->version_text));
	key_index_remove(&s->index, &e->index_keys, e);
	object_text_unref(e->text);
	e->text = NULL;
	e->state = TOMBSTONE;
	e->announced = e->pending = false;
	if (informer_version_number(version) > e->version)
		set_version(s, e, version);
	bury(s, e);
}

static void hide(struct informer_store *s, struct entry *e)
{
	if (e->state != LIVE)
		return;
	key_index_remove(&s->index, &e->index_keys, e);
	s->live--;
	e->state = HIDDEN;
	e->since_ms = clock_now_ms();
}

/* Cuts the object down; false: it is of no interest. */
static bool cut(const struct informer_store *s, json_t *object)
{
	json_object_del(json_object_get(object, "metadata"), "managedFields");
	return !s->options->transform || s->options->transform(object);
}

struct adding { struct informer_store *store; struct entry *entry; };

static void add_key(void *context, const char *key)
{
	struct adding *a = context;
	key_index_add(&a->store->index, &a->entry->index_keys, a->entry, key);
}

/* Takes over a new text; true when it differs from the old one. */
static bool store_text(struct informer_store *s, struct entry *e, const json_t *object, str text)
{
	if (e->state != LIVE)
		s->live++;
	bool same = e->state == LIVE && object_text_equals(e->text, text);
	e->state = LIVE;
	if (same)
		return false;
	object_text_unref(e->text);
	e->text = object_text_new(text);
	key_index_remove(&s->index, &e->index_keys, e);
	if (s->options->index)
		s->options->index(object, add_key, &(struct adding){s, e});
	return true;
}

static bool other_uid(const struct entry *e, const char *uid) { return e->uid[0] && uid[0] && strncmp(e->uid, uid, UID_MAX - 1) != 0; }

/* Whether what was heard is older than what is known. */
static bool is_past(const struct entry *e, enum informer_source source, uint64_t version, const char *uid)
{
	if (source == INFORMER_LIST_FORCED || !e->version || !version)
		return false;
	if (e->state == HIDDEN && !other_uid(e, uid)) /* the delete was told; who still has it much later is right */
		return clock_now_ms() - e->since_ms < TOMBSTONE_MS;
	return e->state == LIVE && !other_uid(e, uid) ? version < e->version : version <= e->version;
}

static void announce(struct entry *e, bool changed, json_t *object, struct informer_changes *changes)
{
	if (!e->announced)
		add_change(changes, INFORMER_ADDED, json_incref(object));
	else if (changed || e->pending)
		add_change(changes, INFORMER_UPDATED, json_incref(object));
	e->announced = true;
	e->pending = false;
}

/* What an object says of itself, noted before transform may cut it away. */
struct heard { enum informer_source source; char *key; char version[VERSION_MAX], uid[UID_MAX]; uint64_t number; };

static void note(struct heard *h, enum informer_source source, const json_t *object)
{
	h->source = source;
	h->key = meta_key(object);
	copy_text(h->version, sizeof h->version, meta_version(object));
	copy_text(h->uid, sizeof h->uid, meta_uid(object));
	h->number = informer_version_number(h->version);
}

/* Whether it is the very version that is known, mostly our own write coming back: then nothing has to be printed and compared.
 * *news: listeners have not been told yet. */
static bool is_echo(struct informer_store *s, const struct heard *h, bool *news)
{
	pthread_mutex_lock(&s->mu);
	struct entry *e = map_get(&s->all, str_of(h->key));
	bool echo = e && e->state == LIVE && h->number && e->version == h->number && !other_uid(e, h->uid) && h->source != INFORMER_LIST_FORCED;
	if (echo) {
		e->pass = s->pass;
		*news = !e->announced || e->pending;
	}
	pthread_mutex_unlock(&s->mu);
	return echo;
}

/* An older version that is not our own write: somebody changed the object between what listeners know and our last write. Where own
 * writes are not told, this one has to be. */
static void note_foreign(const struct informer_store *s, struct entry *e, const struct heard *h)
{
	if (!s->options->quiet || h->source != INFORMER_WATCH || e->state != LIVE)
		return;
	for (size_t i = 0; i < OWN_VERSIONS; i++)
		if (e->own[i] == h->number)
			return;
	e->pending = true;
}

/* The lock is held; text is empty for an echo. */
static void take_in(struct informer_store *s, const struct heard *h, json_t *object, bool wanted, str text, struct informer_changes *changes)
{
	struct entry *e = wanted ? entry_of(s, h->key) : map_get(&s->all, str_of(h->key));
	if (e)
		e->pass = s->pass;
	if (!e)
		return;
	if (is_past(e, h->source, h->number, h->uid)) {
		note_foreign(s, e, h);
		return;
	}
	if (!wanted || (e->state != TOMBSTONE && other_uid(e, h->uid)))
		retire(s, e, h->version, changes);
	if (!wanted)
		return;
	bool changed = false;
	if (text.len) {
		copy_text(e->uid, sizeof e->uid, h->uid);
		changed = store_text(s, e, object, text);
		set_version(s, e, h->version);
	}
	if (e->state == LIVE && e->version == h->number) /* an echo that was overtaken is told when the newer one comes */
		announce(e, changed, object, changes);
}

void informer_store_apply(struct informer_store *s, enum informer_source source, json_t *object, struct informer_changes *changes)
{
	struct heard h;
	CLEANUP(buf_done) struct buf text = {0};
	bool news = true;
	if (!meta_name(object)[0])
		return;
	note(&h, source, object);
	bool echo = is_echo(s, &h, &news), wanted = news && cut(s, object);
	if (wanted && !echo)
		object_text_print(object, &text);
	pthread_mutex_lock(&s->mu);
	clear_tombs(s);
	if (news)
		take_in(s, &h, object, wanted, buf_str(&text), changes);
	pthread_mutex_unlock(&s->mu);
	free(h.key);
}

void informer_store_delete(struct informer_store *s, const json_t *object, struct informer_changes *changes)
{
	CLEANUP(mem_freep) char *key = meta_key(object);
	uint64_t version = informer_version_number(meta_version(object));
	pthread_mutex_lock(&s->mu);
	clear_tombs(s);
	struct entry *e = map_get(&s->all, str_of(key));
	/* A delete of the version that is known is one: not every server gives it a version of its own. */
	bool past = e && version && e->version && (other_uid(e, meta_uid(object)) ? version <= e->version : version < e->version);
	if (e && e->state != TOMBSTONE && !past)
		retire(s, e, meta_version(object), changes);
	pthread_mutex_unlock(&s->mu);
}

/* --- lists ----------------------------------------------------------------------------------------------------- */

void informer_store_begin(struct informer_store *s)
{
	pthread_mutex_lock(&s->mu);
	s->pass++;
	pthread_mutex_unlock(&s->mu);
}

static bool is_unmentioned(const struct informer_store *s, const struct entry *e, enum informer_source source, uint64_t version)
{
	bool newer = e->state == LIVE && version && e->version > version && source != INFORMER_LIST_FORCED;
	return e->state != TOMBSTONE && e->pass != s->pass && !newer;
}

static entries unmentioned(struct informer_store *s, enum informer_source source, uint64_t version)
{
	entries found = {0};
	struct map_entry next;
	pthread_mutex_lock(&s->mu);
	for (size_t i = 0; map_next(&s->all, &i, &next);)
		if (is_unmentioned(s, next.value, source, version))
			vec_push(&found, (struct entry *)next.value);
	s->newest = version > s->newest || source == INFORMER_LIST_FORCED ? version : s->newest;
	pthread_mutex_unlock(&s->mu);
	return found;
}

/* Versions went back: what was deleted under a higher one may come again under a lower one. */
static void forget_tomb_versions(struct informer_store *s)
{
	struct map_entry next;
	pthread_mutex_lock(&s->mu);
	for (size_t i = 0; map_next(&s->all, &i, &next);) {
		struct entry *e = next.value;
		if (e->state == TOMBSTONE)
			e->version = 0;
	}
	pthread_mutex_unlock(&s->mu);
}

void informer_store_end(struct informer_store *s, enum informer_source source, const char *list_version,
			void (*tell)(void *context, const struct informer_changes *changes), void *context)
{
	uint64_t version = informer_version_number(list_version);
	entries gone = unmentioned(s, source, version);
	for (size_t i = 0; i < gone.len; i++) { /* entries are freed by this thread only */
		struct informer_changes changes = {0};
		pthread_mutex_lock(&s->mu);
		if (is_unmentioned(s, gone.data[i], source, version))
			retire(s, gone.data[i], gone.data[i]->version_text, &changes);
		pthread_mutex_unlock(&s->mu);
		if (changes.n)
			tell(context, &changes);
	}
	vec_done(&gone);
	if (source == INFORMER_LIST_FORCED)
		forget_tomb_versions(s);
}

/* --- what this process did itself ------------------------------------------------------------------------------ */

void informer_store_learn(struct informer_store *s, const json_t *told)
{
	const char *space = s->options->namespace_;
	uint64_t number = informer_version_number(meta_version(told));
	if (!number || (space && strcmp(meta_namespace(told), space) != 0))
		return;
	CLEANUP(json_decrefp) json_t *object = json_deep_copy(told);
	CLEANUP(mem_freep) char *key = meta_key(object);
	CLEANUP(buf_done) struct buf text = {0};
	const char *uid = meta_uid(told);
	if (!cut(s, object))
		return; /* the watch will say so too, and then listeners are told */
	object_text_print(object, &text);
	pthread_mutex_lock(&s->mu);
	struct entry *e = entry_of(s, key);
	if (e->version < number && (e->state != HIDDEN || other_uid(e, uid))) {
		copy_text(e->uid, sizeof e->uid, uid);
		bool changed = store_text(s, e, object, buf_str(&text));
		e->pending |= changed && !s->options->quiet;
		e->announced |= s->options->quiet;
		e->own[e->next_own++ % OWN_VERSIONS] = number;
		set_version(s, e, meta_version(object));
	}
	pthread_mutex_unlock(&s->mu);
}

void informer_store_learn_deleted(struct informer_store *s, const char *namespace_, const char *name)
{
	CLEANUP(mem_freep) char *key = namespace_ && namespace_[0] ? mem_printf("%s/%s", namespace_, name) : mem_strdup(name);
	pthread_mutex_lock(&s->mu);
	struct entry *e = map_get(&s->all, str_of(key));
	if (e)
		hide(s, e);
	pthread_mutex_unlock(&s->mu);
}

/* --- reads ----------------------------------------------------------------------------------------------------- */

struct shot { struct object_text *text; char version[VERSION_MAX]; };
typedef VEC(struct shot) shots;

static struct shot take(const struct entry *e)
{
	struct shot shot = {.text = object_text_ref(e->text)};
	memcpy(shot.version, e->version_text, sizeof shot.version);
	return shot;
}

static json_t *develop(const struct informer_store *s, struct shot *shot)
{
	json_t *object = object_text_parse(shot->text, s->options->resource, shot->version);
	object_text_unref(shot->text);
	return object;
}

json_t *informer_store_get(struct informer_store *s, const char *namespace_, const char *name)
{
	CLEANUP(mem_freep) char *key = namespace_ && namespace_[0] ? mem_printf("%s/%s", namespace_, name) : mem_strdup(name);
	struct shot shot = {0};
	pthread_mutex_lock(&s->mu);
	const struct entry *e = map_get(&s->all, str_of(key));
	if (e && e->state == LIVE)
		shot = take(e);
	pthread_mutex_unlock(&s->mu);
	return shot.text ? develop(s, &shot) : NULL;
}

static int by_key(const void *a, const void *b) { return strcmp((*(const struct entry *const *)a)->key, (*(const struct entry *const *)b)->key); }

static void list_all(const struct informer_store *s, entries *out)
{
	struct map_entry next;
	for (size_t i = 0; map_next(&s->all, &i, &next);) {
		struct entry *e = next.value;
		if (e->state == LIVE)
			vec_push(out, e);
	}
}

/* Sorted by key. */
static shots take_all(struct informer_store *s, const char *index_key)
{
	shots out = {0};
	entries sorted = {0};
	pthread_mutex_lock(&s->mu);
	const key_index_things *found = index_key ? key_index_find(&s->index, index_key) : NULL;
	for (size_t i = 0; found && i < found->len; i++)
		vec_push(&sorted, (struct entry *)found->data[i]);
	if (!index_key)
		list_all(s, &sorted);
	if (sorted.len)
		qsort(sorted.data, sorted.len, sizeof *sorted.data, by_key);
	for (size_t i = 0; i < sorted.len; i++)
		vec_push(&out, take(sorted.data[i]));
	pthread_mutex_unlock(&s->mu);
	vec_done(&sorted);
	return out;
}

json_t *informer_store_find(struct informer_store *s, const char *index_key)
{
	shots found = take_all(s, index_key);
	json_t *array = json_array();
	for (size_t i = 0; i < found.len; i++)
		json_array_append_new(array, develop(s, &found.data[i]));
	vec_done(&found);
	return array;
}

void informer_store_each(struct informer_store *s, void (*fn)(void *context, const json_t *object), void *context)
{
	shots found = take_all(s, NULL);
	for (size_t i = 0; i < found.len; i++) {
		json_t *object = develop(s, &found.data[i]);
		fn(context, object);
		json_decref(object);
	}
	vec_done(&found);
}

size_t informer_store_count(struct informer_store *s)
{
	pthread_mutex_lock(&s->mu);
	size_t n = s->live;
	pthread_mutex_unlock(&s->mu);
	return n;
}

uint64_t informer_store_newest(struct informer_store *s)
{
	pthread_mutex_lock(&s->mu);
	uint64_t newest = s->newest;
	pthread_mutex_unlock(&s->mu);
	return newest;
}
