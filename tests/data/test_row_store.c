/* The store of decoded rows: memory first, then a temporary file; handles stay good; ceilings and full disks are errors. */
#include "data/row_store.h"

#include "fixture.h"
#include "base/random.h"
#include "base/vec.h"
#include <fcntl.h>

#define MIB ((size_t)1 << 20)

static void put_and_check(struct row_store *s, size_t count, size_t max_len)
{
	VEC(uint64_t) at = {0};
	char *text = mem_alloc(max_len);
	for (size_t i = 0; i < count; i++) {
		size_t len = (size_t)random_below(1, RANDOM_TEST, 0, i, max_len);
		memset(text, (char)i, len);
		uint64_t handle;
		ck_assert_msg(row_store_put(s, (str){text, len}, &handle, &err) == 0, "%s", err.message);
		vec_push(&at, handle);
	}
	for (size_t i = count; i-- > 0;) {
		struct buf got = {0};
		ck_assert_msg(row_store_get(s, at.data[i], &got, &err) == 0, "%s", err.message);
		ck_assert_uint_eq(got.len, random_below(1, RANDOM_TEST, 0, i, max_len));
		for (size_t k = 0; k < got.len; k += 997)
			ck_assert_int_eq(got.data[k], (char)i);
		buf_done(&got);
	}
	vec_done(&at);
	free(text);
}

START_TEST(records_stay_where_they_are_put)
{
	struct row_store s;
	row_store_init(&s, 16 * MIB, UINT64_MAX);
	put_and_check(&s, 1000, 5000);
	ck_assert_int_eq(s.fd, -1);
	row_store_done(&s);
}
END_TEST

START_TEST(past_the_memory_budget_records_go_to_an_unlinked_file)
{
	struct row_store s;
	setenv("TMPDIR", folder, 1);
	row_store_init(&s, MIB, UINT64_MAX);
	put_and_check(&s, 1000, 10000);
	ck_assert_uint_gt(s.memory_used, MIB - 10000);
	ck_assert_uint_ge(s.file_bytes, 2 * MIB);
	ck_assert_int_eq(rmdir(folder), 0); /* the file has no name */
	ck_assert_int_eq(fd_make_dirs(folder, &err), 0);
	row_store_done(&s);
}
END_TEST

START_TEST(records_larger_than_the_tail_are_written_through)
{
	struct row_store s;
	row_store_init(&s, 0, UINT64_MAX);
	put_and_check(&s, 20, 3 * MIB);
	row_store_done(&s);
}
END_TEST

START_TEST(the_ceiling_is_kept)
{
	struct row_store s;
	uint64_t at;
	struct buf out = {0};
	char *big = mem_alloc(MIB);
	row_store_init(&s, MIB, 2 * MIB);
	ck_assert_int_eq(row_store_put(&s, (str){big, MIB}, &at, &err), 0);
	ck_assert_int_eq(row_store_put(&s, (str){big, MIB}, &at, &err), 0);
	ck_assert_int_eq(row_store_put(&s, STR("x"), &at, &err), -1);
	has_error(ERR_LIMIT, "larger than the limit of 2097152 bytes");
	ck_assert_int_eq(row_store_get(&s, at, &out, &err), 0);
	ck_assert_uint_eq(out.len, MIB);
	buf_done(&out);
	row_store_done(&s);
	free(big);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
	struct row_store s;
	uint64_t at;
	char *big = mem_alloc(2 * MIB);
	row_store_init(&s, 0, UINT64_MAX);
	ck_assert_int_eq(row_store_put(&s, STR("x"), &at, &err), 0);
	close(s.fd);
	s.fd = open("/dev/full", O_RDWR);
	ck_assert_int_eq(row_store_put(&s, (str){big, 2 * MIB}, &at, &err), -1);
	has_error(ERR_NO_SPACE, "cannot keep decoded rows in");
	row_store_done(&s);
	free(big);
}
END_TEST

START_TEST(a_folder_that_takes_no_file_is_named)
{
	struct row_store s;
	uint64_t at;
	setenv("TMPDIR", "/nonexistent", 1);
	row_store_init(&s, 0, UINT64_MAX);
	ck_assert_int_eq(row_store_put(&s, STR("x"), &at, &err), -1);
	has_error(ERR_NOT_FOUND, "cannot create a temporary file in '/nonexistent' (TMPDIR names another folder)");
	row_store_done(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("data/row_store");
	TCase *tc = tcase_create("row_store");
	tcase_add_checked_fixture(tc, fixture_setup, fixture_done);
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, records_stay_where_they_are_put);
	tcase_add_test(tc, past_the_memory_budget_records_go_to_an_unlinked_file);
	tcase_add_test(tc, records_larger_than_the_tail_are_written_through);
	tcase_add_test(tc, the_ceiling_is_kept);
	tcase_add_test(tc, a_full_disk_is_an_error);
	tcase_add_test(tc, a_folder_that_takes_no_file_is_named);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
