/* yaml.h: one YAML document -> the JSON tree of json.h, with the line and column of every value kept beside it.
 *
 * Scalars follow YAML 1.2's core schema, widened where upstream's Python reader (PyYAML, YAML 1.1) and its users need
 * it: yes/no/on/off are booleans, 1_000 is a number, and so is 2e-4 (PyYAML takes that one for text). Quoted scalars
 * are strings. Infinities and NaN stay text (JSON has none). Anchors, aliases and merge keys (<<) work; an alias shares the anchored
 * value, so treat the tree as immutable, and expanded sizes are counted, so that a "billion laughs" file is refused.
 * Refused: duplicate keys, keys that are not scalars, unknown tags, a second document, more than LIMIT_YAML_BYTES,
 * LIMIT_YAML_DEPTH levels or LIMIT_YAML_NODES values. Errors say "'name' line L column C: why". */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>

/* Where a value was written; children in the order of the JSON value's own members. */
struct yaml_mark {
	uint32_t line, column;           /* of the value, 1-based; for a member of a mapping: of its key */
	struct yaml_mark *children;      /* object members in insertion order, array items */
	size_t count;
};
struct yaml_doc { json_t *root; struct yaml_mark mark; struct arena arena; };

/* An empty document gives JSON null. *doc is untouched on failure. */
WARN_UNUSED int yaml_parse(struct yaml_doc *doc, str text, const char *name, struct err *err);
WARN_UNUSED int yaml_parse_file(struct yaml_doc *doc, const char *path, struct err *err);
void yaml_doc_done(struct yaml_doc *doc);
/* The mark of child number i, or `mark` itself when it has none (so that a line is always known). */
static inline const struct yaml_mark *yaml_mark_child(const struct yaml_mark *mark, size_t i) { return mark && i < mark->count ? &mark->children[i] : mark; }
/* What a plain (unquoted) scalar means: new reference. */
json_t *yaml_scalar(str text);
