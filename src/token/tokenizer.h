/* tokenizer.h: text <-> token ids. Immutable after open, so any number of threads may encode and decode.
 * Built from GGUF metadata ("gpt2" byte-level BPE, "llama" SentencePiece BPE by score) or from a Hugging Face
 * tokenizer.json (BPE model with its normalizer, pre-tokenizer, post-processor and decoder). */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "base/buf.h"
#include "base/vec.h"
#include <stdbool.h>
#include "weights/weights.h"

struct tokenizer;
struct token_vec { int32_t *data; size_t len, cap; }; /* usable with vec.h macros */

WARN_UNUSED int tokenizer_open_gguf(struct tokenizer **out, const struct weights *w, struct err *err);
/* folder holds tokenizer.json, and optionally tokenizer_config.json, special_tokens_map.json, generation_config.json, config.json */
WARN_UNUSED int tokenizer_open_folder(struct tokenizer **out, const char *folder, struct err *err);
/* Either of the two, by the format of w. */
WARN_UNUSED int tokenizer_open(struct tokenizer **out, const struct weights *w, struct err *err);
void tokenizer_free(struct tokenizer *t);

int32_t tokenizer_vocab_size(const struct tokenizer *t);   /* ids are 0 .. size-1 */
int32_t tokenizer_bos(const struct tokenizer *t);          /* -1 when there is none */
int32_t tokenizer_eos(const struct tokenizer *t);          /* -1 when there is none */
int32_t tokenizer_pad(const struct tokenizer *t);          /* pad, or eos when there is none */
bool tokenizer_is_eog(const struct tokenizer *t, int32_t id);     /* eos, <|im_end|>, <|eot_id|>, <|end|> … and generation_config's list */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id); /* control token: skipped by decode with skip_special */
/* Id of a token by its exact content, -1 when unknown. */
int32_t tokenizer_id(const struct tokenizer *t, str content);
/* Raw content of a token as stored in the vocabulary (for display, e.g. "Ġthe"). */
str tokenizer_token(const struct tokenizer *t, int32_t id);

/* Append ids of text. add_special: BOS/EOS as the model's post-processor does; parse_special: special tokens written
 * in the text become their ids (true for rendered chat templates, false for untrusted plain text).
 * Invalid UTF-8 is an error (ERR_INVALID, with the offset). */
WARN_UNUSED int tokenizer_encode(const struct tokenizer *t, str text, bool add_special, bool parse_special, struct token_vec *out, struct err *err);
/* Append the text of ids as the reference decodes (skip_special_tokens = skip_special). Always well-formed UTF-8: bytes
 * that form no character become U+FFFD. For text that arrives token by token see detok.h. An id outside the
 * vocabulary is ERR_INVALID. */
WARN_UNUSED int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *err);
/* Bytes of one token as it appears mid-text (special tokens give their content); maybe only a part of a character.
 * `first`: start of the text, where SentencePiece drops the leading space. */
void tokenizer_piece(const struct tokenizer *t, int32_t id, bool first, struct buf *out);

/* The chat template's source, or an empty str. Borrowed. */
str tokenizer_chat_template(const struct tokenizer *t);
