/* arrow_schema.c: the table of types says for each how its buffers are laid out; a batch's buffers can only be found by
 * counting those of all fields before, wanted or not. */
#include "data/arrow_schema.h"

#include "base/limits.h"

/* To add a type: a row. Unions are laid out by their mode, see arrow_batch.c. */
static const struct arrow_layout LAYOUTS[ARROW_TYPE_COUNT] = {
	[ARROW_NULL] = {"null", 0, false, false, false, 0, false},
	[ARROW_INT] = {"int", 2, true, false, false, 0, false},
	[ARROW_FLOAT] = {"float", 2, true, false, false, 0, false},
	[ARROW_BINARY] = {"binary", 3, true, true, false, 4, false},
	[ARROW_UTF8] = {"text", 3, true, true, false, 4, false},
	[ARROW_BOOL] = {"bool", 2, true, false, false, 0, false},
	[ARROW_DECIMAL] = {"decimal", 2, true, false, false, 0, false},
	[ARROW_DATE] = {"date", 2, true, false, false, 0, false},
	[ARROW_TIME] = {"time", 2, true, false, false, 0, false},
	[ARROW_TIMESTAMP] = {"timestamp", 2, true, false, false, 0, false},
	[ARROW_INTERVAL] = {"interval", 2, true, false, false, 0, false},
	[ARROW_LIST] = {"a list", 2, true, false, true, 4, false},
	[ARROW_STRUCT] = {"a struct", 1, true, false, false, 0, false},
	[ARROW_UNION] = {"a union", 1, false, false, false, 0, false},
	[ARROW_FIXED_BINARY] = {"fixed-size binary", 2, true, false, false, 0, false},
	[ARROW_FIXED_LIST] = {"a fixed-size list", 1, true, false, true, 0, false},
	[ARROW_MAP] = {"a map", 2, true, false, true, 4, false},
	[ARROW_DURATION] = {"duration", 2, true, false, false, 0, false},
	[ARROW_LARGE_BINARY] = {"binary", 3, true, true, false, 8, false},
	[ARROW_LARGE_UTF8] = {"text", 3, true, true, false, 8, false},
	[ARROW_LARGE_LIST] = {"a list", 2, true, false, true, 8, false},
	[ARROW_RUN_END] = {"run-end encoded", 0, false, false, false, 0, false},
	[ARROW_BINARY_VIEW] = {"binary", 2, true, true, false, 0, true},
	[ARROW_UTF8_VIEW] = {"text", 2, true, true, false, 0, true},
	[ARROW_LIST_VIEW] = {"a list", 3, true, false, true, 4, true},
	[ARROW_LARGE_LIST_VIEW] = {"a list", 3, true, false, true, 8, true},
};

enum { SCHEMA_ENDIANNESS, SCHEMA_FIELDS };
enum { FIELD_NAME, FIELD_NULLABLE, FIELD_TYPE_TYPE, FIELD_TYPE, FIELD_DICTIONARY, FIELD_CHILDREN };
enum { DICTIONARY_ID, DICTIONARY_INDEX };

const struct arrow_layout *arrow_layout(int type) { return &LAYOUTS[type]; }

static int too_many(struct err *err)
{
	return err_set(err, ERR_LIMIT, "the Arrow schema has more than %d columns", LIMIT_DATASET_COLUMNS);
}

static void read_type(struct arrow_field *field, struct flat *f, struct flat_table t)
{
	struct flat_table type = {0}, coding, index = {0};
	field->name = flat_string(f, t, FIELD_NAME);
	field->type = (int)flat_int(f, t, FIELD_TYPE_TYPE, 1, 0);
	f->bad |= field->type <= 0 || field->type >= ARROW_TYPE_COUNT;
	flat_table(f, t, FIELD_TYPE, &type);
	field->list_size = field->type == ARROW_FIXED_LIST ? flat_int(f, type, 0, 4, 0) : 0;
	f->bad |= field->list_size < 0;
	field->dense = field->type == ARROW_UNION && flat_int(f, type, 0, 2, 0) == 1;
	field->coded = flat_table(f, t, FIELD_DICTIONARY, &coding);
	if (!field->coded)
		return;
	field->dictionary = flat_int(f, coding, DICTIONARY_ID, 8, 0);
	int64_t bits = flat_table(f, coding, DICTIONARY_INDEX, &index) ? flat_int(f, index, 0, 4, 0) : 32;
	f->bad |= bits != 8 && bits != 16 && bits != 32 && bits != 64;
	field->index_bytes = (size_t)bits / 8;
}

