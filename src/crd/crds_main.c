/* crds_main.c: kaito-crds SOURCE_ROOT writes what is printed from tables: the charts' definitions and default configurations, and the
 * pages of fields in docs/. */
#include "crd/reference.h"

#include "base/fd.h"
#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc != 2) {
		fprintf(stderr, "usage: kaito-crds SOURCE_ROOT\n");
		return 2;
	}
	for (size_t i = 0; i < CRD_PAGE_COUNT; i++) {
		CLEANUP(buf_done) struct buf text = {0};
		CLEANUP(mem_freep) char *name = crd_page(i, &text), *path = fd_join(argv[1], name);
		if (fd_write_file(path, text.data, text.len, 0644, &err) < 0) {
			fprintf(stderr, "kaito-crds: %s\n", err.message);
			return 1;
		}
	}
	return 0;
}
