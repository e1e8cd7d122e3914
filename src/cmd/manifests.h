/* manifests.h: the objects of a manifest file: YAML documents or JSON, lists taken apart. */
#pragma once
#include "base/err.h"
#include "base/vec.h"
#include <jansson.h>

struct manifest { json_t *object; int document; long line; /* both from 1 */ };
typedef VEC(struct manifest) manifest_list;

/* path "-": standard input. Documents that are empty are skipped. Errors carry file and line. manifests_done is the caller's, after a failure too. */
WARN_UNUSED int manifests_read(const char *path, manifest_list *out, struct err *err);
void manifests_done(manifest_list *list);
