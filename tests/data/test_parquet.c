/* Parquet files of every writer, encoding, codec, page version and list style give the same rows; damage is named. */
#include "golden_check.h"

static bool is_parquet(const char *name)
{
	str s = str_of(name);
	return str_ends(s, STR(".parquet")) || str_starts(s, STR("train-"));
}

static bool is_good_flat(const char *name)
{
	return strncmp(name, "bad-", 4) != 0 && strncmp(name, "list-", 5) != 0 && strncmp(name, "fixed-", 6) != 0;
}
static bool is_list(const char *name) { return strncmp(name, "list-", 5) == 0; }

START_TEST(messages_are_the_same_from_every_writer) { ck_assert_int_ge(each_golden("messages", is_parquet, is_messages), 50); }
END_TEST

START_TEST(flat_columns_are_the_same_from_every_writer) { ck_assert_int_ge(each_golden("flat", is_parquet, is_flat), 10); }
END_TEST

START_TEST(nulls_at_every_level_are_named) { ck_assert_int_ge(each_golden("nulls", is_parquet, is_nulls), 7); }
END_TEST

START_TEST(forms_of_old_writers_are_read) { ck_assert_int_eq(each_golden("crafted", is_good_flat, is_flat), 4); }
END_TEST

static void is_list_of_flat(const char *path)
{
	CLEANUP(mem_freep) char *expected_path = golden_path("flat.jsonl");
	struct data *d = open_path(path), *expected = open_path(expected_path);
	ck_assert_int_eq(data_shape(d), DATA_MESSAGES);
	ck_assert_int_eq(data_rows(d), data_rows(expected));
	for (int64_t i = 0; i < data_rows(d); i++) {
		struct data_row have = {0}, want = {0};
		ck_assert_msg(data_read(d, i, &have, &err) == 0, "%s", err.message);
		ck_assert_int_eq(data_read(expected, i, &want, &err), 0);
		json_t *messages = json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "user", "content", buf_str(&want.prompt).data, "role",
					     "assistant", "content", buf_str(&want.text).data);
		ck_assert(json_equal(messages, have.messages));
		json_decref(messages);
		data_row_done(&have);
		data_row_done(&want);
	}
	data_close(d);
	data_close(expected);
}

START_TEST(every_style_of_list_is_read) { ck_assert_int_eq(each_golden("crafted", is_list, is_list_of_flat), 4); }
END_TEST

START_TEST(fixed_size_text_split_into_streams_is_read)
{
	CLEANUP(mem_freep) char *path = golden_path("crafted/fixed-split.parquet");
	struct data *d = open_path(path);
	ck_assert_int_eq(data_rows(d), 10);
	row_is(d, 7, "q000007 -> a000007");
	data_close(d);
}
END_TEST

