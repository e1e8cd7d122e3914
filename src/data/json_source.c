/* json_source.c: JSON Lines, a JSON array of objects, or an object whose "data" is such an array. Which of them a file is
 * follows from its content alone, as ".json" is used for all. Opening only finds where rows begin; a row is parsed when
 * it is read. */
#include "base/limits.h"
#include "codec/json.h"
#include "data/json_cells.h"
#include "data/json_scan.h"
#include "data/source.h"

#define COLUMN_PROBE_ROWS 64 /* a column that is null or absent in all of these is not looked for */

struct json_source {
	struct source source;
	str text;            /* the file after its byte order mark */
	size_t mark_bytes;
	bool lines;          /* a row ends with its line, else with its value */
	VEC(size_t) starts;
	struct binding binding;
};

static int add_row(struct json_source *s, size_t at, struct err *err)
{
	if ((int64_t)s->starts.len >= LIMIT_DATASET_ROWS)
		return err_set(err, ERR_LIMIT, "more than the limit of %lld rows", (long long)LIMIT_DATASET_ROWS);
	vec_push(&s->starts, at);
	return 0;
}

static int index_lines(struct json_source *s, struct err *err)
{
	s->lines = true;
	for (size_t at = json_scan_space(s->text, 0); at < s->text.len; at = json_scan_space(s->text, str_find(s->text, '\n', at)))
		if (add_row(s, at, err) < 0)
			return -1;
	return 0;
}

static int index_array(struct json_source *s, size_t at, struct err *err)
{
	at = json_scan_space(s->text, at + 1);
	while (at < s->text.len && s->text.data[at] != ']') {
		if (add_row(s, at, err) < 0 || json_scan_value(s->text, &at, err) < 0)
			return -1;
		at = json_scan_space(s->text, at);
		if (at < s->text.len && s->text.data[at] == ',')
			at = json_scan_space(s->text, at + 1);
		else if (at < s->text.len && s->text.data[at] != ']')
			return err_set(err, ERR_DATA, "',' or ']' is expected at byte %zu, after row %zu", at, s->starts.len);
	}
	if (at >= s->text.len)
		return err_set(err, ERR_DATA, "the array of rows is not closed: the file is cut off after row %zu", s->starts.len);
	return 0;
}

/* Offset of the array under the key "data" of the object at `at`, or text.len. */
static size_t find_data_array(str text, size_t at)
{
	at = json_scan_space(text, at + 1);
	while (at < text.len && text.data[at] == '"') {
		size_t key = at;
		if (json_scan_value(text, &at, NULL) < 0)
			break;
		bool is_data = str_eq(str_sub(text, key, at), STR("\"data\""));
		at = json_scan_space(text, at);
		if (at >= text.len || text.data[at] != ':')
			break;
		at = json_scan_space(text, at + 1);
		if (is_data && at < text.len && text.data[at] == '[')
			return at;
		if (json_scan_value(text, &at, NULL) < 0)
			break;
		at = json_scan_space(text, at);
		if (at < text.len && text.data[at] == ',')
			at = json_scan_space(text, at + 1);
	}
	return text.len;
}

static int index_rows(struct json_source *s, struct err *err)
{
	size_t first = json_scan_space(s->text, 0), end = first;
	if (first < s->text.len && s->text.data[first] == '[')
		return index_array(s, first, err);
	if (json_scan_value(s->text, &end, NULL) < 0 || json_scan_space(s->text, end) < s->text.len)
		return index_lines(s, err);
	size_t data = find_data_array(s->text, first);
	return data < s->text.len ? index_array(s, data, err) : add_row(s, first, err);
}

static void json_source_close(struct source *source)
{
	struct json_source *s = (struct json_source *)source;
	vec_done(&s->starts);
	free(s);
}

