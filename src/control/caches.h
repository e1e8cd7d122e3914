/* caches.h: which informers the enabled controllers share, and what each keeps of an object. */
#pragma once
#include "control/control.h"

/* Creates (does not start) the caches that `wanted` marks; events go to on_event. */
void caches_create(struct control *c, const bool wanted[CACHE_COUNT],
		   void (*on_event)(void *context, enum cache cache, enum informer_event event, const json_t *object), void *context);
void caches_start(struct control *c);
/* Every first list is complete. The error names the resource that is not. */
WARN_UNUSED int caches_wait(struct control *c, int64_t timeout_ms, struct err *err);
void caches_free(struct control *c);
/* "namespace/name" of the Workspace that controls the object, or NULL. Caller frees. */
char *caches_workspace_key(const json_t *object);
