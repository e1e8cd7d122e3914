/* regex.h: the regular expressions of tokenizers, over PCRE2 with JIT. Their authors wrote them for Oniguruma and Rust;
 * \s, \w and their negations are rewritten so that they mean the same characters here. Immutable after compile. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct regex;
struct regex_state; /* what one thread needs to run a search */

/* literal: the pattern is plain text. Errors are ERR_MODEL with the offset. */
WARN_UNUSED int regex_new(struct regex **out, str pattern, bool literal, struct err *err);
void regex_free(struct regex *r);
struct regex_state *regex_state_new(void);
void regex_state_free(struct regex_state *s);
/* First match at or after `from` in well-formed UTF-8: 1 found, 0 none, -1 error (ERR_LIMIT: the expression backtracks without end). */
WARN_UNUSED int regex_find(const struct regex *r, struct regex_state *s, str text, size_t from, size_t *match_from, size_t *match_to, struct err *err);
