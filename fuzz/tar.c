/* Fuzz target: an archive, unpacked. Beside the target folder nothing may appear, and after a failure nothing in it. */
#include "base/fd.h"
#include "codec/tar.h"
#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const char *folder)
{
	DIR *d = opendir(folder);
	size_t n = 0;
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n; /* "." and ".." included */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char scratch[] = "/tmp/kaito-fuzz-tar-XXXXXX";
	struct err err = ERR_INIT;
	if (!mkdtemp(scratch))
		abort();
	char *archive = fd_join(scratch, "archive"), *out = fd_join(scratch, "out");
	if (fd_write_file(archive, data, size, 0644, &err) < 0)
		abort();
	int rc = tar_extract(archive, out, &(struct tar_options){.whiteouts = true}, NULL, &err);
	if (count(scratch) != 4 || (rc < 0 && count(out) != 2))
		abort();
	if (tar_has_root(archive, "data", &err) > 1 || fd_remove_tree(scratch, &err) < 0)
		abort();
	free(archive);
	free(out);
	return 0;
}