static int read_field(struct arrow_schema *s, struct flat *f, struct flat_table t, int depth, struct err *err)
{
	struct arrow_field field = {0};
	read_type(&field, f, t);
	struct flat_vector children = flat_vector(f, t, FIELD_CHILDREN, 4);
	if (f->bad || depth > LIMIT_DATASET_NESTING)
		return err_set(err, ERR_DATA, "the Arrow schema is damaged or nested deeper than %d", LIMIT_DATASET_NESTING);
	if (s->fields.len >= 4 * (size_t)LIMIT_DATASET_COLUMNS)
		return too_many(err);
	field.children = children.count;
	size_t at = s->fields.len;
	vec_push(&s->fields, field);
	for (size_t i = 0; i < children.count; i++)
		if (read_field(s, f, flat_vector_table(f, children, i), depth + 1, err) < 0)
			return -1;
	bool one_child = arrow_layout(field.type)->list ? children.count == 1 : true;
	if (!one_child)
		return err_set(err, ERR_DATA, "the Arrow schema is damaged: a list of %zu types", children.count);
	s->fields.data[at].end = s->fields.len;
	return 0;
}

int arrow_schema_read(struct arrow_schema *s, struct flat *f, struct flat_table t, struct err *err)
{
	if (flat_int(f, t, SCHEMA_ENDIANNESS, 2, 0) != 0)
		return err_set(err, ERR_DATA, "the Arrow data is big-endian, which is not read");
	struct flat_vector fields = flat_vector(f, t, SCHEMA_FIELDS, 4);
	s->columns = fields.count;
	if (fields.count > LIMIT_DATASET_COLUMNS)
		return too_many(err);
	for (size_t i = 0; i < fields.count; i++)
		if (read_field(s, f, flat_vector_table(f, fields, i), 0, err) < 0)
			return -1;
	return f->bad ? err_set(err, ERR_DATA, "the Arrow schema is damaged") : 0;
}

void arrow_schema_done(struct arrow_schema *s) { vec_done(&s->fields); }

static bool is_text(const struct arrow_schema *s, size_t i) { return arrow_layout(s->fields.data[i].type)->text; }

static bool is_list(const struct arrow_schema *s, size_t i)
{
	return arrow_layout(s->fields.data[i].type)->list && !s->fields.data[i].coded;
}

static size_t child(const struct arrow_schema *s, size_t group, const char *name)
{
	for (size_t c = group + 1; c < s->fields.data[group].end; c = s->fields.data[c].end)
		if (str_eqz(s->fields.data[c].name, name))
			return c;
	return ARROW_NO_FIELD;
}

/* Role and content as texts of the struct, or as lists of texts. */
static bool find_members(const struct arrow_schema *s, size_t group, bool lists, struct arrow_messages *out)
{
	if (s->fields.data[group].type != ARROW_STRUCT || s->fields.data[group].coded)
		return false;
	for (size_t pair = 0; pair < 2; pair++) {
		size_t found = 0;
		for (size_t i = 0; i < 2; i++) {
			size_t c = child(s, group, MESSAGE_MEMBERS[pair][i]);
			if (c == ARROW_NO_FIELD || (lists && !is_list(s, c)))
				break;
			if (lists)
				out->list[i] = c++;
			out->text[i] = c;
			found += is_text(s, c);
		}
		if (found == 2)
			return true;
	}
	return false;
}

bool arrow_schema_messages(const struct arrow_schema *s, size_t column, struct arrow_messages *out)
{
	*out = (struct arrow_messages){.outer = ARROW_NO_FIELD, .item = ARROW_NO_FIELD};
	if (is_list(s, column) && find_members(s, column + 1, false, out)) {
		out->list[0] = out->list[1] = column;
		out->item = column + 1;
		return true;
	}
	out->outer = column;
	return find_members(s, column, true, out);
}

void arrow_schema_columns(const struct arrow_schema *s, struct columns *out)
{
	for (size_t c = 0; c < s->fields.len; c = s->fields.data[c].end) {
		struct arrow_messages messages;
		const struct arrow_layout *layout = arrow_layout(s->fields.data[c].type);
		enum column_kind kind = layout->text                             ? COLUMN_TEXT
					: arrow_schema_messages(s, c, &messages) ? COLUMN_MESSAGES
										 : COLUMN_OTHER;
		columns_add(out, s->fields.data[c].name, kind, layout->list ? "a list without role and content" : layout->words);
	}
}

size_t arrow_schema_find(const struct arrow_schema *s, const char *name)
{
	for (size_t c = 0; c < s->fields.len; c = s->fields.data[c].end)
		if (str_eqz(s->fields.data[c].name, name))
			return c;
	return ARROW_NO_FIELD;
}
