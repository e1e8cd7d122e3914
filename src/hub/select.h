/* select.h: which of a repository's files are wanted. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

typedef VEC(char *) name_list; /* owns its strings */
void name_list_done(name_list *names);

#define SELECT_INDEX "model.safetensors.index.json"

/* Whether a sharded index decides which safetensors are wanted: it must be fetched before select_model. */
bool select_needs_index(const name_list *all);
/* shards: the names in the index, or NULL. ERR_NOT_FOUND or ERR_UNSUPPORTED say what there is instead. */
WARN_UNUSED int select_model(const name_list *all, const name_list *shards, name_list *out, struct err *err);
WARN_UNUSED int select_dataset(const name_list *all, name_list *out, struct err *err);
/* The distinct file names in an index's weight_map, each checked to be a plain name. */
WARN_UNUSED int select_read_index(str text, name_list *out, struct err *err);
