/* adamw.h: global-norm clipping and AdamW (Loshchilov & Hutter 2019) with torch's semantics, over flat arrays.
 *   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p = p (1 - lr wd) - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 * Collective over fixed chunks: the bits do not depend on the worker count.
 */
#pragma once
#include "tensor/pool.h"
#include <stddef.h>

#define ADAMW_CHUNK 4096
static inline size_t adamw_chunks(size_t n) { return (n + ADAMW_CHUNK - 1) / ADAMW_CHUNK; }

struct adamw_step {
	float *p, *grad, *m, *v;
	size_t n;
	double lr, beta1, beta2, eps, weight_decay;
	double clip;        /* factor on the gradient: min(1, max_norm / (norm + 1e-6)) */
	int64_t step;       /* t, from 1 */
};
/* partial[adamw_chunks(n)]: sum of squares of each chunk; adamw_norm adds them up in order. */
void adamw_square_sums(const float *grad, size_t n, double *partial, struct worker w);
double adamw_norm(const double *partial, size_t n);
/* Updates p, m, v and clears grad. */
void adamw_apply(const struct adamw_step *s, struct worker w);
