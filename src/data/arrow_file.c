/* arrow_file.c: a file is read by its footer's lists of blocks, a stream from front to back. */
#include "data/arrow_file.h"

#include "base/limits.h"

#define MAGIC STR("ARROW1")
enum { FOOTER_VERSION, FOOTER_SCHEMA, FOOTER_DICTIONARIES, FOOTER_BATCHES };
enum { MESSAGE_VERSION, MESSAGE_TYPE, MESSAGE_HEADER, MESSAGE_BODY_LENGTH };
enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY, HEADER_BATCH };
enum { DICTIONARY_ID, DICTIONARY_DATA, DICTIONARY_IS_DELTA };
enum { BATCH_LENGTH };
#define BLOCK_BYTES 24 /* of the footer: offset (8), metadata length (4), padding (4), body length (8) */

static int damaged(size_t at, struct err *err) { return err_set(err, ERR_DATA, "the Arrow message at byte %zu is damaged or cut off", at); }

/* Takes the message at *at: its head, and the body that the head announces. 1: the stream ends here. */
static int take_message(str file, size_t *at, struct flat *head, str *body, struct err *err)
{
	struct flat prefix = {file, false};
	size_t from = *at;
	int64_t len = flat_int_at(&prefix, from, 4);
	from += 4;
	if (!prefix.bad && len == -1) {
		len = flat_int_at(&prefix, from, 4);
		from += 4;
	}
	if (!prefix.bad && len == 0)
		return 1;
	if (prefix.bad || len < 0 || (uint64_t)len > file.len - from)
		return damaged(*at, err);
	*head = (struct flat){str_sub(file, from, from + (size_t)len), false};
	from += (size_t)len;
	int64_t body_len = flat_int(head, flat_root(head), MESSAGE_BODY_LENGTH, 8, 0);
	if (head->bad || body_len < 0 || (uint64_t)body_len > file.len - from)
		return damaged(*at, err);
	*body = str_sub(file, from, from + (size_t)body_len);
	*at = from + (size_t)body_len;
	return 0;
}

static int add_batch(struct arrow_file *a, struct flat *head, struct flat_table batch, str body, struct err *err)
{
	int64_t rows = flat_int(head, batch, BATCH_LENGTH, 8, 0);
	if (rows < 0 || rows > LIMIT_DATASET_ROWS)
		return err_set(err, ERR_LIMIT, "record batch %zu claims %lld rows; the limit is %lld", a->batches.len + 1, (long long)rows,
			       (long long)LIMIT_DATASET_ROWS);
	vec_push(&a->batches, (struct arrow_batch_block){{*head, batch, body}, rows, a->dictionaries.len});
	return 0;
}

/* Files the message under what it is. The schema is read when it has not been yet. */
static int add_message(struct arrow_file *a, struct flat *head, str body, size_t at, struct err *err)
{
	struct flat_table message = flat_root(head), t, batch;
	int64_t type = flat_int(head, message, MESSAGE_TYPE, 1, 0);
	if (!flat_table(head, message, MESSAGE_HEADER, &t))
		return damaged(at, err);
	if (type == HEADER_SCHEMA)
		return a->schema.fields.len ? 0 : arrow_schema_read(&a->schema, head, t, err);
	if (type == HEADER_BATCH)
		return add_batch(a, head, t, body, err);
	if (type != HEADER_DICTIONARY)
		return 0; /* tensors */
	if (!flat_table(head, t, DICTIONARY_DATA, &batch))
		return damaged(at, err);
	vec_push(&a->dictionaries, (struct arrow_dictionary_block){{*head, batch, body},
								   flat_int(head, t, DICTIONARY_ID, 8, 0),
								   flat_int(head, t, DICTIONARY_IS_DELTA, 1, 0) != 0});
	return head->bad ? damaged(at, err) : 0;
}

static int read_stream(struct arrow_file *a, str bytes, struct err *err)
{
	for (size_t at = 0; at < bytes.len;) {
		struct flat head;
		str body;
		size_t from = at;
		int rc = take_message(bytes, &at, &head, &body, err);
		if (rc > 0)
			break;
		if (rc < 0 || add_message(a, &head, body, from, err) < 0)
			return -1;
	}
	if (a->schema.fields.len == 0)
		return err_set(err, ERR_DATA, "not an Arrow stream: it has no schema");
	return 0;
}

static int read_blocks(struct arrow_file *a, str bytes, struct flat *footer, struct flat_table root, size_t slot, struct err *err)
{
	struct flat_vector blocks = flat_vector(footer, root, slot, BLOCK_BYTES);
	for (size_t i = 0; i < blocks.count; i++) {
		int64_t offset = flat_int_at(footer, blocks.at + i * BLOCK_BYTES, 8);
		size_t at = (size_t)offset;
		struct flat head;
		str body;
		if (offset < 0 || (uint64_t)offset >= bytes.len || take_message(bytes, &at, &head, &body, NULL) != 0)
			return damaged((size_t)offset, err);
		if (add_message(a, &head, body, (size_t)offset, err) < 0)
			return -1;
	}
	return 0;
}

static int read_file(struct arrow_file *a, str bytes, struct err *err)
{
	if (bytes.len < 8 + 4 + MAGIC.len || !str_ends(bytes, MAGIC))
		return err_set(err, ERR_DATA, "the Arrow file is cut off: it does not end with ARROW1");
	size_t tail = bytes.len - 4 - MAGIC.len;
	struct flat all = {bytes, false};
	int64_t len = flat_int_at(&all, tail, 4);
	if (len <= 0 || (uint64_t)len > tail - 8)
		return err_set(err, ERR_DATA, "the Arrow footer claims %lld bytes, which the file has not", (long long)len);
	struct flat footer = {str_sub(bytes, tail - (size_t)len, tail), false};
	struct flat_table root = flat_root(&footer), schema = {0};
	if (!flat_table(&footer, root, FOOTER_SCHEMA, &schema))
		return err_set(err, ERR_DATA, "the Arrow footer at byte %zu is damaged", tail - (size_t)len);
	/* Dictionaries first: in a file they may lie anywhere and apply to all batches. */
	if (arrow_schema_read(&a->schema, &footer, schema, err) < 0 || read_blocks(a, bytes, &footer, root, FOOTER_DICTIONARIES, err) < 0 ||
	    read_blocks(a, bytes, &footer, root, FOOTER_BATCHES, err) < 0)
		return -1;
	return footer.bad ? err_set(err, ERR_DATA, "the Arrow footer at byte %zu is damaged", tail - (size_t)len) : 0;
}

int arrow_file_read(struct arrow_file *a, str bytes, struct err *err)
{
	return str_starts(bytes, MAGIC) ? read_file(a, bytes, err) : read_stream(a, bytes, err);
}

void arrow_file_done(struct arrow_file *a)
{
	arrow_schema_done(&a->schema);
	vec_done(&a->dictionaries);
	vec_done(&a->batches);
}
