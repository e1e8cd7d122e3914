/* tar.c: the reading half of tar.h. libarchive parses; every decision about what may touch the disk is made here, on
 * names that were checked part by part, and files are opened with O_EXCL | O_NOFOLLOW inside a folder that only we
 * write to, so there is no link to follow. */
#include "codec/tar.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/map.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define BOMB_FREE_BYTES ((uint64_t)64 << 20) /* below this no ratio is suspicious */

struct reader {
	struct archive *a;
	const char *archive, *folder;
	const struct tar_options *options;
	struct tar_stats *stats;
	struct map seen;      /* names of this archive that were unpacked as files */
	uint64_t members;     /* all members, skipped ones too */
	uint64_t inflated;    /* sizes of all members */
	struct err *err;
};

static int open_archive(struct reader *r)
{
	r->a = archive_read_new();
	archive_read_support_filter_gzip(r->a);
	archive_read_support_filter_zstd(r->a);
	archive_read_support_format_tar(r->a);
	if (!fd_exists(r->archive))
		return err_set(r->err, ERR_NOT_FOUND, "cannot open '%s': no such file", r->archive);
	if (archive_read_open_filename(r->a, r->archive, 1 << 17) != ARCHIVE_OK)
		return err_set(r->err, ERR_INVALID, "'%s' is not a tar archive: %s", r->archive, archive_error_string(r->a));
	return 0;
}

static int refuse(struct reader *r, const char *name, const char *why)
{
	return err_set(r->err, ERR_INVALID, "archive member '%.100s' %s; the archive is refused", name, why);
}

/* The member's name without "./" and trailing slashes, or NULL with err. *name is freed by the caller. */
static char *checked_name(struct reader *r, const char *raw)
{
	const char *p = raw;
	while (p[0] == '.' && p[1] == '/')
		p += 2;
	if (p[0] == '/') {
		refuse(r, raw, "has an absolute path");
		return NULL;
	}
	char *name = mem_strdup(strcmp(p, ".") == 0 ? "" : p);
	size_t len = strlen(name);
	while (len && name[len - 1] == '/')
		name[--len] = 0;
	for (const char *part = name; *part;) {
		const char *end = strchrnul(part, '/');
		size_t n = (size_t)(end - part);
		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && memcmp(part, "..", 2) == 0) || n > 255) {
			refuse(r, raw, n > 255 ? "has a part longer than 255 bytes" : "has an empty, '.' or '..' part");
			free(name);
			return NULL;
		}
		part = *end ? end + 1 : end;
	}
	return name;
}

/* The name below the root, or NULL when the member lies elsewhere. */
static const char *below_root(const char *name, const char *root)
{
	if (!root)
		return name;
	size_t n = strlen(root);
	if (strncmp(name, root, n) != 0 || (name[n] != '/' && name[n] != 0))
		return NULL;
	return name[n] ? name + n + 1 : name + n;
}

/* One member more: count, size and compression ratio stay within the limits. */
static int check_limits(struct reader *r, const char *name, uint64_t more)
{
	if (r->members > LIMIT_TAR_ENTRIES)
		return err_set(r->err, ERR_LIMIT, "the archive has more than %d members", LIMIT_TAR_ENTRIES);
	if (more > LIMIT_TAR_BYTES || (r->inflated += more) > LIMIT_TAR_BYTES)
		return err_set(r->err, ERR_LIMIT, "archive member '%.100s' takes the archive past %llu bytes", name,
			       (unsigned long long)LIMIT_TAR_BYTES);
	return 0;
}

static int check_ratio(struct reader *r, const char *name)
{
	int64_t in = archive_filter_bytes(r->a, -1), out = archive_filter_bytes(r->a, 0);
	if (in > 0 && (uint64_t)out > BOMB_FREE_BYTES && out / in > LIMIT_TAR_RATIO)
		return err_set(r->err, ERR_LIMIT, "archive member '%.100s' expands more than %d times: a decompression bomb", name, LIMIT_TAR_RATIO);
	return 0;
}

static int write_data(struct reader *r, int fd, const char *path, const char *name)
{
	CLEANUP(mem_freep) char *chunk = mem_alloc(1 << 18);
	for (;;) {
		la_ssize_t n = archive_read_data(r->a, chunk, 1 << 18);
		if (n < 0)
			return err_set(r->err, ERR_INVALID, "'%s' is damaged at member '%.80s': %s", r->archive, name, archive_error_string(r->a));
		if (n == 0)
			return 0;
		if (check_ratio(r, name) < 0 || fd_write_all(fd, chunk, (size_t)n, path, r->err) < 0)
			return -1;
		if (r->options->cancel && atomic_load(r->options->cancel))
			return err_set(r->err, ERR_CANCELLED, "unpacking was stopped");
		r->stats->bytes += (uint64_t)n;
	}
}

static int make_parents(struct reader *r, const char *path)
{
	CLEANUP(mem_freep) char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	return fd_is_dir(parent) ? 0 : fd_make_dirs(parent, r->err);
}

static int unpack_file(struct reader *r, const char *name, const char *path, unsigned mode)
{
	if (map_has(&r->seen, str_of(name)))
		return refuse(r, name, "appears twice");
	map_put(&r->seen, str_of(name), r);
	if (make_parents(r, path) < 0)
		return -1;
	if (unlink(path) < 0 && errno != ENOENT) /* of an earlier layer */
		return err_set_errno(r->err, ERR_IO, errno, "cannot replace '%s'", path);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0111 ? 0755 : 0644);
	if (fd < 0)
		return err_set_errno(r->err, ERR_IO, errno, "cannot create '%s'", path);
	r->stats->files++;
	if (write_data(r, fd, path, name) < 0)
		return -1;
	return fsync(fd) < 0 ? err_set_errno(r->err, ERR_IO, errno, "cannot sync '%s'", path) : 0;
}

