/* test_pages.c: docs/models.md and docs/instance-types.md are what the tables print today. */
#include "check_main.h"

#include "base/fd.h"
#include "catalog/pages.h"

START_TEST(pages_in_the_tree_are_fresh)
{
	for (size_t i = 0; i < CATALOG_PAGE_COUNT; i++) {
		char relative[64];
		struct err err = ERR_INIT;
		CLEANUP(buf_done) struct buf printed = {0};
		CLEANUP(buf_done) struct buf stored = {0};
		snprintf(relative, sizeof relative, "docs/%s.md", CATALOG_PAGES[i].name);
		CATALOG_PAGES[i].print(&printed);
		ck_assert_msg(fd_read_file(source_path(relative), 1 << 20, &stored, &err) == 0, "%s", err.message);
		ck_assert_msg(str_eq(buf_str(&printed), buf_str(&stored)), "%s is stale: run kaito-catalog-docs SOURCE_ROOT", relative);
	}
}
END_TEST

int main(void) { CHECK_RUN("pages", 10, pages_in_the_tree_are_fresh); }
