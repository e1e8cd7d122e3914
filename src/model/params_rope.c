/* params_rope.c: the rotary embedding's settings. Hugging Face wrote them as rope_theta + rope_scaling up to
 * transformers 4 and as one object rope_parameters since 5; GGUF has metadata keys and, for frequency-dependent
 * scaling, tensors with the divisors themselves. */
#include "model/params.h"

#include <math.h>
#include <stdio.h>

static double member(const json_t *object, const char *key, double fallback)
{
	const json_t *j = json_object_get(object, key);
	return json_is_number(j) ? json_number_value(j) : fallback;
}

static int hf_factors(const json_t *rope, const char *key, int32_t n, const float **out, struct arena *arena, struct err *err)
{
	const json_t *list = json_object_get(rope, key);
	if (!json_is_array(list) || json_array_size(list) != (size_t)n)
		return err_set(err, ERR_MODEL, "config.json: rope '%s' must be a list of %d numbers, has %zu", key, n, json_array_size(list));
	float *f = arena_array(arena, (size_t)n, sizeof *f);
	for (int32_t i = 0; i < n; i++) {
		const json_t *j = json_array_get(list, (size_t)i);
		f[i] = json_is_number(j) ? (float)json_number_value(j) : 0;
		if (!(f[i] > 0 && isfinite(f[i])))
			return err_set(err, ERR_MODEL, "config.json: rope '%s' item %d is not a positive number", key, i);
	}
	*out = f;
	return 0;
}

/* Su et al.'s length extension as transformers computes it: the factor comes from the two context lengths when the original
 * one is known, and cos/sin grow by sqrt(1 + ln(factor) / ln(original)). */
static int hf_longrope(const struct params *p, const json_t *rope, struct model_config *c, struct arena *arena, struct err *err)
{
	c->scaling = ROPE_LONGROPE;
	double original = member(p->config, "original_max_position_embeddings", member(rope, "original_max_position_embeddings", c->context));
	if (!(original >= 1 && original <= LIMIT_CONTEXT_TOKENS))
		return err_set(err, ERR_MODEL, "config.json: original_max_position_embeddings is out of range");
	c->rope_original_context = (int32_t)original;
	double factor = original < c->context ? c->context / original : member(rope, "factor", 1);
	c->rope_factor = factor;
	double natural = factor <= 1 || original <= 1 ? 1 : sqrt(1 + log(factor) / log(original));
	c->rope_attention_factor = member(rope, "attention_factor", natural);
	if (hf_factors(rope, "short_factor", c->rope_dims / 2, &c->rope_short, arena, err) < 0)
		return -1;
	return hf_factors(rope, "long_factor", c->rope_dims / 2, &c->rope_long, arena, err);
}

static int hf_linear(const struct params *p, const json_t *rope, struct model_config *c, struct arena *arena, struct err *err)
{
	(void)p, (void)arena;
	c->scaling = ROPE_LINEAR;
	c->rope_factor = member(rope, "factor", 0);
	return c->rope_factor >= 1 ? 0 : err_set(err, ERR_MODEL, "config.json: linear rope scaling needs a factor of at least 1");
}

static int hf_llama3(const struct params *p, const json_t *rope, struct model_config *c, struct arena *arena, struct err *err)
{
	(void)p, (void)arena;
	c->scaling = ROPE_LLAMA3;
	c->rope_factor = member(rope, "factor", 0);
	c->rope_low_freq_factor = member(rope, "low_freq_factor", 0);
	c->rope_high_freq_factor = member(rope, "high_freq_factor", 0);
	double original = member(rope, "original_max_position_embeddings", 0);
	if (!(c->rope_factor >= 1 && c->rope_low_freq_factor > 0 && c->rope_high_freq_factor > c->rope_low_freq_factor && original >= 1 &&
	      original <= LIMIT_CONTEXT_TOKENS))
		return err_set(err, ERR_MODEL, "config.json: llama3 rope scaling needs factor, low_freq_factor < high_freq_factor and original_max_position_embeddings");
	c->rope_original_context = (int32_t)original;
	return 0;
}

static int hf_default(const struct params *p, const json_t *rope, struct model_config *c, struct arena *arena, struct err *err)
{
	(void)p, (void)rope, (void)c, (void)arena, (void)err;
	return 0;
}

/* To add a scaling: its reader above, a row here, its formula in rope.c. */
static const struct { const char *name; int (*read)(const struct params *, const json_t *, struct model_config *, struct arena *, struct err *); } HF_SCALINGS[] = {
	{"default", hf_default}, {"linear", hf_linear}, {"llama3", hf_llama3}, {"longrope", hf_longrope}, {"su", hf_longrope}};

