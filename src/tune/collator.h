/* collator.h: one dataset row -> token ids with the tokens that are trained on marked, as TRL's SFTTrainer prepares rows.
 *
 *   messages             rendered by the chat template, tokenized without extra specials. Trained on: every token; with
 *                        completion_only the last message only; with assistant_only the assistant's turns.
 *   prompt + completion  tokenized together, end of sequence added. Trained on: the completion, or everything if completion_only is 0.
 *   text                 tokenized, end of sequence added. Trained on: every token.
 *
 * A completion begins where the tokens of the prompt alone and of both together part. Owner: one thread. */
#pragma once
#include "data/data.h"
#include "token/chat_template.h"
#include "token/tokenizer.h"

struct collator {
	const struct tokenizer *tokenizer;
	const struct chat_template *chat;   /* NULL: rows of messages are refused */
	const char *bos, *eos;              /* text of the tokens, NULL: none */
	int completion_only;                /* -1: by the shape of the row */
	bool assistant_only;
	int32_t max_length;                 /* longer rows are cut; 0: never */
	bool keep_end;                      /* cut the start instead of the end */
};
/* Ids of tokens that are not trained on are stored as ~id (negative), so a row costs four bytes a token. */
struct example {
	struct token_vec tokens;
	int32_t cut;                        /* tokens that max_length removed */
	int32_t trained;                    /* tokens that can be predicted and count in the loss */
};
static inline int32_t example_id(int32_t token) { return token < 0 ? ~token : token; }

/* Overwrites *out (keeps its memory). ERR_DATA with what is wrong, without the row's place. */
WARN_UNUSED int collator_encode(const struct collator *c, const struct data_row *row, struct example *out, struct err *err);
static inline void example_done(struct example *e) { vec_done(&e->tokens); }
