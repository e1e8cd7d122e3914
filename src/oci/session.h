/* session.h: what push and pull share: the options, the store, the registry, and progress reported from many threads. */
#pragma once
#include "oci/layout.h"
#include "oci/registry.h"
#include <pthread.h>

struct session {
	const struct oci_options *options;  /* never NULL */
	struct reference ref;
	char *name;                         /* the reference, whole */
	struct layout store;
	struct registry registry;
	bool has_registry;
	pthread_mutex_t mu;                 /* one progress call at a time */
};

/* Parse the name and open the store; `store` NULL: the options'. */
WARN_UNUSED int session_open(struct session *s, const char *image, const struct oci_options *options, const char *store, struct err *err);
WARN_UNUSED int session_connect(struct session *s, const char *mount_from, struct err *err);
void session_close(struct session *s);
unsigned session_threads(const struct session *s);
void session_report(struct session *s, const char *item, const char *state, uint64_t done, uint64_t total);

/* Progress of one blob: the context for struct blob_progress. */
struct session_item { struct session *session; const char *item, *state; };
void session_item_progress(void *context, uint64_t done, uint64_t total);
/* A layer's title, or the first digits of its digest. */
void session_item_name(const struct descriptor *blob, char out[64]);
