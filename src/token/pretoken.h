/* pretoken.h: cutting text into the pieces inside which merges happen: tokenizer.json's "pre_tokenizer", and the
 * named sets of patterns of GGUF's tokenizer.ggml.pre (pretoken_table.c). Almost every step is "find a pattern, then do
 * this with what it matched". Byte-level mapping is not a step but a flag: the model then starts from bytes. */
#pragma once
#include "token/pieces.h"
#include "token/regex.h"
#include <jansson.h>

enum pretoken_behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_WITH_PREVIOUS, SPLIT_WITH_NEXT, SPLIT_CONTIGUOUS };
enum pretoken_prepend { PREPEND_NEVER, PREPEND_ALWAYS, PREPEND_FIRST };
struct pretoken_step {
	/* First the text edit (ByteLevel's prefix space, Metaspace), then the split; each only if set. */
	char *replacement;              /* what a space becomes; owned */
	char prefix[8];                 /* put before each piece that does not begin with it */
	enum pretoken_prepend prepend;
	struct regex *pattern;          /* owned */
	enum pretoken_behavior behavior;
	bool invert;
};
struct pretokenizer {
	struct pretoken_step *data;
	size_t len, cap;
	bool byte_level; /* pieces are handed on as raw bytes */
};

/* Append the steps of a "pre_tokenizer" object (null: none). An unknown type is ERR_UNSUPPORTED. */
WARN_UNUSED int pretokenizer_parse(struct pretokenizer *p, const json_t *json, struct err *err);
/* A split that keeps the pattern's matches and what is between them as pieces of their own. */
WARN_UNUSED int pretokenizer_add_split(struct pretokenizer *p, str pattern, struct err *err);
void pretokenizer_done(struct pretokenizer *p);
/* Cut in->text, given as one piece or several, step by step; the result is in *in, *spare is scratch. first: the text
 * is the beginning of the input. */
WARN_UNUSED int pretokenizer_run(const struct pretokenizer *p, struct regex_state *state, bool first, struct pieces *in, struct pieces *spare, struct err *err);

/* GPT-2's pattern, which ByteLevel with use_regex means. */
extern const char PRETOKEN_GPT2[];

/* A row of the table of tokenizer.ggml.pre. */
struct pretoken_preset {
	const char *name;
	const char *const *patterns; /* ends with NULL; each cuts the pieces of the one before */
	bool ignore_merges, add_bos, nfc;
};
/* NULL when unknown. An empty name is "default". */
const struct pretoken_preset *pretoken_preset(str name);
