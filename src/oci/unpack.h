/* unpack.h: from an image in the store to files in a folder. */
#pragma once
#include "oci/layout.h"
#include <stdatomic.h>

enum unpack_how { UNPACK_COPY, UNPACK_LINK /* plain files may share the store's blobs: nobody will write to them */ };
/* What to unpack is described at oci_pull (oci.h). Nothing is visible in the folder until all is unpacked. */
WARN_UNUSED int unpack_image(const struct layout *store, const struct manifest *m, const char *folder, enum unpack_how how,
			     const atomic_bool *cancel, struct err *err);
