/* flat.c: see flat.h. A table begins with a signed offset back to its vtable, which lists where each field lies. */
#include "data/flat.h"

static bool has(struct flat *f, size_t at, size_t n)
{
	if (at <= f->bytes.len && n <= f->bytes.len - at)
		return true;
	f->bad = true;
	return false;
}

static uint64_t load(struct flat *f, size_t at, size_t bytes)
{
	uint64_t v = 0;
	if (has(f, at, bytes))
		for (size_t i = 0; i < bytes; i++)
			v |= (uint64_t)(uint8_t)f->bytes.data[at + i] << (8 * i);
	return v;
}

int64_t flat_int_at(struct flat *f, size_t at, size_t bytes)
{
	uint64_t v = load(f, at, bytes), sign = (uint64_t)1 << (8 * bytes - 1);
	return (int64_t)((v ^ sign) - sign);
}

static struct flat_table table_at(struct flat *f, size_t at)
{
	int64_t fields = (int64_t)at - flat_int_at(f, at, 4);
	struct flat_table none = {0};
	if (f->bad || fields < 0 || !has(f, (size_t)fields, 4)) {
		f->bad = true;
		return none;
	}
	size_t bytes = load(f, (size_t)fields, 2);
	if (bytes < 4 || !has(f, (size_t)fields, bytes)) {
		f->bad = true;
		return none;
	}
	return (struct flat_table){at, (size_t)fields + 4, (bytes - 4) / 2};
}

struct flat_table flat_root(struct flat *f) { return table_at(f, load(f, 0, 4)); }

/* Position of a field's bytes in the table, 0 when absent. */
static size_t field(struct flat *f, struct flat_table t, size_t slot)
{
	size_t offset = slot < t.n_fields ? load(f, t.fields + 2 * slot, 2) : 0;
	return offset ? t.at + offset : 0;
}

int64_t flat_int(struct flat *f, struct flat_table t, size_t slot, size_t bytes, int64_t fallback)
{
	size_t at = field(f, t, slot);
	return at ? flat_int_at(f, at, bytes) : fallback;
}

/* Where the offset stored at a position leads. */
static size_t follow(struct flat *f, size_t at) { return at + load(f, at, 4); }

bool flat_table(struct flat *f, struct flat_table t, size_t slot, struct flat_table *out)
{
	size_t at = field(f, t, slot);
	if (at)
		*out = table_at(f, follow(f, at));
	return at && !f->bad;
}

struct flat_vector flat_vector(struct flat *f, struct flat_table t, size_t slot, size_t element_bytes)
{
	size_t at = field(f, t, slot);
	if (!at)
		return (struct flat_vector){0};
	size_t from = follow(f, at), count = load(f, from, 4);
	if (f->bad || !has(f, from + 4, count * element_bytes))
		return (struct flat_vector){0};
	return (struct flat_vector){from + 4, count};
}

str flat_string(struct flat *f, struct flat_table t, size_t slot)
{
	struct flat_vector v = flat_vector(f, t, slot, 1);
	return str_sub(f->bytes, v.at, v.at + v.count);
}

struct flat_table flat_vector_table(struct flat *f, struct flat_vector v, size_t i) { return table_at(f, follow(f, v.at + 4 * i)); }
