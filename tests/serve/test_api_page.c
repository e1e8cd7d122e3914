/* test_api_page.c: docs/api.md is what the tables say. */
#include "base/fd.h"
#include "serve/serve.h"

#include <check.h>
#include <stdlib.h>

START_TEST(the_page_in_docs_is_fresh)
{
	struct buf want = {0}, have = {0};
	struct err err = ERR_INIT;
	char *path = mem_printf("%s/docs/api.md", getenv("KAITO_SOURCE_ROOT"));
	serve_write_api_page(&want);
	ck_assert_msg(fd_read_file(path, (size_t)1 << 20, &have, &err) == 0, "%s", err.message);
	ck_assert_msg(str_eq(buf_str(&want), buf_str(&have)), "docs/api.md is stale: build kaito-api-docs and run it on the source root");
	free(path);
	buf_done(&want);
	buf_done(&have);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_page");
	TCase *t = tcase_create("all");
	tcase_add_test(t, the_page_in_docs_is_fresh);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
