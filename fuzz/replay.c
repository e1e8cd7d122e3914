/* replay.c: runs a fuzz target over every file of a corpus folder, so that `make check` replays what fuzzing found
 * without needing a fuzzing compiler. */
#include "base/fd.h"
#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (!dir) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
		return 2;
	}
	int count = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		CLEANUP(mem_freep) char *path = fd_join(argv[1], e->d_name);
		struct buf data = {0};
		struct err err = ERR_INIT;
		if (fd_read_file(path, (size_t)64 << 20, &data, &err) < 0) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		/* An exact-size copy, so that ASan sees a read past the end. */
		uint8_t *copy = mem_alloc(data.len);
		if (data.len)
			memcpy(copy, data.data, data.len);
		LLVMFuzzerTestOneInput(copy, data.len);
		free(copy);
		buf_done(&data);
		count++;
	}
	closedir(dir);
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;
}
