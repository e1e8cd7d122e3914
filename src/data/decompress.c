/* decompress.c: a table of codecs, each a function that says whether the output is exactly full. */
#include "data/decompress.h"

#include <brotli/decode.h>
#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

static bool fill_none(str in, char *out, size_t len)
{
	if (in.len != len)
		return false;
	memcpy(out, in.data, len);
	return true;
}

static bool fill_snappy(str in, char *out, size_t len)
{
	size_t claimed, got = len;
	if (snappy_uncompressed_length(in.data, in.len, &claimed) != SNAPPY_OK || claimed != len)
		return false;
	return snappy_uncompress(in.data, in.len, out, &got) == SNAPPY_OK && got == len;
}

static bool fill_gzip(str in, char *out, size_t len)
{
	z_stream z = {0};
	if (in.len > UINT_MAX || len > UINT_MAX || inflateInit2(&z, 15 + 32) != Z_OK)
		return false;
	z.next_in = (Bytef *)(uintptr_t)in.data;
	z.avail_in = (uInt)in.len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)len;
	int rc = inflate(&z, Z_FINISH);
	while (rc == Z_STREAM_END && z.avail_in && z.avail_out && inflateReset(&z) == Z_OK)
		rc = inflate(&z, Z_FINISH);
	bool full = rc == Z_STREAM_END && z.avail_out == 0;
	inflateEnd(&z);
	return full;
}

static bool fill_brotli(str in, char *out, size_t len)
{
	size_t got = len;
	return BrotliDecoderDecompress(in.len, (const uint8_t *)in.data, &got, (uint8_t *)out) == BROTLI_DECODER_RESULT_SUCCESS &&
	       got == len;
}

static bool fill_zstd(str in, char *out, size_t len) { return ZSTD_decompress(out, len, in.data, in.len) == len; }

static bool fill_lz4_block(str in, char *out, size_t len)
{
	if (in.len > INT_MAX || len > INT_MAX)
		return false;
	return LZ4_decompress_safe(in.data, out, (int)in.len, (int)len) == (int)len;
}

static uint32_t big_endian(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool fill_hadoop_blocks(str in, char *out, size_t len)
{
	while (in.len >= 8) {
		size_t size = big_endian(in.data), packed = big_endian(in.data + 4);
		in = str_sub(in, 8, in.len);
		if (packed > in.len || size > len || !fill_lz4_block(str_sub(in, 0, packed), out, size))
			return false;
		in = str_sub(in, packed, in.len);
		out += size;
		len -= size;
	}
	return in.len == 0 && len == 0;
}

static bool fill_lz4_hadoop(str in, char *out, size_t len) { return fill_hadoop_blocks(in, out, len) || fill_lz4_block(in, out, len); }

static bool fill_lz4_frame(str in, char *out, size_t len)
{
	LZ4F_dctx *context;
	if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
		return false;
	size_t from = 0, to = 0, hint = 1;
	while (hint != 0) {
		size_t in_step = in.len - from, out_step = len - to;
		hint = LZ4F_decompress(context, out + to, &out_step, in.data + from, &in_step, NULL);
		if (LZ4F_isError(hint) || (in_step == 0 && out_step == 0))
			break;
		from += in_step;
		to += out_step;
	}
	LZ4F_freeDecompressionContext(context);
	return hint == 0 && to == len;
}

static uint64_t most_snappy(str in)
{
	size_t claimed;
	return snappy_uncompressed_length(in.data, in.len, &claimed) == SNAPPY_OK ? claimed : 0;
}

static uint64_t most_zstd(str in)
{
	uint64_t most = (uint64_t)in.len << 15; /* a block of 128 KiB takes 4 bytes at least */
	if (ZSTD_findFrameCompressedSize(in.data, in.len) != in.len)
		return most; /* several frames, or damage that decompression finds */
	unsigned long long claimed = ZSTD_getFrameContentSize(in.data, in.len);
	if (claimed == ZSTD_CONTENTSIZE_ERROR)
		return 0;
	return claimed < most ? claimed : most;
}

static uint64_t most_gzip(str in) { return (uint64_t)in.len * 1032; }  /* deflate's best ratio */
static uint64_t most_lz4(str in) { return (uint64_t)in.len * 255; }    /* a length byte adds 255 at most */
static uint64_t most_none(str in) { return in.len; }
static uint64_t most_brotli(str in) { return in.len ? UINT64_MAX : 0; } /* 16 MiB of one byte take a handful */

/* To add a codec: an enumerator, two functions, a row. most: how many bytes a block can give. */
static const struct {
	const char *name;
	uint64_t (*most)(str in);
	bool (*fill)(str in, char *out, size_t len);
} CODECS[COMPRESSION_KINDS] = {
	[COMPRESSION_NONE] = {"uncompressed", most_none, fill_none},   [COMPRESSION_SNAPPY] = {"snappy", most_snappy, fill_snappy},
	[COMPRESSION_GZIP] = {"gzip", most_gzip, fill_gzip},           [COMPRESSION_BROTLI] = {"brotli", most_brotli, fill_brotli},
	[COMPRESSION_ZSTD] = {"zstd", most_zstd, fill_zstd},           [COMPRESSION_LZ4_BLOCK] = {"lz4", most_lz4, fill_lz4_block},
	[COMPRESSION_LZ4_HADOOP] = {"lz4", most_lz4, fill_lz4_hadoop}, [COMPRESSION_LZ4_FRAME] = {"lz4 frame", most_lz4, fill_lz4_frame},
};

static int damaged(enum compression kind, str in, size_t len, struct err *err)
{
	return err_set(err, ERR_DATA, "a %s block of %zu bytes is damaged: it does not give the %zu bytes announced", CODECS[kind].name,
		       in.len, len);
}

int decompress_check(enum compression kind, str in, size_t len, struct err *err)
{
	return len <= CODECS[kind].most(in) ? 0 : damaged(kind, in, len, err);
}

int decompress(enum compression kind, str in, char *out, size_t len, struct err *err)
{
	return len == 0 || CODECS[kind].fill(in, out, len) ? 0 : damaged(kind, in, len, err);
}
