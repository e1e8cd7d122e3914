/* rope.h: rotary position embedding (Su et al. 2021), half-split: pair (i, i + dims/2) of each d-wide head turns by
 * position * inv_freq[i]; columns [dims, d) of a head pass through. Collective over rows, no barrier inside.
 */
#pragma once
#include "tensor/pool.h"
#include <stdbool.h>

struct rope_shape { int64_t rows, width; int32_t d, dims; };

/* table[row][0, dims/2) = magnitude cos, [dims/2, dims) = magnitude sin. Built once per batch, shared by all layers.
 * The angle is the float32 product of position and inv_freq, as the reference stacks compute it. */
void rope_table(const int32_t *positions, int64_t rows, const float *inv_freq, int32_t dims, float magnitude, float *table, struct worker worker);
/* y may be x (same stride). */
void rope_forward(const float *x, int64_t ldx, const float *table, float *y, int64_t ldy, struct rope_shape s, struct worker worker);
/* dx = rotation by the negative angle (times magnitude) of dy. dx may be dy. */
void rope_backward(const float *dy, int64_t lddy, const float *table, float *dx, int64_t lddx, struct rope_shape s, struct worker worker);
