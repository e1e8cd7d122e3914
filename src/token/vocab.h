/* vocab.h: the table of tokens, id <-> content. Strings are borrowed (GGUF: from the mapping; JSON: from one blob), so
 * loading does no allocation per token: one array of entries and one open-addressing index of 32-bit slots.
 * Immutable once filled. Also used for the set of added tokens. */
#pragma once
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include <stdint.h>

enum token_flags {
	TOKEN_SPECIAL = 1,  /* control: bos, eos, roles; skipped by decode with skip_special */
	TOKEN_BYTE = 2,     /* <0xXX>: stands for one byte */
	TOKEN_UNMERGED = 4, /* never the result of a merge (control, unknown, byte, unused) */
	TOKEN_USER = 8,     /* matched in text before anything else, but no control token */
	TOKEN_EOG = 16,     /* ends a generation */
	TOKEN_NORMALIZED = 32 /* decoded as its normal form (tokenizers 0.20 and later) */
};

struct vocab_token { const char *data; uint32_t len; uint32_t hash; }; /* data NULL: no token has this id */
struct vocab {
	struct vocab_token *tokens;
	uint8_t *flags;
	int32_t count;
	uint32_t *slots; /* 12 bits of hash, 20 bits of id + 1; 0 is empty */
	uint32_t mask;
};

WARN_UNUSED int vocab_init(struct vocab *v, int64_t count, struct err *err);
void vocab_done(struct vocab *v);
/* Give id its content (borrowed). False when another id had it already: vocab_find answers the later one, as llama.cpp does. */
bool vocab_put(struct vocab *v, int32_t id, str content);
int32_t vocab_find(const struct vocab *v, str content);                /* -1 when absent */
int32_t vocab_find_pair(const struct vocab *v, str left, str right);   /* the content left + right */
static inline str vocab_at(const struct vocab *v, int32_t id) { return (str){v->tokens[id].data, v->tokens[id].len}; }

/* Seeded once per process, so that a file cannot be made to collide. */
uint32_t vocab_hash(str content);
/* Slots for count entries: a power of two at least 2 * count. */
uint32_t *vocab_slots_new(int64_t count, uint32_t *mask, struct err *err);
#define VOCAB_SLOT(hash, index) (((hash) & 0xFFF00000u) | ((uint32_t)(index) + 1))
#define VOCAB_SLOT_INDEX(slot) ((int32_t)((slot) & 0xFFFFFu) - 1)
#define VOCAB_SLOT_MATCHES(slot, hash) ((((slot) ^ (hash)) & 0xFFF00000u) == 0)
_Static_assert(LIMIT_VOCAB < 0xFFFFF, "an id + 1 fits the 20 bits of a slot");
