/* data.h: training examples out of files. Formats: parquet, Arrow IPC / Feather v2, JSON, JSON Lines, CSV.
 * A dataset is one or more files read as one list of rows; a row is one of three shapes. Rows are read lazily and in any
 * order: text formats keep the offset of each row, column formats decode a row group once into a compact store
 * (memory first, then an unlinked file in $TMPDIR), so a shuffled epoch costs the same as a sequential one. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>
#include <stdbool.h>

enum data_shape {
	DATA_MESSAGES,   /* messages: [{role, content}] */
	DATA_COMPLETION, /* prompt + completion */
	DATA_TEXT        /* text only: every token is trained */
}; /* instruction/input/output rows are given as DATA_MESSAGES: one user message (instruction, blank line, input), one assistant message */

struct data_options {
	const char *context_column;   /* DatasetConfig names; NULL: find by convention */
	const char *response_column;  /* upstream's default "text" counts as not given when the file has no such column */
	const char *messages_column;
	const char *extension;        /* force "parquet", "arrow", "json", "jsonl", "csv"; NULL: by magic bytes, then name */
	bool skip_bad_rows;           /* data_open looks past bad rows when it searches for columns; data_read fails on them as ever */
};

struct data;
/* paths: files or folders (folders are walked in name order for files of a known format). Column detection happens here;
 * an empty dataset is an error (ERR_DATA). Errors name file, row (1-based), column and why. options may be NULL. */
WARN_UNUSED int data_open(struct data **out, const char *const *paths, size_t n_paths, const struct data_options *options, struct err *err);
void data_close(struct data *d);
int64_t data_rows(const struct data *d);
enum data_shape data_shape(const struct data *d);
const char *data_describe(const struct data *d);   /* "2 files, 15011 rows, parquet, column 'messages'" */

struct data_row {
	enum data_shape shape;
	json_t *messages;          /* DATA_MESSAGES: new reference, array of {"role","content"} */
	struct buf prompt, text;   /* DATA_COMPLETION: prompt, and completion in text; DATA_TEXT: text */
};
/* Read row i (0-based over all files) into *row, which is overwritten: zero it or call data_row_done first. 0, or -1 with
 * ERR_DATA (the row is bad, named by file, row, column; the caller decides to skip) or another kind (disk full, no memory). */
WARN_UNUSED int data_read(struct data *d, int64_t i, struct data_row *row, struct err *err);
void data_row_done(struct data_row *row);
/* "file.parquet row 17" for messages about row i. Valid until the next call. */
const char *data_where(struct data *d, int64_t i);
