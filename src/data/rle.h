/* rle.h: parquet's hybrid of run lengths and bit packing (encoding RLE), and the older plain bit packing (BIT_PACKED, most
 * significant bit first). Reads levels and dictionary indices one by one; a run costs no memory. */
#pragma once
#include "base/str.h"

struct rle {
	const uint8_t *p, *end;
	unsigned width;      /* bits of a value, 0 … 32 */
	bool big_endian;     /* BIT_PACKED: everything is one packed run */
	uint64_t left;       /* values left in the run */
	bool packed;
	uint32_t value;      /* of a repeated run */
	uint64_t bit;        /* next bit of a packed run, from p */
};

static inline struct rle rle_over(str bytes, unsigned width)
{
	return (struct rle){.p = (const uint8_t *)bytes.data, .end = (const uint8_t *)bytes.data + bytes.len, .width = width};
}
struct rle rle_bit_packed(str bytes, unsigned width);
/* False when the bytes end or are damaged. */
bool rle_next(struct rle *r, uint32_t *out);
/* Bits that hold values up to max. */
static inline unsigned rle_width(uint32_t max) { return max ? 32 - (unsigned)__builtin_clz(max) : 0; }
