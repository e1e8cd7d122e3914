/* tokenizer_impl.h: what the readers (open_gguf.c, open_json.c) fill and tokenizer.c and encode.c use. Private to token/. */
#pragma once
#include "base/arena.h"
#include "token/added.h"
#include "token/bpe.h"
#include "token/decoder.h"
#include "token/normalize.h"
#include "token/pretoken.h"
#include "token/tokenizer.h"

struct tokenizer {
	struct vocab vocab;
	struct bpe bpe;
	struct added added;            /* looked for in the raw text */
	struct added added_normalized; /* looked for after normalisation (tokenizer.json only) */
	struct normalizer normalizer;
	struct pretokenizer pretokenizer;
	struct decoder decoder;

	int32_t byte_ids[256];    /* byte_level: token of each byte's character; byte_fallback: <0xXX>; -1 when missing */
	bool byte_fallback;       /* a character outside the vocabulary becomes its bytes */
	bool ignore_merges;       /* a piece that is a token is taken whole */
	bool fuse_unknown;        /* neighbouring unknown characters make one unknown token */
	bool spaces_lead;         /* no token has U+2581 after another character: text may be cut before it */
	bool space_prefix;        /* GGUF "llama": a space goes before text that starts the input or follows a control token */
	int32_t unknown;          /* -1: unknown characters vanish */

	VEC(int32_t) prefix, suffix; /* what add_special puts around the text */
	int32_t bos, eos, pad;
	str chat_template;
	struct arena arena;       /* strings that are not borrowed from the weights */
	float *scores;            /* owned */
};

struct tokenizer *tokenizer_new(void);
/* Call last: fills what follows from the vocabulary and the flags. */
WARN_UNUSED int tokenizer_finish(struct tokenizer *t, struct err *err);
/* Fill t from a parsed tokenizer.json (open_json.c). Nothing of json is kept. */
WARN_UNUSED int tokenizer_read_json(struct tokenizer *t, const json_t *json, struct err *err);
/* The text of a tokenizer.json alone. */
WARN_UNUSED int tokenizer_open_json(struct tokenizer **out, str text, struct err *err);
/* Set TOKEN_EOG on the id if it is in range. */
void tokenizer_mark_eog(struct tokenizer *t, int64_t id);
