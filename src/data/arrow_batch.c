/* arrow_batch.c: see arrow_batch.h. Fields and buffers of a batch are flat lists in depth-first order; this walks both.
 * Nothing in a buffer is trusted: every index is checked when it is used. */
#include "data/arrow_batch.h"

#include "base/limits.h"
#include "data/decompress.h"

enum { BATCH_LENGTH, BATCH_NODES, BATCH_BUFFERS, BATCH_COMPRESSION, BATCH_VARIADIC };
enum { COMPRESSION_CODEC };
#define NODE_BYTES 16   /* length (8), null count (8) */
#define BUFFER_BYTES 16 /* offset (8), length (8) */
#define VIEW_BYTES 16   /* length (4), then up to 12 bytes of text, or prefix (4), buffer (4), offset (4) */

struct walk {
	struct arrow_batch *batch;
	struct flat head;
	str body;
	struct flat_vector nodes, buffers, variadic;
	size_t node, buffer, view;    /* the next of each */
	int codec;                    /* enum compression */
};

static int64_t load(str bytes, uint64_t at, size_t width)
{
	uint64_t v = 0;
	memcpy(&v, bytes.data + at, width);
	uint64_t sign = (uint64_t)1 << (8 * width - 1);
	return (int64_t)((v ^ sign) - sign);
}

/* Entry i of a buffer of integers. */
static bool entry(str bytes, int64_t i, size_t width, int64_t *out)
{
	if (i < 0 || (uint64_t)i >= bytes.len / width)
		return false;
	*out = load(bytes, (uint64_t)i * width, width);
	return true;
}

static int damaged(const char *what, struct err *err) { return err_set(err, ERR_DATA, "the record batch is damaged: %s", what); }

/* A compressed buffer has its unpacked length in front; -1 says that it is not compressed after all. */
static int unpack(struct walk *w, str packed, str *out, struct err *err)
{
	if (packed.len < 8)
		return damaged("a compressed buffer has no length", err);
	int64_t len = load(packed, 0, 8);
	packed = str_sub(packed, 8, packed.len);
	if (len == -1) {
		*out = packed;
		return 0;
	}
	if (len < 0 || (uint64_t)len > LIMIT_ARROW_BUFFER_BYTES)
		return err_set(err, ERR_LIMIT, "a compressed buffer claims %lld bytes; the limit is %llu", (long long)len,
			       (unsigned long long)LIMIT_ARROW_BUFFER_BYTES);
	if (len > 0 && decompress_check((enum compression)w->codec, packed, (size_t)len, err) < 0)
		return -1;
	char *data = mem_try_alloc(1, (size_t)len, err);
	if (!data)
		return -1;
	vec_push(&w->batch->owned, data);
	*out = (str){data, (size_t)len};
	return decompress((enum compression)w->codec, packed, data, (size_t)len, err);
}

static int take_buffer(struct walk *w, str *out, struct err *err)
{
	if (w->buffer >= w->buffers.count)
		return damaged("it has too few buffers", err);
	size_t at = w->buffers.at + BUFFER_BYTES * w->buffer++;
	int64_t offset = flat_int_at(&w->head, at, 8), len = flat_int_at(&w->head, at + 8, 8);
	*out = STR("");
	if (len == 0)
		return 0;
	if (offset < 0 || len < 0 || (uint64_t)offset > w->body.len || (uint64_t)len > w->body.len - (uint64_t)offset)
		return damaged("a buffer lies outside of it", err);
	*out = str_sub(w->body, (size_t)offset, (size_t)offset + (size_t)len);
	return w->codec == COMPRESSION_NONE ? 0 : unpack(w, *out, out, err);
}

static int take_variadic(struct walk *w, struct arrow_array *a, struct err *err)
{
	if (w->view >= w->variadic.count)
		return damaged("it has too few counts of view buffers", err);
	int64_t n = flat_int_at(&w->head, w->variadic.at + 8 * w->view++, 8);
	if (n < 0 || (uint64_t)n > w->buffers.count - w->buffer)
		return damaged("it has too few view buffers", err);
	for (int64_t i = 0; i < n && !a; i++)
		w->buffer++;
	for (int64_t i = 0; i < n && a; i++) {
		str bytes;
		if (take_buffer(w, &bytes, err) < 0)
			return -1;
		vec_push(&a->variadic, bytes);
	}
	return 0;
}

static size_t buffer_count(const struct arrow_field *f)
{
	if (f->coded)
		return 2;
	return f->type == ARROW_UNION && f->dense ? 2 : arrow_layout(f->type)->buffers;
}

/* Counts a field's buffers; loads them when it is wanted. */
static int take_field(struct walk *w, const struct arrow_field *f, struct arrow_array *wanted, struct err *err)
{
	const struct arrow_layout *layout = arrow_layout(f->type);
	size_t n = buffer_count(f);
	if (w->node >= w->nodes.count)
		return damaged("it has too few columns", err);
	int64_t length = flat_int_at(&w->head, w->nodes.at + NODE_BYTES * w->node++, 8);
	if (wanted) {
		str *slots[] = {&wanted->validity, &wanted->offsets, &wanted->data};
		wanted->field = f;
		wanted->length = length < 0 ? 0 : length;
		for (size_t i = 0; i < n; i++)
			if (take_buffer(w, slots[i], err) < 0)
				return -1;
	} else {
		w->buffer += n;
	}
	if (w->buffer > w->buffers.count)
		return damaged("it has too few buffers", err);
	return layout->text && layout->views && !f->coded ? take_variadic(w, wanted, err) : 0;
}

