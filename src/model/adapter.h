/* adapter.h: a LoRA adapter (Hu et al. 2021) in PEFT's folder form: adapter_config.json + adapter_model.safetensors.
 * y += scale * B (A x), A [r, K], B [N, r], scale = alpha / r (rsLoRA: alpha / sqrt(r)). Immutable after open. */
#pragma once
#include "model/model.h"

struct lora_pair {
	int32_t rank;    /* 0: this linear has none */
	int32_t n, k;    /* outputs N and inputs K of the linear it adapts */
	float scale;
	float *a, *b;    /* a [rank, K], b [N, rank], f32, HF row order */
};
struct adapter {
	struct lora_pair *pairs;      /* [layers * LIN_COUNT], layer-major */
	int32_t layers;
	struct arena arena;
	char *base_model;             /* base_model_name_or_path of the config, or NULL */
};
static inline struct lora_pair *adapter_pair(const struct adapter *a, int32_t layer, enum linear_slot slot) { return &a->pairs[layer * LIN_COUNT + (int32_t)slot]; }

/* Checks every tensor against the model's shapes: an adapter of another base, unknown modules, DoRA, bias != "none",
 * modules_to_save are refused with a message that names the tensor or key. rank_pattern / alpha_pattern are honoured. */
WARN_UNUSED int adapter_open(struct adapter **out, const char *folder, const struct model *m, struct err *err);
void adapter_close(struct adapter *a);

struct adapter_meta { /* what PEFT wants to read back in adapter_config.json */
	const char *base_model; int32_t rank; double alpha, dropout; bool rslora; const char *const *target_modules; size_t n_targets;
};
/* Creates the folder if needed and writes each file atomically, the configuration last; the bytes depend on the arguments only. Tensor names as PEFT's ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"). */
WARN_UNUSED int adapter_save(const struct adapter *a, const char *folder, const struct adapter_meta *meta, struct err *err);
