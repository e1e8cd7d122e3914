/* row_store.h: decoded rows of column formats, kept until the dataset is closed, so that every row group is decoded once
 * whatever the order of reading. The first bytes lie in memory, the rest in an unlinked temporary file that is mapped:
 * the kernel writes it out and reads it back as memory allows. Append only; records never move. Owner: one thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#define ROW_STORE_MEMORY_BYTES ((size_t)64 << 20)

struct row_chunk { char *data; size_t used, size; };
struct row_store {
	VEC(struct row_chunk) chunks;
	size_t memory_bytes;   /* budget for chunks in memory */
	uint64_t max_bytes;    /* of all chunks */
	size_t used_memory;
	int fd;                /* the temporary file, -1 until the budget is spent */
	uint64_t file_bytes;
};

void row_store_init(struct row_store *s, size_t memory_bytes, uint64_t max_bytes);
void row_store_done(struct row_store *s);
/* *at is the handle for row_store_get. ERR_LIMIT past max_bytes; ERR_NO_SPACE names the
 * folder and TMPDIR. */
WARN_UNUSED int row_store_put(struct row_store *s, str record, uint64_t *at, struct err *err);
str row_store_get(const struct row_store *s, uint64_t at);  /* borrowed until row_store_done */
