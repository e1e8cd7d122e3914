/* llama.c: Llama 2/3 and SmolLM2 (Touvron et al. 2023): pre-norm decoder, grouped-query attention, rotary
 * embedding, SwiGLU. Some descendants add biases to the attention projections (attention_bias). */
#include "model/params.h"

static int configure(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	struct params p = params_of(w);
	bool mlp_bias = false;
	if (params_decoder(w, c, arena, err) < 0 || params_bool(&p, "mlp_bias", NULL, &mlp_bias, err) < 0)
		return -1;
	if (mlp_bias)
		return err_set(err, ERR_MODEL, "config.json: mlp_bias is not supported");
	c->qkv_bias = p.config == NULL && weights_find(w, "blk.0.attn_q.bias") != NULL;
	c->o_bias = p.config == NULL && weights_find(w, "blk.0.attn_output.bias") != NULL;
	if (params_bool(&p, "attention_bias", NULL, &c->qkv_bias, err) < 0)
		return -1;
	if (p.config)
		c->o_bias = c->qkv_bias;
	return 0;
}

static void layer(struct layer_builder *b, const struct model_config *c)
{
	int32_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	int8_t x = layer_input(b);
	int8_t h = layer_rms_norm(b, x, VEC_ATTN_NORM, 0);
	int8_t q = layer_linear(b, h, LIN_Q, c->qkv_bias ? VEC_Q_BIAS : -1, q_width);
	int8_t k = layer_linear(b, h, LIN_K, c->qkv_bias ? VEC_K_BIAS : -1, kv_width);
	int8_t v = layer_linear(b, h, LIN_V, c->qkv_bias ? VEC_V_BIAS : -1, kv_width);
	int8_t a = layer_attention(b, layer_rope(b, q, c->head_dim), layer_rope(b, k, c->head_dim), v);
	x = layer_add(b, x, layer_linear(b, a, LIN_O, c->o_bias ? VEC_O_BIAS : -1, c->hidden));
	h = layer_rms_norm(b, x, VEC_FFN_NORM, 0);
	int8_t gate = layer_linear(b, h, LIN_GATE, -1, c->ffn);
	int8_t up = layer_linear(b, h, LIN_UP, -1, c->ffn);
	layer_result(b, layer_add(b, x, layer_linear(b, layer_glu(b, gate, up), LIN_DOWN, -1, c->hidden)));
}

static const char *const types[] = {"llama", NULL};
const struct arch arch_llama = {.name = "llama", .gguf_name = "llama", .hf_types = types, .gguf_interleaved = true, .configure = configure, .layer = layer};
