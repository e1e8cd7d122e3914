/* parquet_reader.c: pages of a column chunk: head, checksum, decompression, levels. Page sizes come from each head and are
 * bounded by the file alone: total_compressed_size is wrong in files of some old writers. */
#include "data/parquet_reader.h"

#include "base/limits.h"
#include "data/decompress.h"
#include <zlib.h>

enum { PAGE_DATA, PAGE_INDEX, PAGE_DICTIONARY, PAGE_DATA_V2 };
enum { LEVELS_RLE = 3, LEVELS_BIT_PACKED = 4 };

struct data_head { int32_t values, encoding, def_encoding, rep_encoding; };
struct dictionary_head { int32_t values, encoding; };
struct data_head_v2 { int32_t values, encoding, def_bytes, rep_bytes; bool compressed; };
struct page_head {
	int32_t type, size, packed_size;
	int64_t crc;          /* NO_CRC: the page has none */
	struct data_head data;
	struct dictionary_head dictionary;
	struct data_head_v2 data_v2;
};
#define NO_CRC INT64_MIN

#define ROW(id, kind, type, member) {id, kind, offsetof(struct type, member), NULL}
static const struct thrift_field DATA_FIELDS[] = {ROW(1, THRIFT_I32, data_head, values), ROW(2, THRIFT_I32, data_head, encoding),
						  ROW(3, THRIFT_I32, data_head, def_encoding), ROW(4, THRIFT_I32, data_head, rep_encoding)};
static const struct thrift_table DATA = THRIFT_TABLE(DATA_FIELDS);
static const struct thrift_field DICTIONARY_FIELDS[] = {ROW(1, THRIFT_I32, dictionary_head, values),
							ROW(2, THRIFT_I32, dictionary_head, encoding)};
static const struct thrift_table DICTIONARY = THRIFT_TABLE(DICTIONARY_FIELDS);
static const struct thrift_field DATA_V2_FIELDS[] = {
	ROW(1, THRIFT_I32, data_head_v2, values), ROW(4, THRIFT_I32, data_head_v2, encoding), ROW(5, THRIFT_I32, data_head_v2, def_bytes),
	ROW(6, THRIFT_I32, data_head_v2, rep_bytes), ROW(7, THRIFT_BOOL, data_head_v2, compressed)};
static const struct thrift_table DATA_V2 = THRIFT_TABLE(DATA_V2_FIELDS);
static const struct thrift_field PAGE_FIELDS[] = {
	ROW(1, THRIFT_I32, page_head, type),
	ROW(2, THRIFT_I32, page_head, size),
	ROW(3, THRIFT_I32, page_head, packed_size),
	ROW(4, THRIFT_I64, page_head, crc),
	{5, THRIFT_STRUCT, offsetof(struct page_head, data), &DATA},
	{7, THRIFT_STRUCT, offsetof(struct page_head, dictionary), &DICTIONARY},
	{8, THRIFT_STRUCT, offsetof(struct page_head, data_v2), &DATA_V2},
};
static const struct thrift_table PAGE = THRIFT_TABLE(PAGE_FIELDS);
#undef ROW

/* CompressionCodec by number; to add one: a row. */
static const struct { const char *name; int kind; } CODECS[] = {
	{"UNCOMPRESSED", COMPRESSION_NONE}, {"SNAPPY", COMPRESSION_SNAPPY}, {"GZIP", COMPRESSION_GZIP}, {"LZO", -1},
	{"BROTLI", COMPRESSION_BROTLI}, {"LZ4", COMPRESSION_LZ4_HADOOP}, {"ZSTD", COMPRESSION_ZSTD}, {"LZ4_RAW", COMPRESSION_LZ4_BLOCK},
};

static int find_codec(int32_t codec, int *out, struct err *err)
{
	bool known = codec >= 0 && (size_t)codec < sizeof CODECS / sizeof CODECS[0];
	if (!known || CODECS[codec].kind < 0)
		return err_set(err, ERR_DATA,
			       "pages are compressed with %s (codec %d), which is not read: write the file with zstd or snappy",
			       known ? CODECS[codec].name : "an unknown codec", codec);
	*out = CODECS[codec].kind;
	return 0;
}

