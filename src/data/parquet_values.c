/* parquet_values.c: one row per encoding in a table of start and next. False from either means damaged bytes. */
#include "data/parquet_values.h"

#include "base/limits.h"

struct parquet_encoding {
	int id;
	const char *name;
	bool (*start)(struct parquet_values *v, str bytes, uint64_t max_values);
	bool (*next)(struct parquet_values *v, str *out);
};

static bool take_text(str *rest, uint64_t n, str *out)
{
	if (n > rest->len)
		return false;
	*out = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->len);
	return true;
}

static bool take_plain(str *rest, size_t fixed_bytes, str *out)
{
	uint64_t n = fixed_bytes;
	if (!n) {
		if (rest->len < 4)
			return false;
		const uint8_t *p = (const uint8_t *)rest->data;
		n = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
		*rest = str_sub(*rest, 4, rest->len);
	}
	return take_text(rest, n, out);
}

static bool start_plain(struct parquet_values *v, str bytes, uint64_t max_values)
{
	(void)max_values;
	v->rest = bytes;
	return true;
}

static bool next_plain(struct parquet_values *v, str *out) { return take_plain(&v->rest, v->fixed_bytes, out); }

static bool start_dictionary(struct parquet_values *v, str bytes, uint64_t max_values)
{
	(void)max_values;
	if (bytes.len == 0) { /* a page of nulls may have nothing at all */
		v->indices = rle_over(bytes, 0);
		return true;
	}
	unsigned width = (uint8_t)bytes.data[0];
	v->indices = rle_over(str_sub(bytes, 1, bytes.len), width);
	return width <= 32 && v->dictionary;
}

static bool next_dictionary(struct parquet_values *v, str *out)
{
	uint32_t i;
	if (!rle_next(&v->indices, &i) || i >= v->dictionary->values.len)
		return false;
	*out = v->dictionary->values.data[i];
	return true;
}

static bool start_lengths(struct parquet_values *v, str bytes, uint64_t max_values)
{
	return delta_open(&v->lengths, bytes, max_values) && delta_rest(&v->lengths, &v->rest);
}

static bool next_lengths(struct parquet_values *v, str *out)
{
	int64_t n;
	return delta_next(&v->lengths, &n) && n >= 0 && take_text(&v->rest, (uint64_t)n, out);
}

static bool start_prefixes(struct parquet_values *v, str bytes, uint64_t max_values)
{
	str suffixes;
	return delta_open(&v->prefixes, bytes, max_values) && delta_rest(&v->prefixes, &suffixes) && start_lengths(v, suffixes, max_values);
}

static bool next_prefixes(struct parquet_values *v, str *out)
{
	int64_t shared;
	str suffix;
	if (!delta_next(&v->prefixes, &shared) || shared < 0 || (uint64_t)shared > v->last.len || !next_lengths(v, &suffix))
		return false;
	v->last.len = (size_t)shared;
	buf_put_str(&v->last, suffix);
	*out = buf_str(&v->last);
	return !v->last.overflow;
}

static bool start_split(struct parquet_values *v, str bytes, uint64_t max_values)
{
	(void)max_values;
	v->rest = bytes;
	v->index = 0;
	v->count = v->fixed_bytes ? bytes.len / v->fixed_bytes : 0;
	return v->fixed_bytes && bytes.len % v->fixed_bytes == 0;
}

static bool next_split(struct parquet_values *v, str *out)
{
	if (v->index >= v->count)
		return false;
	buf_clear(&v->last);
	for (size_t b = 0; b < v->fixed_bytes; b++)
		buf_putc(&v->last, v->rest.data[b * v->count + v->index]);
	v->index++;
	*out = buf_str(&v->last);
	return !v->last.overflow;
}

/* Numbers as in the format's enum Encoding. To add one: two functions, a row. */
static const struct parquet_encoding ENCODINGS[] = {
	{0, "PLAIN", start_plain, next_plain},
	{2, "PLAIN_DICTIONARY", start_dictionary, next_dictionary},
	{6, "DELTA_LENGTH_BYTE_ARRAY", start_lengths, next_lengths},
	{7, "DELTA_BYTE_ARRAY", start_prefixes, next_prefixes},
	{8, "RLE_DICTIONARY", start_dictionary, next_dictionary},
	{9, "BYTE_STREAM_SPLIT", start_split, next_split},
};

int parquet_values_start(struct parquet_values *v, int encoding, str bytes, size_t fixed_bytes, uint64_t max_values,
			 const struct parquet_dictionary *dictionary, struct err *err)
{
	v->encoding = NULL;
	for (size_t i = 0; i < sizeof ENCODINGS / sizeof ENCODINGS[0]; i++)
		if (ENCODINGS[i].id == encoding)
			v->encoding = &ENCODINGS[i];
	if (!v->encoding)
		return err_set(err, ERR_DATA, "text in parquet encoding %d is not possible", encoding);
	v->fixed_bytes = fixed_bytes;
	v->dictionary = dictionary;
	v->last.max = LIMIT_DATASET_ROW_BYTES;
	buf_clear(&v->last);
	if (!v->encoding->start(v, bytes, max_values))
		return err_set(err, ERR_DATA, "a page's values are damaged (%s)", v->encoding->name);
	return 0;
}

int parquet_values_next(struct parquet_values *v, str *out, struct err *err)
{
	if (!v->encoding->next(v, out))
		return err_set(err, ERR_DATA, "a page's values are damaged or fewer than announced (%s)", v->encoding->name);
	return 0;
}

void parquet_values_done(struct parquet_values *v) { buf_done(&v->last); }

int parquet_dictionary_read(struct parquet_dictionary *d, str bytes, size_t fixed_bytes, int64_t count, struct err *err)
{
	d->values.len = 0;
	for (int64_t i = 0; i < count; i++) {
		str value;
		if (!take_plain(&bytes, fixed_bytes, &value))
			return err_set(err, ERR_DATA, "the dictionary page is damaged at entry %lld of %lld", (long long)i,
				       (long long)count);
		vec_push(&d->values, value);
	}
	return 0;
}
