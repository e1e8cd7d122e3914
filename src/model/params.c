/* params.c: reads a decoder's sizes and checks them; nothing past this file meets an unchecked number. */
#include "model/params.h"

#include <math.h>
#include <stdio.h>

enum { PARAMS_HIDDEN_MAX = 1 << 17, PARAMS_FFN_MAX = 1 << 20, PARAMS_HEADS_MAX = 1024, PARAMS_HEAD_DIM_MAX = 512 };

struct params params_of(const struct weights *w)
{
	struct params p = {.weights = w, .config = weights_config(w)};
	str arch;
	if (p.config == NULL && weights_meta_str(w, "general.architecture", &arch))
		snprintf(p.prefix, sizeof p.prefix, "%.*s", (int)(arch.len < 48 ? arch.len : 48), arch.data);
	return p;
}

static const char *gguf_key(const struct params *p, const char *suffix, char out[160])
{
	snprintf(out, 160, "%s.%s", p->prefix, suffix);
	return out;
}

static int number(const struct params *p, const char *hf, const char *gguf, double *out, const char **key, char text[160], struct err *err)
{
	*key = p->config ? hf : gguf ? gguf_key(p, gguf, text) : NULL;
	if (*key == NULL)
		return 1;
	if (p->config) {
		const json_t *j = json_object_get(p->config, hf);
		if (j == NULL || json_is_null(j))
			return 1;
		if (!json_is_number(j))
			return err_set(err, ERR_MODEL, "config.json: '%s' is not a number", hf);
		*out = json_number_value(j);
		return 0;
	}
	uint64_t u;
	if (weights_meta_u64(p->weights, *key, &u)) {
		*out = (double)u;
		return 0;
	}
	if (weights_meta_f64(p->weights, *key, out))
		return 0;
	return weights_meta(p->weights, *key) ? err_set(err, ERR_MODEL, "gguf metadata: '%s' is not a number", *key) : 1;
}

