/* json_quick.h: a second reader for JSON that machines wrote and that is nearly always well-formed: objects from an API server. It builds
 * the same tree as json_parse at about half the cost, and gives up on anything unusual; then json_parse decides and words the error. */
#pragma once
#include "base/str.h"
#include <jansson.h>

/* The tree, or NULL for "ask json_parse": malformed text, duplicate keys, fractions, integers past 18 digits, surrogate pairs, \u0000,
 * nesting past LIMIT_JSON_DEPTH. */
json_t *json_quick(str text);
