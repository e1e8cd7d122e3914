/* detok.h: text of one sequence, token by token: bytes that do not yet form a character are held back.
 * Owner: one thread; the tokenizer is borrowed. Zero-initialised but for `tokenizer`. The concatenation of all pushes and
 * the finish equals tokenizer_decode of the same ids wherever their bytes are well-formed. */
#pragma once
#include "token/tokenizer.h"

struct detok {
	const struct tokenizer *tokenizer;
	bool skip_special;
	bool started;         /* something was written: later tokens keep their leading space */
	unsigned char held[4]; /* the beginning of a character */
	unsigned held_len;
};

/* Append to out the characters that id completes (maybe none). Ids outside the vocabulary write nothing. */
void detok_push(struct detok *d, int32_t id, struct buf *out);
/* The sequence is over: an unfinished character becomes U+FFFD. */
void detok_finish(struct detok *d, struct buf *out);
