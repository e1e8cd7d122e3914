/* informer_store.h: what an informer knows, apart from how it hears of it. Guarded by its own mutex. Private to informer.c
 * and its tests.
 *
 * An entry is live, hidden (an own delete was told, the API server's word is still to come) or a tombstone (deleted a while
 * ago; it keeps what a slow watch or a stale list brings late from bringing it back). */
#pragma once
#include "kube/informer.h"
#include <jansson.h>

struct informer_store;
/* options is borrowed (transform, index, namespace_). */
struct informer_store *informer_store_new(const struct informer_options *options);
void informer_store_free(struct informer_store *s);

/* What listeners have to be told, in order; objects are new references. */
struct informer_changes { size_t n; struct { enum informer_event event; json_t *object; } items[2]; };

enum informer_source { INFORMER_WATCH, INFORMER_LIST, INFORMER_LIST_FORCED /* versions may have gone back */ };
/* object is cut down in place; the caller keeps its reference. */
void informer_store_apply(struct informer_store *s, enum informer_source source, json_t *object, struct informer_changes *changes);
void informer_store_delete(struct informer_store *s, const json_t *object, struct informer_changes *changes);
/* Around a list: what it did not mention is gone, unless it is newer than the list. */
void informer_store_begin(struct informer_store *s);
void informer_store_end(struct informer_store *s, enum informer_source source, const char *list_version,
			void (*tell)(void *context, const struct informer_changes *changes), void *context);

void informer_store_learn(struct informer_store *s, const json_t *object);
void informer_store_learn_deleted(struct informer_store *s, const char *namespace_, const char *name);

json_t *informer_store_get(struct informer_store *s, const char *namespace_, const char *name);
json_t *informer_store_find(struct informer_store *s, const char *index_key); /* NULL: all */
void informer_store_each(struct informer_store *s, void (*fn)(void *context, const json_t *object), void *context);
size_t informer_store_count(struct informer_store *s);
/* The highest version ever seen or told. */
uint64_t informer_store_newest(struct informer_store *s);
uint64_t informer_version_number(const char *version); /* 0: not a number */
