/* tar_write.c: the writing half of tar.h. libarchive makes the tar blocks, zlib compresses them, and both byte streams
 * are hashed on the way, so that a layer's diff_id and digest cost no second pass. */
#include "codec/tar.h"

#include "base/fd.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

struct sink {
	const char *path;
	int fd;
	z_stream deflate;
	struct digest tar, gzip;
	uint64_t bytes;
	struct err *err;
};

static int drain(struct sink *s, int flush)
{
	unsigned char out[65536];
	do {
		s->deflate.next_out = out;
		s->deflate.avail_out = sizeof out;
		if (deflate(&s->deflate, flush) == Z_STREAM_ERROR)
			return err_set(s->err, ERR_INTERNAL, "cannot compress '%s'", s->path);
		size_t n = sizeof out - s->deflate.avail_out;
		if (fd_write_all(s->fd, out, n, s->path, s->err) < 0)
			return -1;
		digest_update(&s->gzip, out, n);
		s->bytes += n;
	} while (s->deflate.avail_out == 0);
	return 0;
}

static la_ssize_t on_tar_bytes(struct archive *a, void *context, const void *data, size_t len)
{
	struct sink *s = context;
	digest_update(&s->tar, data, len);
	s->deflate.next_in = (unsigned char *)(uintptr_t)data;
	s->deflate.avail_in = (unsigned)len;
	if (drain(s, Z_NO_FLUSH) < 0) {
		archive_set_error(a, EIO, "sink");
		return -1;
	}
	return (la_ssize_t)len;
}

static void free_archive(struct archive **a) { archive_write_free(*a); }
static void free_entry(struct archive_entry **e) { archive_entry_free(*e); }

/* The sink's own error is the cause when it set one. */
static int failed(struct archive *a, const struct sink *s, const char *name)
{
	if (s->err && s->err->kind != ERR_NONE)
		return -1;
	return err_set(s->err, ERR_IO, "cannot add '%s' to the layer: %s", name, archive_error_string(a));
}

static int copy_file(struct archive *a, struct sink *s, int fd, const struct tar_member *m, int64_t size)
{
	CLEANUP(mem_freep) char *chunk = mem_alloc(1 << 18);
	int64_t left = size;
	while (left > 0) {
		ssize_t n = read(fd, chunk, 1 << 18);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(s->err, ERR_IO, errno, "cannot read '%s'", m->path);
		if (n == 0 || n > left)
			return err_set(s->err, ERR_IO, "'%s' changed while it was packed; pack it when nothing writes to it", m->path);
		if (archive_write_data(a, chunk, (size_t)n) != n)
			return failed(a, s, m->name);
		left -= n;
	}
	return 0;
}

static int add_member(struct archive *a, struct sink *s, const struct tar_member *m)
{
	CLEANUP(fd_closep) int fd = m->path ? open(m->path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st = {0};
	if (m->path && (fd < 0 || fstat(fd, &st) < 0))
		return err_set_errno(s->err, ERR_IO, errno, "cannot open '%s'", m->path);
	if (m->path && !S_ISREG(st.st_mode))
		return err_set(s->err, ERR_INVALID, "'%s' is not a regular file", m->path);
	CLEANUP(free_entry) struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, m->name);
	archive_entry_set_filetype(e, m->path ? AE_IFREG : AE_IFDIR);
	archive_entry_set_perm(e, m->path ? 0644 : 0755);
	archive_entry_set_size(e, m->path ? st.st_size : 0);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	if (archive_write_header(a, e) < ARCHIVE_WARN)
		return failed(a, s, m->name);
	return m->path ? copy_file(a, s, fd, m, st.st_size) : 0;
}

static int write_members(struct sink *s, const struct tar_member *members, size_t n)
{
	CLEANUP(free_archive) struct archive *a = archive_write_new();
	archive_write_set_format_pax_restricted(a);
	archive_write_set_bytes_in_last_block(a, 512);
	if (archive_write_open(a, s, NULL, on_tar_bytes, NULL) != ARCHIVE_OK)
		return failed(a, s, s->path);
	for (size_t i = 0; i < n; i++)
		if (add_member(a, s, &members[i]) < 0)
			return -1;
	if (archive_write_close(a) != ARCHIVE_OK)
		return failed(a, s, s->path);
	return drain(s, Z_FINISH);
}

static int write_file(struct sink *s, const struct tar_member *members, size_t n)
{
	/* 16 + 15: a gzip header, which zlib fills with time 0 and no name. */
	if (deflateInit2(&s->deflate, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(s->err, ERR_NO_MEMORY, "cannot start compression of '%s'", s->path);
	digest_init(&s->tar);
	digest_init(&s->gzip);
	int rc = write_members(s, members, n);
	deflateEnd(&s->deflate);
	if (rc == 0 && fsync(s->fd) < 0)
		return err_set_errno(s->err, ERR_IO, errno, "cannot sync '%s'", s->path);
	return rc;
}

int tar_write_gzip(const char *out, const struct tar_member *members, size_t n, struct tar_written *written, struct err *err)
{
	struct err local = ERR_INIT;
	struct sink s = {.path = out, .err = err ? err : &local};
	*s.err = ERR_INIT;
	s.fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (s.fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", out);
	int rc = write_file(&s, members, n);
	if (rc == 0) {
		digest_finish(&s.tar, written->diff_id);
		digest_finish(&s.gzip, written->digest);
		written->bytes = s.bytes;
	} else {
		unlink(out);
	}
	digest_done(&s.tar);
	digest_done(&s.gzip);
	close(s.fd);
	return rc;
}
