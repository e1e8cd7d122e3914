/* Memory for packed weights: aligned, zeroed, disjoint, returned when the last user of a chunk goes. */
#include "tensor/pages.h"
#include <check.h>
#include <stdint.h>
#include <string.h>

enum { COUNT = 40, STEP = 3 << 20 };

START_TEST(allocations_are_aligned_zeroed_and_apart)
{
	char *data[COUNT];
	struct err err = ERR_INIT;
	for (int i = 0; i < COUNT; i++) { /* over several chunks */
		data[i] = pages_alloc(STEP + (size_t)i, &err);
		ck_assert_ptr_nonnull(data[i]);
		ck_assert_uint_eq((uintptr_t)data[i] % 64, 0);
		ck_assert(data[i][0] == 0 && data[i][STEP + i - 1] == 0);
		data[i][0] = data[i][STEP + i - 1] = (char)(i + 1);
	}
	for (int i = 0; i < COUNT; i++)
		ck_assert(data[i][0] == i + 1 && data[i][STEP + i - 1] == i + 1);
	for (int i = COUNT - 1; i >= 0; i -= 2)
		pages_free(data[i]);
	for (int i = 0; i < COUNT; i += 2)
		pages_free(data[i]);
	pages_free(NULL);
}
END_TEST

START_TEST(memory_comes_back_zeroed_after_all_is_freed)
{
	struct err err = ERR_INIT;
	char *first = pages_alloc(1000, &err);
	memset(first, 7, 1000);
	pages_free(first);
	char *second = pages_alloc(1000, &err);
	for (int i = 0; i < 1000; i++)
		ck_assert(second[i] == 0);
	pages_free(second);
}
END_TEST

START_TEST(one_allocation_may_be_larger_than_a_chunk)
{
	struct err err = ERR_INIT;
	size_t bytes = (size_t)150 << 20;
	char *small = pages_alloc(1, &err), *large = pages_alloc(bytes, &err);
	large[0] = large[bytes - 1] = 1; /* touches two pages of it */
	ck_assert(small + 64 <= large || large + bytes <= small);
	pages_free(large);
	pages_free(small);
}
END_TEST

START_TEST(what_cannot_be_mapped_is_an_error)
{
	struct err err = ERR_INIT;
	ck_assert_ptr_null(pages_alloc((size_t)1 << 50, &err));
	ck_assert_int_eq(err.kind, ERR_NO_MEMORY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tensor/pages");
	TCase *all = tcase_create("pages");
	tcase_add_test(all, allocations_are_aligned_zeroed_and_apart);
	tcase_add_test(all, memory_comes_back_zeroed_after_all_is_freed);
	tcase_add_test(all, one_allocation_may_be_larger_than_a_chunk);
	tcase_add_test(all, what_cannot_be_mapped_is_an_error);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
