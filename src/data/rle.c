/* rle.c: see rle.h. A run's head is a varint: its lowest bit says packed or repeated, the rest how many (groups of 8). */
#include "data/rle.h"

struct rle rle_bit_packed(str bytes, unsigned width)
{
	struct rle r = rle_over(bytes, width);
	r.big_endian = r.packed = true;
	r.left = width ? (uint64_t)bytes.len * 8 / width : UINT64_MAX;
	return r;
}

static bool next_run(struct rle *r)
{
	uint64_t head = 0;
	for (unsigned shift = 0;; shift += 7) {
		if (r->p >= r->end || shift > 35)
			return false;
		head |= (uint64_t)(*r->p & 0x7F) << shift;
		if (!(*r->p++ & 0x80))
			break;
	}
	r->packed = head & 1;
	r->left = r->packed ? (head >> 1) * 8 : head >> 1;
	r->bit = 0;
	if (r->packed)
		return true;
	size_t bytes = (r->width + 7) / 8;
	if ((size_t)(r->end - r->p) < bytes)
		return false;
	r->value = 0;
	for (size_t i = 0; i < bytes; i++)
		r->value |= (uint32_t)*r->p++ << (8 * i);
	return true;
}

static bool take_packed(struct rle *r, uint32_t *out)
{
	uint64_t v = 0;
	if (r->bit + r->width > (uint64_t)(r->end - r->p) * 8)
		return false;
	const uint8_t *p = r->p + r->bit / 8;
	unsigned skip = (unsigned)(r->bit % 8), need = (skip + r->width + 7) / 8;
	for (unsigned i = 0; i < need; i++)
		v |= (uint64_t)p[i] << (r->big_endian ? 8 * (need - 1 - i) : 8 * i);
	v = r->big_endian ? v >> (8 * need - skip - r->width) : v >> skip;
	*out = (uint32_t)(v & (((uint64_t)1 << r->width) - 1));
	r->bit += r->width;
	return true;
}

bool rle_next(struct rle *r, uint32_t *out)
{
	while (r->left == 0) {
		if (r->packed && !r->big_endian) {
			uint64_t bytes = (r->bit + 7) / 8;
			r->p += bytes;
			r->bit = 0;
			r->packed = false;
		}
		if (r->big_endian || !next_run(r))
			return false;
	}
	if (r->packed && !take_packed(r, out))
		return false;
	if (!r->packed)
		*out = r->value;
	r->left--;
	return true;
}
