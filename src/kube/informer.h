/* informer.h: a local copy of one resource, kept by list and watch on a thread of its own; shared by all controllers.
 *
 * Memory: an object is kept as compact JSON text after `transform` (managedFields are dropped always), so an object costs about its
 * text. A read parses it: the caller gets a tree of its own and no lock is held.
 * Order: an own write is told with informer_learn; older versions that a slow watch or stale list brings later are ignored, so a
 * controller never sees its own past. An update whose transformed text is unchanged raises no event.
 * Watches resume at the last bookmark; 410 and a lost server lead to a new list whose differences become events. */
#pragma once
#include "kube/client.h"

enum informer_event { INFORMER_ADDED, INFORMER_UPDATED, INFORMER_DELETED };
struct informer_options {
	const struct kube_resource *resource;
	const char *namespace_;      /* NULL: all */
	const char *label_selector;  /* NULL: all */
	/* Cuts the object down to what is used, in place. false: not of interest, forget it. NULL: keep all. */
	bool (*transform)(json_t *object);
	/* A key to find the object by, besides namespace/name: pushed with add(list, key) any number of times. NULL: none. */
	void (*index)(const json_t *object, void (*add)(void *list, const char *key), void *list);
	bool quiet;                  /* own writes (informer_learn) raise no event: the only listener is the one that wrote */
	/* On the informer's thread, no lock held; object is borrowed (the last state known, for DELETED). During the first list too. */
	void (*on_event)(void *context, enum informer_event event, const json_t *object);
	void *context;
};
struct informer;
struct informer *informer_new(struct kube_client *client, const struct informer_options *options);
void informer_start(struct informer *i);
/* Waits until the first list is complete, or until the server says that it does not know the resource (a CRD that may come later). ERR_TIMEOUT, or ERR_CANCELLED by the client's cancel. The message names the resource and the last error. */
WARN_UNUSED int informer_wait(struct informer *i, int64_t timeout_ms, struct err *err);
void informer_free(struct informer *i); /* stops the thread */

json_t *informer_get(struct informer *i, const char *namespace_, const char *name); /* new reference or NULL */
json_t *informer_find(struct informer *i, const char *index_key);                   /* new array, sorted by namespace/name; never NULL */
json_t *informer_all(struct informer *i);                                           /* new array, sorted by namespace/name */
size_t informer_count(struct informer *i);
/* Calls fn for each object (borrowed) without building one big tree; fn must not call the informer. */
void informer_each(struct informer *i, void (*fn)(void *context, const json_t *object), void *context);
/* The answer to an own create, update or patch (deleted: to a delete that removed it at once). */
void informer_learn(struct informer *i, const json_t *object);
void informer_learn_deleted(struct informer *i, const char *namespace_, const char *name);
