/* gguf.c: reader of GGUF versions 2 and 3 (little-endian), llama.cpp's model file format.
 * Header, key-value metadata, tensor directory, alignment, data. Everything is checked against the mapping
 * before it is believed: each length against what is left, each tensor against the file's end and its neighbours. */
#include "weights/weights_impl.h"

#include <inttypes.h>
#include <math.h>

/* --- a bounded cursor ------------------------------------------------------------------------------ */

struct cursor { const unsigned char *data; size_t len, at; const char *path; struct err *err; };

static int cursor_take(struct cursor *c, size_t n, const unsigned char **out)
{
	if (n > c->len - c->at)
		return err_set(c->err, ERR_MODEL, "%s: truncated at offset %zu: %zu bytes wanted, %zu left", c->path, c->at, n, c->len - c->at);
	*out = c->data + c->at;
	c->at += n;
	return 0;
}

static int cursor_u32(struct cursor *c, uint32_t *out)
{
	const unsigned char *p;
	if (cursor_take(c, 4, &p) < 0)
		return -1;
	memcpy(out, p, 4);
	return 0;
}

static int cursor_u64(struct cursor *c, uint64_t *out)
{
	const unsigned char *p;
	if (cursor_take(c, 8, &p) < 0)
		return -1;
	memcpy(out, p, 8);
	return 0;
}

static int cursor_string(struct cursor *c, str *out)
{
	uint64_t n;
	size_t start = c->at;
	const unsigned char *p;
	if (cursor_u64(c, &n) < 0)
		return -1;
	if (n > LIMIT_GGUF_STRING)
		return err_set(c->err, ERR_LIMIT, "%s: string of %" PRIu64 " bytes at offset %zu is past the limit", c->path, n, start);
	if (cursor_take(c, (size_t)n, &p) < 0)
		return -1;
	*out = (str){(const char *)p, (size_t)n};
	return 0;
}

/* --- metadata values ---------------------------------------------------------------------------------- */

/* GGUF value types in file order; size 0: string (8) and array (9). */
static const struct { enum weights_meta_kind kind; uint32_t size; } VALUE_TYPES[] = {
	{META_U64, 1}, {META_I64, 1}, {META_U64, 2}, {META_I64, 2}, {META_U64, 4}, {META_I64, 4}, {META_F64, 4},
	{META_BOOL, 1}, {META_STRING, 0}, {META_ARRAY, 0}, {META_U64, 8}, {META_I64, 8}, {META_F64, 8},
};
enum { VALUE_TYPE_COUNT = sizeof VALUE_TYPES / sizeof VALUE_TYPES[0], GGUF_STRING = 8, GGUF_ARRAY = 9 };

static uint64_t read_unsigned(const unsigned char *p, uint32_t size)
{
	uint64_t v = 0;
	memcpy(&v, p, size);
	return v;
}

static int64_t read_signed(const unsigned char *p, uint32_t size)
{
	uint64_t v = read_unsigned(p, size);
	unsigned shift = 64 - size * 8;
	return (int64_t)(v << shift) >> shift;
}

static double read_float(const unsigned char *p, uint32_t size)
{
	float f;
	double d;
	if (size == 4) {
		memcpy(&f, p, 4);
		return (double)f;
	}
	memcpy(&d, p, 8);
	return d;
}

static void decode_scalar(struct weights_meta *m, uint32_t type, const unsigned char *p)
{
	uint32_t size = VALUE_TYPES[type].size;
	m->kind = VALUE_TYPES[type].kind;
	if (m->kind == META_U64)
		m->u = read_unsigned(p, size);
	else if (m->kind == META_I64)
		m->i = read_signed(p, size);
	else if (m->kind == META_F64)
		m->f = read_float(p, size);
	else
		m->b = p[0] != 0;
}

