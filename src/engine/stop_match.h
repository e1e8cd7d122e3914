/* stop_match.h: finds stop strings in text that arrives in pieces. Text that may be the beginning of a stop string is held
 * back until it is clear that it is not. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

struct stop_match {
	const str *stops; size_t n; /* borrowed; empty strings are ignored */
	bool include;               /* the stop string itself is part of the text */
	struct buf held;
};
/* Append to out what is certain. True when a stop string was completed: nothing more must be pushed. */
bool stop_match_push(struct stop_match *m, str text, struct buf *out);
/* The text is over: what was held back is text after all. */
void stop_match_finish(struct stop_match *m, struct buf *out);
void stop_match_done(struct stop_match *m);
