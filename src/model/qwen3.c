/* qwen3.c: Qwen3 dense (Qwen team 2025): Llama's layer with an RMS norm over each head of q and k before the rotary
 * embedding, and a head size that is its own hyper-parameter. */
#include "model/params.h"

static int configure(const struct weights *w, struct model_config *c, struct arena *arena, struct err *err)
{
	struct params p = params_of(w);
	bool bias = false;
	if (params_decoder(w, c, arena, err) < 0 || params_bool(&p, "attention_bias", NULL, &bias, err) < 0)
		return -1;
	if (bias)
		return err_set(err, ERR_MODEL, "config.json: attention_bias is not supported for qwen3");
	c->qk_norm = true;
	return params_no_mixed_window(w, "qwen3", err);
}

static void layer(struct layer_builder *b, const struct model_config *c)
{
	int32_t q_width = c->heads * c->head_dim, kv_width = c->kv_heads * c->head_dim;
	int8_t x = layer_input(b);
	int8_t h = layer_rms_norm(b, x, VEC_ATTN_NORM, 0);
	int8_t q = layer_rms_norm(b, layer_linear(b, h, LIN_Q, -1, q_width), VEC_Q_NORM, c->head_dim);
	int8_t k = layer_rms_norm(b, layer_linear(b, h, LIN_K, -1, kv_width), VEC_K_NORM, c->head_dim);
	int8_t v = layer_linear(b, h, LIN_V, -1, kv_width);
	int8_t a = layer_attention(b, layer_rope(b, q, c->head_dim), layer_rope(b, k, c->head_dim), v);
	x = layer_add(b, x, layer_linear(b, a, LIN_O, -1, c->hidden));
	h = layer_rms_norm(b, x, VEC_FFN_NORM, 0);
	int8_t gate = layer_linear(b, h, LIN_GATE, -1, c->ffn);
	int8_t up = layer_linear(b, h, LIN_UP, -1, c->ffn);
	layer_result(b, layer_add(b, x, layer_linear(b, layer_glu(b, gate, up), LIN_DOWN, -1, c->hidden)));
}

static const char *const types[] = {"qwen3", NULL};
const struct arch arch_qwen3 = {.name = "qwen3", .gguf_name = "qwen3", .hf_types = types, .configure = configure, .layer = layer};
