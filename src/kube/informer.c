/* informer.c: see informer.h. The thread that lists and watches; what it hears goes through informer_store.c, which
 * decides what is news.
 *
 * A list whose own version is older than something known already is asked for again a few times. When the server insists, its
 * data was restored from a backup, and versions are taken as they come. */
#include "kube/informer_store.h"

#include "base/clock.h"
#include "base/thread.h"
#include "http/retry.h"
#include "kube/meta.h"
#include "kube/request.h"
#include <pthread.h>
#include <stdio.h>

#define STACK_BYTES ((size_t)256 << 10)
#define STALE_LISTS 8
#define SHORT_WATCH_MS 1000
static const struct retry_policy BACKOFF = {.attempts = 1, .first_ms = 200, .max_ms = 10000};

struct informer {
	struct kube_client *client;
	struct informer_options options;
	struct informer_store *store;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	/* owner: the thread */
	char *version;               /* to watch from; NULL: a list is due */
	unsigned failures, stale_lists;
	enum informer_source source; /* of the list under way */
	bool heard;                  /* something came in this watch */
	/* guarded by mu */
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool synced;
	struct err last;
};

struct informer *informer_new(struct kube_client *client, const struct informer_options *options)
{
	struct informer *i = mem_alloc(sizeof *i);
	i->client = client;
	i->options = *options;
	i->store = informer_store_new(&i->options);
	pthread_mutex_init(&i->mu, NULL);
	thread_cond_init(&i->changed);
	return i;
}

/* --- news ------------------------------------------------------------------------------------------------------ */

static void tell(void *context, const struct informer_changes *changes)
{
	struct informer *i = context;
	for (size_t n = 0; n < changes->n; n++) {
		if (i->options.on_event)
			i->options.on_event(i->options.context, changes->items[n].event, changes->items[n].object);
		json_decref(changes->items[n].object);
	}
}

static void on_item(void *context, json_t *object)
{
	struct informer *i = context;
	struct informer_changes changes = {0};
	informer_store_apply(i->store, i->source, object, &changes);
	tell(i, &changes);
	json_decref(object);
}

static void on_restart(void *context)
{
	struct informer *i = context;
	informer_store_begin(i->store);
}

/* Watches go on from the newest version that was heard of; a repeated old event does not turn that back. */
static void note_version(struct informer *i, const json_t *object)
{
	const char *version = meta_version(object);
	if (!version[0] || informer_version_number(version) < informer_version_number(i->version))
		return;
	free(i->version);
	i->version = mem_strdup(version);
}

static void on_watch(void *context, const char *type, json_t *object)
{
	struct informer *i = context;
	struct informer_changes changes = {0};
	i->heard = true;
	i->failures = 0;
	kube_name_kind(i->options.resource, object);
	note_version(i, object);
	if (strcmp(type, "DELETED") == 0)
		informer_store_delete(i->store, object, &changes);
	else if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		informer_store_apply(i->store, INFORMER_WATCH, object, &changes);
	tell(i, &changes);
}

/* --- the thread ------------------------------------------------------------------------------------------------ */

static void set_synced(struct informer *i)
{
	pthread_mutex_lock(&i->mu);
	i->synced = true;
	pthread_cond_broadcast(&i->changed);
	pthread_mutex_unlock(&i->mu);
}

static void set_last_error(struct informer *i, const struct err *err)
{
	pthread_mutex_lock(&i->mu);
	i->last = *err;
	pthread_mutex_unlock(&i->mu);
}

static int list(struct informer *i, struct err *err)
{
	char *version = NULL;
	uint64_t newest = informer_store_newest(i->store);
	i->source = i->stale_lists >= STALE_LISTS ? INFORMER_LIST_FORCED : INFORMER_LIST;
	informer_store_begin(i->store);
	const struct kube_list_options options = {.label_selector = i->options.label_selector};
	if (kube_list(i->client, i->options.resource, i->options.namespace_, &options, on_item, on_restart, i, &version, err) < 0)
		return -1;
	uint64_t number = informer_version_number(version);
	bool stale = number && number < newest && i->source == INFORMER_LIST;
	informer_store_end(i->store, i->source, version, tell, i);
	if (stale) {
		free(version);
		i->stale_lists++;
		return err_set(err, ERR_PROTOCOL, "the API server gave a list that is older than what it told before");
	}
	i->stale_lists = 0;
	i->version = version;
	set_synced(i);
	return 0;
}

