/* docs_main.c: kaito-docs SOURCE_ROOT writes every generated page to SOURCE_ROOT/docs. */
#include "contract/docs.h"

#include "base/fd.h"
#include <stdio.h>

static int write_page(const struct docs_page *page, const char *root, struct err *err)
{
	CLEANUP(mem_freep) char *path = mem_printf("%s/docs/%s.md", root, page->name);
	CLEANUP(buf_done) struct buf text = {0};
	if (page->print(root, &text, err) < 0)
		return -1;
	return fd_write_file(path, text.data, text.len, 0644, err);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc != 2) {
		fprintf(stderr, "usage: kaito-docs SOURCE_ROOT\n");
		return 2;
	}
	for (size_t i = 0; i < DOCS_PAGE_COUNT; i++)
		if (write_page(&DOCS_PAGES[i], argv[1], &err) < 0) {
			fprintf(stderr, "kaito-docs: %s\n", err.message);
			return 1;
		}
	return 0;
}
