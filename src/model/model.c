/* model.c: the table of architectures, and opening a model: recognise it, read its numbers, write its layer program,
 * then find every tensor that the program uses and check its shape against the program's widths. A model that opens
 * is complete; nobody checks a shape afterwards. Matrices stay in the file mapping; vectors (norms, biases) are small and
 * copied to float32. */
#include "model/params.h"

#include "base/fd.h"
#include <stdio.h>

/* To add an architecture: NAME.c with its struct arch, its declaration in model.h, a row here, its tiny model in tests/golden. */
static const struct arch *const ARCHS[] = {&arch_llama, &arch_mistral, &arch_phi3, &arch_qwen2, &arch_qwen3};
enum { ARCH_COUNT = sizeof ARCHS / sizeof ARCHS[0] };

static const struct linear_slot_traits LINEARS[LIN_COUNT] = {
	[LIN_Q] = {"self_attn.q_proj", "q_proj", "attn_q"},          [LIN_K] = {"self_attn.k_proj", "k_proj", "attn_k"},
	[LIN_V] = {"self_attn.v_proj", "v_proj", "attn_v"},          [LIN_QKV] = {"self_attn.qkv_proj", "qkv_proj", "attn_qkv"},
	[LIN_O] = {"self_attn.o_proj", "o_proj", "attn_output"},     [LIN_GATE] = {"mlp.gate_proj", "gate_proj", "ffn_gate"},
	[LIN_UP] = {"mlp.up_proj", "up_proj", "ffn_up"},             [LIN_GATE_UP] = {"mlp.gate_up_proj", "gate_up_proj", "ffn_up"},
	[LIN_DOWN] = {"mlp.down_proj", "down_proj", "ffn_down"},
};
static const struct { const char *hf, *gguf; bool interleaved; } VECTORS[VEC_COUNT] = {
	[VEC_ATTN_NORM] = {"input_layernorm.weight", "attn_norm.weight", false},
	[VEC_FFN_NORM] = {"post_attention_layernorm.weight", "ffn_norm.weight", false},
	[VEC_Q_NORM] = {"self_attn.q_norm.weight", "attn_q_norm.weight", false},
	[VEC_K_NORM] = {"self_attn.k_norm.weight", "attn_k_norm.weight", false},
	[VEC_Q_BIAS] = {"self_attn.q_proj.bias", "attn_q.bias", true},
	[VEC_K_BIAS] = {"self_attn.k_proj.bias", "attn_k.bias", true},
	[VEC_V_BIAS] = {"self_attn.v_proj.bias", "attn_v.bias", false},
	[VEC_QKV_BIAS] = {"self_attn.qkv_proj.bias", "attn_qkv.bias", false},
	[VEC_O_BIAS] = {"self_attn.o_proj.bias", "attn_output.bias", false},
};

const struct linear_slot_traits *model_linear_traits(enum linear_slot slot)
{
	return &LINEARS[slot];
}

struct loader {
	struct model *model;
	bool gguf;
	struct err *err;
};

static void layer_name(const struct loader *l, int32_t layer, const char *hf, const char *gguf, const char *suffix, char out[128])
{
	if (l->gguf)
		snprintf(out, 128, "blk.%d.%s%s", layer, gguf, suffix);
	else
		snprintf(out, 128, "model.layers.%d.%s%s", layer, hf, suffix);
}

static const struct weights_tensor *find(const struct loader *l, const char *name)
{
	const struct weights_tensor *t = weights_find(l->model->weights, name);
	if (t == NULL)
		err_set(l->err, ERR_MODEL, "the model has no tensor '%s' (architecture %s)", name, l->model->arch->name);
	return t;
}

