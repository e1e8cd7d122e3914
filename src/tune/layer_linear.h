/* layer_linear.h: one linear of the layer program in both directions, cut into its row-wise and its output-wise half.
 * Inside the walk (layer_forward.c, layer_backward.c) only; barriers are the caller's. */
#pragma once
#include "ops/attention.h"
#include "tune/layer.h"

/* Number of linears from op i on that read the same value through matrices of the same type: one prepared input serves them. */
int32_t linear_run(const struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i);
/* Rows: prepare the input (first of its run), u, and y = scale u Bt + bias where there is any. */
void linear_rows(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t op, bool first, struct worker worker);
/* Outputs: y (+)= x Wᵀ. */
void linear_product(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t op, struct worker worker);
/* Rows: du = scale dy Btᵀ and dx (+)= du A. rank_offset: place of du in w->du. Returns whether dx was written. */
bool linear_back_rows(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t op, int64_t rank_offset, bool accumulate, struct worker worker);
/* Columns: dA, dB. */
void linear_back_weights(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t op, int64_t rank_offset, struct worker worker);
/* Columns of dx (+)= dy W. */
void linear_back_product(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t op, bool accumulate, struct worker worker);

struct attention_shape layer_attention_shape(const struct layer_walk *w, const struct op *op);
void layer_restore_value(const struct layer_walk *w, const struct graph *g, int32_t layer, int8_t value, struct worker worker);
