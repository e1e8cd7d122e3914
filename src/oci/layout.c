/* layout.c: blobs, locks and garbage collection of the store; index.json is in layout_index.c. */
#include "oci/layout.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/map.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static int write_once(const char *root, const char *name, const char *text, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(root, name);
	return fd_exists(path) ? 0 : fd_write_file(path, text, strlen(text), 0644, err);
}

static int take_lock(const char *root, const char *name, int how, int *fd, struct err *err)
{
	CLEANUP(mem_freep) char *path = fd_join(root, name);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", path);
	while (flock(*fd, how) < 0)
		if (errno != EINTR) {
			int e = errno;
			close(*fd);
			*fd = -1;
			if (e == EWOULDBLOCK)
				return err_set(err, ERR_BUSY, "another process is using the store '%s'; try again when it is done", root);
			return err_set_errno(err, ERR_IO, e, "cannot lock '%s'", path);
		}
	return 0;
}

int layout_open(struct layout *l, const char *root, enum layout_use use, struct err *err)
{
	CLEANUP(mem_freep) char *blobs = fd_join(root, "blobs/sha256");
	int lock = -1;
	if (fd_make_dirs(blobs, err) < 0 || take_lock(root, "lock", use == LAYOUT_EXCLUSIVE ? LOCK_EX | LOCK_NB : LOCK_SH, &lock, err) < 0)
		return -1;
	if (write_once(root, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err) < 0) {
		close(lock);
		return -1;
	}
	*l = (struct layout){mem_strdup(root), lock};
	return 0;
}

void layout_close(struct layout *l)
{
	if (l->root)
		close(l->lock); /* releases the lock */
	free(l->root);
	l->root = NULL;
}

char *layout_blob_path(const struct layout *l, const char *digest) { return mem_printf("%s/blobs/sha256/%s", l->root, digest_hex(digest)); }

bool layout_has(const struct layout *l, const char *digest, uint64_t size)
{
	CLEANUP(mem_freep) char *path = layout_blob_path(l, digest);
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

char *layout_scratch(const struct layout *l)
{
	static atomic_uint counter;
	return mem_printf("%s/blobs/.scratch-%d-%u", l->root, (int)getpid(), atomic_fetch_add(&counter, 1));
}

int layout_adopt(const struct layout *l, const char *path, const char *digest, struct err *err)
{
	CLEANUP(mem_freep) char *place = layout_blob_path(l, digest);
	return rename(path, place) < 0 ? err_set_errno(err, ERR_IO, errno, "cannot move '%s' into place", place) : 0;
}

int layout_put(const struct layout *l, const void *data, size_t len, char digest[DIGEST_TEXT], struct err *err)
{
	digest_of(data, len, digest);
	if (layout_has(l, digest, len))
		return 0;
	CLEANUP(mem_freep) char *scratch = layout_scratch(l);
	return fd_write_file(scratch, data, len, 0644, err) < 0 ? -1 : layout_adopt(l, scratch, digest, err);
}

int layout_get(const struct layout *l, const char *digest, size_t max, struct buf *out, struct err *err)
{
	CLEANUP(mem_freep) char *path = layout_blob_path(l, digest);
	if (fd_read_file(path, max, out, err) < 0)
		return -1;
	char have[DIGEST_TEXT];
	digest_of(buf_str(out).data, out->len, have);
	if (strcmp(have, digest) != 0)
		return err_set(err, ERR_PROTOCOL, "'%s' is damaged: its digest is %s; remove it and pull again", path, have);
	return 0;
}

char *layout_unpacked_path(const struct layout *l, const char *manifest_digest)
{
	return mem_printf("%s/unpacked/%s", l->root, digest_hex(manifest_digest));
}

/* The manifest's descriptors: called with each digest and size. Stored indexes are not followed: none are stored. */
static int each_blob(const struct layout *l, const char *manifest_digest, void (*fn)(void *context, const char *digest, uint64_t size),
		     void *context, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	CLEANUP(manifest_done) struct manifest m = {0};
	char chosen[DIGEST_TEXT];
	if (layout_get(l, manifest_digest, LIMIT_OCI_MANIFEST_BYTES, &text, err) < 0)
		return -1;
	int rc = manifest_parse(buf_str(&text), NULL, &m, chosen, err);
	if (rc != 0)
		return rc < 0 ? -1 : err_set(err, ERR_UNSUPPORTED, "the store has an image index under %s", manifest_digest);
	fn(context, manifest_digest, text.len);
	fn(context, m.config.digest, m.config.size);
	for (size_t i = 0; i < m.n_layers; i++)
		fn(context, m.layers[i].digest, m.layers[i].size);
	return 0;
}

static void mark(void *context, const char *digest, uint64_t size)
{
	(void)size;
	map_put(context, str_of(digest_hex(digest)), context);
}

static int mark_all(const struct layout *l, struct map *used, struct err *err)
{
	struct layout_image *images;
	size_t n;
	if (layout_list(l, &images, &n, err) < 0)
		return -1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		map_put(used, str_of(digest_hex(images[i].digest)), used);
		struct err local = ERR_INIT;
		/* A manifest that is gone or foreign holds nothing; the rest of the store is still to be cleaned. */
		if (each_blob(l, images[i].digest, mark, used, &local) < 0 && local.kind != ERR_NOT_FOUND)
			rc = err_set(err, local.kind, "%s: %.180s", images[i].name, local.message);
	}
	layout_images_done(images, n);
	return rc;
}

