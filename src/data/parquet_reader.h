/* parquet_reader.h: one column chunk as a stream of (repetition level, definition level, text). Holds one page and the
 * dictionary in memory, whatever the size of the row group. Reused from chunk to chunk. */
#pragma once
#include "data/parquet_schema.h"
#include "data/parquet_values.h"

struct parquet_block { char *data; size_t cap; };  /* decompressed bytes */

struct parquet_reader {
	str file;                    /* up to the footer */
	struct parquet_leaf leaf;
	int codec;                   /* enum compression */
	size_t at;                   /* offset of the next page */
	int64_t chunk_left, page_left; /* entries not yet read */
	struct parquet_block page, dictionary_page;
	struct parquet_dictionary dictionary;
	bool has_dictionary;
	struct rle rep_levels, def_levels;
	struct parquet_values values;
	bool peeked;
	uint32_t rep, def;           /* of the entry peeked at */
};

WARN_UNUSED int parquet_reader_start(struct parquet_reader *r, str file, const struct parquet_chunk *chunk, struct parquet_leaf leaf,
				     struct err *err);
/* Levels of the next entry into rep and def. 0; 1 at the end of the chunk; -1. */
WARN_UNUSED int parquet_reader_peek(struct parquet_reader *r, struct err *err);
/* Takes the entry that was peeked at. *out has data NULL when the value is null (def below max_def). */
WARN_UNUSED int parquet_reader_take(struct parquet_reader *r, str *out, struct err *err);
void parquet_reader_done(struct parquet_reader *r);
