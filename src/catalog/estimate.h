/* estimate.h: how many nodes a model needs. Formula and constants of upstream v0.12 (utilisation 0.84, weights x 1.02, 2.3 GiB a GPU, 5 %). */
#pragma once
#include "catalog/model.h"
#include "catalog/sku.h"

enum { ESTIMATE_CONTEXT_TOKENS = 2048 }; /* when none is asked for */
extern const double ESTIMATE_UTILISATION, ESTIMATE_EXPANSION, ESTIMATE_WEIGHT_OVERHEAD, ESTIMATE_BASE_GIB;

struct estimate { int nodes, min_gpus; double available_gib, reserved_gib; /* per GPU */ };
/* context_tokens 0: 2048. ERR_INVALID with upstream's text when the GPU is too small or a MIG slice does not hold the model. */
WARN_UNUSED int estimate_nodes(const struct catalog_model *m, const struct gpu_config *gpu, int64_t context_tokens, struct estimate *out, struct err *err);