static int read_array(struct cursor *c, struct weights_meta *m)
{
	uint32_t type;
	uint64_t n;
	size_t start = c->at;
	if (cursor_u32(c, &type) < 0 || cursor_u64(c, &n) < 0)
		return -1;
	if (type >= VALUE_TYPE_COUNT || type == GGUF_ARRAY)
		return err_set(c->err, ERR_MODEL, "%s: array of unknown element type %" PRIu32 " at offset %zu", c->path, type, start);
	if (n > LIMIT_GGUF_ARRAY)
		return err_set(c->err, ERR_LIMIT, "%s: array of %" PRIu64 " elements at offset %zu is past the limit", c->path, n, start);
	m->kind = META_ARRAY;
	m->array.of = VALUE_TYPES[type].kind;
	m->array.len = n;
	m->array.gguf_type = type;
	m->array.raw = c->data + c->at;
	const unsigned char *p;
	str s;
	if (type != GGUF_STRING)
		return cursor_take(c, (size_t)n * VALUE_TYPES[type].size, &p);
	for (uint64_t i = 0; i < n; i++)
		if (cursor_string(c, &s) < 0)
			return -1;
	return 0;
}

static int read_value(struct cursor *c, struct weights_meta *m)
{
	uint32_t type;
	size_t start = c->at;
	const unsigned char *p;
	if (cursor_u32(c, &type) < 0)
		return -1;
	if (type >= VALUE_TYPE_COUNT)
		return err_set(c->err, ERR_MODEL, "%s: unknown metadata type %" PRIu32 " at offset %zu", c->path, type, start);
	if (type == GGUF_ARRAY)
		return read_array(c, m);
	if (type == GGUF_STRING) {
		m->kind = META_STRING;
		return cursor_string(c, &m->s);
	}
	if (cursor_take(c, VALUE_TYPES[type].size, &p) < 0)
		return -1;
	decode_scalar(m, type, p);
	return 0;
}

static int read_metadata(struct cursor *c, struct weights *w, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		str key;
		if (cursor_string(c, &key) < 0)
			return -1;
		struct weights_meta m = {0};
		if (read_value(c, &m) < 0)
			return err_wrap(c->err, "metadata '%.*s'", STR_FMT(key));
		if (map_has(&w->meta, key))
			return err_set(c->err, ERR_MODEL, "%s: metadata key '%.*s' appears twice", c->path, STR_FMT(key));
		struct weights_meta *copy = mem_alloc(sizeof *copy);
		*copy = m;
		map_put(&w->meta, key, copy);
	}
	return 0;
}

/* --- tensor directory ------------------------------------------------------------------------------------ */

/* Tensor types we can size. DT_COUNT: readable, but no weight type. To add one: dtype.h and a row here. */
static const struct gguf_type { uint32_t id; const char *name; enum dtype type; uint32_t plain_bytes; } TENSOR_TYPES[] = {
	{0, "F32", DT_F32, 0}, {1, "F16", DT_F16, 0}, {2, "Q4_0", DT_Q4_0, 0}, {3, "Q4_1", DT_Q4_1, 0}, {6, "Q5_0", DT_Q5_0, 0},
	{7, "Q5_1", DT_Q5_1, 0}, {8, "Q8_0", DT_Q8_0, 0}, {12, "Q4_K", DT_Q4_K, 0}, {13, "Q5_K", DT_Q5_K, 0}, {14, "Q6_K", DT_Q6_K, 0},
	{24, "I8", DT_COUNT, 1}, {25, "I16", DT_COUNT, 2}, {26, "I32", DT_COUNT, 4}, {27, "I64", DT_COUNT, 8}, {28, "F64", DT_COUNT, 8},
	{30, "BF16", DT_BF16, 0},
};

static const struct gguf_type *find_type(uint32_t id)
{
	for (size_t i = 0; i < sizeof TENSOR_TYPES / sizeof TENSOR_TYPES[0]; i++)
		if (TENSOR_TYPES[i].id == id)
			return &TENSOR_TYPES[i];
	return NULL;
}

