/* The demo's 999 instruction rows: the JSON file and the parquet file made of it by scripts/make_demo_dataset.py hold the
 * same chats. Looked for in KAITO_TEST_DATASET, else where the demo keeps them; skipped where neither is there. */
#include "golden_check.h"

static char *find_folder(void)
{
	const char *given = getenv("KAITO_TEST_DATASET"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (given)
		return mem_strdup(given);
	return cache ? mem_printf("%s/kaito/demo", cache) : mem_printf("%s/.cache/kaito/demo", home ? home : "");
}

static char *demo_file(const char *name)
{
	CLEANUP(mem_freep) char *dir = find_folder();
	return fd_join(dir, name);
}

START_TEST(parquet_and_json_hold_the_same_chats)
{
	CLEANUP(mem_freep) char *json = demo_file("alpaca_en_demo.json"), *parquet = demo_file("alpaca_en_demo.parquet");
	struct data *d = open_path(parquet);
	ck_assert_str_eq(data_describe(d), "1 file, 999 rows, parquet, column 'messages'");
	data_close(d);
	d = open_path(json);
	ck_assert_str_eq(data_describe(d), "1 file, 999 rows, json, columns 'instruction', 'input', 'output'");
	data_close(d);
	same_rows(parquet, json);
}
END_TEST

int main(void)
{
	CLEANUP(mem_freep) char *json = demo_file("alpaca_en_demo.json"), *parquet = demo_file("alpaca_en_demo.parquet");
	if (!fd_exists(json) || !fd_exists(parquet)) {
		printf("skipped: no %s and .parquet (make demo fetches them)\n", json);
		return 77;
	}
	Suite *suite = suite_create("data/demo");
	TCase *tc = tcase_create("demo");
	tcase_add_test(tc, parquet_and_json_hold_the_same_chats);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
