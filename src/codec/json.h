/* json.h: JSON text <-> Jansson's json_t under this project's rules, and typed access to members.
 *
 * Parsing: any top-level value; nesting, size and duplicate keys are bounded or refused; a byte order mark is skipped;
 * integers outside int64 become the nearest double (Jansson alone refuses them); a \u0000 inside a string is refused
 * unless asked for, as most callers use C strings. Errors are ERR_INVALID (ERR_LIMIT past a limit) and say
 * "'name' line L column C: why".
 * Clean-up: CLEANUP(json_decrefp) is Jansson's own.
 * Printing: the shortest text that reads back as the same number (0.1, not 0.10000000000000001). */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include <jansson.h>
#include <stdbool.h>

/* name: what errors call the text ("tokenizer.json", "request body"). *out is a new reference. */
WARN_UNUSED int json_parse(json_t **out, str text, const char *name, struct err *err);
/* As json_parse, over a whole file; errors carry the path. */
WARN_UNUSED int json_parse_file(json_t **out, const char *path, struct err *err);

struct json_rules {
	size_t max_bytes;   /* 0: LIMIT_JSON_BYTES */
	int max_depth;      /* 0: LIMIT_JSON_DEPTH; a scalar has depth 0, [] has depth 1 */
	bool allow_nul;     /* strings may hold NUL: use json_string_length */
	long first_line;    /* added to line numbers in errors, for JSON Lines; 0 or 1: the text starts the file */
};
WARN_UNUSED int json_parse_with(json_t **out, str text, const char *name, const struct json_rules *rules, struct err *err);
WARN_UNUSED int json_parse_file_with(json_t **out, const char *path, const struct json_rules *rules, struct err *err);

enum json_print_flags {
	JSON_PRINT_COMPACT = 0,  /* {"a":1} */
	JSON_PRINT_SPACED = 1,   /* {"a": 1, "b": 2}, as Python's json.dumps */
	JSON_PRINT_INDENT = 2,   /* two spaces a level, as Python's indent=2 */
	JSON_PRINT_SORTED = 4,   /* keys in byte order */
	JSON_PRINT_ASCII = 8     /* \uXXXX for everything past ASCII */
};
/* Append. Nesting past 4 * LIMIT_JSON_DEPTH (only code can build that) sets out->overflow. NULL prints null. */
void json_print(const json_t *value, unsigned flags, struct buf *out);
/* A quoted, escaped string: for writers that build text without a tree. Invalid UTF-8 becomes U+FFFD. */
void json_put_string(struct buf *out, str s);
/* Shortest round-trip text of a number; NaN and infinities print null. "1.0", "0.1", "1e-05", as Python's repr. */
void json_put_double(struct buf *out, double v);
void json_put_float(struct buf *out, float v); /* shortest that reads back as the same float: 0.1f prints 0.1 */

/* "object", "array", "string", "integer", "number", "boolean", "null"; NULL: "nothing". */
const char *json_type_name(const json_t *value);

/* Typed members of an object. Absent or null leaves *out as it is (put the default there first). Another type is an
 * error naming "where.key" (where "" : just "key"). Results are borrowed from obj. */
WARN_UNUSED int json_get_string(const json_t *obj, const char *key, const char *where, const char **out, struct err *err);
WARN_UNUSED int json_get_str(const json_t *obj, const char *key, const char *where, str *out, struct err *err);
WARN_UNUSED int json_get_int(const json_t *obj, const char *key, const char *where, int64_t *out, struct err *err); /* 3.0 counts as 3 */
/* As json_get_int, and refuses values outside [min, max]. */
WARN_UNUSED int json_get_int_in(const json_t *obj, const char *key, const char *where, int64_t min, int64_t max, int64_t *out, struct err *err);
WARN_UNUSED int json_get_double(const json_t *obj, const char *key, const char *where, double *out, struct err *err);
WARN_UNUSED int json_get_bool(const json_t *obj, const char *key, const char *where, bool *out, struct err *err);
WARN_UNUSED int json_get_array(const json_t *obj, const char *key, const char *where, const json_t **out, struct err *err);
WARN_UNUSED int json_get_object(const json_t *obj, const char *key, const char *where, const json_t **out, struct err *err);
/* Error unless the key is there and not null. */
WARN_UNUSED int json_require(const json_t *obj, const char *key, const char *where, struct err *err);
