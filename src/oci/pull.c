/* pull.c: manifest, then every blob that the store lacks in parallel, then the tag, then the files. */
#include "oci/oci.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "http/parallel.h"
#include "oci/session.h"
#include "oci/unpack.h"
#include <errno.h>
#include <stdio.h>

#define BUSY_WAIT_MS 600000 /* another process may be fetching the same blob */

struct image { struct manifest manifest; char digest[DIGEST_TEXT]; };

/* As manifest_parse, with the image's name in the error. */
static int parse(struct session *s, str text, struct manifest *m, char chosen[DIGEST_TEXT], struct err *err)
{
	int rc = manifest_parse(text, s->options->architecture, m, chosen, err);
	return rc < 0 ? err_wrap(err, "%.100s", s->name) : rc;
}

/* The manifest from the registry, through an index when there is one; kept in the store. */
static int get_manifest(struct session *s, struct image *image, uint64_t *size, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	char chosen[DIGEST_TEXT], stored[DIGEST_TEXT];
	if (registry_get_manifest(&s->registry, reference_target(&s->ref), &text, image->digest, err) < 0)
		return -1;
	int rc = parse(s, buf_str(&text), &image->manifest, chosen, err);
	if (rc == 1) {
		if (registry_get_manifest(&s->registry, chosen, &text, image->digest, err) < 0)
			return -1;
		rc = parse(s, buf_str(&text), &image->manifest, chosen, err);
	}
	if (rc == 1)
		return err_set(err, ERR_UNSUPPORTED, "%s: an image index inside an image index", s->name);
	*size = text.len;
	return rc < 0 ? -1 : layout_put(&s->store, buf_str(&text).data, text.len, stored, err);
}

static int fetch_blob(struct session *s, const struct descriptor *blob, const atomic_bool *stop, struct err *err)
{
	char name[64];
	session_item_name(blob, name);
	struct session_item item = {s, name, "pulling"};
	const struct blob_progress progress = {session_item_progress, &item, stop};
	CLEANUP(mem_freep) char *path = layout_blob_path(&s->store, blob->digest);
	for (int64_t end = clock_now_ms() + BUSY_WAIT_MS;;) {
		if (layout_has(&s->store, blob->digest, blob->size)) {
			session_report(s, name, "exists", blob->size, blob->size);
			return 0;
		}
		struct err local = ERR_INIT;
		if (registry_get_blob(&s->registry, blob, path, &progress, &local) == 0) {
			session_report(s, name, "pulled", blob->size, blob->size);
			return 0;
		}
		if (local.kind != ERR_BUSY || clock_now_ms() > end) {
			*err = local;
			return err_wrap(err, "%s", name);
		}
		if (retry_wait(100, stop, err) < 0 || retry_wait(100, s->options->cancel, err) < 0)
			return -1;
	}
}

struct fetch { struct session *session; const struct manifest *manifest; };

static int fetch_job(void *context, size_t i, const atomic_bool *stop, struct err *err)
{
	const struct fetch *f = context;
	return fetch_blob(f->session, i ? &f->manifest->layers[i - 1] : &f->manifest->config, stop, err);
}

static bool is_complete(struct session *s, const char *digest) { return layout_image_bytes(&s->store, digest) > 0; }

/* The image as the store has it: 0, or 1 when it is not (wholly) there. */
static int find_local(struct session *s, struct image *image, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	char chosen[DIGEST_TEXT];
	int rc = layout_find(&s->store, s->name, image->digest, err);
	if (rc != 0)
		return rc;
	if (!is_complete(s, image->digest))
		return 1;
	if (layout_get(&s->store, image->digest, LIMIT_OCI_MANIFEST_BYTES, &text, err) < 0)
		return -1;
	return parse(s, buf_str(&text), &image->manifest, chosen, err);
}

