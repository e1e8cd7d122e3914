/* rms_norm.h: root mean square normalisation (Zhang & Sennrich 2019), over whole rows or over each d-wide slice (q/k norm).
 *   y = w x r, r = 1 / sqrt(mean(x^2) + eps)        w [d], width a multiple of d
 * Collective over rows, no barrier inside.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>

struct norm_shape { int64_t rows, width, d; float eps; };

/* y may be x (same stride). */
void rms_norm_forward(const float *x, int64_t ldx, const float *w, float *y, int64_t ldy, struct norm_shape s, struct worker worker);
/* dx (+)= r w dy - x r^3 / d sum(w dy x). dx may be dy when not accumulating; dx must not be x. */
void rms_norm_backward(const float *x, int64_t ldx, const float *w, const float *dy, int64_t lddy, float *dx, int64_t lddx,
		       struct norm_shape s, bool accumulate, struct worker worker);
