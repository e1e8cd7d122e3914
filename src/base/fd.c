/* fd.c: see fd.h. The write path is temporary name, fsync, rename, fsync of the folder, so that a
 * reader or a crash sees the old file or the new one, never a part. */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int fd_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	struct buf text = {.max = max};
	for (;;) {
		char chunk[65536];
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int e = errno;
			buf_done(&text);
			return err_set_errno(err, ERR_IO, e, "cannot read '%s'", path);
		}
		if (n == 0)
			break;
		buf_put(&text, chunk, (size_t)n);
		if (text.overflow) {
			buf_done(&text);
			return err_set(err, ERR_LIMIT, "'%s' is larger than the limit of %zu bytes", path, max);
		}
	}
	buf_put(&text, "", 0);
	buf_done(out);
	*out = text;
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len, const char *path, struct err *err)
{
	const char *p = data;
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(err, ERR_IO, n < 0 ? errno : ENOSPC, "cannot write '%s'", path);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_folder_of(const char *path, struct err *err)
{
	CLEANUP(mem_freep) char *dir = mem_strdup(path);
	char *slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	if (slash)
		*slash = 0;
	CLEANUP(fd_closep) int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return err_set_errno(err, ERR_IO, errno, "cannot sync the folder of '%s'", path);
	return 0;
}

static int write_temporary(const char *tmp, const void *data, size_t len, unsigned mode, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
	if (fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", tmp);
	if (fd_write_all(fd, data, len, tmp, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", tmp);
	return 0;
}

int fd_write_file(const char *path, const void *data, size_t len, unsigned mode, struct err *err)
{
	CLEANUP(mem_freep) char *tmp = mem_printf("%s.tmp.%d", path, (int)getpid());
	if (write_temporary(tmp, data, len, mode, err) < 0) {
		unlink(tmp);
		return -1;
	}
	if (rename(tmp, path) < 0) {
		int e = errno;
		unlink(tmp);
		return err_set_errno(err, ERR_IO, e, "cannot replace '%s'", path);
	}
	return sync_folder_of(path, err);
}

int fd_make_dirs(const char *path, struct err *err)
{
	CLEANUP(mem_freep) char *copy = mem_strdup(path);
	for (char *p = copy + 1; copy[0]; p++) {
		char c = *p;
		if (c != '/' && c != 0)
			continue;
		*p = 0;
		if (mkdir(copy, 0777) < 0 && errno != EEXIST)
			return err_set_errno(err, ERR_IO, errno, "cannot create folder '%s'", copy);
		if (c == 0)
			break;
		*p = c;
	}
	if (!fd_is_dir(path))
		return err_set(err, ERR_EXISTS, "'%s' is in the way: not a folder", path);
	return 0;
}

static int remove_at(int dir, const char *name, const char *path, int depth, struct err *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_set_errno(err, ERR_IO, errno, "cannot remove '%s'", path);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d || depth > 256) {
		if (fd >= 0 && !d)
			close(fd);
		if (d)
			closedir(d);
		return err_set_errno(err, ERR_IO, errno, "cannot open folder '%s'", path);
	}
	int rc = 0;
	for (struct dirent *e; rc == 0 && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_at(dirfd(d), e->d_name, path, depth + 1, err);
	closedir(d);
	if (rc == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot remove folder '%s'", path);
	return rc;
}

int fd_remove_tree(const char *path, struct err *err) { return remove_at(AT_FDCWD, path, path, 0, err); }

bool fd_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

bool fd_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *fd_join(const char *dir, const char *name)
{
	size_t n = strlen(dir);
	return mem_printf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

int fd_map_open(struct fd_map *map, const char *path, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
	size_t len = (size_t)st.st_size;
	void *p = len ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (p == MAP_FAILED)
		return err_set_errno(err, ERR_IO, errno, "cannot map '%s'", path);
	*map = (struct fd_map){p, len, fd};
	fd = -1;
	return 0;
}

void fd_map_close(struct fd_map *map)
{
	if (map->data)
		munmap((void *)(uintptr_t)map->data, map->len);
	if (map->fd >= 0)
		close(map->fd);
	*map = (struct fd_map){NULL, 0, -1};
}

void fd_map_drop(const void *from, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)from + page - 1) & ~(page - 1);
	uintptr_t last = ((uintptr_t)from + len) & ~(page - 1);
	if (last > first)
		madvise((void *)first, last - first, MADV_DONTNEED);
}
