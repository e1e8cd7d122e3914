/* adapter_config.h: what adapter_config.json says about scale, checked; inner header of adapter.c. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Owns the parsed JSON. */
struct adapter_config {
	json_t *json;
	int32_t rank;
	double alpha;
	bool rslora;
};
/* Reads folder/adapter_config.json; refuses every PEFT feature that changes the arithmetic and is not ours. */
WARN_UNUSED int adapter_config_open(struct adapter_config *c, const char *folder, struct err *err);
void adapter_config_done(struct adapter_config *c);
/* rank_pattern / alpha_pattern applied to a module path such as "model.layers.3.self_attn.q_proj". */
int32_t adapter_config_rank(const struct adapter_config *c, const char *module_path);
double adapter_config_alpha(const struct adapter_config *c, const char *module_path);
