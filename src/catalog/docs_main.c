/* docs_main.c: kaito-catalog-docs SOURCE_ROOT writes the generated pages about models and instance types to SOURCE_ROOT/docs. */
#include "catalog/pages.h"

#include "base/fd.h"
#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc != 2) {
		fprintf(stderr, "usage: kaito-catalog-docs SOURCE_ROOT\n");
		return 2;
	}
	for (size_t i = 0; i < CATALOG_PAGE_COUNT; i++) {
		CLEANUP(mem_freep) char *path = mem_printf("%s/docs/%s.md", argv[1], CATALOG_PAGES[i].name);
		CLEANUP(buf_done) struct buf text = {0};
		CATALOG_PAGES[i].print(&text);
		if (fd_write_file(path, text.data, text.len, 0644, &err) < 0) {
			fprintf(stderr, "kaito-catalog-docs: %s\n", err.message);
			return 1;
		}
	}
	return 0;
}
