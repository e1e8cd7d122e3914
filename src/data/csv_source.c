/* csv_source.c: comma-separated values as RFC 4180 has them: a header row, quoted fields with doubled quotes and line breaks
 * inside, CRLF or LF, an optional byte order mark. Tab and semicolon are taken as separator when the header has them and
 * no comma. An empty field is null, a quoted empty field is an empty text. Opening only finds where rows begin. */
#include "base/limits.h"
#include "data/record.h"
#include "data/source.h"

struct csv_source {
	struct source source;
	str text;            /* the file after its byte order mark */
	size_t mark_bytes;
	char separator;
	VEC(size_t) starts;
	VEC(char *) header;
	size_t fields[BINDING_MAX]; /* which field each bound column is; SIZE_MAX: absent */
	struct binding binding;
};

struct field {
	str raw;         /* without the outer quotes; quotes inside are still doubled */
	bool quoted, unclosed, trailing; /* trailing: text after the closing quote */
	bool last;       /* of its row */
};

static bool ends_field(const struct csv_source *s, size_t at)
{
	return at >= s->text.len || s->text.data[at] == s->separator || s->text.data[at] == '\n';
}

/* The closing quote of a field whose text starts at `at`, or text.len. */
static size_t closing_quote(str text, size_t at)
{
	for (;;) {
		at = str_find(text, '"', at);
		if (at + 1 >= text.len || text.data[at + 1] != '"')
			return at;
		at += 2;
	}
}

/* Reads the field at *at and moves past its separator or line end. */
static struct field next_field(const struct csv_source *s, size_t *at)
{
	struct field f = {0};
	size_t i = *at;
	if (i < s->text.len && s->text.data[i] == '"') {
		size_t close = closing_quote(s->text, i + 1);
		f.quoted = true;
		f.unclosed = close >= s->text.len;
		f.raw = str_sub(s->text, i + 1, close);
		i = f.unclosed ? close : close + 1;
	}
	size_t rest = i;
	while (!ends_field(s, i))
		i++;
	f.last = i >= s->text.len || s->text.data[i] == '\n';
	size_t end = f.last && i > rest && s->text.data[i - 1] == '\r' ? i - 1 : i;
	if (f.quoted)
		f.trailing = end > rest;
	else
		f.raw = str_sub(s->text, rest, end);
	*at = i < s->text.len ? i + 1 : i;
	return f;
}

static void put_unquoted(struct buf *out, str raw)
{
	for (size_t i = 0; i < raw.len;) {
		size_t quote = str_find(raw, '"', i);
		size_t end = quote < raw.len ? quote + 1 : quote;
		buf_put(out, raw.data + i, end - i);
		i = end + (quote < raw.len);
	}
}

static char find_separator(str text)
{
	str header = str_sub(text, 0, str_find(text, '\n', 0));
	for (const char *c = ",\t;"; *c; c++)
		if (str_find(header, *c, 0) < header.len)
			return *c;
	return ',';
}

static int read_header(struct csv_source *s, size_t *at, struct err *err)
{
	struct field f = {0};
	while (!f.last) {
		f = next_field(s, at);
		if (f.unclosed || f.trailing)
			return err_set(err, ERR_DATA, "the header's field %zu is badly quoted", s->header.len + 1);
		if (s->header.len >= LIMIT_DATASET_COLUMNS)
			return err_set(err, ERR_LIMIT, "more than the limit of %d columns", LIMIT_DATASET_COLUMNS);
		CLEANUP(buf_done) struct buf name = {0};
		put_unquoted(&name, f.raw);
		size_t bad;
		if (!str_is_utf8(buf_str(&name), &bad))
			return err_set(err, ERR_DATA, "the header's field %zu is not valid UTF-8 at byte %zu", s->header.len + 1, bad);
		str trimmed = str_trim(buf_str(&name));
		vec_push(&s->header, mem_strndup(trimmed.data, trimmed.len));
	}
	return 0;
}

static int index_rows(struct csv_source *s, size_t at, struct err *err)
{
	while (at < s->text.len) {
		size_t start = at;
		struct field f = next_field(s, &at);
		bool blank = f.last && !f.quoted && f.raw.len == 0;
		while (!f.last)
			f = next_field(s, &at);
		if (blank)
			continue;
		if ((int64_t)s->starts.len >= LIMIT_DATASET_ROWS)
			return err_set(err, ERR_LIMIT, "more than the limit of %lld rows", (long long)LIMIT_DATASET_ROWS);
		vec_push(&s->starts, start);
	}
	return 0;
}

