/* fd.h: files, read and written whole or mapped; atomic replacement. Paths in messages are the caller's. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

static inline void fd_closep(int *fd) { if (*fd >= 0) close(*fd); } /* for CLEANUP(fd_closep) */

/* Read a whole file of at most max bytes (ERR_LIMIT past it). *out is replaced on success. */
WARN_UNUSED int fd_read_file(const char *path, size_t max, struct buf *out, struct err *err);
/* Write to "path.tmp.PID", fsync, rename over path, fsync the folder. Nothing is left behind on failure. */
WARN_UNUSED int fd_write_file(const char *path, const void *data, size_t len, unsigned mode, struct err *err);
WARN_UNUSED int fd_write_all(int fd, const void *data, size_t len, const char *path, struct err *err);
WARN_UNUSED int fd_make_dirs(const char *path, struct err *err);      /* mkdir -p, 0777 & ~umask */
WARN_UNUSED int fd_remove_tree(const char *path, struct err *err);    /* rm -rf; absent is success; does not follow links */
bool fd_exists(const char *path);
bool fd_is_dir(const char *path);
/* "dir/name", freed by the caller. */
char *fd_join(const char *dir, const char *name);

/* A read-only mapping of a regular file. Immutable after open. */
struct fd_map { const unsigned char *data; size_t len; int fd; };
WARN_UNUSED int fd_map_open(struct fd_map *map, const char *path, struct err *err);
void fd_map_close(struct fd_map *map);
/* Tell the kernel that the pages inside [from, from+len) are not needed any more (they can be read again). */
void fd_map_drop(const void *from, size_t len);