int params_i32(const struct params *p, const char *hf, const char *gguf, int32_t min, int32_t max, int32_t *out, struct err *err)
{
	char text[160];
	const char *key;
	double value = 0;
	int rc = number(p, hf, gguf, &value, &key, text, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (!(value >= min && value <= max) || floor(value) != value)
		return err_set(err, ERR_MODEL, "'%s' is %g, it must be a whole number from %d to %d", key, value, min, max);
	*out = (int32_t)value;
	return 0;
}

int params_f64(const struct params *p, const char *hf, const char *gguf, double *out, struct err *err)
{
	char text[160];
	const char *key;
	double value = 0;
	int rc = number(p, hf, gguf, &value, &key, text, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (!isfinite(value))
		return err_set(err, ERR_MODEL, "'%s' is not a finite number", key);
	*out = value;
	return 0;
}

int params_bool(const struct params *p, const char *hf, const char *gguf, bool *out, struct err *err)
{
	char text[160];
	if (p->config == NULL) {
		if (gguf)
			(void)weights_meta_bool(p->weights, gguf_key(p, gguf, text), out);
		return 0;
	}
	const json_t *j = hf ? json_object_get(p->config, hf) : NULL;
	if (j == NULL || json_is_null(j))
		return 0;
	if (!json_is_boolean(j))
		return err_set(err, ERR_MODEL, "config.json: '%s' is not true or false", hf);
	*out = json_is_true(j);
	return 0;
}

static int sizes(const struct params *p, struct model_config *c, struct err *err)
{
	/* The sizes, their spellings and ceilings; a required one stays 0 when absent. */
	const struct { const char *hf, *gguf; int32_t max; int32_t *out; bool required; } rows[] = {
		{"hidden_size", "embedding_length", PARAMS_HIDDEN_MAX, &c->hidden, true},
		{"num_hidden_layers", "block_count", LIMIT_LAYERS, &c->layers, true},
		{"num_attention_heads", "attention.head_count", PARAMS_HEADS_MAX, &c->heads, true},
		{"num_key_value_heads", "attention.head_count_kv", PARAMS_HEADS_MAX, &c->kv_heads, false},
		{"head_dim", "attention.key_length", PARAMS_HEAD_DIM_MAX, &c->head_dim, false},
		{"intermediate_size", "feed_forward_length", PARAMS_FFN_MAX, &c->ffn, true},
		{"max_position_embeddings", "context_length", LIMIT_CONTEXT_TOKENS, &c->context, true},
		{"vocab_size", "vocab_size", LIMIT_VOCAB, &c->vocab, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (params_i32(p, rows[i].hf, rows[i].gguf, 1, rows[i].max, rows[i].out, err) < 0)
			return -1;
		if (rows[i].required && *rows[i].out == 0)
			return err_set(err, ERR_MODEL, "%s has no '%s%s%s'", p->config ? "config.json" : "gguf metadata", p->config ? "" : p->prefix,
				       p->config ? "" : ".", p->config ? rows[i].hf : rows[i].gguf);
	}
	c->kv_heads = c->kv_heads ? c->kv_heads : c->heads;
	c->head_dim = c->head_dim ? c->head_dim : c->hidden / c->heads;
	if (c->heads % c->kv_heads != 0)
		return err_set(err, ERR_MODEL, "%d attention heads cannot share %d key/value heads evenly", c->heads, c->kv_heads);
	if (c->head_dim < 2 || c->head_dim % 2 != 0 || c->head_dim > PARAMS_HEAD_DIM_MAX)
		return err_set(err, ERR_MODEL, "head size %d: it must be even, from 2 to %d", c->head_dim, PARAMS_HEAD_DIM_MAX);
	return 0;
}

static int vocab(const struct params *p, struct model_config *c, struct err *err)
{
	const char *name = p->config ? "model.embed_tokens.weight" : "token_embd.weight";
	const struct weights_tensor *t = weights_find(p->weights, name);
	if (t == NULL)
		return err_set(err, ERR_MODEL, "the model has no tensor '%s'", name);
	if (t->n_dims != 2 || t->shape[0] < 1 || t->shape[0] > LIMIT_VOCAB)
		return err_set(err, ERR_MODEL, "tensor '%s' is no embedding of at most %d tokens", name, LIMIT_VOCAB);
	if (c->vocab == 0)
		c->vocab = (int32_t)t->shape[0];
	return 0;
}

static int activation(const struct params *p, struct model_config *c, struct err *err)
{
	static const struct { const char *name; enum activation act; } names[] = {
		{"silu", ACT_SILU}, {"swish", ACT_SILU}, {"gelu_pytorch_tanh", ACT_GELU_TANH}, {"gelu_new", ACT_GELU_TANH}};
	const char *name = p->config ? json_string_value(json_object_get(p->config, "hidden_act")) : NULL;
	c->activation = ACT_SILU;
	if (name == NULL)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i].name) == 0) {
			c->activation = names[i].act;
			return 0;
		}
	return err_set(err, ERR_MODEL, "config.json: hidden_act '%.40s' is not supported (silu, gelu_pytorch_tanh)", name);
}

int params_decoder(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	struct params p = params_of(w);
	double eps = 0;
	if (sizes(&p, c, err) < 0 || vocab(&p, c, err) < 0 || activation(&p, c, err) < 0)
		return -1;
	if (params_f64(&p, "rms_norm_eps", "attention.layer_norm_rms_epsilon", &eps, err) < 0)
		return -1;
	if (!(eps > 0 && eps < 1))
		return err_set(err, ERR_MODEL, "the norm's epsilon (rms_norm_eps) is missing or not between 0 and 1");
	c->norm_eps = (float)eps;
	c->tied_embeddings = p.config == NULL && weights_find(w, "output.weight") == NULL;
	if (params_bool(&p, "tie_word_embeddings", NULL, &c->tied_embeddings, err) < 0)
		return -1;
	return params_rope(&p, c, arena, err);
}

int params_no_mixed_window(const struct weights *w, const char *arch, struct err *err)
{
	struct params p = params_of(w);
	bool on = false;
	if (params_bool(&p, "use_sliding_window", NULL, &on, err) < 0)
		return -1;
	return on ? err_set(err, ERR_MODEL, "config.json: use_sliding_window is not supported for %s (window in some layers only)", arch) : 0;
}
