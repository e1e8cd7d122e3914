/* qwen2.c: Qwen2 and Qwen2.5 (Yang et al. 2024): Llama's layer with biases on q, k and v. */
#include "model/params.h"

static int configure(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	if (params_decoder(w, c, arena, err) < 0)
		return -1;
	c->qkv_bias = true;
	return params_no_mixed_window(w, "qwen2", err);
}

static void layer(struct layer_builder *b, const struct model_config *c)
{
	int32_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	int8_t x = layer_input(b);
	int8_t h = layer_rms_norm(b, x, VEC_ATTN_NORM, 0);
	int8_t q = layer_linear(b, h, LIN_Q, VEC_Q_BIAS, q_width);
	int8_t k = layer_linear(b, h, LIN_K, VEC_K_BIAS, kv_width);
	int8_t v = layer_linear(b, h, LIN_V, VEC_V_BIAS, kv_width);
	int8_t a = layer_attention(b, layer_rope(b, q, c->head_dim), layer_rope(b, k, c->head_dim), v);
	x = layer_add(b, x, layer_linear(b, a, LIN_O, -1, c->hidden));
	h = layer_rms_norm(b, x, VEC_FFN_NORM, 0);
	int8_t gate = layer_linear(b, h, LIN_GATE, -1, c->ffn);
	int8_t up = layer_linear(b, h, LIN_UP, -1, c->ffn);
	layer_result(b, layer_add(b, x, layer_linear(b, layer_glu(b, gate, up), LIN_DOWN, -1, c->hidden)));
}

static const char *const types[] = {"qwen2", NULL};
const struct arch arch_qwen2 = {.name = "qwen2", .gguf_name = "qwen2", .hf_types = types, .configure = configure, .layer = layer};
