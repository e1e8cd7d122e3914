/* mistral.c: Mistral 7B (Jiang et al. 2023): Llama's layer with a sliding attention window. Its GGUF files call
 * themselves "llama". */
#include "model/params.h"

static int configure(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	struct params p = params_of(w);
	if (params_decoder(w, c, arena, err) < 0)
		return -1;
	return params_i32(&p, "sliding_window", NULL, 1, INT32_MAX, &c->sliding_window, err);
}

static void layer(struct layer_builder *b, const struct model_config *c)
{
	int32_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	int8_t x = layer_input(b);
	int8_t h = layer_rms_norm(b, x, VEC_ATTN_NORM, 0);
	int8_t q = layer_linear(b, h, LIN_Q, -1, q_width);
	int8_t k = layer_linear(b, h, LIN_K, -1, kv_width);
	int8_t v = layer_linear(b, h, LIN_V, -1, kv_width);
	int8_t a = layer_attention(b, layer_rope(b, q, c->head_dim), layer_rope(b, k, c->head_dim), v);
	x = layer_add(b, x, layer_linear(b, a, LIN_O, -1, c->hidden));
	h = layer_rms_norm(b, x, VEC_FFN_NORM, 0);
	int8_t gate = layer_linear(b, h, LIN_GATE, -1, c->ffn);
	int8_t up = layer_linear(b, h, LIN_UP, -1, c->ffn);
	layer_result(b, layer_add(b, x, layer_linear(b, layer_glu(b, gate, up), LIN_DOWN, -1, c->hidden)));
}

static const char *const types[] = {"mistral", NULL};
const struct arch arch_mistral = {.name = "mistral", .hf_types = types, .configure = configure, .layer = layer};
