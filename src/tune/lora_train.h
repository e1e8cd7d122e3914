/* lora_train.h: the trainable parameters: one LoRA pair per chosen linear, its gradient and its AdamW moments.
 *
 * y += scale * B (A dropout(x)), A [r, K], B [N, r] (Hu et al. 2021). Inside, B is kept transposed ([r, N]) so that every
 * product with it runs along memory; lora_export and lora_import turn it into PEFT's order.
 * All parameters lie in one float array `p`, gradients, first and second moments in arrays of the same layout, so that
 * clipping, AdamW and a checkpoint are plain loops over n floats. The layout depends only on model, slots and ranks.
 */
#pragma once
#include "model/adapter.h"
#include "model/model.h"

struct lora_options {
	uint32_t slots;         /* bit set over enum linear_slot; slots the model lacks are ignored, none left is an error */
	int32_t rank;           /* 1..LIMIT_LORA_RANK */
	double alpha, dropout;  /* dropout in [0, 1) */
	bool rslora;            /* scale = alpha / sqrt(rank) instead of alpha / rank */
	uint64_t seed;
};

struct lora_slot {          /* rank 0: this linear has no LoRA */
	int32_t rank;
	float scale;
	int64_t k, n;           /* inputs and outputs of the linear */
	size_t a, b;            /* offsets into p: A [rank, K], Bt [rank, N] */
};
struct lora {
	struct lora_slot *slots;   /* [layers * LIN_COUNT], layer-major */
	int32_t layers, max_rank;
	size_t n;                  /* parameters */
	float *p, *grad, *m, *v;   /* [n] each, 64-byte aligned, owned by whoever gave `block` */
	float dropout;
	uint64_t seed;
	int64_t steps;             /* updates made so far: AdamW's t */
	struct lora_options options; /* as given (or derived from an adapter) */
	struct arena arena;
};
static inline const struct lora_slot *lora_slot(const struct lora *l, int32_t layer, int slot) { return &l->slots[layer * LIN_COUNT + slot]; }

/* Lays out the parameters; `init` NULL: the options decide, else ranks and scales are the adapter's (options give dropout and seed).
 * Nothing is allocated for the numbers yet: the caller provides lora_bytes() zeroed bytes to lora_bind. */
WARN_UNUSED int lora_layout(struct lora *l, const struct model *m, const struct lora_options *o, const struct adapter *init, struct err *err);
size_t lora_bytes(const struct lora *l);
void lora_bind(struct lora *l, void *block);
/* PEFT's start: B zero, A uniform in ±1/sqrt(K) (kaiming_uniform with a = sqrt(5)). */
void lora_init(struct lora *l);
void lora_import(struct lora *l, const struct adapter *init); /* the layout must come from this adapter */
void lora_export(const struct lora *l, struct adapter *out);  /* `out` zeroed by the caller; memory in out->arena */
void lora_done(struct lora *l);

/* Requantise every linear of the model's layers (not the embedding, not the head) in memory: DT_NF4 (64-blocks, absmax
 * double quantised as bitsandbytes does when double_quant) or DT_I8. The model's matrices then point at memory owned by
 * *owner; free it after model_close. For `qlora` on a base that is not quantised. */
struct lora_requantised;
WARN_UNUSED int lora_requantise(struct model *m, enum dtype type, bool double_quant, struct lora_requantised **owner, struct err *err);
size_t lora_requantised_bytes(const struct lora_requantised *owner);
void lora_requantised_free(struct lora_requantised *owner);
