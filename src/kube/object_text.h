/* object_text.h: an object as compact text, shared and immutable: a reader takes a reference under a lock and parses after it. What
 * every object of a resource has, or what changes with every write (kind, apiVersion, resourceVersion), is left out: two versions that
 * differ in nothing else have the same text, however they came, in a list or alone. */
#pragma once
#include "base/buf.h"
#include "kube/resource.h"
#include <jansson.h>
#include <stdbool.h>

struct object_text;
void object_text_print(const json_t *object, struct buf *out);
struct object_text *object_text_new(str printed);
bool object_text_equals(const struct object_text *t, str printed); /* t may be NULL */
struct object_text *object_text_ref(struct object_text *t);
void object_text_unref(struct object_text *t); /* NULL is allowed */
/* The object again; version "": none. New reference. */
json_t *object_text_parse(const struct object_text *t, const struct kube_resource *r, const char *version);
