/* decoder.h: token contents -> text: tokenizer.json's "decoder", and the two of GGUF. Steps work on a list of pieces
 * (one per token) and the results are joined at the end. */
#pragma once
#include "token/pieces.h"
#include "token/regex.h"
#include <jansson.h>

enum decoder_kind { DECODE_BYTE_LEVEL, DECODE_REPLACE, DECODE_BYTE_FALLBACK, DECODE_FUSE, DECODE_STRIP, DECODE_METASPACE };
struct decoder_step {
	enum decoder_kind kind;
	char *text;              /* REPLACE: what comes in; STRIP, METASPACE: the character; owned */
	size_t text_len;
	struct regex *pattern;   /* REPLACE; owned */
	int64_t start, stop;     /* STRIP: how many at each end */
	bool drop_first;         /* METASPACE: the first token's marks vanish */
};
struct decoder { struct decoder_step *data; size_t len, cap; };

/* WHOLE: all tokens of a text. FIRST, MIDDLE: one token of a stream; bytes stay bytes, and what belongs to the start of
 * the text happens for FIRST only. */
enum decoder_mode { DECODER_WHOLE, DECODER_FIRST, DECODER_MIDDLE };

WARN_UNUSED int decoder_parse(struct decoder *d, const json_t *json, struct err *err);
/* GGUF's "gpt2" and "llama". */
void decoder_add_byte_level(struct decoder *d);
WARN_UNUSED int decoder_add_sentencepiece(struct decoder *d, bool strip_prefix, struct err *err);
void decoder_done(struct decoder *d);
/* Append the text of the pieces to out; in and spare are used up. The text may be ill-formed (tokens are bytes). */
WARN_UNUSED int decoder_run(const struct decoder *d, enum decoder_mode mode, struct pieces *in, struct pieces *spare, struct buf *out, struct err *err);
