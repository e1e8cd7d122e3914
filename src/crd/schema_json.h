/* schema_json.h: schemas as JSON, made from the shapes. */
#pragma once
#include "crd/schema.h"
#include <jansson.h>

/* The openAPIV3Schema of one version. New reference. */
json_t *schema_of(const struct crd_definition *d, enum crd_version v);
/* "a b" -> ["a", "b"]. New reference. */
json_t *schema_words(const char *text);
