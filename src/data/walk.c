/* walk.c: folders in name order, so that the order of rows (and with it a seeded shuffle) is the same on every machine. */
#include "data/walk.h"

#include "base/fd.h"
#include "base/limits.h"
#include "data/format.h"
#include <dirent.h>
#include <errno.h>

static int add_file(struct walk *w, const char *path, struct err *err)
{
	if (w->files.len >= LIMIT_DATASET_FILES)
		return err_set(err, ERR_LIMIT, "the dataset has more than the limit of %d files", LIMIT_DATASET_FILES);
	vec_push(&w->files, mem_strdup(path));
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int not_hidden(const struct dirent *e) { return e->d_name[0] != '.'; }

static int add_folder(struct walk *w, const char *path, int depth, struct err *err)
{
	struct dirent **entries;
	if (depth > LIMIT_DATASET_NESTING)
		return err_set(err, ERR_LIMIT, "'%s' is nested deeper than %d folders", path, LIMIT_DATASET_NESTING);
	int n = scandir(path, &entries, not_hidden, by_name);
	if (n < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot list '%s'", path);
	int rc = 0;
	for (int i = 0; i < n; i++) {
		CLEANUP(mem_freep) char *child = fd_join(path, entries[i]->d_name);
		if (rc == 0 && fd_is_dir(child))
			rc = add_folder(w, child, depth + 1, err);
		else if (rc == 0 && format_is_data_name(entries[i]->d_name))
			rc = add_file(w, child, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int walk_add(struct walk *w, const char *path, struct err *err)
{
	size_t before = w->files.len;
	if (!fd_is_dir(path))
		return add_file(w, path, err);
	if (add_folder(w, path, 0, err) < 0)
		return -1;
	if (w->files.len == before)
		return err_set(err, ERR_DATA, "folder '%s' holds no parquet, arrow, json, jsonl or csv file", path);
	return 0;
}

void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->files.len; i++)
		free(w->files.data[i]);
	vec_done(&w->files);
}
