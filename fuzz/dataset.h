/* dataset.h: drives one dataset format over arbitrary bytes: open, find columns, read rows. Reading a row twice must give
 * the same answer. */
#pragma once
#include "base/limits.h"
#include "data/row.h"
#include "data/source.h"

#define FUZZ_ROWS 64
#define FUZZ_STORE_BYTES ((size_t)32 << 20)

static inline int dataset_read(struct source *s, const struct binding *b, int64_t i)
{
	struct err err = ERR_INIT;
	struct buf record = {.max = RECORD_MAX};
	struct data_row row = {0};
	int rc = s->ops->read(s, i, &record, &err);
	if (rc == 0)
		rc = row_from_record(b, buf_str(&record), &row, &err);
	if (rc < 0 && err.message[0] == 0)
		abort();
	data_row_done(&row);
	buf_done(&record);
	return rc;
}

static inline void dataset_rows(struct source *s, const struct data_options *options)
{
	struct err err = ERR_INIT;
	struct columns columns = {0};
	struct binding binding;
	if (s->ops->columns(s, options->skip_bad_rows, &columns, &err) == 0 && columns_bind(&columns, options, &binding, &err) == 0 &&
	    s->ops->bind(s, &binding, &err) == 0) {
		for (int64_t i = 0; i < s->rows && i < FUZZ_ROWS; i++)
			if (dataset_read(s, &binding, i) != dataset_read(s, &binding, i))
				abort();
		dataset_read(s, &binding, s->rows - 1);
	}
	columns_done(&columns);
}

static inline int dataset_fuzz(const struct source_ops *ops, const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct source *s;
	struct row_store store;
	row_store_init(&store, FUZZ_STORE_BYTES, FUZZ_STORE_BYTES);
	if (ops->open(&s, (str){size ? (const char *)data : "", size}, &store, &err) == 0) {
		if (s->rows > 0 && s->rows < 100000) /* more only costs time */
			dataset_rows(s, &(struct data_options){.skip_bad_rows = true});
		ops->close(s);
	}
	row_store_done(&store);
	return 0;
}
