/* parquet_source.c: rows of a parquet file. Only the leaf columns of the binding are read; a row is put together from the
 * levels of its leaves as in the Dremel paper (Melnik et al. 2010), for the two shapes that occur: a plain text, and one
 * list of messages whose role and content run side by side. */
#include "base/limits.h"
#include "data/parquet_reader.h"
#include "data/parquet_schema.h"
#include "data/record.h"
#include "data/row_groups.h"
#include "data/source.h"

struct parquet_source {
	struct source source;
	str file;
	struct parquet_meta meta;
	struct row_groups groups;
	struct binding binding;
	struct parquet_leaf leaves[BINDING_MAX];
	const char *leaf_names[BINDING_MAX]; /* for messages; borrowed from the binding */
	size_t n_leaves;
};

static void parquet_source_close(struct source *source)
{
	struct parquet_source *s = (struct parquet_source *)source;
	row_groups_done(&s->groups);
	parquet_meta_done(&s->meta);
	free(s);
}

static int parquet_source_open(struct source **out, str bytes, struct row_store *store, struct err *err)
{
	struct parquet_source *s = mem_alloc(sizeof *s);
	s->source.ops = &PARQUET_SOURCE;
	s->file = bytes;
	s->groups.store = store;
	int rc = parquet_meta_read(&s->meta, bytes, err);
	for (size_t g = 0; rc == 0 && g < s->meta.groups.len; g++)
		rc = row_groups_add(&s->groups, s->meta.groups.data[g].rows, err);
	if (rc < 0) {
		parquet_source_close(&s->source);
		return -1;
	}
	s->source.rows = s->groups.rows;
	*out = &s->source;
	return 0;
}

static int parquet_source_columns(struct source *source, bool skip_bad, struct columns *out, struct err *err)
{
	(void)skip_bad;
	(void)err;
	parquet_schema_columns(&((struct parquet_source *)source)->meta, out);
	return 0;
}

static int parquet_source_bind(struct source *source, const struct binding *b, struct err *err)
{
	struct parquet_source *s = (struct parquet_source *)source;
	(void)err;
	s->binding = *b;
	if (b->style == BIND_MESSAGES) {
		parquet_schema_messages(&s->meta, b->names[0], s->leaves);
		s->leaf_names[0] = s->leaf_names[1] = s->binding.names[0];
		s->n_leaves = 2;
		return 0;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->names[i][0]) {
			s->leaves[s->n_leaves] = parquet_schema_text(&s->meta, b->names[i]);
			s->leaf_names[s->n_leaves++] = s->binding.names[i];
		}
	return 0;
}

/* The entry at which a row begins must be there and must not continue a list. */
static int peek_row(struct parquet_reader *r, struct err *err)
{
	int rc = parquet_reader_peek(r, err);
	if (rc > 0)
		return err_set(err, ERR_DATA, "the column chunk ends before its row group does");
	if (rc == 0 && r->rep != 0)
		return err_set(err, ERR_DATA, "a list continues where a row should begin");
	return rc < 0 ? -1 : 0;
}

static int put_value(struct parquet_reader *r, struct buf *record, struct err *err)
{
	str value;
	if (parquet_reader_take(r, &value, err) < 0)
		return -1;
	record_put(record, value.data ? CELL_TEXT : CELL_NULL, value);
	return 0;
}

static int put_text(struct parquet_reader *r, struct buf *record, struct err *err)
{
	return peek_row(r, err) < 0 ? -1 : put_value(r, record, err);
}

/* 1: the next entries of both leaves continue the list. */
static int list_goes_on(struct parquet_reader *readers, struct err *err)
{
	int on[2];
	for (int i = 0; i < 2; i++) {
		int rc = parquet_reader_peek(&readers[i], err);
		if (rc < 0)
			return -1;
		on[i] = rc == 0 && readers[i].rep > 0;
	}
	if (on[0] != on[1])
		return err_set(err, ERR_DATA, "role and content have lists of different length");
	return on[0];
}

static int put_messages(struct parquet_reader *readers, struct buf *record, struct err *err)
{
	struct parquet_reader *role = &readers[0], *content = &readers[1];
	if (peek_row(role, err) < 0 || peek_row(content, err) < 0)
		return -1;
	bool some = role->def >= (uint32_t)role->leaf.list_def;
	if (some != (content->def >= (uint32_t)content->leaf.list_def))
		return err_set(err, ERR_DATA, "role and content have lists of different length");
	if (!some) {
		str none;
		bool is_null = role->def + 1 < (uint32_t)role->leaf.list_def;
		record_put(record, is_null ? CELL_NULL : CELL_LIST, STR(""));
		return parquet_reader_take(role, &none, err) < 0 || parquet_reader_take(content, &none, err) < 0 ? -1 : 0;
	}
	record_put(record, CELL_LIST, STR(""));
	int more = 1;
	while (more > 0) {
		if (put_value(role, record, err) < 0 || put_value(content, record, err) < 0)
			return -1;
		more = list_goes_on(readers, err);
	}
	return more;
}

/* One cell per name of the binding, in its order. */
static int put_texts(const struct parquet_source *s, struct parquet_reader *readers, struct buf *record, const char **column,
		     struct err *err)
{
	for (size_t i = 0, leaf = 0; i < s->binding.n; i++) {
		if (!s->binding.names[i][0]) {
			record_put(record, CELL_MISSING, STR(""));
			continue;
		}
		*column = s->leaf_names[leaf];
		if (put_text(&readers[leaf++], record, err) < 0)
			return -1;
	}
	return 0;
}

static int start_readers(struct parquet_source *s, size_t g, struct parquet_reader *readers, const char **column, struct err *err)
{
	int columns[BINDING_MAX];
	struct parquet_chunk chunks[BINDING_MAX];
	for (size_t i = 0; i < s->n_leaves; i++)
		columns[i] = s->leaves[i].column;
	if (parquet_meta_chunks(&s->meta, g, columns, s->n_leaves, chunks, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_leaves; i++) {
		*column = s->leaf_names[i];
		if (parquet_reader_start(&readers[i], str_sub(s->file, 0, s->meta.data_end), &chunks[i], s->leaves[i], err) < 0)
			return -1;
	}
	return 0;
}

static int load_group(void *reader, size_t g, struct row_group *group, struct err *err)
{
	struct parquet_source *s = reader;
	struct parquet_reader readers[BINDING_MAX] = {0};
	struct buf record = {.max = RECORD_MAX};
	const char *column = s->leaf_names[0];
	int rc = start_readers(s, g, readers, &column, err);
	for (int64_t i = 0; rc == 0 && i < group->rows; i++) {
		rc = s->binding.style == BIND_MESSAGES ? put_messages(readers, &record, err) : put_texts(s, readers, &record, &column, err);
		if (rc == 0)
			rc = row_groups_put(&s->groups, group, &record, err);
	}
	for (size_t i = 0; i < s->n_leaves; i++)
		parquet_reader_done(&readers[i]);
	buf_done(&record);
	return rc < 0 ? err_wrap(err, "column '%s' in row group %zu", column, g + 1) : 0;
}

static int parquet_source_read(struct source *source, int64_t i, struct buf *record, struct err *err)
{
	struct parquet_source *s = (struct parquet_source *)source;
	return row_groups_read(&s->groups, i, load_group, s, record, err);
}

const struct source_ops PARQUET_SOURCE = {
	.format = "parquet", .open = parquet_source_open, .columns = parquet_source_columns, .bind = parquet_source_bind,
	.read = parquet_source_read, .close = parquet_source_close,
};
