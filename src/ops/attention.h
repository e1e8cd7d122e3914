/* attention.h: causal self-attention for training, forward and backward, over packed sequences.
 *   o[i] = sum_j softmax_j(scale q[i] k[j]) v[j],  j from the start of i's sequence to i, i - j < window (window 0: all)
 * q, o [rows, heads * d]; k, v [rows, kv_heads * d]; query head h reads kv head h / (heads / kv_heads). Nothing of size
 * rows x rows exists: tiles are recomputed in the backward from q, k and the log-sum-exp of each row (FlashAttention-2, Dao 2023).
 *
 * Collective over (sequence, head); no barrier inside the forward, one inside the backward.
 * Aliasing: none of the outputs may share storage with an input or with each other; inputs may be strided views of one buffer.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>
#include <stddef.h>

struct attention_shape {
	int64_t rows;
	const int32_t *segments;   /* [rows] index of the first row of the row's sequence */
	int32_t heads, kv_heads, d, window;
	float scale;               /* 1 / sqrt(d) */
	bool fast;                 /* products in bf16 where the CPU has them; the same choice in both directions */
};
struct attention_input { const float *q, *k, *v; int64_t ldq, ldk, ldv; };
struct attention_grads { float *dq, *dk, *dv; int64_t lddq, lddk, lddv; };

/* Bytes of scratch for both directions with this many workers. */
size_t attention_scratch_bytes(int64_t rows, int32_t heads, int32_t kv_heads, int32_t d, int workers);

/* lse [heads][rows]. */
void attention_forward(struct attention_input in, struct attention_shape s, float *o, int64_t ldo, float *lse, float *scratch, struct worker w);
/* Writes (does not accumulate) dq, dk, dv. o and lse are the forward's. */
void attention_backward(struct attention_input in, struct attention_shape s, const float *o, int64_t ldo, const float *lse, const float *dout,
			int64_t lddo, struct attention_grads g, float *scratch, struct worker w);
