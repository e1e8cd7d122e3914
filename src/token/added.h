/* added.h: tokens that are found in the text before any other step: control tokens (<|im_end|>) and user-defined ones.
 * The leftmost match wins, and of those that begin there the longest. Immutable once built. */
#pragma once
#include "base/vec.h"
#include "token/vocab.h"

struct added_token {
	str content;      /* borrowed */
	int32_t id;
	bool special, lstrip, rstrip, single_word;
};
struct added {
	VEC(struct added_token) list;
	struct vocab index;             /* position in list by content; after added_build */
	VEC(uint32_t) lengths;          /* for each first byte, longest first */
	uint32_t from[257];             /* where in lengths the first byte's begin */
};

void added_put(struct added *a, struct added_token token);
WARN_UNUSED int added_build(struct added *a, struct err *err);
void added_done(struct added *a);
struct added_match { int32_t id; size_t from, to; };
/* The first match at or after `from`. Control tokens count only with parse_special. 1 found, 0 none. */
int added_find(const struct added *a, str text, size_t from, bool parse_special, struct added_match *out);
