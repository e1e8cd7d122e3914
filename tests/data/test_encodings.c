/* Parquet's integer encodings against plain encoders written here, and the page codecs. */
#include "data/decompress.h"
#include "data/delta.h"
#include "data/rle.h"

#include "base/buf.h"
#include "base/random.h"
#include "fixture.h"

static uint64_t random_bits(uint64_t i, unsigned width)
{
	uint64_t v = random_u64(7, RANDOM_TEST, width, i);
	return width < 64 ? v & (((uint64_t)1 << width) - 1) : v;
}

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		buf_putc(b, (char)(v | 128));
	buf_putc(b, (char)v);
}

static void put_zigzag(struct buf *b, int64_t v) { put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63)); }

/* n values of `width` bits, least significant bit first. */
static void put_packed(struct buf *b, const uint64_t *values, size_t n, unsigned width)
{
	size_t bytes = (n * width + 7) / 8;
	CLEANUP(mem_freep) char *out = mem_alloc(bytes);
	for (size_t i = 0; i < n * width; i++)
		if (values[i / width] >> (i % width) & 1)
			out[i / 8] = (char)(out[i / 8] | 1 << (i % 8));
	buf_put(b, out, bytes);
}

START_TEST(runs_and_packed_groups_mix_at_every_width)
{
	for (unsigned width = 0; width <= 32; width++) {
		struct buf b = {0};
		uint64_t packed[24];
		for (size_t i = 0; i < 24; i++)
			packed[i] = random_bits(i, width);
		uint64_t repeated = random_bits(99, width);
		put_varint(&b, 3 << 1 | 1);
		put_packed(&b, packed, 24, width);
		put_varint(&b, 5 << 1);
		buf_put(&b, &repeated, (width + 7) / 8);
		put_varint(&b, 3 << 1 | 1);
		put_packed(&b, packed, 24, width);
		struct rle r = rle_over(buf_str(&b), width);
		uint32_t v;
		for (size_t i = 0; i < 24 + 5 + 24; i++) {
			ck_assert_msg(rle_next(&r, &v), "width %u value %zu", width, i);
			ck_assert_uint_eq(v, i < 24 ? packed[i] : i < 29 ? repeated : packed[i - 29]);
		}
		ck_assert(!rle_next(&r, &v));
		buf_done(&b);
	}
}
END_TEST

START_TEST(old_bit_packing_has_the_high_bit_first)
{
	struct rle r = rle_bit_packed(STR("\x05\x39\x77"), 3); /* 0 … 7, the format's own example */
	uint32_t v;
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert(rle_next(&r, &v));
		ck_assert_uint_eq(v, i);
	}
	ck_assert(!rle_next(&r, &v));
}
END_TEST

