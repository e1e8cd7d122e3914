/* low_rank.h: the products of a LoRA branch u = x Aᵀ, y += scale * u Bᵀ (Hu et al. 2021), where the rank is far smaller than
 * everything else, in float32. A is [r, K]; B is kept transposed, Bt [r, N]. x [rows, K], y [rows, N], u [rows, r].
 *
 *   forward   u = x Aᵀ                y (+)= scale u Bt
 *   backward  du = scale dy Btᵀ       dBt += scale uᵀ dy      dA += duᵀ x       dx (+)= du A
 *
 * The first of each pair is collective over rows, the gradients of A and B over their columns (so each worker needs u, du
 * of all rows: a barrier between). No barrier inside. Outputs never alias inputs.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>

/* u[rows, r] = scale * x[rows, k] wᵀ, w [r, k]. For u from (x, A) and du from (dy, Bt). */
void low_rank_down(const float *x, int64_t ldx, const float *w, float *u, int64_t rows, int64_t k, int64_t r, float scale, struct worker worker);
/* y[rows, n] (+)= scale * u[rows, r] w, w [r, n]. For y from (u, Bt) and dx from (du, A). */
void low_rank_up(const float *u, const float *w, float *y, int64_t ldy, int64_t rows, int64_t n, int64_t r, float scale, bool accumulate, struct worker worker);
/* dw[r, n] += scale * u[rows, r]ᵀ y[rows, n]. For dBt from (u, dy) and dA from (du, x). */
void low_rank_grad(const float *u, const float *y, int64_t ldy, float *dw, int64_t rows, int64_t n, int64_t r, float scale, struct worker worker);