static int sweep(const char *folder, const struct map *used, bool all, uint64_t *bytes, size_t *count, struct err *err)
{
	DIR *d = opendir(folder);
	if (!d)
		return err_set_errno(err, ERR_IO, errno, "cannot open folder '%s'", folder);
	int rc = 0;
	for (struct dirent *e; rc == 0 && (e = readdir(d));) {
		struct stat st;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || (!all && map_has(used, str_of(e->d_name))))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			rc = err_set_errno(err, ERR_IO, errno, "cannot remove '%s/%s'", folder, e->d_name);
		*bytes += (uint64_t)st.st_size;
		++*count;
	}
	closedir(d);
	return rc;
}

/* Unpacked folders of images that are gone, and those that were never finished. */
static int sweep_unpacked(const struct layout *l, const struct map *used, struct err *err)
{
	CLEANUP(mem_freep) char *folder = fd_join(l->root, "unpacked");
	DIR *d = opendir(folder);
	int rc = 0;
	for (struct dirent *e; d && rc == 0 && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || map_has(used, str_of(e->d_name)))
			continue;
		CLEANUP(mem_freep) char *one = fd_join(folder, e->d_name);
		rc = fd_remove_tree(one, err);
	}
	if (d)
		closedir(d);
	return rc;
}

int layout_gc(const struct layout *l, uint64_t *freed_bytes, size_t *freed_blobs, struct err *err)
{
	struct map used = {0};
	CLEANUP(mem_freep) char *blobs = fd_join(l->root, "blobs/sha256");
	CLEANUP(mem_freep) char *scratch = fd_join(l->root, "blobs");
	*freed_bytes = 0;
	*freed_blobs = 0;
	int rc = mark_all(l, &used, err);
	if (rc == 0)
		rc = sweep(blobs, &used, false, freed_bytes, freed_blobs, err);
	if (rc == 0)
		rc = sweep(scratch, &used, true, freed_bytes, freed_blobs, err);
	if (rc == 0)
		rc = sweep_unpacked(l, &used, err);
	map_done(&used);
	return rc;
}

struct sum { const struct layout *layout; uint64_t bytes; bool complete; };

static void add(void *context, const char *digest, uint64_t size)
{
	struct sum *s = context;
	s->complete &= layout_has(s->layout, digest, size);
	s->bytes += size;
}

uint64_t layout_image_bytes(const struct layout *l, const char *manifest_digest)
{
	struct sum s = {l, 0, true};
	return each_blob(l, manifest_digest, add, &s, NULL) == 0 && s.complete ? s.bytes : 0;
}
