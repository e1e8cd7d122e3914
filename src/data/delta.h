/* delta.h: parquet's DELTA_BINARY_PACKED integers, read one by one: blocks of a smallest delta and bit-packed rests, cut in
 * miniblocks with a width each. */
#pragma once
#include "base/str.h"

struct delta {
	const uint8_t *p, *end;     /* p: the current miniblock's bits, or the next block */
	const uint8_t *widths;      /* of the current block's miniblocks; at most `end` */
	uint64_t block_values, miniblocks, miniblock_values;
	uint64_t left;              /* values not yet read */
	uint64_t in_miniblock, miniblock;
	uint64_t value, smallest;
	bool first;
};

/* False when the head is damaged or announces more than max values. */
bool delta_open(struct delta *d, str bytes, uint64_t max);
bool delta_next(struct delta *d, int64_t *out);
/* Where the encoded integers end: *rest is what follows. Call right after delta_open. */
bool delta_rest(const struct delta *d, str *rest);
