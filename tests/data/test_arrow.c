/* Arrow IPC files, streams and Feather version 2 of every writer and layout give the same rows; damage is named. */
#include "golden_check.h"

static bool is_arrow(const char *name)
{
	str s = str_of(name);
	return str_ends(s, STR(".arrow")) || str_ends(s, STR(".feather")) || str_ends(s, STR("without-extension"));
}

START_TEST(messages_are_the_same_from_every_writer) { ck_assert_int_ge(each_golden("messages", is_arrow, is_messages), 20); }
END_TEST

START_TEST(flat_columns_and_dictionaries_are_the_same) { ck_assert_int_ge(each_golden("flat", is_arrow, is_flat), 4); }
END_TEST

START_TEST(nulls_at_every_level_are_named) { ck_assert_int_ge(each_golden("nulls", is_arrow, is_nulls), 2); }
END_TEST

START_TEST(a_replaced_dictionary_is_followed_in_any_order_of_reading)
{
	CLEANUP(mem_freep) char *path = golden_path("flat/dictionary-replaced.arrow"), *expected_path = golden_path("flat.jsonl");
	struct data *d = open_path(path), *expected = open_path(expected_path);
	for (int64_t k = 0; k < data_rows(d); k++) {
		int64_t i = k * 7 % data_rows(d);
		CLEANUP(mem_freep) char *have = read_words(d, i, path), *want = read_words(expected, i, expected_path);
		ck_assert_str_eq(have, want);
	}
	data_close(d);
	data_close(expected);
}
END_TEST

START_TEST(a_cut_file_is_named)
{
	CLEANUP(mem_freep) char *path = golden_path("nulls/file.arrow");
	struct buf file = {0};
	ck_assert_int_eq(fd_read_file(path, (size_t)1 << 20, &file, &err), 0);
	fixture_write("cut.arrow", file.data, file.len - 7);
	refuse_open("cut.arrow", "cut.arrow: the Arrow file is cut off: it does not end with ARROW1");
	file.data[file.len - 7] = 0x7F; /* the footer's length */
	fixture_write("cut.arrow", file.data, file.len);
	refuse_open("cut.arrow", "the Arrow footer claims");
	buf_done(&file);
	fixture_write("cut.arrow", "\xFF\xFF\xFF\xFF\x10\0\0\0abc", 11);
	refuse_open("cut.arrow", "the Arrow message at byte 0 is damaged or cut off");
	fixture_write("cut.arrow", "\xFF\xFF\xFF\xFF\0\0\0\0", 8);
	refuse_open("cut.arrow", "not an Arrow stream: it has no schema");
}
END_TEST

START_TEST(a_cut_or_flipped_file_gives_rows_or_an_error)
{
	survives_damage("nulls/file.arrow", 3);
	survives_damage("nulls/stream.arrow", 3);
	survives_damage("flat/dictionary-grown.arrow", 17);
	survives_damage("messages/views.arrow", 31);
	survives_damage("messages/list-view.arrow", 31);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/arrow");
	TCase *tc = tcase_create("arrow");
	tcase_add_checked_fixture(tc, fixture_setup, fixture_done);
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, messages_are_the_same_from_every_writer);
	tcase_add_test(tc, flat_columns_and_dictionaries_are_the_same);
	tcase_add_test(tc, nulls_at_every_level_are_named);
	tcase_add_test(tc, a_replaced_dictionary_is_followed_in_any_order_of_reading);
	tcase_add_test(tc, a_cut_file_is_named);
	tcase_add_test(tc, a_cut_or_flipped_file_gives_rows_or_an_error);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
