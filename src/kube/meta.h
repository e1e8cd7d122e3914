/* meta.h: reading metadata of a JSON object and building small pieces of it. Getters return borrowed values and never
 * fail: "" or 0 where a member is missing or of another type, so that foreign objects cannot crash a controller. */
#pragma once
#include "kube/resource.h"
#include <jansson.h>
#include <stdint.h>

const char *meta_name(const json_t *object);
const char *meta_namespace(const json_t *object);
const char *meta_uid(const json_t *object);
const char *meta_version(const json_t *object);              /* resourceVersion */
int64_t meta_generation(const json_t *object);
const char *meta_label(const json_t *object, const char *key);        /* NULL when absent */
const char *meta_annotation(const json_t *object, const char *key);   /* NULL when absent */
bool meta_deleting(const json_t *object);
bool meta_has_finalizer(const json_t *object, const char *finalizer);
/* The ownerReference with controller: true, or NULL. */
const json_t *meta_controller(const json_t *object);
bool meta_controlled_by(const json_t *object, const char *uid);

/* The object of that name in an array, or NULL. */
json_t *meta_named(const json_t *list, const char *name);
/* Removes every member of `object` but the named ones (NULL-terminated). */
void meta_keep_only(json_t *object, const char *const *names);

/* Walks member names, "#0" is array index 0: json_at(o, "spec", "template", NULL). NULL when a step is missing. */
json_t *json_at(const json_t *object, ...) __attribute__((sentinel));
/* As json_at, the string there or `fallback`. */
const char *json_text_at(const json_t *object, const char *fallback, ...) __attribute__((sentinel));
int64_t json_int_at(const json_t *object, int64_t fallback, ...) __attribute__((sentinel));

/* {apiVersion, kind, metadata: {name, namespace?}}; namespace NULL for cluster scope. */
json_t *meta_new(const struct kube_resource *r, const char *namespace_, const char *name);
/* A controller ownerReference to `owner` (blockOwnerDeletion true), appended to object's. The owner's kind and version come from r. */
void meta_own(json_t *object, const struct kube_resource *r, const json_t *owner);
void meta_set_label(json_t *object, const char *key, const char *value);
void meta_set_annotation(json_t *object, const char *key, const char *value);
/* "namespace/name" (or "name"). Caller frees. */
char *meta_key(const json_t *object);
