/* tar.h: tar archives (plain, gzip or zstd) out of and into folders.
 *
 * Reading trusts nothing: a name that is absolute, has a ".." part or an empty one, a link, a device, a name twice, more
 * than LIMIT_TAR_ENTRIES members, more than LIMIT_TAR_BYTES, or more than LIMIT_TAR_RATIO times the compressed size is
 * refused with the member's name. Owners, times and special mode bits are not restored: files are 0644 (0755 when
 * executable), folders 0755.
 * Writing is deterministic: same members, same bytes (times 0, owner 0:0, given order). */
#pragma once
#include "base/err.h"
#include "codec/digest.h"
#include <stdatomic.h>

struct tar_options {
	/* Only members under this folder ("data") are unpacked, its own name is cut off. Others are skipped, but their names
	 * are still checked. NULL: all. */
	const char *root;
	bool whiteouts;             /* image layers: ".wh.NAME" removes NAME, ".wh..wh..opq" empties its folder */
	const atomic_bool *cancel;
};
struct tar_stats { uint64_t entries, files, bytes; }; /* unpacked members */

/* Unpack into an existing folder. On an error the folder holds a part: callers use a temporary one and then
 * tar_publish, or tar_extract which does both. */
WARN_UNUSED int tar_unpack(const char *archive, const char *folder, const struct tar_options *options,
			   struct tar_stats *stats, struct err *err);
/* Move what is in `from` into `into` by renames (folders merged, files replaced), then remove `from`. */
WARN_UNUSED int tar_publish(const char *from, const char *into, struct err *err);
/* A fresh folder inside `into` (created when missing), hidden by its name. Caller frees, and removes it on failure. */
WARN_UNUSED int tar_staging(const char *into, char **staging, struct err *err);
WARN_UNUSED int tar_extract(const char *archive, const char *folder, const struct tar_options *options,
			    struct tar_stats *stats, struct err *err);
/* Whether the archive has a member under the folder `root`: 1 yes, 0 no, -1 error. Stops at the first. */
WARN_UNUSED int tar_has_root(const char *archive, const char *root, struct err *err);

struct tar_member { const char *name, *path; }; /* path NULL: a folder */
struct tar_written { char diff_id[DIGEST_TEXT], digest[DIGEST_TEXT]; uint64_t bytes; }; /* of the tar, of the gzip, of the file */
/* Write a gzip tar to a new file at `out` (which must not exist); on failure it is removed. */
WARN_UNUSED int tar_write_gzip(const char *out, const struct tar_member *members, size_t n, struct tar_written *written, struct err *err);