/* Bring the image into the store. */
static int fetch(struct session *s, struct image *image, struct err *err)
{
	int local = s->options->if_missing ? find_local(s, image, err) : 1;
	if (local <= 0)
		return local;
	uint64_t size = 0;
	if (session_connect(s, NULL, err) < 0 || get_manifest(s, image, &size, err) < 0)
		return -1;
	struct fetch f = {s, &image->manifest};
	if (parallel_run(image->manifest.n_layers + 1, session_threads(s), fetch_job, &f, err) < 0)
		return -1;
	return layout_tag(&s->store, s->name, image->digest, size, image->manifest.media_type, err);
}

/* Fetch into `store` (NULL: the options') and unpack. */
static int pull_through(const char *image_name, const char *folder, const struct oci_options *options, const char *store, enum unpack_how how,
			char digest[OCI_DIGEST_MAX], struct err *err)
{
	struct session s;
	if (session_open(&s, image_name, options, store, err) < 0)
		return -1;
	struct image image = {0};
	int rc = fetch(&s, &image, err);
	if (rc == 0)
		rc = unpack_image(&s.store, &image.manifest, folder, how, s.options->cancel, err);
	if (rc == 0 && digest)
		memcpy(digest, image.digest, DIGEST_TEXT);
	manifest_done(&image.manifest);
	session_close(&s);
	return rc;
}

int oci_pull(const char *image, const char *folder, const struct oci_options *options, char digest[OCI_DIGEST_MAX], struct err *err)
{
	if (!options || !options->no_store)
		return pull_through(image, folder, options, NULL, UNPACK_COPY, digest, err);
	/* A store of its own inside the target, on the same file system, so that plain files are linked and not copied. */
	if (fd_make_dirs(folder, err) < 0)
		return -1;
	CLEANUP(mem_freep) char *store = fd_join(folder, ".kaito-pull-XXXXXX");
	if (!mkdtemp(store))
		return err_set_errno(err, ERR_IO, errno, "cannot create a folder in '%s'", folder);
	int rc = pull_through(image, folder, options, store, UNPACK_LINK, digest, err);
	struct err cleaning = ERR_INIT;
	if (fd_remove_tree(store, &cleaning) < 0 && rc == 0)
		return err_set(err, cleaning.kind, "%s", cleaning.message);
	return rc;
}

/* The folder is filled beside its place and renamed, so that a reader finds it whole. */
static int unpack_to_cache(struct session *s, const struct image *image, const char *place, struct err *err)
{
	if (fd_is_dir(place))
		return 0;
	CLEANUP(mem_freep) char *fresh = mem_printf("%s.tmp-XXXXXX", place);
	CLEANUP(mem_freep) char *parent = mem_strndup(place, (size_t)(strrchr(place, '/') - place));
	if (fd_make_dirs(parent, err) < 0)
		return -1;
	if (!mkdtemp(fresh))
		return err_set_errno(err, ERR_IO, errno, "cannot create a folder in '%s'", parent);
	int rc = unpack_image(&s->store, &image->manifest, fresh, UNPACK_LINK, s->options->cancel, err);
	if (rc == 0 && rename(fresh, place) < 0 && !fd_is_dir(place)) /* another process may have been faster */
		rc = err_set_errno(err, ERR_IO, errno, "cannot move '%s' into place", place);
	(void)!fd_remove_tree(fresh, NULL);
	return rc;
}

int oci_pull_cached(const char *image_name, const struct oci_options *options, char **folder, struct err *err)
{
	struct session s;
	if (session_open(&s, image_name, options, NULL, err) < 0)
		return -1;
	struct image image = {0};
	char *place = NULL;
	int rc = fetch(&s, &image, err);
	if (rc == 0) {
		place = layout_unpacked_path(&s.store, image.digest);
		rc = unpack_to_cache(&s, &image, place, err);
	}
	manifest_done(&image.manifest);
	session_close(&s);
	if (rc == 0)
		*folder = place;
	else
		free(place);
	return rc;
}
