/* arrow_source.c: rows of Arrow files and streams. A record batch is a row group. Dictionaries are decoded once and grown by
 * their deltas; only a stream that replaces a dictionary makes it be decoded anew. */
#include "base/limits.h"
#include "data/arrow_batch.h"
#include "data/record.h"
#include "data/row_groups.h"
#include "data/source.h"

#define WANTED_MAX 6 /* outer, two lists, item, role, content; or the texts of a binding */

/* The decoded dictionary of one wanted field, as far as blocks up to `next` go. */
struct cached_dictionary {
	struct arrow_dictionary dictionary;
	size_t first, next;            /* dictionary blocks: the one that began it, one past the last applied */
	VEC(struct arrow_batch) batches; /* what the texts borrow from */
};

struct arrow_source {
	struct source source;
	struct arrow_file file;
	struct row_groups groups;
	struct binding binding;
	struct arrow_messages messages;
	size_t columns[BINDING_MAX];
	bool *wanted;                  /* by field */
	struct cached_dictionary *dictionaries; /* by field */
};

static void forget_dictionary(struct cached_dictionary *c)
{
	for (size_t i = 0; i < c->batches.len; i++)
		arrow_batch_done(&c->batches.data[i]);
	vec_done(&c->batches);
	vec_done(&c->dictionary.values);
}

static void arrow_source_close(struct source *source)
{
	struct arrow_source *s = (struct arrow_source *)source;
	for (size_t i = 0; s->dictionaries && i < s->file.schema.fields.len; i++)
		forget_dictionary(&s->dictionaries[i]);
	row_groups_done(&s->groups);
	arrow_file_done(&s->file);
	free(s->dictionaries);
	free(s->wanted);
	free(s);
}

static int arrow_source_open(struct source **out, str bytes, struct row_store *store, struct err *err)
{
	struct arrow_source *s = mem_alloc(sizeof *s);
	s->source.ops = &ARROW_SOURCE;
	s->groups.store = store;
	int rc = arrow_file_read(&s->file, bytes, err);
	for (size_t g = 0; rc == 0 && g < s->file.batches.len; g++)
		rc = row_groups_add(&s->groups, s->file.batches.data[g].rows, err);
	if (rc < 0) {
		arrow_source_close(&s->source);
		return -1;
	}
	s->wanted = mem_array(s->file.schema.fields.len, sizeof *s->wanted);
	s->dictionaries = mem_array(s->file.schema.fields.len, sizeof *s->dictionaries);
	s->source.rows = s->groups.rows;
	*out = &s->source;
	return 0;
}

static int arrow_source_columns(struct source *source, bool skip_bad, struct columns *out, struct err *err)
{
	(void)skip_bad;
	(void)err;
	arrow_schema_columns(&((struct arrow_source *)source)->file.schema, out);
	return 0;
}

static int arrow_source_bind(struct source *source, const struct binding *b, struct err *err)
{
	struct arrow_source *s = (struct arrow_source *)source;
	(void)err;
	s->binding = *b;
	for (size_t i = 0; i < b->n; i++) {
		s->columns[i] = b->names[i][0] ? arrow_schema_find(&s->file.schema, b->names[i]) : ARROW_NO_FIELD;
		if (s->columns[i] != ARROW_NO_FIELD)
			s->wanted[s->columns[i]] = true;
	}
	if (b->style != BIND_MESSAGES)
		return 0;
	struct arrow_messages *m = &s->messages;
	arrow_schema_messages(&s->file.schema, s->columns[0], m);
	size_t used[WANTED_MAX] = {m->outer, m->item, m->list[0], m->list[1], m->text[0], m->text[1]};
	for (size_t i = 0; i < WANTED_MAX; i++)
		if (used[i] != ARROW_NO_FIELD)
			s->wanted[used[i]] = true;
	return 0;
}

static int append_dictionary(struct cached_dictionary *c, const struct arrow_field *coded, const struct arrow_block *block, struct err *err)
{
	static const bool WANTED = true;
	struct arrow_field values = *coded;
	values.coded = false;
	vec_push(&c->batches, (struct arrow_batch){0});
	struct arrow_batch *batch = &c->batches.data[c->batches.len - 1];
	if (arrow_batch_load(batch, &values, 1, &WANTED, block, err) < 0)
		return -1;
	for (int64_t i = 0; i < batch->arrays[0].length; i++) {
		str text;
		batch->arrays[0].field = &values;
		if (!arrow_array_text(&batch->arrays[0], i, &text))
			return err_set(err, ERR_DATA, "dictionary %lld is damaged at entry %lld", (long long)coded->dictionary,
				       (long long)i);
		vec_push(&c->dictionary.values, text);
	}
	return 0;
}