static int load_matrix(const struct loader *l, const char *name, int64_t rows, int64_t cols, struct mat *out)
{
	const struct weights_tensor *t = find(l, name);
	if (t == NULL)
		return -1;
	if (t->n_dims != 2 || t->shape[0] != rows || t->shape[1] != cols)
		return err_set(l->err, ERR_MODEL, "tensor '%s' is [%lld, %lld] (%d dimensions), the configuration needs [%lld, %lld]", name,
			       (long long)t->shape[0], (long long)(t->n_dims > 1 ? t->shape[1] : 1), t->n_dims, (long long)rows, (long long)cols);
	if (t->type == DT_COUNT)
		return err_set(l->err, ERR_MODEL, "tensor '%s' has the type %s, which no weight may have", name, t->type_name);
	size_t row_bytes = dtype_bytes(t->type, cols);
	if (row_bytes == 0 || t->bytes != row_bytes * (size_t)rows)
		return err_set(l->err, ERR_MODEL, "tensor '%s': rows of %lld elements are not whole %s blocks", name, (long long)cols,
			       t->type_name);
	*out = (struct mat){.type = t->type, .rows = rows, .cols = cols, .src = t->data, .row_bytes = row_bytes};
	return 0;
}

static int load_vector(const struct loader *l, const char *name, int64_t n, int32_t interleaved_head_dim, const float **out)
{
	const struct weights_tensor *t = find(l, name);
	if (t == NULL)
		return -1;
	if (t->n_dims != 1 || t->shape[0] != n)
		return err_set(l->err, ERR_MODEL, "tensor '%s' has %lld elements (%d dimensions), the configuration needs [%lld]", name, (long long)t->shape[0],
			       t->n_dims, (long long)n);
	if (t->type != DT_F32 && t->type != DT_F16 && t->type != DT_BF16)
		return err_set(l->err, ERR_MODEL, "tensor '%s' is %s: a vector must be f32, f16 or bf16", name, t->type_name);
	float *stored = arena_array(&l->model->arena, (size_t)n, sizeof *stored), *v = stored;
	dtype_traits(t->type)->to_f32(t->data, stored, n);
	if (interleaved_head_dim) {
		const struct mat order = {.interleaved_head_dim = interleaved_head_dim};
		v = arena_array(&l->model->arena, (size_t)n, sizeof *v);
		for (int64_t i = 0; i < n; i++)
			v[i] = stored[mat_source_row(&order, i)];
	}
	*out = v;
	return 0;
}

static int load_op_matrix(const struct loader *l, int32_t layer, const struct op *op)
{
	struct model *m = l->model;
	char name[128];
	const struct linear_slot_traits *t = &LINEARS[op->linear];
	struct mat *mat = &m->layers[layer].linear[op->linear];
	layer_name(l, layer, t->peft, t->gguf, ".weight", name);
	if (load_matrix(l, name, op->width, m->program.widths[op->a], mat) < 0)
		return -1;
	if (l->gguf && m->arch->gguf_interleaved && (op->linear == LIN_Q || op->linear == LIN_K))
		mat->interleaved_head_dim = m->config.head_dim;
	return 0;
}

static int load_op_vector(const struct loader *l, int32_t layer, const struct op *op)
{
	struct model *m = l->model;
	char name[128];
	bool per_head = op->kind == OP_RMS_NORM && op->head_dim > 0;
	int32_t interleaved = l->gguf && m->arch->gguf_interleaved && VECTORS[op->vector].interleaved ? m->config.head_dim : 0;
	layer_name(l, layer, VECTORS[op->vector].hf, VECTORS[op->vector].gguf, "", name);
	return load_vector(l, name, per_head ? op->head_dim : op->width, interleaved, &m->layers[layer].vector[op->vector]);
}

static int load_layers(const struct loader *l)
{
	struct model *m = l->model;
	m->layers = arena_array(&m->arena, (size_t)m->config.layers, sizeof *m->layers);
	for (int32_t layer = 0; layer < m->config.layers; layer++)
		for (int32_t i = 0; i < m->program.n_ops; i++) {
			const struct op *op = &m->program.ops[i];
			if (op->kind == OP_LINEAR && load_op_matrix(l, layer, op) < 0)
				return -1;
			if (op->vector >= 0 && load_op_vector(l, layer, op) < 0)
				return -1;
		}
	return 0;
}

