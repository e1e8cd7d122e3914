/* unpack.c: see unpack.h. */
#include "oci/unpack.h"

#include "base/fd.h"
#include "codec/tar.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Where images keep what we want, in order of preference. None of them: the whole tree. */
static const char *const ROOTS[] = {"data", "workspace/weights"};

/* The root that one of the layers has. The last layer is looked at first: that is where a small data layer on top of
 * somebody's base image lies. */
static int find_root(const struct layout *store, const struct manifest *m, const char **root, struct err *err)
{
	*root = NULL;
	for (size_t k = 0; k < sizeof ROOTS / sizeof ROOTS[0]; k++)
		for (size_t i = m->n_layers; i-- > 0;) {
			CLEANUP(mem_freep) char *path = layout_blob_path(store, m->layers[i].digest);
			int rc = tar_has_root(path, ROOTS[k], err);
			if (rc < 0)
				return -1;
			if (rc > 0) {
				*root = ROOTS[k];
				return 0;
			}
		}
	return 0;
}

static int unpack_layers(const struct layout *store, const struct manifest *m, const char *folder, const atomic_bool *cancel, struct err *err)
{
	struct tar_options options = {.whiteouts = true, .cancel = cancel};
	if (find_root(store, m, &options.root, err) < 0)
		return -1;
	for (size_t i = 0; i < m->n_layers; i++) {
		CLEANUP(mem_freep) char *path = layout_blob_path(store, m->layers[i].digest);
		if (tar_unpack(path, folder, &options, NULL, err) < 0)
			return err_wrap(err, "layer %zu", i);
	}
	return 0;
}

static int copy_content(int in, int out, uint64_t size, const char *path, const atomic_bool *cancel, struct err *err)
{
	while (size) {
		if (cancel && atomic_load(cancel))
			return err_set(err, ERR_CANCELLED, "unpacking was stopped");
		/* Shares the blocks where the file system can. */
		ssize_t n = copy_file_range(in, NULL, out, NULL, size < ((uint64_t)64 << 20) ? (size_t)size : (size_t)64 << 20, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(err, ERR_IO, n < 0 ? errno : EIO, "cannot write '%s'", path);
		size -= (uint64_t)n;
	}
	return fsync(out) < 0 ? err_set_errno(err, ERR_IO, errno, "cannot sync '%s'", path) : 0;
}

static int place_file(const char *blob, const struct descriptor *layer, const char *path, enum unpack_how how, const atomic_bool *cancel, struct err *err)
{
	if (how == UNPACK_LINK && link(blob, path) == 0)
		return 0;
	CLEANUP(fd_closep) int in = open(blob, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot open '%s'", blob);
	CLEANUP(fd_closep) int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (out < 0 && errno == EEXIST)
		return err_set(err, ERR_INVALID, "the artifact has two files '%s'", layer->title);
	if (out < 0)
		return err_set_errno(err, ERR_IO, errno, "cannot create '%s'", path);
	return copy_content(in, out, layer->size, path, cancel, err);
}

/* A layer of an artifact: a file named by its title, or a packed folder of that name (ORAS packs folders so). */
static int unpack_titled(const struct layout *store, const struct descriptor *layer, const char *folder, enum unpack_how how,
			 const atomic_bool *cancel, struct err *err)
{
	CLEANUP(mem_freep) char *blob = layout_blob_path(store, layer->digest);
	if (layer->unpack) /* its members' names begin with the folder's own */
		return tar_unpack(blob, folder, &(struct tar_options){.cancel = cancel}, NULL, err);
	CLEANUP(mem_freep) char *path = fd_join(folder, layer->title);
	CLEANUP(mem_freep) char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	if (fd_make_dirs(parent, err) < 0)
		return -1;
	return place_file(blob, layer, path, how, cancel, err);
}

static int unpack_artifact(const struct layout *store, const struct manifest *m, const char *folder, enum unpack_how how,
			   const atomic_bool *cancel, struct err *err)
{
	size_t titled = 0;
	for (size_t i = 0; i < m->n_layers; i++) {
		if (!m->layers[i].title)
			continue;
		titled++;
		if (unpack_titled(store, &m->layers[i], folder, how, cancel, err) < 0)
			return -1;
	}
	if (titled == 0)
		return err_set(err, ERR_UNSUPPORTED, "this is neither an image nor an artifact with named files (its config is '%.80s')", m->config.media_type);
	return 0;
}

int unpack_image(const struct layout *store, const struct manifest *m, const char *folder, enum unpack_how how, const atomic_bool *cancel, struct err *err)
{
	CLEANUP(mem_freep) char *staging = NULL;
	if (tar_staging(folder, &staging, err) < 0)
		return -1;
	int rc = m->is_image ? unpack_layers(store, m, staging, cancel, err) : unpack_artifact(store, m, staging, how, cancel, err);
	if (rc == 0)
		rc = tar_publish(staging, folder, err);
	if (rc < 0)
		(void)!fd_remove_tree(staging, NULL);
	return rc;
}
