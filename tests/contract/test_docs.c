/* The generated reference pages in docs/ are what the tables print today; kaito-docs rewrites them. */
#include "contract/docs.h"

#include "base/fd.h"
#include <check.h>

START_TEST(page_in_the_tree_is_fresh)
{
	const char *root = getenv("KAITO_SOURCE_ROOT");
	const struct docs_page *page = &DOCS_PAGES[_i];
	struct err err = ERR_INIT;
	struct buf printed = {0}, stored = {0};
	ck_assert_ptr_nonnull(root);
	char *path = mem_printf("%s/docs/%s.md", root, page->name);
	ck_assert_msg(page->print(root, &printed, &err) == 0, "%s", err.message);
	ck_assert_msg(fd_read_file(path, (size_t)1 << 20, &stored, &err) == 0, "%s", err.message);
	ck_assert_msg(str_eq(buf_str(&printed), buf_str(&stored)), "%s is stale: run kaito-docs SOURCE_ROOT", path);
	free(path);
	buf_done(&printed);
	buf_done(&stored);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("contract/docs");
	TCase *tc = tcase_create("docs");
	tcase_add_loop_test(tc, page_in_the_tree_is_fresh, 0, (int)DOCS_PAGE_COUNT);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
