/* source.h: the interface that a file format implements. A source reads one file that lies in memory (a mapping or a
 * buffer) and outlives it. To add a format: a file that defines one `struct source_ops`, a row in format.c.
 * Errors carry no file or row: data.c adds them. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "data/columns.h"
#include "data/row_store.h"

struct source { const struct source_ops *ops; int64_t rows; };

struct source_ops {
	const char *format;
	/* store: where column formats keep decoded rows; outlives the source. */
	int (*open)(struct source **out, str bytes, struct row_store *store, struct err *err);
	/* What a row may hold. Text formats look at the first rows; skip_bad: past broken ones. */
	int (*columns)(struct source *s, bool skip_bad, struct columns *out, struct err *err);
	/* Says which columns later reads want. Called once, with columns that `columns` reported. */
	int (*bind)(struct source *s, const struct binding *b, struct err *err);
	/* Appends the cells of row i (0 <= i < rows) to record, which has RECORD_MAX as ceiling. */
	int (*read)(struct source *s, int64_t i, struct buf *record, struct err *err);
	/* Offset of row i in the file for formats that have lines, else NULL. */
	size_t (*offset)(const struct source *s, int64_t i);
	void (*close)(struct source *s);
};

extern const struct source_ops PARQUET_SOURCE, ARROW_SOURCE, JSON_SOURCE, CSV_SOURCE;
