/* derive.h: a model's row out of what the hub says of it: its files and its configuration. Pure; both inputs are foreign text. */
#pragma once
#include "base/arena.h"
#include "catalog/model.h"
#include <jansson.h>

/* Which files a repository's weights are, and which configuration belongs to them. */
struct derive_files {
	uint64_t weight_bytes;      /* of the files that count; 0: none is there */
	bool mistral_format;        /* consolidated*.safetensors: Mistral's own layout */
	bool has_config, has_params; /* config.json, params.json at the top */
};
/* Adds the entries of one page of a repository's tree (an array of {"type", "path", "size"}). weights[] gathers by kind: consolidated
 * safetensors, other safetensors, .bin. ERR_PROTOCOL: not such an array. */
struct derive_tree { uint64_t bytes[3]; bool has_config, has_params; size_t entries; };
WARN_UNUSED int derive_tree_add(struct derive_tree *tree, const json_t *page, struct err *err);
/* The first kind that is there counts. ERR_NOT_FOUND: upstream's "no .safetensors or .bin files found". */
WARN_UNUSED int derive_tree_files(const struct derive_tree *tree, const char *name, struct derive_files *out, struct err *err);

/* Fills *out from config.json (or params.json); texts live in arena. ERR_UNSUPPORTED: vLLM does not serve its architecture; ERR_MODEL: a
 * number is missing or absurd. */
WARN_UNUSED int derive_model(const char *name, const struct derive_files *files, const json_t *config, bool gated, struct arena *arena,
			     struct catalog_model *out, struct err *err);
