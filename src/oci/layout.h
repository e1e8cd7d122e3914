/* layout.h: the local store: an OCI image layout (oci-layout, index.json, blobs/sha256/HEX) that other tools read, too.
 *
 * Many processes may use one store. Whoever adds or reads blobs holds "lock" shared; removing blobs needs it exclusively;
 * index.json is replaced under "index.lock". Blobs are content-addressed, written beside their place and renamed. */
#pragma once
#include "base/buf.h"
#include "oci/manifest.h"

struct layout { char *root; int lock; }; /* owner: any number of threads, immutable after open */

enum layout_use { LAYOUT_SHARED, LAYOUT_EXCLUSIVE };
/* Creates the store when it is missing. Shared use waits for a garbage collection (seconds); exclusive use is ERR_BUSY while
 * anybody uses the store. */
WARN_UNUSED int layout_open(struct layout *l, const char *root, enum layout_use use, struct err *err);
void layout_close(struct layout *l);

char *layout_blob_path(const struct layout *l, const char *digest);  /* caller frees */
/* Whether the blob is there with this size (its content was verified when it came in). */
bool layout_has(const struct layout *l, const char *digest, uint64_t size);
WARN_UNUSED int layout_put(const struct layout *l, const void *data, size_t len, char digest[DIGEST_TEXT], struct err *err);
/* Rename a finished file of the same file system into its place. */
WARN_UNUSED int layout_adopt(const struct layout *l, const char *path, const char *digest, struct err *err);
WARN_UNUSED int layout_get(const struct layout *l, const char *digest, size_t max, struct buf *out, struct err *err);
/* An unused name in the store for a file that will be adopted. Caller frees. */
char *layout_scratch(const struct layout *l);

struct layout_image { char *name; char digest[DIGEST_TEXT]; uint64_t size; char *media_type; }; /* of the manifest */
/* Let the name stand for the manifest; a previous meaning is replaced. */
WARN_UNUSED int layout_tag(const struct layout *l, const char *name, const char *digest, uint64_t size, const char *media_type, struct err *err);
/* 0 found, 1 not there, -1. */
WARN_UNUSED int layout_find(const struct layout *l, const char *name, char digest[DIGEST_TEXT], struct err *err);
/* All images, in the order of their names. *images is freed by layout_images_done. */
WARN_UNUSED int layout_list(const struct layout *l, struct layout_image **images, size_t *n, struct err *err);
void layout_images_done(struct layout_image *images, size_t n);
/* 0 removed, 1 not there. Blobs stay until layout_gc. */
WARN_UNUSED int layout_untag(const struct layout *l, const char *name, struct err *err);
/* Where an image lies unpacked for reading (oci_pull_cached): unpacked/HEX in the store. Caller frees. */
char *layout_unpacked_path(const struct layout *l, const char *manifest_digest);
/* Remove what no image needs, unpacked folders too; the store must be open exclusively. */
WARN_UNUSED int layout_gc(const struct layout *l, uint64_t *freed_bytes, size_t *freed_blobs, struct err *err);
/* Bytes of all blobs of an image, its manifest included; 0 when it is incomplete. */
uint64_t layout_image_bytes(const struct layout *l, const char *manifest_digest);
