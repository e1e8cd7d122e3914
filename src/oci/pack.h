/* pack.h: from files to a manifest with its layers. */
#pragma once
#include "oci/layout.h"

struct packed {
	struct manifest manifest;
	char **paths;                  /* the file of each layer */
	char *text;                    /* the manifest as it is pushed */
	char digest[DIGEST_TEXT];      /* of text */
};
/* One gzip layer with data/adapter_config.json and data/adapter_model.safetensors, as upstream's pusher makes it. Layer,
 * config and manifest are put into the store. model_name NULL: the last part of base_model_name_or_path. */
WARN_UNUSED int pack_adapter(const struct layout *store, const char *folder, const char *model_name, struct packed *out, struct err *err);
/* One plain layer per regular file (hidden ones are left out), where it lies. Only the empty config is put into the store. */
WARN_UNUSED int pack_model(const struct layout *store, const char *path, const char *model_name, struct packed *out, struct err *err);
void packed_done(struct packed *p);