static int json_source_open(struct source **out, str bytes, struct row_store *store, struct err *err)
{
	(void)store; /* a row is read from where it lies */
	struct json_source *s = mem_alloc(sizeof *s);
	s->source.ops = &JSON_SOURCE;
	s->mark_bytes = str_starts(bytes, STR("\xEF\xBB\xBF")) ? 3 : 0;
	s->text = str_sub(bytes, s->mark_bytes, bytes.len);
	if (index_rows(s, err) < 0) {
		json_source_close(&s->source);
		return -1;
	}
	s->source.rows = (int64_t)s->starts.len;
	*out = &s->source;
	return 0;
}

static size_t json_source_offset(const struct source *source, int64_t i)
{
	const struct json_source *s = (const struct json_source *)source;
	return s->mark_bytes + s->starts.data[i];
}

static long line_of(str text, size_t at)
{
	long line = 1;
	for (size_t i = str_find(text, '\n', 0); i < at; i = str_find(text, '\n', i + 1))
		line++;
	return line;
}

static int parse_row(const struct json_source *s, int64_t i, json_t **out, struct err *err)
{
	size_t from = s->starts.data[i], to = from;
	if (s->lines)
		to = str_find(s->text, '\n', from);
	else if (json_scan_value(s->text, &to, err) < 0)
		return -1;
	str text = str_sub(s->text, from, to);
	size_t bad;
	if (!str_is_utf8(text, &bad))
		return err_set(err, ERR_DATA, "not valid UTF-8 at byte %zu of the row (byte %zu of the file)", bad, from + bad);
	struct json_rules rules = {.allow_nul = true};
	json_t *value;
	if (json_parse_with(&value, text, "json", &rules, err) < 0) {
		rules.first_line = line_of(s->text, from); /* costs a pass over the file: only for the message */
		return json_parse_with(&value, text, "json", &rules, err);
	}
	if (!json_is_object(value)) {
		err_set(err, ERR_DATA, "the row is a JSON %s, an object is needed", json_type_name(value));
		json_decref(value);
		return -1;
	}
	*out = value;
	return 0;
}

static enum column_kind kind_of(const json_t *value, const char **type)
{
	*type = json_type_name(value);
	if (json_is_string(value))
		return COLUMN_TEXT;
	if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
		return COLUMN_MESSAGES;
	return COLUMN_OTHER;
}

static void add_members(struct columns *out, json_t *row)
{
	const char *key;
	json_t *value;
	json_object_foreach(row, key, value) {
		const char *type;
		enum column_kind kind = kind_of(value, &type);
		bool says_nothing = json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0);
		if (!says_nothing && !columns_find(out, key))
			columns_add(out, str_of(key), kind, type);
	}
}

static int json_source_columns(struct source *source, bool skip_bad, struct columns *out, struct err *err)
{
	const struct json_source *s = (const struct json_source *)source;
	for (int64_t i = 0, seen = 0; i < source->rows && seen < COLUMN_PROBE_ROWS; i++) {
		json_t *row;
		if (parse_row(s, i, &row, err) < 0) {
			if (skip_bad)
				continue;
			return err_wrap(err, "row %lld", (long long)i + 1);
		}
		add_members(out, row);
		json_decref(row);
		seen++;
	}
	return 0;
}

static int json_source_bind(struct source *source, const struct binding *b, struct err *err)
{
	(void)err;
	((struct json_source *)source)->binding = *b;
	return 0;
}

static int json_source_read(struct source *source, int64_t i, struct buf *record, struct err *err)
{
	const struct json_source *s = (const struct json_source *)source;
	CLEANUP(json_decrefp) json_t *row = NULL;
	if (parse_row(s, i, &row, err) < 0)
		return -1;
	for (size_t c = 0; c < s->binding.n; c++) {
		const json_t *value = json_object_get(row, s->binding.names[c]);
		if (s->binding.style == BIND_MESSAGES)
			json_cells_put_messages(record, value);
		else
			json_cells_put_text(record, value);
	}
	return 0;
}

const struct source_ops JSON_SOURCE = {
	.format = "json", .open = json_source_open, .columns = json_source_columns, .bind = json_source_bind,
	.read = json_source_read, .offset = json_source_offset, .close = json_source_close,
};
