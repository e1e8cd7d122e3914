/* row_store.h: decoded rows of column formats, kept until the dataset is closed, so that every row group is decoded once
 * whatever the order of reading. The first bytes lie in memory, the rest in an unlinked temporary file that is read with
 * pread: a mapping would count as resident memory, up to 16 pages for every row. Append only. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define ROW_STORE_MEMORY_BYTES ((size_t)64 << 20)

struct row_store {
	char *memory;            /* touched as it fills */
	size_t memory_bytes, memory_used;
	int fd;                  /* -1 until memory is full */
	uint64_t file_bytes;     /* written; the tail follows */
	char *tail;              /* not yet written */
	size_t tail_used;
	uint64_t max_bytes;
};

/* max_bytes: of all rows, at most 1 TiB. */
void row_store_init(struct row_store *s, size_t memory_bytes, uint64_t max_bytes);
void row_store_done(struct row_store *s);
/* *at is the handle for row_store_get. ERR_LIMIT past max_bytes; ERR_NO_SPACE names the folder and TMPDIR. */
WARN_UNUSED int row_store_put(struct row_store *s, str record, uint64_t *at, struct err *err);
WARN_UNUSED int row_store_get(const struct row_store *s, uint64_t at, struct buf *out, struct err *err);  /* appends */
static inline uint64_t row_store_bytes(const struct row_store *s) { return s->memory_used + s->file_bytes + s->tail_used; }