static int watch(struct informer *i, struct err *err)
{
	CLEANUP(mem_freep) char *from = mem_strdup(i->version);
	const struct kube_watch_options options = {.label_selector = i->options.label_selector, .version = from, .cancel = &i->stop};
	int64_t start = clock_now_ms();
	i->heard = false;
	if (kube_watch(i->client, i->options.resource, i->options.namespace_, &options, on_watch, i, err) < 0) {
		if (err->kind == ERR_GONE) {
			free(i->version);
			i->version = NULL;
			return 0;
		}
		return -1;
	}
	if (!i->heard && clock_now_ms() - start < SHORT_WATCH_MS)
		return err_set(err, ERR_PROTOCOL, "the API server ends watches at once");
	return 0;
}

static void *run(void *context)
{
	struct informer *i = context;
	while (!atomic_load(&i->stop)) {
		struct err err = ERR_INIT;
		int rc = i->version ? watch(i, &err) : list(i, &err);
		if (rc == 0) {
			i->failures = 0;
			continue;
		}
		if (err.kind == ERR_CANCELLED)
			break;
		if (err.kind == ERR_NOT_FOUND) /* the cluster lacks the CRD, so there are no objects; one that comes later is found */
			set_synced(i);
		set_last_error(i, &err);
		if (retry_wait(retry_delay_ms(&BACKOFF, ++i->failures, 0), &i->stop, &err) < 0)
			break;
	}
	return NULL;
}

void informer_start(struct informer *i)
{
	i->started = thread_start(&i->thread, STACK_BYTES, run, i) == 0;
}

static int not_synced(struct informer *i, enum err_kind kind, const char *why, struct err *err)
{
	pthread_mutex_lock(&i->mu);
	struct err last = i->last;
	pthread_mutex_unlock(&i->mu);
	return err_set(err, kind, "%s were not listed: %s%s%s", i->options.resource->plural, why, last.kind ? "; last: " : "", last.message);
}

static bool wait_slice(struct informer *i, int64_t deadline)
{
	int64_t now = clock_now_ms(), until = now + 50 < deadline ? now + 50 : deadline;
	struct timespec t = {until / 1000, until % 1000 * 1000000};
	pthread_mutex_lock(&i->mu);
	if (!i->synced)
		pthread_cond_timedwait(&i->changed, &i->mu, &t);
	bool synced = i->synced;
	pthread_mutex_unlock(&i->mu);
	return synced;
}

int informer_wait(struct informer *i, int64_t timeout_ms, struct err *err)
{
	const atomic_bool *cancel = i->client->options.cancel;
	int64_t deadline = clock_now_ms() + timeout_ms;
	if (!i->started)
		return not_synced(i, ERR_INTERNAL, "the thread could not be started", err);
	while (!wait_slice(i, deadline)) {
		if (cancel && atomic_load(cancel))
			return not_synced(i, ERR_CANCELLED, "stopped", err);
		if (clock_now_ms() >= deadline)
			return not_synced(i, ERR_TIMEOUT, "no answer in time", err);
	}
	return 0;
}

void informer_free(struct informer *i)
{
	if (!i)
		return;
	atomic_store(&i->stop, true);
	if (i->started)
		pthread_join(i->thread, NULL);
	informer_store_free(i->store);
	pthread_cond_destroy(&i->changed);
	pthread_mutex_destroy(&i->mu);
	free(i->version);
	free(i);
}

/* --- reads and own writes --------------------------------------------------------------------------------------- */

json_t *informer_get(struct informer *i, const char *namespace_, const char *name) { return informer_store_get(i->store, namespace_, name); }
json_t *informer_find(struct informer *i, const char *index_key) { return informer_store_find(i->store, index_key); }
json_t *informer_all(struct informer *i) { return informer_store_find(i->store, NULL); }
size_t informer_count(struct informer *i) { return informer_store_count(i->store); }
void informer_learn(struct informer *i, const json_t *object) { informer_store_learn(i->store, object); }

void informer_each(struct informer *i, void (*fn)(void *context, const json_t *object), void *context)
{
	informer_store_each(i->store, fn, context);
}

void informer_learn_deleted(struct informer *i, const char *namespace_, const char *name)
{
	informer_store_learn_deleted(i->store, namespace_, name);
}
