/* delta.c: see delta.h. All sums wrap, as the format has it. */
#include "data/delta.h"

static bool take_varint(struct delta *d, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (d->p >= d->end)
			return false;
		*out |= (uint64_t)(*d->p & 0x7F) << shift;
		if (!(*d->p++ & 0x80))
			return true;
	}
	return false;
}

static bool take_zigzag(struct delta *d, uint64_t *out)
{
	uint64_t v;
	if (!take_varint(d, &v))
		return false;
	*out = v >> 1 ^ -(v & 1);
	return true;
}

bool delta_open(struct delta *d, str bytes, uint64_t max)
{
	*d = (struct delta){.p = (const uint8_t *)bytes.data, .end = (const uint8_t *)bytes.data + bytes.len, .first = true};
	if (!take_varint(d, &d->block_values) || !take_varint(d, &d->miniblocks) || !take_varint(d, &d->left) || !take_zigzag(d, &d->value))
		return false;
	if (d->block_values == 0 || d->block_values > 1 << 20 || d->miniblocks == 0 || d->block_values % d->miniblocks || d->left > max)
		return false;
	d->miniblock_values = d->block_values / d->miniblocks;
	d->miniblock = d->miniblocks;
	return d->miniblock_values % 8 == 0;
}

static uint64_t miniblock_bytes(const struct delta *d, uint64_t i) { return (uint64_t)d->widths[i] * d->miniblock_values / 8; }

static bool open_block(struct delta *d)
{
	if (!take_zigzag(d, &d->smallest) || (uint64_t)(d->end - d->p) < d->miniblocks)
		return false;
	d->widths = d->p;
	d->p += d->miniblocks;
	d->miniblock = d->in_miniblock = 0;
	return true;
}

/* Moves p past the current miniblock. A last miniblock may lack its padding. */
static void close_miniblock(struct delta *d)
{
	uint64_t bytes = miniblock_bytes(d, d->miniblock), have = (uint64_t)(d->end - d->p);
	d->p += bytes < have ? bytes : have;
	d->miniblock++;
	d->in_miniblock = 0;
}

static bool take_bits(const struct delta *d, unsigned width, uint64_t *out)
{
	uint64_t bit = d->in_miniblock * width, v = 0;
	if (width > 64 || bit + width > (uint64_t)(d->end - d->p) * 8)
		return false;
	for (unsigned got = 0; got < width;) {
		unsigned skip = (unsigned)((bit + got) % 8), n = 8 - skip;
		uint64_t byte = (uint64_t)d->p[(bit + got) / 8] >> skip;
		if (n > width - got) {
			n = width - got;
			byte &= ((uint64_t)1 << n) - 1;
		}
		v |= byte << got;
		got += n;
	}
	*out = v;
	return true;
}

bool delta_next(struct delta *d, int64_t *out)
{
	uint64_t rest;
	if (d->left == 0)
		return false;
	if (!d->first) {
		if (d->miniblock < d->miniblocks && d->in_miniblock == d->miniblock_values)
			close_miniblock(d);
		if (d->miniblock == d->miniblocks && !open_block(d))
			return false;
		if (!take_bits(d, d->widths[d->miniblock], &rest))
			return false;
		d->in_miniblock++;
		d->value += d->smallest + rest;
	}
	d->first = false;
	d->left--;
	*out = (int64_t)d->value;
	return true;
}

bool delta_rest(const struct delta *from, str *rest)
{
	struct delta d = *from;
	for (uint64_t left = d.left ? d.left - 1 : 0; left > 0;) {
		if (d.miniblock == d.miniblocks && !open_block(&d))
			return false;
		left -= left < d.miniblock_values ? left : d.miniblock_values;
		close_miniblock(&d);
	}
	*rest = (str){(const char *)d.p, (size_t)(d.end - d.p)};
	return true;
}
