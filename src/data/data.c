/* data.c: files in, one list of rows out. Each file has its own reader and its own column binding; all must give the same
 * shape. A file stays mapped; its pages are handed back to the kernel now and then, so that a large dataset does not
 * count as resident memory. */
#include "data/data.h"

#include "base/fd.h"
#include "base/limits.h"
#include "data/format.h"
#include "data/record.h"
#include "data/row.h"
#include "data/walk.h"
#include <stdio.h>

#define DROP_AFTER_BYTES ((size_t)64 << 20)
#define FAULT_BYTES ((size_t)64 << 10) /* what the kernel maps around a page that is touched */

struct data_file {
	char *path;
	struct fd_map map;
	struct source *source;
	struct binding binding;
	int64_t first_row;
};

struct data {
	VEC(struct data_file) files;
	int64_t rows;
	enum data_shape shape;
	struct row_store store;
	struct buf record;
	uint64_t busy_bytes; /* that reads may have made resident since pages were last handed back */
	struct buf describe, where;
};

static const char *file_name(const struct data_file *f)
{
	const char *slash = strrchr(f->path, '/');
	return slash ? slash + 1 : f->path;
}

static void file_done(struct data_file *f)
{
	if (f->source)
		f->source->ops->close(f->source);
	fd_map_close(&f->map);
	free(f->path);
}

static int find_columns(struct data_file *f, const struct data_options *options, struct err *err)
{
	struct columns columns = {0};
	int rc = f->source->ops->columns(f->source, options->skip_bad_rows, &columns, err);
	if (rc == 0)
		rc = columns_bind(&columns, options, &f->binding, err);
	if (rc == 0)
		rc = f->source->ops->bind(f->source, &f->binding, err);
	columns_done(&columns);
	return rc;
}

static int file_open(struct data_file *f, struct row_store *store, const struct data_options *options, struct err *err)
{
	if (fd_map_open(&f->map, f->path, err) < 0)
		return -1;
	close(f->map.fd); /* the mapping stays; 4096 files would be more than descriptors allow */
	f->map.fd = -1;
	str bytes = f->map.len ? (str){(const char *)f->map.data, f->map.len} : STR("");
	const struct source_ops *ops = format_detect(f->path, bytes, options->extension, err);
	if (!ops || ops->open(&f->source, bytes, store, err) < 0 || (f->source->rows > 0 && find_columns(f, options, err) < 0)) {
		if (err && err->kind == ERR_INVALID)
			err->kind = ERR_DATA;
		return err_wrap(err, "%.80s", file_name(f));
	}
	return 0;
}

static const char *shape_words(enum data_shape shape)
{
	static const char *const WORDS[] = {"messages", "prompt and completion", "text"};
	return WORDS[shape];
}

/* Files without rows are kept out, so that every file left has a binding. */
static int add_file(struct data *d, const char *path, const struct data_options *options, struct err *err)
{
	struct data_file f = {.path = mem_strdup(path), .map.fd = -1, .first_row = d->rows};
	int rc = file_open(&f, &d->store, options, err);
	if (rc < 0 || f.source->rows == 0) {
		file_done(&f);
		return rc;
	}
	enum data_shape shape = binding_shape(&f.binding);
	if (d->files.len && shape != d->shape)
		rc = err_set(err, ERR_DATA, "%.80s: rows are %s, but those of %.80s are %s", file_name(&f), shape_words(shape),
			     file_name(&d->files.data[0]), shape_words(d->shape));
	else if (f.source->rows > LIMIT_DATASET_ROWS - d->rows)
		rc = err_set(err, ERR_LIMIT, "%.80s: the dataset has more than the limit of %lld rows", file_name(&f),
			     (long long)LIMIT_DATASET_ROWS);
	if (rc < 0) {
		file_done(&f);
		return rc;
	}
	d->shape = shape;
	d->rows += f.source->rows;
	vec_push(&d->files, f);
	return 0;
}

static void describe(struct data *d)
{
	buf_printf(&d->describe, "%zu file%s, %lld row%s", d->files.len, d->files.len == 1 ? "" : "s", (long long)d->rows,
		   d->rows == 1 ? "" : "s");
	const char *format = d->files.data[0].source->ops->format;
	const struct binding *b = &d->files.data[0].binding;
	buf_printf(&d->describe, ", %s, column%s", format, b->n == 1 ? "" : "s");
	for (size_t i = 0; i < b->n; i++)
		if (b->names[i][0])
			buf_printf(&d->describe, "%s '%s'", i ? "," : "", b->names[i]);
}

