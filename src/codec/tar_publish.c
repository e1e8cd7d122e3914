/* tar_publish.c: how an unpacked folder becomes visible. The target may be a mount point, which cannot be replaced by
 * one rename, so the staging folder lies inside it (same file system) and its entries are renamed one by one: a reader
 * sees whole files only. tar_unpack has
 * synced their content before. */
#include "codec/tar.h"

#include "base/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int tar_staging(const char *into, char **staging, struct err *err)
{
	if (fd_make_dirs(into, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *path = fd_join(into, ".kaito-unpack-XXXXXX");
	if (!mkdtemp(path))
		return err_set_errno(err, ERR_IO, errno, "cannot create a folder in '%s'", into);
	if (chmod(path, 0755) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot set the mode of '%s'", path);
	*staging = path;
	path = NULL;
	return 0;
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int merge(const char *from, const char *into, int depth, struct err *err);

static int place(const char *from, const char *into, int depth, struct err *err)
{
	struct stat st, old;
	if (lstat(from, &st) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot look at '%s'", from);
	bool there = lstat(into, &old) == 0;
	if (S_ISDIR(st.st_mode) && there && S_ISDIR(old.st_mode))
		return merge(from, into, depth + 1, err);
	if (there && S_ISDIR(st.st_mode) != S_ISDIR(old.st_mode))
		return err_set(err, ERR_EXISTS, "'%s' is in the way: remove it first", into);
	if (rename(from, into) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot move '%s' into place", into);
	return 0;
}

static int merge(const char *from, const char *into, int depth, struct err *err)
{
	CLEANUP(close_dir) DIR *d = opendir(from);
	if (!d || depth > 256)
		return err_set_errno(err, ERR_IO, d ? ELOOP : errno, "cannot open folder '%s'", from);
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		CLEANUP(mem_freep) char *a = fd_join(from, e->d_name);
		CLEANUP(mem_freep) char *b = fd_join(into, e->d_name);
		if (place(a, b, depth, err) < 0)
			return -1;
	}
	return 0;
}

int tar_publish(const char *from, const char *into, struct err *err)
{
	if (merge(from, into, 0, err) < 0)
		return -1;
	CLEANUP(fd_closep) int fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", into);
	return fd_remove_tree(from, err);
}
