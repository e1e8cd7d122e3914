/* oci.h: container images in and out, for the commands and for `tune --push` and `serve`. Nobody outside src/oci
 * needs another header of this folder.
 *
 * An adapter image is what upstream's pusher makes: one gzip layer with /data/adapter_config.json and
 * /data/adapter_model.safetensors, a config with nothing but rootfs.diff_ids, the manifest annotation
 * sh.kaito.model.name. A model is an OCI artifact with one plain layer per file, named by a title annotation (what
 * `oras pull` unpacks into /workspace/weights). Both kinds, and images built by other tools that hold /data or
 * /workspace/weights, are pulled. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One step of a transfer. `item` names the file or short digest; `state` is a word for people ("uploading",
 * "exists", "mounted", "done" …). Calls are serialised, but come from worker threads. */
typedef void oci_progress_fn(void *context, const char *item, const char *state, uint64_t done_bytes, uint64_t total_bytes);

/* A zeroed struct is the default. Every pointer is borrowed for the length of the call. */
struct oci_options {
	const char *store;          /* folder of the local image layout; NULL: oci_default_store() */
	const char *model_name;     /* value of sh.kaito.model.name; NULL: last part of base_model_name_or_path */
	const char *mount_from;     /* repository of the same registry whose blobs may be mounted; NULL: found in the store */
	const char *architecture;   /* "amd64"; NULL: this machine's. Chooses from a multi-platform index */
	bool plain_http;            /* http:// also for a registry that is not on loopback */
	bool allow_private;         /* a public registry may redirect to private addresses */
	bool if_missing;            /* pull: a local copy of the same reference is good enough, the registry is not asked */
	bool no_store;              /* pull: keep no copy in the store */
	unsigned parallel;          /* blobs moved at once; 0: 4 */
	const atomic_bool *cancel;  /* set to true to stop: ERR_CANCELLED */
	oci_progress_fn *progress;
	void *progress_context;
};

#define OCI_DIGEST_MAX 72 /* "sha256:" + 64 hex digits + NUL */

/* Pack folder/adapter_config.json + adapter_model.safetensors as an adapter image, keep it in the store under the
 * reference, and push it. `digest` (may be NULL) gets the manifest's digest. */
WARN_UNUSED int oci_push_adapter(const char *folder, const char *image, const struct oci_options *options,
				 char digest[OCI_DIGEST_MAX], struct err *err);
/* Push every regular file of a folder, or one file, as a model artifact: one layer per file, read where it lies. */
WARN_UNUSED int oci_push_model(const char *path, const char *image, const struct oci_options *options,
			       char digest[OCI_DIGEST_MAX], struct err *err);
/* Fetch the image and unpack its files into `folder` (created; files of the same name are replaced, others stay).
 * What the image holds under /data, else under /workspace/weights, else its titled layers, else the whole tree.
 * Nothing of a failed pull is visible in the folder. */
WARN_UNUSED int oci_pull(const char *image, const char *folder, const struct oci_options *options,
			 char digest[OCI_DIGEST_MAX], struct err *err);
/* As oci_pull, into a folder of the store named after the manifest's digest, to be read only; a second call finds it
 * there. *folder is the caller's to free. This is what `serve --model IMAGE` wants. */
WARN_UNUSED int oci_pull_cached(const char *image, const struct oci_options *options, char **folder, struct err *err);

/* The local store's images, sorted by name. `store` NULL: the default. *images is freed by oci_list_done. */
struct oci_image { char *name; char digest[OCI_DIGEST_MAX]; uint64_t bytes; }; /* bytes 0: blobs are missing */
WARN_UNUSED int oci_list(const char *store, struct oci_image **images, size_t *n, struct err *err);
void oci_list_done(struct oci_image *images, size_t n);
/* Forget the name; ERR_NOT_FOUND when the store has none of it. Space is given back by oci_gc. */
WARN_UNUSED int oci_remove(const char *image, const char *store, struct err *err);
/* Delete what no name needs. ERR_BUSY while another process uses the store. */
WARN_UNUSED int oci_gc(const char *store, uint64_t *freed_bytes, size_t *freed_blobs, struct err *err);

/* Whether the word can only be an image reference: not an existing path and it parses as one. */
bool oci_is_reference(const char *word);
/* $KAITO_STORE, else $XDG_DATA_HOME/kaito/images, else ~/.local/share/kaito/images. Caller frees. */
char *oci_default_store(void);
