/* targets.h: which linears get a LoRA pair: PEFT's target_modules rules over our linear slots.
 *
 * A list: a module is chosen when an item is its whole path ("model.layers.3.self_attn.q_proj") or a dotted ending of it ("q_proj",
 * "self_attn.q_proj"); items that match nothing are ignored as long as one matches. One string is a regular expression
 * over whole paths (POSIX extended); "all-linear" is every linear but the head. Nothing given: $DEFAULT_TARGET_MODULES (comma
 * list), then PEFT's choice for the architecture. */
#pragma once
#include "contract/training_config.h"
#include "model/model.h"

struct targets {
	uint32_t slots;                       /* chosen in at least one layer */
	bool uniform;                         /* the same slots, rank and alpha in every layer */
	const char *modules[LIN_COUNT];       /* names for adapter_config.json: what was asked for, as module names */
	size_t n_modules;
	int32_t layers;
	int32_t *ranks;                       /* [layers * LIN_COUNT], 0: none; owned */
	double *alphas;                       /* [layers * LIN_COUNT]; owned */
};
WARN_UNUSED int targets_choose(struct targets *t, const struct model *m, const struct config_lora *c, struct err *err);
void targets_done(struct targets *t);