START_TEST(what_cannot_be_read_is_said_in_words)
{
	static const struct { const char *name, *error; } CASES[] = {
		{"bad-lzo", "bad-lzo.parquet row 1: column 'prompt' in row group 1: pages are compressed with LZO"},
		{"bad-codec", "an unknown codec (codec 77)"},
		{"bad-checksum", "fails its checksum"},
		{"bad-encrypted-column", "the column is encrypted"},
		{"bad-other-file", "the column lies in another file, 'part-0.parquet'"},
		{"bad-delta", "a page's values are damaged (DELTA_BYTE_ARRAY)"},
		{"bad-dictionary", "a page's values are damaged (RLE_DICTIONARY)"},
		{"bad-encoding", "text in parquet encoding 5 is not possible"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		CLEANUP(mem_freep) char *name = mem_printf("crafted/%s.parquet", CASES[i].name), *path = golden_path(name);
		struct data *d = open_path(path);
		row_fails(d, 0, CASES[i].error);
		data_close(d);
	}
	CLEANUP(mem_freep) char *path = golden_path("crafted/bad-group-rows.parquet");
	ck_assert_int_eq(data_open(&(struct data *){NULL}, (const char *const[]){path}, 1, NULL, &err), -1);
	has_error(ERR_DATA, "the parquet footer says 2 rows, its row groups 5");
}
END_TEST

START_TEST(rows_before_the_damage_are_kept)
{
	CLEANUP(mem_freep) char *path = golden_path("crafted/bad-utf8.parquet");
	struct data *d = open_path(path);
	row_fails(d, 2, "bad-utf8.parquet row 3: column 'prompt' is not valid UTF-8 at byte 4");
	row_is(d, 1, "ok -> b");
	row_is(d, 0, "good -> a");
	data_close(d);
}
END_TEST

START_TEST(a_cut_or_foreign_file_is_named)
{
	fixture_write("a.parquet", "PAR1", 4);
	refuse_open("a.parquet", "a.parquet: the parquet file is cut off: it does not end with PAR1");
	fixture_write("a.parquet", "PAR1\x10\0\0\0PAR1", 12);
	refuse_open("a.parquet", "the parquet footer claims 16 bytes, more than the file has");
	fixture_write("a.parquet", "PAR1\0\0\0\xF0PAR1", 12);
	refuse_open_with("a.parquet", NULL, ERR_LIMIT, "past the limit of 268435456");
	fixture_write("a.parquet", "PAR1\0\0\0\x10PAR1", 12); /* at the limit: refused only because the file is shorter */
	refuse_open("a.parquet", "the parquet footer claims 268435456 bytes, more than the file has");
	fixture_write("a.parquet", "PAR1\xFF\x01\0\0\0PAR1", 13);
	refuse_open("a.parquet", "the parquet footer is damaged at byte 5");
	fixture_write("a.csv", "text,x\n1,2\n", 11);
	refuse_open_with("a.csv", &(struct data_options){.extension = "parquet"}, ERR_DATA, "not a parquet file");
}
END_TEST

START_TEST(several_files_make_one_dataset)
{
	CLEANUP(mem_freep) char *a = golden_path("messages/many-groups.parquet"), *b = golden_path("messages/polars-zstd.parquet");
	struct data *d = NULL;
	ck_assert_int_eq(data_open(&d, (const char *const[]){a, b}, 2, NULL, &err), 0);
	ck_assert_int_eq(data_rows(d), 48);
	ck_assert_str_eq(data_describe(d), "2 files, 48 rows, parquet, column 'messages'");
	ck_assert_str_eq(data_where(d, 24), "polars-zstd.parquet row 1");
	for (int64_t i = 0; i < 24; i++) {
		CLEANUP(mem_freep) char *one = read_words(d, i, a), *two = read_words(d, 47 - (23 - i), b);
		ck_assert_str_eq(one, two);
	}
	data_close(d);
}
END_TEST

START_TEST(a_cut_or_flipped_file_gives_rows_or_an_error)
{
	survives_damage("crafted/list-bag.parquet", 23);
	survives_damage("nulls/v2-delta.parquet", 1);
	survives_damage("nulls/duckdb.parquet", 1);
	survives_damage("messages/v1-snappy-dictionary.parquet", 29);
	survives_damage("messages/v2-zstd-delta_byte_array.parquet", 29);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/parquet");
	TCase *tc = tcase_create("parquet");
	tcase_add_checked_fixture(tc, fixture_setup, fixture_done);
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, messages_are_the_same_from_every_writer);
	tcase_add_test(tc, flat_columns_are_the_same_from_every_writer);
	tcase_add_test(tc, nulls_at_every_level_are_named);
	tcase_add_test(tc, forms_of_old_writers_are_read);
	tcase_add_test(tc, every_style_of_list_is_read);
	tcase_add_test(tc, fixed_size_text_split_into_streams_is_read);
	tcase_add_test(tc, what_cannot_be_read_is_said_in_words);
	tcase_add_test(tc, rows_before_the_damage_are_kept);
	tcase_add_test(tc, a_cut_or_foreign_file_is_named);
	tcase_add_test(tc, several_files_make_one_dataset);
	tcase_add_test(tc, a_cut_or_flipped_file_gives_rows_or_an_error);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
