/* source.h: what people give as a model or an adapter: a path, or an image that is pulled into the local store. */
#pragma once
#include "base/err.h"
#include <stdatomic.h>

/* *path: an existing file or folder; the caller frees it. ERR_NOT_FOUND when the word is neither a path nor an image. */
/* cancel ends a pull under way; may be NULL. */
WARN_UNUSED int source_resolve(const char *word, const atomic_bool *cancel, char **path, struct err *err);
/* "NAME=SOURCE[@STRENGTH]" or "SOURCE" (then the name is the last part of the path). All three parts are the caller's. */
struct source_adapter { char *name, *source; double strength; };
WARN_UNUSED int source_adapter_parse(const char *word, struct source_adapter *out, struct err *err);
void source_adapter_done(struct source_adapter *a);
/* Last part of a path or image, without ".gguf", tag and digest. Caller frees. */
char *source_name(const char *word);
