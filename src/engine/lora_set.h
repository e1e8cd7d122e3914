/* lora_set.h: an adapter in the form the forward pass uses (ops/lora_rows.h), as f16 for speed unless exact arithmetic is asked
 * for. Immutable. */
#pragma once
#include "model/adapter.h"
#include "ops/lora_rows.h"

struct lora_weights { int32_t rank; float scale; void *a, *b; };
struct lora { enum lora_type type; struct lora_weights *weights; int32_t layers; void *pages; size_t bytes; };

WARN_UNUSED int lora_open(struct lora **out, const struct model *m, const char *folder, float strength, enum lora_type type, struct err *err);
WARN_UNUSED int lora_new(struct lora **out, const struct adapter *a, float strength, enum lora_type type, struct err *err);
void lora_free(struct lora *l);
static inline const struct lora_weights *lora_get(const struct lora *l, int32_t layer, int32_t slot) { return &l->weights[layer * LIN_COUNT + slot]; }