static int load_ends(const struct loader *l)
{
	struct model *m = l->model;
	const struct model_config *c = &m->config;
	if (load_matrix(l, l->gguf ? "token_embd.weight" : "model.embed_tokens.weight", c->vocab, c->hidden, &m->token_embd) < 0 ||
	    load_vector(l, l->gguf ? "output_norm.weight" : "model.norm.weight", c->hidden, 0, &m->output_norm) < 0)
		return -1;
	m->head = m->token_embd;
	return c->tied_embeddings ? 0 : load_matrix(l, l->gguf ? "output.weight" : "lm_head.weight", c->vocab, c->hidden, &m->head);
}

static int unknown_arch(const char *kind, const char *name, struct err *err)
{
	char known[96] = "";
	for (size_t i = 0, at = 0; i < ARCH_COUNT; i++)
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", ARCHS[i]->name);
	return err_set(err, ERR_MODEL, "%s '%.60s' is not supported; this build knows %s", kind, name, known);
}

static int recognise(const struct weights *w, const struct arch **out, struct err *err)
{
	const json_t *config = weights_config(w);
	bool gguf = weights_format(w) == WEIGHTS_GGUF;
	const char *type = config ? json_string_value(json_object_get(config, "model_type")) : NULL;
	str arch = {0};
	if (!gguf && type == NULL)
		return err_set(err, ERR_MODEL, "%s: no config.json with a model_type beside the weights", weights_path(w));
	if (gguf && !weights_meta_str(w, "general.architecture", &arch))
		return err_set(err, ERR_MODEL, "gguf metadata has no general.architecture");
	for (size_t i = 0; i < ARCH_COUNT; i++) {
		if (gguf && ARCHS[i]->gguf_name && str_eqz(arch, ARCHS[i]->gguf_name)) {
			*out = ARCHS[i];
			return 0;
		}
		for (const char *const *t = ARCHS[i]->hf_types; !gguf && *t; t++)
			if (strcmp(*t, type) == 0) {
				*out = ARCHS[i];
				return 0;
			}
	}
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)(arch.len < 60 ? arch.len : 60), arch.len ? arch.data : "");
	return unknown_arch(gguf ? "architecture" : "model_type", gguf ? name : type, err);
}

static int load(struct model *m, const char *path, struct err *err)
{
	if (weights_open(&m->weights, path, err) < 0 || recognise(m->weights, &m->arch, err) < 0 ||
	    m->arch->configure(m->weights, &m->config, &m->arena, err) < 0 || model_program(m->arch, &m->config, &m->program, err) < 0)
		return -1;
	struct loader l = {.model = m, .gguf = weights_format(m->weights) == WEIGHTS_GGUF, .err = err};
	if (load_layers(&l) < 0 || load_ends(&l) < 0)
		return -1;
	return 0;
}

int model_open(struct model **out, const char *path, struct err *err)
{
	struct model *m = mem_alloc(sizeof *m);
	if (load(m, path, err) < 0) {
		model_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

void model_close(struct model *m)
{
	if (m == NULL)
		return;
	for (int32_t layer = 0; m->layers && layer < m->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++)
			mat_pack_free(&m->layers[layer].linear[slot]);
	mat_pack_free(&m->head);
	weights_close(m->weights);
	arena_done(&m->arena);
	free(m);
}

static int pack(struct mat *mat, enum compute compute, struct pool *pool, struct err *err)
{
	if (mat->rows == 0)
		return 0;
	if (mat_pack(mat, compute, pool, err) < 0)
		return -1;
	if (mat->pack)
		fd_map_drop(mat->src, mat->row_bytes * (size_t)mat->rows);
	return 0;
}

/* The head first: it is the largest, and while a matrix is packed its source pages are resident beside the packed copy. */
int model_pack(struct model *m, enum compute compute, struct pool *pool, struct err *err)
{
	if (pack(&m->head, compute, pool, err) < 0)
		return err_wrap(err, "pack the output head");
	for (int32_t layer = 0; layer < m->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++)
			if (pack(&m->layers[layer].linear[slot], compute, pool, err) < 0)
				return err_wrap(err, "pack layer %d %s", layer, LINEARS[slot].module);
	return 0;
}
