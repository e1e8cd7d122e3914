/* docs_main.c: kaito-api-docs SOURCE_ROOT writes SOURCE_ROOT/docs/api.md from the tables of routes and bodies. */
#include "serve/serve.h"

#include "base/fd.h"
#include <stdio.h>

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	CLEANUP(buf_done) struct buf text = {0};
	if (argc != 2) {
		fprintf(stderr, "usage: kaito-api-docs SOURCE_ROOT\n");
		return 2;
	}
	CLEANUP(mem_freep) char *path = mem_printf("%s/docs/api.md", argv[1]);
	serve_write_api_page(&text);
	if (fd_write_file(path, text.data, text.len, 0644, &err) == 0)
		return 0;
	fprintf(stderr, "kaito-api-docs: %s\n", err.message);
	return 1;
}