/* Makes field i's dictionary hold what the batch's first n dictionary blocks say. */
static int need_dictionary(struct arrow_source *s, size_t i, size_t n, struct err *err)
{
	const struct arrow_field *field = &s->file.schema.fields.data[i];
	struct cached_dictionary *c = &s->dictionaries[i];
	size_t first = n;
	while (first-- > 0)
		if (s->file.dictionaries.data[first].id == field->dictionary && !s->file.dictionaries.data[first].delta)
			break;
	if (first >= n)
		return err_set(err, ERR_DATA, "dictionary %lld is not in the file", (long long)field->dictionary);
	if (c->next == 0 || c->first != first) {
		forget_dictionary(c);
		c->first = c->next = first;
	}
	for (; c->next < n; c->next++)
		if (s->file.dictionaries.data[c->next].id == field->dictionary &&
		    append_dictionary(c, field, &s->file.dictionaries.data[c->next].block, err) < 0) {
			c->next = 0; /* decode anew when asked again */
			return -1;
		}
	return 0;
}

static int load_batch(struct arrow_source *s, size_t g, struct arrow_batch *batch, struct err *err)
{
	const struct arrow_batch_block *block = &s->file.batches.data[g];
	const struct arrow_schema *schema = &s->file.schema;
	if (arrow_batch_load(batch, schema->fields.data, schema->fields.len, s->wanted, &block->block, err) < 0)
		return -1;
	for (size_t i = 0; i < schema->fields.len; i++) {
		if (!s->wanted[i] || !schema->fields.data[i].coded)
			continue;
		if (need_dictionary(s, i, block->dictionaries, err) < 0)
			return -1;
		batch->arrays[i].dictionary = &s->dictionaries[i].dictionary;
	}
	return 0;
}

static int damaged(struct err *err) { return err_set(err, ERR_DATA, "the record batch is damaged: an offset leads out of its buffer"); }

static int put_text(const struct arrow_array *a, int64_t i, struct buf *record, struct err *err)
{
	str text;
	if (!arrow_array_text(a, i, &text))
		return damaged(err);
	record_put(record, text.data ? CELL_TEXT : CELL_NULL, text);
	return 0;
}

static int put_message(const struct arrow_source *s, const struct arrow_array *arrays, const int64_t at[2], struct buf *record,
		       struct err *err)
{
	const struct arrow_messages *m = &s->messages;
	bool valid = true;
	if (m->item != ARROW_NO_FIELD && !arrow_array_valid(&arrays[m->item], at[0], &valid))
		return damaged(err);
	if (!valid) {
		record_put(record, CELL_NULL, STR(""));
		record_put(record, CELL_LIST, STR("")); /* with a null role: the message itself is null */
		return 0;
	}
	return put_text(&arrays[m->text[0]], at[0], record, err) < 0 || put_text(&arrays[m->text[1]], at[1], record, err) < 0 ? -1 : 0;
}

static int put_messages(const struct arrow_source *s, const struct arrow_array *arrays, int64_t row, struct buf *record, struct err *err)
{
	const struct arrow_messages *m = &s->messages;
	int64_t from[2], count[2];
	bool valid = true, around = true;
	if (m->outer != ARROW_NO_FIELD && !arrow_array_valid(&arrays[m->outer], row, &around))
		return damaged(err);
	if (!arrow_array_valid(&arrays[m->list[0]], row, &valid))
		return damaged(err);
	if (!valid || !around) {
		record_put(record, CELL_NULL, STR(""));
		return 0;
	}
	for (int i = 0; i < 2; i++)
		if (!arrow_array_range(&arrays[m->list[i]], row, &from[i], &count[i]))
			return damaged(err);
	if (count[0] != count[1])
		return err_set(err, ERR_DATA, "role and content have lists of different length");
	record_put(record, CELL_LIST, STR(""));
	for (int64_t k = 0; k < count[0] && !record->overflow; k++)
		if (put_message(s, arrays, (const int64_t[2]){from[0] + k, from[1] + k}, record, err) < 0)
			return -1;
	return 0;
}

static int put_texts(const struct arrow_source *s, const struct arrow_array *arrays, int64_t row, struct buf *record, struct err *err)
{
	for (size_t i = 0; i < s->binding.n; i++) {
		if (s->columns[i] == ARROW_NO_FIELD)
			record_put(record, CELL_MISSING, STR(""));
		else if (put_text(&arrays[s->columns[i]], row, record, err) < 0)
			return -1;
	}
	return 0;
}

static int load_group(void *reader, size_t g, struct row_group *group, struct err *err)
{
	struct arrow_source *s = reader;
	struct arrow_batch batch = {0};
	struct buf record = {.max = RECORD_MAX};
	int rc = load_batch(s, g, &batch, err);
	for (int64_t i = 0; rc == 0 && i < group->rows; i++) {
		rc = s->binding.style == BIND_MESSAGES ? put_messages(s, batch.arrays, i, &record, err)
						       : put_texts(s, batch.arrays, i, &record, err);
		if (rc == 0)
			rc = row_groups_put(&s->groups, group, &record, err);
	}
	arrow_batch_done(&batch);
	buf_done(&record);
	return rc < 0 ? err_wrap(err, "record batch %zu", g + 1) : 0;
}

static int arrow_source_read(struct source *source, int64_t i, struct buf *record, struct err *err)
{
	struct arrow_source *s = (struct arrow_source *)source;
	return row_groups_read(&s->groups, i, load_group, s, record, err);
}

const struct source_ops ARROW_SOURCE = {
	.format = "arrow", .open = arrow_source_open, .columns = arrow_source_columns, .bind = arrow_source_bind,
	.read = arrow_source_read, .close = arrow_source_close,
};