int data_open(struct data **out, const char *const *paths, size_t n_paths, const struct data_options *options, struct err *err)
{
	struct walk w = {0};
	struct data *d = mem_alloc(sizeof *d);
	d->record.max = RECORD_MAX;
	row_store_init(&d->store, ROW_STORE_MEMORY_BYTES, LIMIT_DATASET_STORE_BYTES);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n_paths; i++)
		rc = walk_add(&w, paths[i], err);
	for (size_t i = 0; rc == 0 && i < w.files.len; i++)
		rc = add_file(d, w.files.data[i], options ? options : &(struct data_options){0}, err);
	if (rc == 0 && d->rows == 0)
		rc = err_set(err, ERR_DATA, "the dataset has no rows (%zu file%s read)", w.files.len, w.files.len == 1 ? "" : "s");
	walk_done(&w);
	if (rc < 0) {
		data_close(d);
		return -1;
	}
	describe(d);
	*out = d;
	return 0;
}

void data_close(struct data *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->files.len; i++)
		file_done(&d->files.data[i]);
	vec_done(&d->files);
	row_store_done(&d->store);
	buf_done(&d->record);
	buf_done(&d->describe);
	buf_done(&d->where);
	free(d);
}

int64_t data_rows(const struct data *d) { return d->rows; }
enum data_shape data_shape(const struct data *d) { return d->shape; }
const char *data_describe(const struct data *d) { return d->describe.data; }

static struct data_file *file_of(struct data *d, int64_t i)
{
	size_t low = 0, high = d->files.len;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (d->files.data[middle].first_row <= i)
			low = middle;
		else
			high = middle;
	}
	return &d->files.data[low];
}

static int read_record(struct data *d, struct data_file *f, int64_t i, struct data_row *row, struct err *err)
{
	buf_clear(&d->record);
	if (f->source->ops->read(f->source, i - f->first_row, &d->record, err) < 0)
		return -1;
	if (d->record.overflow)
		return err_set(err, ERR_DATA, "the row is longer than the limit of %zu bytes of text", LIMIT_DATASET_ROW_BYTES);
	return row_from_record(&f->binding, buf_str(&d->record), row, err);
}

/* decoded: bytes that the read added to the row store, for which about as much of the file was touched. */
static void hand_back_pages(struct data *d, const struct data_file *f, uint64_t decoded)
{
	d->busy_bytes += d->record.len + FAULT_BYTES + decoded;
	if (d->busy_bytes < DROP_AFTER_BYTES)
		return;
	fd_map_drop(f->map.data, f->map.len);
	d->busy_bytes = 0;
}

int data_read(struct data *d, int64_t i, struct data_row *row, struct err *err)
{
	if (i < 0 || i >= d->rows)
		return err_set(err, ERR_INTERNAL, "row %lld of a dataset of %lld rows", (long long)i, (long long)d->rows);
	struct data_file *f = file_of(d, i);
	uint64_t before = row_store_bytes(&d->store);
	int rc = read_record(d, f, i, row, err);
	hand_back_pages(d, f, row_store_bytes(&d->store) - before);
	if (rc < 0 && err && (err->kind == ERR_INVALID || err->kind == ERR_LIMIT))
		err->kind = ERR_DATA;
	return rc < 0 ? err_wrap(err, "%s", data_where(d, i)) : 0;
}

void data_row_done(struct data_row *row)
{
	json_decref(row->messages);
	row->messages = NULL;
	buf_done(&row->prompt);
	buf_done(&row->text);
}

/* The line, for formats that have lines, where it is not simply the row's number. */
static void put_line(struct data *d, const struct data_file *f, int64_t row)
{
	str text = {(const char *)f->map.data, f->source->ops->offset(f->source, row)};
	int64_t line = 1;
	for (size_t at = str_find(text, '\n', 0); at < text.len; at = str_find(text, '\n', at + 1))
		line++;
	if (line != row + 1)
		buf_printf(&d->where, " (line %lld)", (long long)line);
}

const char *data_where(struct data *d, int64_t i)
{
	const struct data_file *f = file_of(d, i);
	buf_clear(&d->where);
	buf_printf(&d->where, "%.80s row %lld", file_name(f), (long long)(i - f->first_row) + 1);
	if (f->source->ops->offset)
		put_line(d, f, i - f->first_row);
	return d->where.data;
}