static int remove_children(const char *folder, struct err *err)
{
	return fd_remove_tree(folder, err) < 0 ? -1 : fd_make_dirs(folder, err);
}

/* 1 when the member was a whiteout and is dealt with, 0 when it is an ordinary one. */
static int apply_whiteout(struct reader *r, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	if (!r->options->whiteouts || strncmp(base, ".wh.", 4) != 0)
		return 0;
	CLEANUP(mem_freep) char *folder = mem_strndup(path, (size_t)(base - path));
	if (strcmp(base, ".wh..wh..opq") == 0)
		return remove_children(folder, r->err) < 0 ? -1 : 1;
	if (strcmp(base + 4, ".") == 0 || strcmp(base + 4, "..") == 0 || base[4] == 0)
		return refuse(r, base, "is a whiteout of nothing");
	CLEANUP(mem_freep) char *target = mem_printf("%s%s", folder, base + 4);
	return fd_remove_tree(target, r->err) < 0 ? -1 : 1;
}

static const char *forbidden_type(struct archive_entry *e)
{
	static const struct { unsigned type; const char *why; } TYPES[] = {
		{AE_IFLNK, "is a symbolic link"}, {AE_IFCHR, "is a device"}, {AE_IFBLK, "is a device"},
		{AE_IFIFO, "is a named pipe"},    {AE_IFSOCK, "is a socket"},
	};
	if (archive_entry_hardlink(e))
		return "is a hard link";
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (archive_entry_filetype(e) == TYPES[i].type)
			return TYPES[i].why;
	return archive_entry_filetype(e) == AE_IFREG || archive_entry_filetype(e) == AE_IFDIR ? NULL : "is of an unknown type";
}

static int unpack_member(struct reader *r, struct archive_entry *e, const char *name)
{
	const char *below = below_root(name, r->options->root);
	if (!below)
		return 0;
	const char *why = forbidden_type(e);
	if (why)
		return refuse(r, name, why);
	r->stats->entries++;
	bool folder = archive_entry_filetype(e) == AE_IFDIR;
	if (below[0] == 0)
		return folder ? 0 : refuse(r, name, "should be a folder");
	CLEANUP(mem_freep) char *path = fd_join(r->folder, below);
	int whiteout = apply_whiteout(r, path);
	if (whiteout != 0)
		return whiteout < 0 ? -1 : 0;
	if (folder)
		return fd_make_dirs(path, r->err);
	return unpack_file(r, below, path, (unsigned)archive_entry_perm(e));
}

/* The next member: 1 with *e and *name, 0 at the end, -1. */
static int next_member(struct reader *r, struct archive_entry **e, char **name)
{
	int rc = archive_read_next_header(r->a, e);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN)
		return err_set(r->err, ERR_INVALID, "'%s' is damaged: %s", r->archive, archive_error_string(r->a));
	const char *raw = archive_entry_pathname(*e);
	if (!raw) /* not in the locale's character set */
		raw = archive_entry_pathname_utf8(*e);
	if (!raw || !raw[0])
		return err_set(r->err, ERR_INVALID, "'%s' has a member without a name", r->archive);
	r->members++;
	int64_t size = archive_entry_size(*e);
	if (check_limits(r, raw, size > 0 ? (uint64_t)size : 0) < 0 || check_ratio(r, raw) < 0)
		return -1;
	*name = checked_name(r, raw);
	return *name ? 1 : -1;
}

static int unpack_all(struct reader *r)
{
	if (open_archive(r) < 0)
		return -1;
	for (;;) {
		struct archive_entry *e;
		CLEANUP(mem_freep) char *name = NULL;
		int rc = next_member(r, &e, &name);
		if (rc <= 0)
			return rc;
		if (unpack_member(r, e, name) < 0)
			return -1;
	}
}

int tar_unpack(const char *archive, const char *folder, const struct tar_options *options, struct tar_stats *stats, struct err *err)
{
	static const struct tar_options PLAIN;
	struct tar_stats local = {0};
	struct reader r = {.archive = archive, .folder = folder, .options = options ? options : &PLAIN, .stats = &local, .err = err};
	int rc = unpack_all(&r);
	archive_read_free(r.a);
	map_done(&r.seen);
	if (rc == 0 && stats)
		*stats = local;
	return rc;
}

int tar_has_root(const char *archive, const char *root, struct err *err)
{
	struct reader r = {.archive = archive, .err = err};
	int rc = open_archive(&r);
	for (bool more = rc == 0; more;) {
		struct archive_entry *e;
		CLEANUP(mem_freep) char *name = NULL;
		rc = next_member(&r, &e, &name);
		const char *below = rc > 0 ? below_root(name, root) : NULL;
		more = rc > 0 && !(below && below[0]);
	}
	archive_read_free(r.a);
	return rc;
}

int tar_extract(const char *archive, const char *folder, const struct tar_options *options, struct tar_stats *stats, struct err *err)
{
	CLEANUP(mem_freep) char *staging = NULL;
	if (tar_staging(folder, &staging, err) < 0)
		return -1;
	if (tar_unpack(archive, staging, options, stats, err) == 0 && tar_publish(staging, folder, err) == 0)
		return 0;
	(void)!fd_remove_tree(staging, NULL);
	return -1;
}
