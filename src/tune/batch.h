/* batch.h: units -> the arrays of one micro-batch (trainstep.h): tokens one after the other, labels, positions, segments.
 * Owns its arrays, sized once. Owner: one thread. */
#pragma once
#include "tune/layout.h"
#include "tune/trainstep.h"

struct batch {
	int32_t *ids, *labels, *positions, *segments;
	int32_t max_rows, rows;
};
void batch_init(struct batch *b, int32_t max_rows);
/* The units list[0 .. n-1]. ERR_DATA when a row cannot be read any more; ERR_LIMIT when they do not fit max_rows. */
WARN_UNUSED int batch_fill(struct batch *b, const struct units *u, struct examples *e, const int64_t *list, int64_t n, struct err *err);
struct micro_batch batch_view(const struct batch *b);
void batch_done(struct batch *b);
