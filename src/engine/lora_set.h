/* lora_set.h: adapters in the form the forward pass uses. B is kept transposed, so that both products run along rows.
 * Changed only between steps, by the engine's thread. */
#pragma once
#include "model/adapter.h"

struct lora_weights { int32_t rank; float scale; float *a, *bt; }; /* a [rank, K], bt [rank, N] */
struct lora { struct lora_weights *weights; int32_t layers; size_t bytes; };

WARN_UNUSED int lora_open(struct lora **out, const struct model *m, const char *folder, float strength, struct err *err);
struct lora *lora_new(const struct adapter *a, float strength);
void lora_free(struct lora *l);
static inline const struct lora_weights *lora_get(const struct lora *l, int32_t layer, int32_t slot) { return &l->weights[layer * LIN_COUNT + slot]; }
