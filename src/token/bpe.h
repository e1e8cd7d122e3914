/* bpe.h: pair merging. A piece of text starts as symbols (characters or bytes); the best adjacent pair is merged until
 * none is left. "Best" is the merge listed first (Sennrich et al. 2016, GPT-2, tokenizer.json) or the merged token of the
 * highest score (SentencePiece); ties go to the leftmost. Every merge removes a symbol, so any table terminates;
 * a heap makes it O(n log n).
 *
 * Merges are kept as borrowed text and found by a hash of both sides, so loading them costs no look-up; the id a merge
 * makes is looked up on first use and remembered (idempotent, so a relaxed atomic is enough for many threads). */
#pragma once
#include "base/vec.h"
#include "token/vocab.h"
#include <stdatomic.h>

struct bpe_merge { const char *data; uint32_t left_len, right_len; _Atomic int32_t result; }; /* left, gap bytes, right */
struct bpe {
	const struct vocab *vocab;
	struct bpe_merge *merges;
	int32_t count, cap;
	uint32_t gap;           /* bytes between left and right in data: 1 for "left right", 0 for "leftright" */
	uint32_t *slots, mask;
	const float *scores;    /* not NULL: by score, merges unused */
};

/* Room for count merges. */
WARN_UNUSED int bpe_init(struct bpe *b, const struct vocab *vocab, int64_t count, uint32_t gap, struct err *err);
void bpe_done(struct bpe *b);
/* The next merge in rank order. Repeats of an earlier one are ignored. Neither side may be empty (ERR_MODEL). */
WARN_UNUSED int bpe_add(struct bpe *b, const char *data, size_t left_len, size_t right_len, struct err *err);
/* ERR_MODEL unless every merge makes a token of the vocabulary. */
WARN_UNUSED int bpe_check(struct bpe *b, struct err *err);

struct bpe_symbol {
	int32_t id;           /* -1: not in the vocabulary, never merged by rank */
	uint32_t from, len;   /* bytes of the piece */
	uint32_t prev, next;  /* neighbours; UINT32_MAX at the ends */
	uint32_t key;         /* of the pair with next: lower merges first */
	int32_t merged;       /* id that pair makes, -1 when it does not merge */
};
struct bpe_scratch {
	VEC(struct bpe_symbol) symbols;
	VEC(uint64_t) heap;
};
void bpe_scratch_done(struct bpe_scratch *s);
/* Append a symbol to the piece; links are set by bpe_run. */
static inline void bpe_push(struct bpe_scratch *s, int32_t id, size_t from, size_t len)
{
	vec_push(&s->symbols, (struct bpe_symbol){.id = id, .from = (uint32_t)from, .len = (uint32_t)len});
}
/* Merge s->symbols of `text`. Afterwards symbol 0 is the first left; follow `next` to UINT32_MAX. */
void bpe_run(const struct bpe *b, str text, struct bpe_scratch *s);
