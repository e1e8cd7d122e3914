/* parquet_values.h: the values of one data page of a byte array column, in any of the format's encodings, one by one. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "data/delta.h"
#include "data/rle.h"

struct parquet_dictionary { VEC(str) values; }; /* the texts borrow from the dictionary page */

struct parquet_values {
	const struct parquet_encoding *encoding;
	str rest;                /* PLAIN: unread bytes; delta encodings: unread text */
	size_t fixed_bytes;      /* FIXED_LEN_BYTE_ARRAY: bytes of a value; else 0 */
	struct rle indices;
	const struct parquet_dictionary *dictionary;
	struct delta lengths, prefixes;
	size_t index, count;     /* BYTE_STREAM_SPLIT */
	struct buf last;         /* value under construction; kept for shared prefixes */
};

/* Starts on a page's value bytes. max_values: what the page's head announces. dictionary may be NULL. */
WARN_UNUSED int parquet_values_start(struct parquet_values *v, int encoding, str bytes, size_t fixed_bytes, uint64_t max_values,
				     const struct parquet_dictionary *dictionary, struct err *err);
/* *out is valid until the next call or the end of the page. */
WARN_UNUSED int parquet_values_next(struct parquet_values *v, str *out, struct err *err);
void parquet_values_done(struct parquet_values *v);
WARN_UNUSED int parquet_dictionary_read(struct parquet_dictionary *d, str bytes, size_t fixed_bytes, int64_t count, struct err *err);
