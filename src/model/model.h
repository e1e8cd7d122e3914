/* model.h: an architecture, written once for serving and for training.
 *
 * A model file (llama.c, phi3.c, …) is a row in the table of model.c and two functions: `configure` reads
 * hyper-parameters (config.json or GGUF metadata), `layer` writes the decoder layer as a *program*: a short list of ops over
 * values, like the paper's figure. engine/ interprets the program on batches with a KV cache; tune/ runs it
 * forward keeping what the gradient needs and walks it backwards. No backend or quantisation words in a model file.
 *
 * Letters: T rows (tokens of a batch), C hidden size, H heads, G KV heads, D head size, F feed-forward size, V vocabulary, L layers.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "tensor/mat.h"
#include "weights/weights.h"

/* --- the layer program ------------------------------------------------------------------------- */

/* Linear weights a layer may have, and their names. The PEFT name is the module's path below "model.layers.N.". */
enum linear_slot { LIN_Q, LIN_K, LIN_V, LIN_QKV, LIN_O, LIN_GATE, LIN_UP, LIN_GATE_UP, LIN_DOWN, LIN_COUNT };
/* Vectors a layer may have. */
enum vector_slot { VEC_ATTN_NORM, VEC_FFN_NORM, VEC_Q_NORM, VEC_K_NORM, VEC_Q_BIAS, VEC_K_BIAS, VEC_V_BIAS, VEC_QKV_BIAS, VEC_O_BIAS, VEC_COUNT };

struct linear_slot_traits { const char *peft; /* "self_attn.q_proj" */ const char *module; /* "q_proj" */ const char *gguf; /* "attn_q" */ };
const struct linear_slot_traits *model_linear_traits(enum linear_slot slot);

enum op_kind {
	OP_RMS_NORM,   /* out[T,w] = a / rms(a) * vector; head_dim > 0: over each head_dim slice (q/k norm) */
	OP_LINEAR,     /* out[T,N] = a[T,K] · Wᵀ (+ bias vector) (+ LoRA of that slot) */
	OP_SLICE,      /* out = a[:, offset : offset + width], a view: shares storage with a (strided) */
	OP_ROPE,       /* rotate the first rope_dims of each head, half-split (rotate_half) */
	OP_ATTENTION,  /* out[T,H*D] = causal attention of q=a over k=b, v=c with the layer's KV cache */
	OP_GLU,        /* out = act(a) * b, act by config (SiLU) */
	OP_ADD         /* out = a + b (residual) */
};
struct op {
	enum op_kind kind;
	int8_t out, a, b, c;      /* value numbers, -1 unused. Value 0 is the layer's input (the residual stream, [T,C]) */
	int8_t linear;            /* enum linear_slot, OP_LINEAR */
	int8_t vector;            /* enum vector_slot or -1: norm weight, linear bias */
	int32_t width, offset;    /* OP_SLICE offset; width of out for every op */
	int32_t head_dim;         /* OP_RMS_NORM per head, OP_ROPE, OP_ATTENTION */
};
#define PROGRAM_OPS_MAX 32
#define PROGRAM_VALUES_MAX 32
struct program {
	struct op ops[PROGRAM_OPS_MAX];
	int32_t n_ops;
	int32_t widths[PROGRAM_VALUES_MAX]; /* columns of each value */
	int32_t n_values;
	int8_t result;                      /* value number of the layer's output */
};

/* --- hyper-parameters ---------------------------------------------------------------------------- */