static void csv_source_close(struct source *source)
{
	struct csv_source *s = (struct csv_source *)source;
	for (size_t i = 0; i < s->header.len; i++)
		free(s->header.data[i]);
	vec_done(&s->header);
	vec_done(&s->starts);
	free(s);
}

static int csv_source_open(struct source **out, str bytes, struct row_store *store, struct err *err)
{
	(void)store; /* a row is read from where it lies */
	struct csv_source *s = mem_alloc(sizeof *s);
	s->source.ops = &CSV_SOURCE;
	s->mark_bytes = str_starts(bytes, STR("\xEF\xBB\xBF")) ? 3 : 0;
	s->text = str_sub(bytes, s->mark_bytes, bytes.len);
	s->separator = find_separator(s->text);
	size_t at = 0;
	if (read_header(s, &at, err) < 0 || index_rows(s, at, err) < 0) {
		csv_source_close(&s->source);
		return -1;
	}
	s->source.rows = (int64_t)s->starts.len;
	*out = &s->source;
	return 0;
}

static int csv_source_columns(struct source *source, bool skip_bad, struct columns *out, struct err *err)
{
	const struct csv_source *s = (const struct csv_source *)source;
	(void)skip_bad;
	(void)err;
	for (size_t i = 0; i < s->header.len; i++)
		columns_add(out, str_of(s->header.data[i]), COLUMN_TEXT, "text");
	return 0;
}

static int csv_source_bind(struct source *source, const struct binding *b, struct err *err)
{
	struct csv_source *s = (struct csv_source *)source;
	(void)err;
	s->binding = *b;
	for (size_t c = 0; c < b->n; c++) {
		s->fields[c] = SIZE_MAX;
		for (size_t i = s->header.len; i-- > 0;)
			if (strcmp(s->header.data[i], b->names[c]) == 0)
				s->fields[c] = i;
	}
	return 0;
}

static int check_field(const struct csv_source *s, const struct field *f, size_t number, struct err *err)
{
	const char *name = number < s->header.len ? s->header.data[number] : "past the header";
	if (f->unclosed)
		return err_set(err, ERR_DATA, "column '%s': the quote that opens the field is never closed", name);
	if (f->trailing)
		return err_set(err, ERR_DATA, "column '%s': text after the closing quote; write a quote inside a field twice", name);
	return 0;
}

static void put_field(struct buf *record, const struct field *f)
{
	if (!f->quoted && f->raw.len == 0) {
		record_put(record, CELL_NULL, STR(""));
		return;
	}
	CLEANUP(buf_done) struct buf text = {.max = RECORD_MAX};
	if (f->quoted)
		put_unquoted(&text, f->raw);
	record->overflow |= text.overflow;
	record_put(record, CELL_TEXT, f->quoted ? buf_str(&text) : f->raw);
}

static int csv_source_read(struct source *source, int64_t row, struct buf *record, struct err *err)
{
	const struct csv_source *s = (const struct csv_source *)source;
	struct field wanted[BINDING_MAX] = {0}, f = {0};
	size_t at = s->starts.data[row], count = 0;
	for (; !f.last; count++) {
		f = next_field(s, &at);
		if (check_field(s, &f, count, err) < 0)
			return -1;
		for (size_t c = 0; c < s->binding.n; c++)
			if (s->fields[c] == count)
				wanted[c] = f;
	}
	if (count != s->header.len)
		return err_set(err, ERR_DATA, "the row has %zu fields, the header has %zu", count, s->header.len);
	for (size_t c = 0; c < s->binding.n; c++)
		put_field(record, &wanted[c]);
	return 0;
}

static size_t csv_source_offset(const struct source *source, int64_t i)
{
	const struct csv_source *s = (const struct csv_source *)source;
	return s->mark_bytes + s->starts.data[i];
}

const struct source_ops CSV_SOURCE = {
	.format = "csv", .open = csv_source_open, .columns = csv_source_columns, .bind = csv_source_bind,
	.read = csv_source_read, .offset = csv_source_offset, .close = csv_source_close,
};