int parquet_reader_start(struct parquet_reader *r, str file, const struct parquet_chunk *chunk, struct parquet_leaf leaf, struct err *err)
{
	if (chunk->encrypted)
		return err_set(err, ERR_DATA, "the column is encrypted: write the file without encryption");
	if (chunk->file_path.len)
		return err_set(err, ERR_DATA, "the column lies in another file, '%.*s': name that file instead", STR_FMT(chunk->file_path));
	if (chunk->meta.type != leaf.type)
		return err_set(err, ERR_DATA, "the column chunk's type differs from the schema");
	if (find_codec(chunk->meta.codec, &r->codec, err) < 0)
		return -1;
	int64_t at = chunk->meta.dictionary_at > 0 && chunk->meta.dictionary_at < chunk->meta.data_at ? chunk->meta.dictionary_at
												      : chunk->meta.data_at;
	if (at < 4 || (uint64_t)at > file.len)
		return err_set(err, ERR_DATA, "the column chunk begins at byte %lld, outside the file's data", (long long)at);
	r->file = file;
	r->leaf = leaf;
	r->at = (size_t)at;
	r->chunk_left = chunk->meta.values;
	r->page_left = 0;
	r->has_dictionary = r->peeked = false;
	return 0;
}

/* The page's bytes decompressed into *block, or where they lie when they are not compressed. */
static int unpack(struct parquet_reader *r, enum compression kind, str packed, int64_t size, struct parquet_block *block, str *out,
		  struct err *err)
{
	if (size < 0 || (uint64_t)size > LIMIT_PARQUET_PAGE_BYTES)
		return err_set(err, ERR_LIMIT, "a page claims %lld bytes; the limit is %zu", (long long)size, LIMIT_PARQUET_PAGE_BYTES);
	if (kind == COMPRESSION_NONE) {
		*out = packed;
		return 0;
	}
	if (size > 0 && decompress_check(kind, packed, (size_t)size, err) < 0)
		return err_wrap(err, "page before byte %zu", r->at);
	if (block->cap < (size_t)size) {
		free(block->data);
		block->cap = 0;
		block->data = mem_try_alloc(1, (size_t)size, err);
		if (!block->data)
			return -1;
		block->cap = (size_t)size;
	}
	*out = (str){size ? block->data : "", (size_t)size};
	return decompress(kind, packed, block->data, (size_t)size, err) < 0 ? err_wrap(err, "page before byte %zu", r->at) : 0;
}

/* Reads a page's head at r->at and moves past the page; *packed gets the page's bytes. */
static int next_page(struct parquet_reader *r, struct page_head *head, str *packed, struct err *err)
{
	struct thrift t = thrift_over(str_sub(r->file, r->at, r->file.len));
	*head = (struct page_head){.type = -1, .size = -1, .packed_size = -1, .crc = NO_CRC, .data_v2.compressed = true};
	thrift_struct(&t, &PAGE, head);
	size_t head_at = r->at, body = (size_t)((const char *)t.p - r->file.data);
	if (t.bad || head->size < 0 || head->packed_size < 0 || (size_t)head->packed_size > r->file.len - body)
		return err_set(err, ERR_DATA, "the page head at byte %zu is damaged or the page is cut off", head_at);
	*packed = str_sub(r->file, body, body + (size_t)head->packed_size);
	r->at = body + (size_t)head->packed_size;
	if (head->crc != NO_CRC && (uint32_t)head->crc != crc32_z(0, (const Bytef *)packed->data, packed->len))
		return err_set(err, ERR_DATA, "the page at byte %zu fails its checksum", head_at);
	return 0;
}

static size_t fixed_bytes(const struct parquet_reader *r) { return r->leaf.type == PARQUET_FIXED ? (size_t)r->leaf.type_length : 0; }

static int read_dictionary(struct parquet_reader *r, const struct page_head *head, str packed, struct err *err)
{
	str bytes;
	if (unpack(r, (enum compression)r->codec, packed, head->size, &r->dictionary_page, &bytes, err) < 0)
		return -1;
	r->has_dictionary = true;
	return parquet_dictionary_read(&r->dictionary, bytes, fixed_bytes(r), head->dictionary.values, err);
}

static int bad_levels(struct err *err) { return err_set(err, ERR_DATA, "a page's levels are damaged"); }