static int find_codec(struct walk *w, struct flat_table batch, struct err *err)
{
	struct flat_table t;
	w->codec = COMPRESSION_NONE;
	if (!flat_table(&w->head, batch, BATCH_COMPRESSION, &t))
		return 0;
	int64_t codec = flat_int(&w->head, t, COMPRESSION_CODEC, 1, 0);
	if (codec != 0 && codec != 1)
		return err_set(err, ERR_DATA, "buffers are compressed with an unknown codec (%lld)", (long long)codec);
	w->codec = codec == 0 ? COMPRESSION_LZ4_FRAME : COMPRESSION_ZSTD;
	return 0;
}

int arrow_batch_load(struct arrow_batch *b, const struct arrow_field *fields, size_t n, const bool *wanted, const struct arrow_block *block,
		     struct err *err)
{
	struct walk w = {.batch = b, .head = block->head, .body = block->body};
	w.nodes = flat_vector(&w.head, block->batch, BATCH_NODES, NODE_BYTES);
	w.buffers = flat_vector(&w.head, block->batch, BATCH_BUFFERS, BUFFER_BYTES);
	w.variadic = flat_vector(&w.head, block->batch, BATCH_VARIADIC, 8);
	b->arrays = mem_array(n, sizeof *b->arrays);
	b->n = n;
	int rc = find_codec(&w, block->batch, err);
	for (size_t i = 0; rc == 0 && i < n; i = fields[i].coded ? fields[i].end : i + 1)
		rc = take_field(&w, &fields[i], wanted[i] ? &b->arrays[i] : NULL, err);
	if (rc == 0 && w.head.bad)
		rc = damaged("its head", err);
	return rc;
}

void arrow_batch_done(struct arrow_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		vec_done(&b->arrays[i].variadic);
	for (size_t i = 0; i < b->owned.len; i++)
		free(b->owned.data[i]);
	vec_done(&b->owned);
	free(b->arrays);
	*b = (struct arrow_batch){0};
}

bool arrow_array_valid(const struct arrow_array *a, int64_t i, bool *out)
{
	if (i < 0 || i >= a->length || (a->validity.len && (uint64_t)i / 8 >= a->validity.len))
		return false;
	*out = a->validity.len == 0 || ((uint8_t)a->validity.data[i / 8] >> (i % 8) & 1);
	return true;
}

static bool slice(str bytes, int64_t from, int64_t to, str *out)
{
	if (from < 0 || to < from || (uint64_t)to > bytes.len)
		return false;
	*out = str_sub(bytes, (size_t)from, (size_t)to);
	return true;
}

static bool view_text(const struct arrow_array *a, int64_t i, str *out)
{
	if ((uint64_t)i >= a->offsets.len / VIEW_BYTES)
		return false;
	uint64_t at = (uint64_t)i * VIEW_BYTES;
	int64_t len = load(a->offsets, at, 4);
	if (len <= 12)
		return len >= 0 && slice(a->offsets, (int64_t)at + 4, (int64_t)at + 4 + len, out);
	int64_t buffer = load(a->offsets, at + 8, 4), offset = load(a->offsets, at + 12, 4);
	return buffer >= 0 && (uint64_t)buffer < a->variadic.len && slice(a->variadic.data[buffer], offset, offset + len, out);
}

static bool coded_text(const struct arrow_array *a, int64_t i, str *out)
{
	int64_t index;
	if (!entry(a->offsets, i, a->field->index_bytes, &index))
		return false;
	if (a->field->index_bytes < 8) /* an unsigned index past the signed range */
		index &= ((int64_t)1 << (8 * a->field->index_bytes)) - 1;
	if (!a->dictionary || index < 0 || (uint64_t)index >= a->dictionary->values.len)
		return false;
	*out = a->dictionary->values.data[index];
	return true;
}

bool arrow_array_text(const struct arrow_array *a, int64_t i, str *out)
{
	bool valid;
	*out = (str){NULL, 0};
	if (!arrow_array_valid(a, i, &valid))
		return false;
	if (!valid)
		return true;
	if (a->field->coded)
		return coded_text(a, i, out);
	const struct arrow_layout *layout = arrow_layout(a->field->type);
	if (layout->views)
		return view_text(a, i, out);
	int64_t from, to;
	return entry(a->offsets, i, layout->offset_bytes, &from) && entry(a->offsets, i + 1, layout->offset_bytes, &to) &&
	       slice(a->data, from, to, out);
}

bool arrow_array_range(const struct arrow_array *a, int64_t i, int64_t *from, int64_t *count)
{
	const struct arrow_layout *layout = arrow_layout(a->field->type);
	if (a->field->type == ARROW_FIXED_LIST) {
		*count = a->field->list_size;
		return !__builtin_mul_overflow(i, *count, from);
	}
	if (!entry(a->offsets, i, layout->offset_bytes, from))
		return false;
	if (layout->views)
		return entry(a->data, i, layout->offset_bytes, count) && *count >= 0;
	if (!entry(a->offsets, i + 1, layout->offset_bytes, count) || *count < *from)
		return false;
	*count -= *from;
	return true;
}
