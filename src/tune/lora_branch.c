/* lora_branch.c: see lora_branch.h. Without dropout each step is one low-rank product; with it the input goes through a
 * small scratch block first. */
#include "tune/lora_branch.h"

#include "base/random.h"
#include "ops/kernels.h"
#include "ops/low_rank.h"

#define PIECES 8 /* 16-bit pieces of one Philox block */

struct keep_rule { uint32_t threshold; float gain; };
static struct keep_rule keep_rule(float p)
{
	uint32_t threshold = (uint32_t)(p * 65536.0f + 0.5f);
	threshold = threshold > 65535u ? 65535u : threshold;
	return (struct keep_rule){threshold, 65536.0f / (float)(65536u - threshold)};
}

/* out[j] (+)= gain * x[j] where kept, columns [from, to) of row t; from is a multiple of PIECES. */
static void drop_row(const struct lora_branch *b, const float *x, float *out, int64_t t, int64_t from, int64_t to, bool accumulate)
{
	struct keep_rule rule = keep_rule(b->dropout);
	uint64_t blocks = (uint64_t)(b->slot->k + PIECES - 1) / PIECES;
	for (int64_t j = from; j < to; j += PIECES) {
		uint32_t bits[4];
		random_block(b->seed, RANDOM_DROPOUT, b->key, (uint64_t)t * blocks + (uint64_t)j / PIECES, bits);
		for (int64_t i = 0; i < PIECES && j + i < to; i++) {
			uint32_t piece = (bits[i / 2] >> (16 * (i & 1))) & 0xFFFFu;
			float kept = piece >= rule.threshold ? rule.gain * x[j + i - from] : 0.0f;
			out[j + i - from] = accumulate ? out[j + i - from] + kept : kept;
		}
	}
}

static int64_t block_end(int64_t t, int64_t to) { return t + LORA_BRANCH_ROWS < to ? t + LORA_BRANCH_ROWS : to; }

void lora_branch_down(const struct lora_branch *b, const float *x, int64_t ldx, struct worker w)
{
	int64_t from, to, k = b->slot->k, r = b->slot->rank;
	if (b->dropout == 0.0f) {
		low_rank_down(x, ldx, b->a, b->u, b->rows, k, r, 1.0f, w);
		return;
	}
	worker_range(w, b->rows, 4, &from, &to);
	for (int64_t t = from; t < to; t += LORA_BRANCH_ROWS) {
		int64_t n = block_end(t, to) - t;
		for (int64_t i = 0; i < n; i++)
			drop_row(b, x + (t + i) * ldx, b->scratch + i * k, t + i, 0, k, false);
		low_rank_down(b->scratch, k, b->a, b->u + t * r, n, k, r, 1.0f, (struct worker){0, 1, NULL});
	}
}

void lora_branch_up(const struct lora_branch *b, float *y, int64_t ldy, bool accumulate, struct worker w)
{
	low_rank_up(b->u, b->b, y, ldy, b->rows, b->slot->n, b->slot->rank, b->slot->scale, accumulate, w);
}

void lora_branch_back(const struct lora_branch *b, const float *dy, int64_t lddy, struct worker w)
{
	low_rank_down(dy, lddy, b->b, b->du, b->rows, b->slot->n, b->slot->rank, b->slot->scale, w);
}

void lora_branch_back_input(const struct lora_branch *b, float *dx, int64_t lddx, bool accumulate, struct worker w)
{
	int64_t from, to, k = b->slot->k, r = b->slot->rank;
	if (b->dropout == 0.0f) {
		low_rank_up(b->du, b->a, dx, lddx, b->rows, k, r, 1.0f, accumulate, w);
		return;
	}
	worker_range(w, b->rows, 4, &from, &to);
	for (int64_t t = from; t < to; t += LORA_BRANCH_ROWS) {
		int64_t n = block_end(t, to) - t;
		low_rank_up(b->du + t * r, b->a, b->scratch, k, n, k, r, 1.0f, false, (struct worker){0, 1, NULL});
		for (int64_t i = 0; i < n; i++)
			drop_row(b, b->scratch + i * k, dx + (t + i) * lddx, t + i, 0, k, accumulate);
	}
}

void lora_branch_back_weights(const struct lora_branch *b, const float *x, int64_t ldx, const float *dy, int64_t lddy, struct worker w)
{
	int64_t from, to, k = b->slot->k, r = b->slot->rank;
	low_rank_grad(b->u, dy, lddy, b->db, b->rows, b->slot->n, r, b->slot->scale, w);
	if (b->dropout == 0.0f) {
		low_rank_grad(b->du, x, ldx, b->da, b->rows, k, r, 1.0f, w);
		return;
	}
	worker_range(w, k, 16, &from, &to);
	for (int64_t t = 0; t < b->rows && from < to; t += LORA_BRANCH_ROWS) {
		int64_t n = block_end(t, b->rows) - t;
		for (int64_t i = 0; i < n; i++)
			drop_row(b, x + (t + i) * ldx + from, b->scratch + i * (to - from), t + i, from, to, false);
		struct gemm g = {.m = r, .n = to - from, .k = n, .a = b->du + t * r, .a_row = 1, .a_col = r, .b = b->scratch, .ldb = to - from,
				 .c = b->da + from, .ldc = k, .alpha = 1.0f, .accumulate = true};
		ops_kernels()->gemm_nn(&g);
	}
}
