/* normalize.h: the steps that change text before it is cut into pieces: tokenizer.json's "normalizer". */
#pragma once
#include "base/buf.h"
#include "token/regex.h"
#include <jansson.h>

enum normalize_kind { NORMALIZE_PREPEND, NORMALIZE_REPLACE, NORMALIZE_UNICODE, NORMALIZE_LOWERCASE, NORMALIZE_STRIP, NORMALIZE_STRIP_ACCENTS };
struct normalize_step {
	enum normalize_kind kind;
	int form;             /* NORMALIZE_UNICODE: utf8proc options */
	bool left, right;     /* NORMALIZE_STRIP */
	char *text;           /* what to prepend, or the replacement; owned */
	size_t text_len;
	struct regex *pattern; /* NORMALIZE_REPLACE; owned */
};
struct normalizer { struct normalize_step *data; size_t len, cap; };

/* Append the steps of a "normalizer" object (null: none). An unknown type is ERR_UNSUPPORTED. */
WARN_UNUSED int normalizer_parse(struct normalizer *n, const json_t *json, struct err *err);
void normalizer_add_nfc(struct normalizer *n);
WARN_UNUSED int normalizer_add_replace(struct normalizer *n, str text, str with, struct err *err);
void normalizer_done(struct normalizer *n);
/* Replace *text (well-formed UTF-8) by its normal form. */
WARN_UNUSED int normalizer_run(const struct normalizer *n, struct regex_state *state, struct buf *text, struct err *err);
/* A pattern object, {"String": "..."} or {"Regex": "..."}; used by pre-tokenisers and decoders too. */
WARN_UNUSED int normalizer_pattern(struct regex **out, const json_t *owner, const char *where, struct err *err);
/* to gets text with every match of pattern replaced. */
WARN_UNUSED int normalizer_replace(const struct regex *pattern, struct regex_state *state, str text, str with, struct buf *to, struct err *err);
/* Copy of the string member, ERR_MODEL when it is missing or no string. */
WARN_UNUSED int normalizer_text(char **out, size_t *len, const json_t *owner, const char *key, const char *where, struct err *err);
