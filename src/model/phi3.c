/* phi3.c: Phi-3, Phi-3.5, Phi-4 and Phi-4-mini (Abdin et al. 2024): Llama's layer with q, k, v in one matrix and gate,
 * up in another; long-rope for 128k contexts; Phi-4-mini rotates only part of each head. */
#include "model/params.h"

static int configure(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	struct params p = params_of(w);
	if (params_decoder(w, c, arena, err) < 0)
		return -1;
	return params_i32(&p, "sliding_window", "attention.sliding_window", 1, INT32_MAX, &c->sliding_window, err);
}

static void layer(struct layer_builder *b, const struct model_config *c)
{
	int32_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	int8_t x = layer_input(b);
	int8_t h = layer_rms_norm(b, x, VEC_ATTN_NORM, 0);
	int8_t qkv = layer_linear(b, h, LIN_QKV, -1, q_width + 2 * kv_width);
	int8_t q = layer_slice(b, qkv, 0, q_width);
	int8_t k = layer_slice(b, qkv, q_width, kv_width);
	int8_t v = layer_slice(b, qkv, q_width + kv_width, kv_width);
	int8_t a = layer_attention(b, layer_rope(b, q, c->head_dim), layer_rope(b, k, c->head_dim), v);
	x = layer_add(b, x, layer_linear(b, a, LIN_O, -1, c->hidden));
	h = layer_rms_norm(b, x, VEC_FFN_NORM, 0);
	int8_t gate_up = layer_linear(b, h, LIN_GATE_UP, -1, 2 * c->ffn);
	int8_t glu = layer_glu(b, layer_slice(b, gate_up, 0, c->ffn), layer_slice(b, gate_up, c->ffn, c->ffn));
	layer_result(b, layer_add(b, x, layer_linear(b, glu, LIN_DOWN, -1, c->hidden)));
}

static const char *const types[] = {"phi3", NULL};
const struct arch arch_phi3 = {.name = "phi3", .gguf_name = "phi3", .hf_types = types, .configure = configure, .layer = layer};