static int read_shape(struct cursor *c, struct weights_tensor *t)
{
	uint32_t dims;
	if (cursor_u32(c, &dims) < 0)
		return -1;
	if (dims == 0 || dims > LIMIT_TENSOR_DIMS)
		return err_set(c->err, ERR_MODEL, "%s: tensor '%.*s' has %" PRIu32 " dimensions; 1 to %d are allowed", c->path, STR_FMT(t->name), dims, LIMIT_TENSOR_DIMS);
	t->n_dims = (int32_t)dims;
	for (uint32_t i = 0; i < dims; i++) {
		uint64_t n;
		if (cursor_u64(c, &n) < 0)
			return -1;
		if (n == 0 || n > INT64_MAX)
			return err_set(c->err, ERR_MODEL, "%s: tensor '%.*s' has a dimension of %" PRIu64, c->path, STR_FMT(t->name), n);
		t->shape[dims - 1 - i] = (int64_t)n; /* the file lists the fastest dimension first */
	}
	return 0;
}

static int size_tensor(struct cursor *c, struct weights_tensor *t, const struct gguf_type *type)
{
	int64_t n;
	if (weights_elements(t, c->path, &n, c->err) < 0)
		return -1;
	t->type = type->type;
	t->type_name = type->name;
	if (type->type == DT_COUNT) {
		t->bytes = (size_t)n * type->plain_bytes;
		return 0;
	}
	size_t row = dtype_bytes(type->type, t->shape[t->n_dims - 1]);
	if (row == 0)
		return err_set(c->err, ERR_MODEL, "%s: tensor '%.*s' (%s) has rows of %" PRId64 " elements, not whole blocks of %d", c->path,
			       STR_FMT(t->name), type->name, t->shape[t->n_dims - 1], dtype_traits(type->type)->block_elements);
	t->bytes = row * (size_t)(n / t->shape[t->n_dims - 1]);
	return 0;
}

/* One directory entry; data is left as the offset until the data section's start is known. */
static int read_tensor(struct cursor *c, struct weights *w, uint64_t alignment)
{
	struct weights_tensor t = {0};
	uint32_t id;
	uint64_t offset;
	if (cursor_string(c, &t.name) < 0 || read_shape(c, &t) < 0 || cursor_u32(c, &id) < 0 || cursor_u64(c, &offset) < 0)
		return -1;
	const struct gguf_type *type = find_type(id);
	if (!type)
		return err_set(c->err, ERR_UNSUPPORTED, "%s: tensor '%.*s' has type %" PRIu32 ", which is not supported; use F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K",
			       c->path, STR_FMT(t.name), id);
	if (size_tensor(c, &t, type) < 0)
		return -1;
	if (offset % alignment || offset > c->len)
		return err_set(c->err, ERR_MODEL, "%s: tensor '%.*s' starts at offset %" PRIu64 ", which is unaligned or past the end", c->path, STR_FMT(t.name), offset);
	t.data = (const void *)(uintptr_t)offset;
	vec_push(&w->tensors, t);
	return 0;
}

static int place_tensors(struct cursor *c, struct weights *w, uint64_t alignment)
{
	size_t start = (c->at + alignment - 1) / alignment * alignment;
	size_t room = start <= c->len ? c->len - start : 0;
	for (size_t i = 0; i < w->tensors.len; i++) {
		struct weights_tensor *t = &w->tensors.data[i];
		size_t offset = (size_t)(uintptr_t)t->data;
		if (offset > room || t->bytes > room - offset)
			return err_set(c->err, ERR_MODEL, "%s: tensor '%.*s' ends at %zu, past the file's end at %zu (truncated download?)", c->path,
				       STR_FMT(t->name), start + offset + t->bytes, c->len);
		t->data = c->data + start + offset;
	}
	return weights_check_overlap(w, 0, c->path, c->err);
}

static int read_alignment(struct cursor *c, const struct weights *w, uint64_t *out)
{
	*out = 32;
	if (weights_meta_u64(w, "general.alignment", out) && (*out < 8 || *out > 65536 || (*out & (*out - 1))))
		return err_set(c->err, ERR_MODEL, "%s: general.alignment %" PRIu64 " is not a power of two from 8 to 65536", c->path, *out);
	return 0;
}