enum rope_scaling { ROPE_NONE, ROPE_LINEAR, ROPE_LLAMA3, ROPE_LONGROPE };
enum activation { ACT_SILU, ACT_GELU_TANH };
struct model_config {
	int32_t vocab, hidden, layers, heads, kv_heads, head_dim, ffn;
	int32_t context;                  /* max_position_embeddings */
	float norm_eps;
	enum activation activation;
	bool tied_embeddings;             /* head shares token_embd */
	int32_t sliding_window;           /* 0: none. Key j is visible to query i when i - j < window */
	bool qk_norm, qkv_bias, o_bias;
	/* rotary embedding: rope_dims <= head_dim rotates, the rest passes through */
	int32_t rope_dims;
	double rope_theta;
	enum rope_scaling scaling;
	double rope_factor, rope_low_freq_factor, rope_high_freq_factor, rope_attention_factor;
	int32_t rope_original_context;
	const float *rope_short, *rope_long;  /* LONGROPE: rope_dims/2 divisors of inv_freq each, else NULL; the same array twice when
					       * a file carries one fixed set (GGUF rope_freqs) */
};

/* --- the model ------------------------------------------------------------------------------------ */

struct model_layer {
	struct mat linear[LIN_COUNT];        /* rows == 0: the layer has none */
	const float *vector[VEC_COUNT];      /* f32, NULL: none */
};
struct model {
	const struct arch *arch;
	struct model_config config;
	struct program program;              /* the same for every layer */
	struct model_layer *layers;          /* [config.layers] */
	struct mat token_embd;               /* [V, C] */
	struct mat head;                     /* [V, C]; the same source as token_embd when tied */
	const float *output_norm;            /* [C] */
	struct weights *weights;             /* owned */
	struct arena arena;
};

struct layer_builder;
struct arch {
	const char *name;            /* our name, "llama" */
	const char *gguf_name;       /* general.architecture, NULL when only HF */
	const char *const *hf_types; /* model_type values of config.json, NULL-terminated */
	bool gguf_interleaved;       /* its GGUF files store q/k rows in llama.cpp's rope order (struct mat) */
	int (*configure)(const struct weights *w, struct model_config *config, struct arena *arena, struct err *err);
	void (*layer)(struct layer_builder *b, const struct model_config *config);
};

/* The rows of the table in model.c; each is defined in its own file. */
extern const struct arch arch_llama, arch_mistral, arch_qwen2, arch_qwen3, arch_phi3;

/* Opens weights, recognises the architecture, checks every tensor's presence and shape, builds the program.
 * Nothing is copied but vectors; matrices point into the mapping. */
WARN_UNUSED int model_open(struct model **out, const char *path, struct err *err);
void model_close(struct model *m);
/* inv_freq[rope_dims/2] for sequences of up to `length` tokens (LONGROPE chooses short or long by it, as the reference does),
 * and the factor that multiplies cos and sin. */
void model_rope(const struct model_config *c, int64_t length, float *inv_freq, float *magnitude);
/* Pack all matrices for serving and drop their source pages. */
WARN_UNUSED int model_pack(struct model *m, enum compute compute, struct pool *pool, struct err *err);

/* The program of one layer, as `arch->layer` writes it. ERR_INTERNAL when it exceeds the limits above. */
WARN_UNUSED int model_program(const struct arch *arch, const struct model_config *c, struct program *out, struct err *err);
/* True when a sequence of `length` tokens takes the long factors (only LONGROPE with two sets can say so). Keys cached with the
 * other set must be recomputed, as the reference does when a generation crosses rope_original_context. */
bool model_rope_is_long(const struct model_config *c, int64_t length);

/* Program writers, used by model files. Each returns the new value's number. */
int8_t layer_input(struct layer_builder *b);
int8_t layer_rms_norm(struct layer_builder *b, int8_t x, enum vector_slot weight, int32_t head_dim);
int8_t layer_linear(struct layer_builder *b, int8_t x, enum linear_slot slot, int bias /* enum vector_slot or -1 */, int32_t width);
int8_t layer_slice(struct layer_builder *b, int8_t x, int32_t offset, int32_t width);
int8_t layer_rope(struct layer_builder *b, int8_t x, int32_t head_dim);
int8_t layer_attention(struct layer_builder *b, int8_t q, int8_t k, int8_t v);
int8_t layer_glu(struct layer_builder *b, int8_t gate, int8_t up);
int8_t layer_add(struct layer_builder *b, int8_t x, int8_t y);
void layer_result(struct layer_builder *b, int8_t x);
