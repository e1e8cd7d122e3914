/* The demo's 999 instruction rows as scripts/make_demo_dataset.py writes them: every row is a question and an answer, and
 * where the JSON file that they come from lies beside, both hold the same chats. KAITO_TEST_DATASET names the parquet
 * file; else it is looked for in the demo's cache; skipped where it is not there. */
#include "golden_check.h"

static char *demo_file(const char *name)
{
	const char *given = getenv("KAITO_TEST_DATASET"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const char *slash = given ? strrchr(given, '/') : NULL;
	if (given)
		return mem_printf("%.*s%s", slash ? (int)(slash + 1 - given) : 0, given, name);
	return cache ? mem_printf("%s/kaito/%s", cache, name) : mem_printf("%s/.cache/kaito/%s", home ? home : "", name);
}

START_TEST(every_row_is_a_question_and_an_answer)
{
	CLEANUP(mem_freep) char *parquet = demo_file("alpaca_en_demo.parquet");
	struct data *d = open_path(parquet);
	ck_assert_str_eq(data_describe(d), "1 file, 999 rows, parquet, column 'messages'");
	for (int64_t i = 0; i < data_rows(d); i++) {
		struct data_row row = {0};
		const char *asks, *question, *answers, *answer;
		ck_assert_msg(data_read(d, i, &row, &err) == 0, "%s", err.message);
		ck_assert_int_eq(json_unpack(row.messages, "[{s:s, s:s}, {s:s, s:s}!]", "role", &asks, "content", &question, "role",
					     &answers, "content", &answer),
				 0);
		ck_assert_str_eq(asks, "user");
		ck_assert_str_eq(answers, "assistant");
		ck_assert_uint_gt(strlen(question), 0);
		data_row_done(&row);
	}
	data_close(d);
}
END_TEST

START_TEST(parquet_and_json_hold_the_same_chats)
{
	CLEANUP(mem_freep) char *json = demo_file("alpaca_en_demo.json"), *parquet = demo_file("alpaca_en_demo.parquet");
	struct data *d = open_path(json);
	ck_assert_str_eq(data_describe(d), "1 file, 999 rows, json, columns 'instruction', 'input', 'output'");
	data_close(d);
	same_rows(parquet, json);
}
END_TEST

int main(void)
{
	CLEANUP(mem_freep) char *json = demo_file("alpaca_en_demo.json"), *parquet = demo_file("alpaca_en_demo.parquet");
	if (!fd_exists(parquet)) {
		printf("skipped: no %s (make demo writes it)\n", parquet);
		return 77;
	}
	Suite *suite = suite_create("data/demo");
	TCase *tc = tcase_create("demo");
	tcase_add_test(tc, every_row_is_a_question_and_an_answer);
	if (fd_exists(json))
		tcase_add_test(tc, parquet_and_json_hold_the_same_chats);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
