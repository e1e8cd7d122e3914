/* batch.h: the rows of one step. A segment is a run of consecutive tokens of one slot; segments with the same adapter stand
 * together. Filled by the scheduler, read by the forward pass; borrowed arrays. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct segment {
	int32_t slot, row, rows;  /* rows [row, row + rows) of the batch */
	int32_t first;            /* position of its first token */
	int32_t adapter;          /* -1: none */
	bool long_rope;           /* model_rope_is_long of the whole sequence */
};
struct batch {
	int32_t rows, n_segments;
	const int32_t *ids;           /* [rows] */
	const struct segment *segments;
};
