/* lora_branch.h: the LoRA branch of one linear with its dropout: u = drop(x) Aᵀ, y (+)= scale u Bt, and back.
 * Dropout keeps an element with probability 1 - p and scales it by 1 / (1 - p). Which elements: 16-bit pieces of Philox blocks
 * keyed by (seed, draw, layer, slot) and counted by (row, column), so the backward draws the same again and no mask is stored.
 * Collective, no barrier inside; see low_rank.h for what is split over what.
 */
#pragma once
#include "tune/lora_train.h"

struct lora_branch {
	const struct lora_slot *slot;
	const float *a, *b;          /* A [r, K], Bt [r, N] */
	float *da, *db;
	float *u, *du;               /* [rows, r] */
	int64_t rows;
	float dropout;               /* 0: none */
	uint64_t seed, key;          /* key: draw, layer and slot */
	float *scratch;              /* this worker's lora_branch_floats(K), used with dropout only */
};
#define LORA_BRANCH_ROWS 16
static inline size_t lora_branch_floats(int64_t widest) { return LORA_BRANCH_ROWS * (size_t)widest; }

void lora_branch_down(const struct lora_branch *b, const float *x, int64_t ldx, struct worker w);                  /* u, by rows */
void lora_branch_up(const struct lora_branch *b, float *y, int64_t ldy, bool accumulate, struct worker w);          /* y (+)=, by rows */
void lora_branch_back(const struct lora_branch *b, const float *dy, int64_t lddy, struct worker w);                 /* du, by rows */
void lora_branch_back_input(const struct lora_branch *b, float *dx, int64_t lddx, bool accumulate, struct worker w); /* dx (+)=, by rows */
void lora_branch_back_weights(const struct lora_branch *b, const float *x, int64_t ldx, const float *dy, int64_t lddy, struct worker w); /* da, db +=, by columns */
