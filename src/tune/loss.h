/* loss.h: both ends of the model around its layers: embedding lookup, and the head with its cross-entropy.
 *
 * Only rows that predict a label go through the final norm and the head, a chunk of rows at a time: the logits of a chunk
 * [chunk, V] are turned into their own gradient in place and multiplied back at once, so logits of all tokens never exist.
 * All functions but the planners are collective with barriers inside.
 */
#pragma once
#include "model/model.h"

struct loss_head {
	const struct model *model;
	enum compute compute;
	int32_t chunk_max;           /* rows of one chunk */
	int32_t n;                   /* labelled rows of this micro-batch */
	int32_t *rows, *labels;      /* [rows_max] which rows, and what they predict */
	float *losses;               /* [rows_max] one per labelled row */
	float *hidden, *dhidden;     /* [chunk_max, C] normed rows and their gradient */
	float *logits;               /* [chunk_max, V] */
	void *input_scratch, *back_scratch;
};

int32_t loss_chunk_rows(const struct model *m, int32_t rows_max);
/* x[row] = embedding of ids[row]. */
void loss_embed(const struct model *m, const int32_t *ids, int32_t rows, float *x, struct worker worker);
/* Losses of all labelled rows of the stream x [rows, C]. dx not NULL: dx [rows, C] = gradient of scale * sum of losses. */
void loss_rows(const struct loss_head *h, const float *x, float *dx, int32_t rows, float scale, struct worker worker);
