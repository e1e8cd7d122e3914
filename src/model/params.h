/* params.h: hyper-parameters out of a Hugging Face config.json or GGUF metadata, behind one set of getters.
 * A key is given in both spellings; the GGUF one is the suffix after "<architecture>.". NULL: that format has no such key. */
#pragma once
#include "model/model.h"

struct params {
	const struct weights *weights;
	const json_t *config;  /* NULL: GGUF */
	char prefix[64];       /* GGUF: general.architecture */
};
struct params params_of(const struct weights *w);

/* Absent or JSON null: *out is left as it is (the caller's default). Wrong kind or out of [min, max]: ERR_MODEL naming the key. */
WARN_UNUSED int params_i32(const struct params *p, const char *hf, const char *gguf, int32_t min, int32_t max, int32_t *out, struct err *err);
WARN_UNUSED int params_f64(const struct params *p, const char *hf, const char *gguf, double *out, struct err *err);
WARN_UNUSED int params_bool(const struct params *p, const char *hf, const char *gguf, bool *out, struct err *err);

/* What every decoder of the table has: sizes, norm, activation, tying, and the rotary embedding with its scaling. */
WARN_UNUSED int params_decoder(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err);
/* The rotary part alone (params_rope.c); params_decoder calls it. */
WARN_UNUSED int params_rope(const struct params *p, struct model_config *c, struct arena *arena, struct err *err);
/* Refuses a config in which only some layers have a sliding window (use_sliding_window): this table has one window for all. */
WARN_UNUSED int params_no_mixed_window(const struct weights *w, const char *arch, struct err *err);