static int hf_rope(const struct params *p, struct model_config *c, struct arena *arena, struct err *err)
{
	const json_t *rope = json_object_get(p->config, "rope_parameters");
	if (!json_is_object(rope))
		rope = json_object_get(p->config, "rope_scaling");
	c->rope_theta = member(rope, "rope_theta", member(p->config, "rope_theta", 10000));
	double partial = member(rope, "partial_rotary_factor", member(p->config, "partial_rotary_factor", 1));
	if (!(partial > 0 && partial <= 1))
		return err_set(err, ERR_MODEL, "config.json: partial_rotary_factor must be over 0 and at most 1");
	c->rope_dims = (int32_t)(c->head_dim * partial);
	const char *type = json_string_value(json_object_get(rope, "rope_type"));
	if (type == NULL)
		type = json_string_value(json_object_get(rope, "type"));
	for (size_t i = 0; i < sizeof HF_SCALINGS / sizeof HF_SCALINGS[0]; i++)
		if (strcmp(type ? type : "default", HF_SCALINGS[i].name) == 0)
			return HF_SCALINGS[i].read(p, rope, c, arena, err);
	return err_set(err, ERR_MODEL, "config.json: rope scaling '%.40s' is not supported (default, linear, llama3, longrope)", type);
}

static int gguf_factors(const struct params *p, const char *name, int32_t n, const float **out, struct arena *arena, struct err *err)
{
	const struct weights_tensor *t = weights_find(p->weights, name);
	if (t == NULL)
		return 0;
	if (t->type != DT_F32 || t->n_dims != 1 || t->shape[0] != n)
		return err_set(err, ERR_MODEL, "tensor '%s' must be f32 [%d]", name, n);
	float *f = arena_array(arena, (size_t)n, sizeof *f);
	memcpy(f, t->data, (size_t)n * sizeof *f);
	for (int32_t i = 0; i < n; i++)
		if (!(f[i] > 0 && isfinite(f[i])))
			return err_set(err, ERR_MODEL, "tensor '%s' item %d is not a positive number", name, i);
	*out = f;
	return 0;
}

static int gguf_scaling(const struct params *p, struct model_config *c, struct arena *arena, struct err *err)
{
	const float *fixed = NULL;
	int32_t half = c->rope_dims / 2;
	if (gguf_factors(p, "rope_freqs.weight", half, &fixed, arena, err) < 0 ||
	    gguf_factors(p, "rope_factors_short.weight", half, &c->rope_short, arena, err) < 0 ||
	    gguf_factors(p, "rope_factors_long.weight", half, &c->rope_long, arena, err) < 0)
		return -1;
	if (fixed)
		c->rope_short = c->rope_long = fixed;
	if ((c->rope_short == NULL) != (c->rope_long == NULL))
		return err_set(err, ERR_MODEL, "the model has only one of rope_factors_short.weight and rope_factors_long.weight");
	c->rope_original_context = c->context;
	if (params_i32(p, NULL, "rope.scaling.original_context_length", 1, LIMIT_CONTEXT_TOKENS, &c->rope_original_context, err) < 0 ||
	    params_f64(p, NULL, "rope.scaling.attn_factor", &c->rope_attention_factor, err) < 0)
		return -1;
	if (c->rope_short)
		c->scaling = ROPE_LONGROPE;
	return 0;
}

static int gguf_rope(const struct params *p, struct model_config *c, struct arena *arena, struct err *err)
{
	char key[128];
	str type = STR("none");
	c->rope_theta = 10000;
	c->rope_dims = c->head_dim;
	snprintf(key, sizeof key, "%s.rope.scaling.type", p->prefix);
	(void)weights_meta_str(p->weights, key, &type);
	if (params_f64(p, NULL, "rope.freq_base", &c->rope_theta, err) < 0 || params_f64(p, NULL, "rope.scaling.factor", &c->rope_factor, err) < 0 ||
	    params_i32(p, NULL, "rope.dimension_count", 2, c->head_dim, &c->rope_dims, err) < 0)
		return -1;
	if (str_eqz(type, "linear")) {
		c->scaling = ROPE_LINEAR;
		return c->rope_factor >= 1 ? 0 : err_set(err, ERR_MODEL, "gguf metadata: linear rope scaling needs a factor of at least 1");
	}
	if (!str_eqz(type, "none") && !str_eqz(type, "longrope") && !str_eqz(type, "llama3"))
		return err_set(err, ERR_MODEL, "gguf metadata: rope scaling '%.*s' is not supported (none, linear, longrope)", STR_FMT(type));
	return gguf_scaling(p, c, arena, err);
}

int params_rope(const struct params *p, struct model_config *c, struct arena *arena, struct err *err)
{
	c->scaling = ROPE_NONE;
	c->rope_attention_factor = 1;
	if ((p->config ? hf_rope(p, c, arena, err) : gguf_rope(p, c, arena, err)) < 0)
		return -1;
	if (!(c->rope_theta > 0 && isfinite(c->rope_theta)) || !(c->rope_attention_factor > 0 && isfinite(c->rope_attention_factor)))
		return err_set(err, ERR_MODEL, "rope: theta and attention factor must be positive numbers");
	if (c->rope_dims < 2 || c->rope_dims % 2 != 0 || c->rope_dims > c->head_dim)
		return err_set(err, ERR_MODEL, "rope rotates %d of %d head elements: it must be an even number of at least 2", c->rope_dims, c->head_dim);
	return 0;
}
