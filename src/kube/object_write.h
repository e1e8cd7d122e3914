/* object_write.h: writing back to an object that is reconciled: its metadata and its status, each as one merge patch that carries the
 * resourceVersion, so that a decision made on a stale copy is refused (ERR_CONFLICT) and made again. Nothing is sent when nothing differs. */
#pragma once
#include "kube/informer.h"

/* Where an object lives; cache learns the answers, NULL: none. Everything borrowed. */
struct object_home { struct kube_client *kube; const struct kube_resource *resource; struct informer *cache; };

/* The merge patch (RFC 7386) that turns old into new; removed members become null. New reference, empty when they are equal. */
json_t *object_difference(const json_t *old, const json_t *new);
/* Consumes `metadata` (members to set or null). *object is replaced by the stored one. */
WARN_UNUSED int object_write_metadata(const struct object_home *home, json_t **object, json_t *metadata, struct err *err);
/* Brings the stored status to `status`; *object is replaced by the stored one when it was written. */
WARN_UNUSED int object_write_status(const struct object_home *home, json_t **object, const json_t *status, struct err *err);
/* metadata.finalizers with or without `name`; new reference. */
json_t *object_finalizers(const json_t *object, const char *name, bool with);
/* Takes the finalizer away; an object that is gone already is fine. */
WARN_UNUSED int object_let_go(const struct object_home *home, const json_t *object, const char *finalizer, struct err *err);
/* A copy of the object's status (or an empty one) whose conditions are an array. New reference. */
json_t *object_status_copy(const json_t *object);
/* An error that does not pass by itself (conflict, API server away) belongs into the status. */
bool object_worth_telling(enum err_kind kind);
