/* docs_main.c: kaito-node-errors SOURCE_ROOT writes the page about Azure's errors to SOURCE_ROOT/docs/node-errors.md. */
#include "azure/taxonomy.h"

#include "base/fd.h"
#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc != 2) {
		fprintf(stderr, "usage: kaito-node-errors SOURCE_ROOT\n");
		return 2;
	}
	CLEANUP(mem_freep) char *path = mem_printf("%s/docs/node-errors.md", argv[1]);
	CLEANUP(buf_done) struct buf text = {0};
	taxonomy_print_markdown(&text);
	if (fd_write_file(path, text.data, text.len, 0644, &err) < 0) {
		fprintf(stderr, "kaito-node-errors: %s\n", err.message);
		return 1;
	}
	return 0;
}