/* Takes a version 1 page's levels off *bytes. */
static int take_levels(str *bytes, int max, int encoding, int32_t values, struct rle *out, struct err *err)
{
	unsigned width = rle_width((uint32_t)max);
	uint64_t len = ((uint64_t)values * width + 7) / 8, from = 0;
	*out = rle_bit_packed(STR(""), 0);
	if (max == 0)
		return 0;
	if (encoding == LEVELS_RLE) {
		if (bytes->len < 4)
			return bad_levels(err);
		const uint8_t *p = (const uint8_t *)bytes->data;
		len = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
		from = 4;
	} else if (encoding != LEVELS_BIT_PACKED) {
		return bad_levels(err);
	}
	if (len > bytes->len - from)
		return bad_levels(err);
	str levels = str_sub(*bytes, from, from + len);
	*out = encoding == LEVELS_RLE ? rle_over(levels, width) : rle_bit_packed(levels, width);
	*bytes = str_sub(*bytes, from + len, bytes->len);
	return 0;
}

static int start_values(struct parquet_reader *r, int encoding, str bytes, int32_t values, struct err *err)
{
	if (values < 0)
		return err_set(err, ERR_DATA, "a page announces %d values", values);
	r->page_left = values;
	return parquet_values_start(&r->values, encoding, bytes, fixed_bytes(r), (uint64_t)values,
				    r->has_dictionary ? &r->dictionary : NULL, err);
}

static int read_data(struct parquet_reader *r, const struct page_head *head, str packed, struct err *err)
{
	const struct data_head *h = &head->data;
	str bytes;
	if (unpack(r, (enum compression)r->codec, packed, head->size, &r->page, &bytes, err) < 0 ||
	    take_levels(&bytes, r->leaf.max_rep, h->rep_encoding, h->values, &r->rep_levels, err) < 0 ||
	    take_levels(&bytes, r->leaf.max_def, h->def_encoding, h->values, &r->def_levels, err) < 0)
		return -1;
	return start_values(r, h->encoding, bytes, h->values, err);
}

/* Version 2: the levels lie in front, never compressed. */
static int read_data_v2(struct parquet_reader *r, const struct page_head *head, str packed, struct err *err)
{
	const struct data_head_v2 *h = &head->data_v2;
	if (h->rep_bytes < 0 || h->def_bytes < 0 || (int64_t)h->rep_bytes + h->def_bytes > head->packed_size)
		return bad_levels(err);
	size_t rep = (size_t)h->rep_bytes, both = rep + (size_t)h->def_bytes;
	r->rep_levels = rle_over(str_sub(packed, 0, rep), rle_width((uint32_t)r->leaf.max_rep));
	r->def_levels = rle_over(str_sub(packed, rep, both), rle_width((uint32_t)r->leaf.max_def));
	enum compression kind = h->compressed ? (enum compression)r->codec : COMPRESSION_NONE;
	str bytes;
	if (unpack(r, kind, str_sub(packed, both, packed.len), head->size - (int64_t)both, &r->page, &bytes, err) < 0)
		return -1;
	return start_values(r, h->encoding, bytes, h->values, err);
}

static int open_page(struct parquet_reader *r, struct err *err)
{
	struct page_head head;
	str packed;
	if (next_page(r, &head, &packed, err) < 0)
		return -1;
	switch (head.type) {
	case PAGE_DICTIONARY: return read_dictionary(r, &head, packed, err);
	case PAGE_DATA: return read_data(r, &head, packed, err);
	case PAGE_DATA_V2: return read_data_v2(r, &head, packed, err);
	default: return 0; /* an index page, or one of a later version of the format: not for us */
	}
}

static bool next_level(struct rle *levels, int max, uint32_t *out)
{
	*out = 0;
	return max == 0 || (rle_next(levels, out) && *out <= (uint32_t)max);
}

int parquet_reader_peek(struct parquet_reader *r, struct err *err)
{
	if (r->peeked)
		return 0;
	while (r->page_left == 0 && r->chunk_left > 0)
		if (open_page(r, err) < 0)
			return -1;
	if (r->chunk_left <= 0)
		return 1;
	if (!next_level(&r->rep_levels, r->leaf.max_rep, &r->rep) || !next_level(&r->def_levels, r->leaf.max_def, &r->def))
		return bad_levels(err);
	r->page_left--;
	r->chunk_left--;
	r->peeked = true;
	return 0;
}

int parquet_reader_take(struct parquet_reader *r, str *out, struct err *err)
{
	r->peeked = false;
	*out = (str){NULL, 0};
	if (r->def < (uint32_t)r->leaf.max_def)
		return 0;
	if (parquet_values_next(&r->values, out, err) < 0)
		return -1;
	if (!out->data)
		out->data = "";
	return 0;
}

void parquet_reader_done(struct parquet_reader *r)
{
	free(r->page.data);
	free(r->dictionary_page.data);
	vec_done(&r->dictionary.values);
	parquet_values_done(&r->values);
}
