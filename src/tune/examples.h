/* examples.h: the dataset as tokens. One pass at the start encodes every row, so that a bad row is named in seconds instead of
 * after hours, lengths are known for packing, and the data has a fingerprint. Tokens stay in memory up to
 * LIMIT_TUNE_CACHE_TOKENS; rows past it are read and encoded again when they are used. Owner: one thread. */
#pragma once
#include "codec/digest.h"
#include "tune/collator.h"
#include <stdatomic.h>

struct example_row {
	int64_t source;         /* row number in the data */
	uint64_t at;            /* offset in `tokens`, or EXAMPLE_NOT_KEPT */
	int32_t length;
};
#define EXAMPLE_NOT_KEPT UINT64_MAX

struct examples {
	struct example_row *rows;
	int64_t count;
	struct data *data;              /* borrowed */
	const struct collator *collator; /* borrowed */
	int32_t *tokens;
	size_t n_tokens, cap_tokens;
	struct example scratch;
	char fingerprint[DIGEST_TEXT];
	/* What the pass met. */
	int64_t bad, cut, empty;        /* rows that could not be read (skipped), were cut, had nothing to learn (left out) */
	int64_t total_tokens, longest;
	char first_bad[ERR_MESSAGE_MAX + 1], first_cut[ERR_MESSAGE_MAX + 1];
};
struct examples_options {
	bool skip_bad_rows;             /* count instead of failing */
	bool refuse_long_rows;          /* a row that would be cut is an error */
	size_t max_tokens;              /* tokens kept in memory; 0: LIMIT_TUNE_CACHE_TOKENS */
	const atomic_bool *stop;        /* ERR_CANCELLED when set; NULL: none */
	void (*progress)(void *context, int64_t done, int64_t rows); /* NULL: none */
	void *context;
};
/* *bad_row (may be NULL) gets the 1-based number over all files of the row that failed, 0 if the failure was another. */
WARN_UNUSED int examples_read(struct examples *e, struct data *data, const struct collator *collator, const struct examples_options *o,
			      int64_t *bad_row, struct err *err);
/* Tokens of example i (see collator.h for the marks), valid until the next call. NULL with err when a row cannot be read any more. */
const int32_t *examples_tokens(struct examples *e, int64_t i, struct err *err);
void examples_done(struct examples *e);
