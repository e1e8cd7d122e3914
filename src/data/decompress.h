/* decompress.h: one whole block in, exactly as many bytes out as the file announced. Over zlib, zstd, snappy, lz4, brotli. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_SNAPPY,
	COMPRESSION_GZIP,       /* gzip or zlib head, members one after another */
	COMPRESSION_BROTLI,
	COMPRESSION_ZSTD,
	COMPRESSION_LZ4_BLOCK,
	COMPRESSION_LZ4_HADOOP, /* blocks with two big-endian lengths each; some writers left them out */
	COMPRESSION_LZ4_FRAME,
	COMPRESSION_KINDS
};

/* Whether the block can give len bytes at all, by what its head says or the codec's best ratio: asked before memory of a
 * size that the file claims is taken. */
WARN_UNUSED int decompress_check(enum compression kind, str in, size_t len, struct err *err);
/* Fills out[0 … len-1]. ERR_DATA names the codec when the block is damaged or gives another size. */
WARN_UNUSED int decompress(enum compression kind, str in, char *out, size_t len, struct err *err);