START_TEST(damaged_runs_end_the_stream)
{
	uint32_t v;
	struct rle cut_head = rle_over(STR("\x80"), 4), cut_value = rle_over(STR("\x04"), 12), cut_group = rle_over(STR("\x03\x12"), 8);
	ck_assert(!rle_next(&cut_head, &v));
	ck_assert(!rle_next(&cut_value, &v));
	ck_assert(rle_next(&cut_group, &v));
	ck_assert(!rle_next(&cut_group, &v));
	struct rle long_head = rle_over(STR("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), 0);
	ck_assert(!rle_next(&long_head, &v));
}
END_TEST

static void encode_delta(struct buf *b, const int64_t *values, size_t n, size_t block, size_t miniblocks)
{
	size_t per = block / miniblocks;
	put_varint(b, block);
	put_varint(b, miniblocks);
	put_varint(b, n);
	put_zigzag(b, n ? values[0] : 0);
	for (size_t i = 1; i < n; i += block) {
		uint64_t rest[256] = {0};
		size_t in_block = n - i < block ? n - i : block;
		int64_t smallest = INT64_MAX;
		for (size_t k = 0; k < in_block; k++) {
			int64_t d = (int64_t)((uint64_t)values[i + k] - (uint64_t)values[i + k - 1]);
			smallest = d < smallest ? d : smallest;
		}
		put_zigzag(b, smallest);
		unsigned widths[8] = {0};
		for (size_t k = 0; k < in_block; k++) {
			rest[k] = (uint64_t)values[i + k] - (uint64_t)values[i + k - 1] - (uint64_t)smallest;
			unsigned w = rest[k] ? 64 - (unsigned)__builtin_clzll(rest[k]) : 0;
			widths[k / per] = w > widths[k / per] ? w : widths[k / per];
		}
		for (size_t m = 0; m < miniblocks; m++)
			buf_putc(b, (char)widths[m]);
		for (size_t m = 0; m < miniblocks && m * per < in_block; m++)
			put_packed(b, rest + m * per, per, widths[m]);
	}
}

START_TEST(deltas_give_back_any_integers)
{
	static const size_t COUNTS[] = {0, 1, 2, 32, 33, 128, 129, 300, 513};
	for (unsigned width = 1; width <= 64; width += 7)
		for (size_t c = 0; c < sizeof COUNTS / sizeof COUNTS[0]; c++) {
			int64_t values[513], got;
			for (size_t i = 0; i < COUNTS[c]; i++)
				values[i] = (int64_t)random_bits(i, width);
			struct buf b = {0};
			encode_delta(&b, values, COUNTS[c], 128, 4);
			buf_puts(&b, "REST");
			struct delta d;
			str rest;
			ck_assert(delta_open(&d, buf_str(&b), COUNTS[c]));
			ck_assert(delta_rest(&d, &rest));
			ck_assert(str_eq(rest, STR("REST")));
			for (size_t i = 0; i < COUNTS[c]; i++) {
				ck_assert(delta_next(&d, &got));
				ck_assert_int_eq(got, values[i]);
			}
			ck_assert(!delta_next(&d, &got));
			buf_done(&b);
		}
}
END_TEST

START_TEST(deltas_are_bounded)
{
	struct buf b = {0};
	encode_delta(&b, (const int64_t[]){5, 6, 7}, 3, 128, 4);
	struct delta d;
	int64_t v;
	ck_assert(delta_open(&d, buf_str(&b), 3));
	ck_assert(!delta_open(&d, buf_str(&b), 2));
	for (size_t len = 0; len < 5; len++)
		ck_assert(!delta_open(&d, str_sub(buf_str(&b), 0, len), 3));
	ck_assert(delta_open(&d, str_sub(buf_str(&b), 0, 5), 3));
	ck_assert(delta_next(&d, &v));
	ck_assert(!delta_next(&d, &v));
	ck_assert(!delta_rest(&d, &(str){0}));
	ck_assert(!delta_open(&d, STR("\x00\x04\x01\x00"), 9));
	ck_assert(!delta_open(&d, STR("\x80\x01\x00\x01\x00"), 9));
	ck_assert(!delta_open(&d, STR("\x80\x01\x03\x01\x00"), 9));
	ck_assert(!delta_open(&d, STR("\x80\x80\x80\x80\x01\x01\x01\x00"), 9));
	buf_done(&b);
}
END_TEST

START_TEST(codecs_want_exactly_the_announced_size)
{
	static const struct { enum compression kind; str packed; } CASES[] = { /* "hello hello hello hello" */
		{COMPRESSION_NONE, {"hello hello hello hello", 23}},
		{COMPRESSION_SNAPPY, {"\x17\x14hello \x42\x06\x00", 11}},
		{COMPRESSION_LZ4_BLOCK, {"\x68hello \x06\x00\x50hello", 15}},
		{COMPRESSION_LZ4_HADOOP, {"\0\0\0\x17\0\0\0\x0F\x68hello \x06\x00\x50hello", 23}},
		{COMPRESSION_LZ4_HADOOP, {"\x68hello \x06\x00\x50hello", 15}},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		char out[32];
		err = ERR_INIT;
		ck_assert_msg(decompress(CASES[i].kind, CASES[i].packed, out, 23, &err) == 0, "%zu: %s", i, err.message);
		ck_assert(memcmp(out, "hello hello hello hello", 23) == 0);
		ck_assert_int_eq(decompress(CASES[i].kind, CASES[i].packed, out, 22, &err), -1);
		ck_assert_int_eq(decompress(CASES[i].kind, CASES[i].packed, out, 24, &err), -1);
		has_error(ERR_DATA, "is damaged: it does not give the 24 bytes announced");
		ck_assert_int_eq(decompress(CASES[i].kind, str_sub(CASES[i].packed, 0, CASES[i].packed.len - 1), out, 23, &err), -1);
	}
}
END_TEST

START_TEST(a_size_that_no_block_can_give_is_refused_before_memory_is_taken)
{
	static const struct { enum compression kind; str packed; size_t most; } CASES[] = {
		{COMPRESSION_SNAPPY, {"\x17\x14hello", 7}, 23},
		{COMPRESSION_GZIP, {"0123456789", 10}, 10320},
		{COMPRESSION_LZ4_FRAME, {"0123456789", 10}, 2550},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		ck_assert_int_eq(decompress_check(CASES[i].kind, CASES[i].packed, CASES[i].most, &err), 0);
		ck_assert_int_eq(decompress_check(CASES[i].kind, CASES[i].packed, CASES[i].most + 1, &err), -1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/encodings");
	TCase *tc = tcase_create("encodings");
	tcase_add_test(tc, runs_and_packed_groups_mix_at_every_width);
	tcase_add_test(tc, old_bit_packing_has_the_high_bit_first);
	tcase_add_test(tc, damaged_runs_end_the_stream);
	tcase_add_test(tc, deltas_give_back_any_integers);
	tcase_add_test(tc, deltas_are_bounded);
	tcase_add_test(tc, codecs_want_exactly_the_announced_size);
	tcase_add_test(tc, a_size_that_no_block_can_give_is_refused_before_memory_is_taken);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