int weights_read_gguf(struct weights *w, const struct fd_map *map, const char *path, struct err *err)
{
	struct cursor c = {map->data, map->len, 0, path, err};
	const unsigned char *magic;
	uint32_t version;
	uint64_t tensors, keys, alignment;
	if (cursor_take(&c, 4, &magic) < 0 || cursor_u32(&c, &version) < 0)
		return -1;
	if (memcmp(magic, "GGUF", 4) != 0)
		return err_set(err, ERR_MODEL, "%s: not a GGUF file (the first four bytes are not 'GGUF')", path);
	if (version != 2 && version != 3)
		return err_set(err, ERR_UNSUPPORTED, "%s: GGUF version %" PRIu32 " is not supported; 2 and 3 (little-endian) are", path, version);
	if (cursor_u64(&c, &tensors) < 0 || cursor_u64(&c, &keys) < 0)
		return -1;
	if (tensors > LIMIT_TENSORS || keys > LIMIT_GGUF_KEYS)
		return err_set(err, ERR_LIMIT, "%s: %" PRIu64 " tensors and %" PRIu64 " metadata keys are past the limits of %d and %d", path, tensors, keys, LIMIT_TENSORS, LIMIT_GGUF_KEYS);
	if (read_metadata(&c, w, keys) < 0 || read_alignment(&c, w, &alignment) < 0)
		return -1;
	for (uint64_t i = 0; i < tensors; i++)
		if (read_tensor(&c, w, alignment) < 0)
			return -1;
	return place_tensors(&c, w, alignment);
}

/* --- metadata access ------------------------------------------------------------------------------------- */

const struct weights_meta *weights_meta(const struct weights *w, const char *key) { return map_get(&w->meta, str_of(key)); }

bool weights_meta_u64(const struct weights *w, const char *key, uint64_t *out)
{
	const struct weights_meta *m = weights_meta(w, key);
	if (m && m->kind == META_U64)
		*out = m->u;
	else if (m && m->kind == META_I64 && m->i >= 0)
		*out = (uint64_t)m->i;
	else
		return false;
	return true;
}

bool weights_meta_f64(const struct weights *w, const char *key, double *out)
{
	const struct weights_meta *m = weights_meta(w, key);
	if (m && m->kind == META_F64)
		*out = m->f;
	else if (m && m->kind == META_U64)
		*out = (double)m->u;
	else if (m && m->kind == META_I64)
		*out = (double)m->i;
	else
		return false;
	return true;
}

bool weights_meta_bool(const struct weights *w, const char *key, bool *out)
{
	const struct weights_meta *m = weights_meta(w, key);
	if (!m || m->kind != META_BOOL)
		return false;
	*out = m->b;
	return true;
}

bool weights_meta_str(const struct weights *w, const char *key, str *out)
{
	const struct weights_meta *m = weights_meta(w, key);
	if (!m || m->kind != META_STRING)
		return false;
	*out = m->s;
	return true;
}

bool weights_meta_strings(const struct weights_meta *array, bool (*visit)(void *arg, uint64_t i, str s), void *arg)
{
	if (!array || array->kind != META_ARRAY || array->array.of != META_STRING)
		return false;
	const unsigned char *p = array->array.raw; /* walked once at open, so every length is inside the mapping */
	for (uint64_t i = 0; i < array->array.len; i++) {
		uint64_t n;
		memcpy(&n, p, 8);
		if (!visit(arg, i, (str){(const char *)p + 8, (size_t)n}))
			return false;
		p += 8 + n;
	}
	return true;
}

bool weights_meta_number(const struct weights_meta *array, uint64_t i, double *out)
{
	if (!array || array->kind != META_ARRAY || array->array.of == META_STRING || i >= array->array.len)
		return false;
	uint32_t size = VALUE_TYPES[array->array.gguf_type].size;
	const unsigned char *p = (const unsigned char *)array->array.raw + i * size;
	struct weights_meta m = {0};
	decode_scalar(&m, array->array.gguf_type, p);
	*out = m.kind == META_U64 ? (double)m.u : m.kind == META_I64 ? (double)m.i : m.kind == META_F64 ? m.f : (double)m.b;
	return true;
}
