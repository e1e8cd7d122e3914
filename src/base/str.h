/* str.h: a borrowed, length-counted byte string (may hold NUL, is not terminated). Never owns memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct { const char *data; size_t len; } str;

#define STR(literal) ((str){"" literal, sizeof(literal) - 1})
#define STR_FMT(s) (int)((s).len > 1024 ? 1024 : (s).len), (s).data /* for "%.*s" */

static inline str str_of(const char *z) { return (str){z, z ? strlen(z) : 0}; }
static inline bool str_eq(str a, str b) { return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0); }
static inline bool str_eqz(str a, const char *z) { return str_eq(a, str_of(z)); }
static inline bool str_starts(str s, str prefix) { return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0; }
static inline bool str_ends(str s, str suffix) { return s.len >= suffix.len && memcmp(s.data + s.len - suffix.len, suffix.data, suffix.len) == 0; }
static inline str str_sub(str s, size_t from, size_t to) { return (str){s.data + from, to - from}; }
/* Index of the first byte c at or after `from`, or s.len. */
size_t str_find(str s, char c, size_t from);
str str_trim(str s);                                   /* without ASCII white space at both ends */
int str_cmp(str a, str b);                             /* memcmp order, shorter first */
bool str_to_i64(str s, int64_t *out);                  /* whole string, decimal, range-checked */
bool str_to_f64(str s, double *out);                   /* whole string, C locale, finite or not */
/* Levenshtein distance, capped at 64; both at most 64 bytes are compared. */
size_t str_distance(str a, str b);
/* The candidate nearest to `s`, or NULL when none is near enough to be a likely typo. `names` ends with NULL. */
const char *str_nearest(str s, const char *const *names);
/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlongs); *bad gets the offset of the first bad byte. */
bool str_is_utf8(str s, size_t *bad);
