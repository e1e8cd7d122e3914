/* weights_impl.h: what the two format readers fill in; private to src/weights. */
#pragma once
#include "base/fd.h"
#include "base/map.h"
#include "base/vec.h"
#include "weights/weights.h"

struct weights {
	enum weights_format format;
	char *path, *folder;
	VEC(struct fd_map) maps;               /* one per file */
	VEC(struct weights_tensor) tensors;    /* sorted by file, then offset once validated */
	VEC(char *) names;                     /* safetensors: owned copies of tensor names */
	struct map by_name;                    /* name -> index + 1 */
	struct map meta;                       /* GGUF: key -> struct weights_meta *, owned */
	json_t *config;                        /* safetensors: config.json */
};

/* Parse the mapped file and append its tensors and metadata. `path` is for messages. */
WARN_UNUSED int weights_read_gguf(struct weights *w, const struct fd_map *map, const char *path, struct err *err);
WARN_UNUSED int weights_read_safetensors(struct weights *w, const struct fd_map *map, const char *path, struct err *err);
/* Product of shape, ERR_INVALID when negative or past 2^48. */
WARN_UNUSED int weights_elements(const struct weights_tensor *t, const char *path, int64_t *out, struct err *err);
/* Refuse two tensors of the tail [from, len) that share bytes. */
WARN_UNUSED int weights_check_overlap(const struct weights *w, size_t from, const char *path, struct err *err);
