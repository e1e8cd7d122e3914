/* adapter.c: reads a PEFT LoRA folder against a model. A tensor is accepted only when its name leads to a linear of the
 * model and its shape to that linear's; an adapter made for another base therefore fails here, naming the tensor,
 * and never at the first request. */
#include "model/adapter.h"

#include "base/fd.h"
#include "model/adapter_config.h"
#include <math.h>
#include <stdio.h>

struct reader {
	struct adapter *adapter;
	const struct model *model;
	const struct adapter_config *config;
	struct err *err;
};

/* One tensor's place, out of "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight". */
struct place {
	int32_t layer;
	enum linear_slot slot;
	bool is_b;
	char module[96]; /* "model.layers.0.self_attn.q_proj" */
};

static bool take(str *s, const char *prefix)
{
	if (!str_starts(*s, str_of(prefix)))
		return false;
	*s = str_sub(*s, strlen(prefix), s->len);
	return true;
}

static bool parse_layer(str *s, int32_t *layer)
{
	size_t dot = str_find(*s, '.', 0);
	int64_t n;
	if (dot == s->len || !str_to_i64(str_sub(*s, 0, dot), &n) || n < 0 || n >= LIMIT_LAYERS)
		return false;
	*layer = (int32_t)n;
	*s = str_sub(*s, dot + 1, s->len);
	return true;
}

static bool parse_tail(str tail, bool *is_b)
{
	/* PEFT strips the adapter's name ("default") when it saves; a raw state_dict keeps it. */
	*is_b = str_eqz(tail, ".lora_B.weight") || str_eqz(tail, ".lora_B.default.weight");
	return *is_b || str_eqz(tail, ".lora_A.weight") || str_eqz(tail, ".lora_A.default.weight");
}

static bool parse_name(str name, struct place *p)
{
	if (!take(&name, "base_model.model.model.layers.") || !parse_layer(&name, &p->layer))
		return false;
	for (int slot = 0; slot < LIN_COUNT; slot++) {
		str rest = name;
		const char *peft = model_linear_traits((enum linear_slot)slot)->peft;
		if (!take(&rest, peft) || !parse_tail(rest, &p->is_b))
			continue;
		p->slot = (enum linear_slot)slot;
		snprintf(p->module, sizeof p->module, "model.layers.%d.%s", p->layer, peft);
		return true;
	}
	return false;
}

static int check_shape(const struct reader *r, const struct weights_tensor *t, const struct place *p, int32_t rank)
{
	const struct mat *m = p->layer < r->model->config.layers ? &r->model->layers[p->layer].linear[p->slot] : NULL;
	if (m == NULL || m->rows == 0)
		return err_set(r->err, ERR_MODEL, "adapter tensor '%.*s': the model has no %s in layer %d; this adapter belongs to another base", STR_FMT(t->name),
			       model_linear_traits(p->slot)->module, p->layer);
	int64_t rows = p->is_b ? m->rows : rank, cols = p->is_b ? rank : m->cols;
	if (t->n_dims != 2 || t->shape[0] != rows || t->shape[1] != cols)
		return err_set(r->err, ERR_MODEL, "adapter tensor '%.*s' is [%lld, %lld], this model and rank need [%lld, %lld]", STR_FMT(t->name), (long long)t->shape[0],
			       (long long)(t->n_dims > 1 ? t->shape[1] : 1), (long long)rows, (long long)cols);
	if (t->type != DT_F32 && t->type != DT_F16 && t->type != DT_BF16)
		return err_set(r->err, ERR_MODEL, "adapter tensor '%.*s' is %s, it must be f32, f16 or bf16", STR_FMT(t->name), t->type_name);
	return 0;
}

static int read_tensor(const struct reader *r, const struct weights_tensor *t)
{
	struct place p;
	if (!parse_name(t->name, &p))
		return err_set(r->err, ERR_MODEL, "adapter tensor '%.*s' is no LoRA matrix of a decoder layer's linear", STR_FMT(t->name));
	int32_t rank = adapter_config_rank(r->config, p.module);
	if (check_shape(r, t, &p, rank) < 0)
		return -1;
	struct lora_pair *pair = adapter_pair(r->adapter, p.layer, p.slot);
	float **side = p.is_b ? &pair->b : &pair->a;
	if (*side)
		return err_set(r->err, ERR_MODEL, "adapter tensor '%.*s' occurs twice", STR_FMT(t->name));
	int64_t n = t->shape[0] * t->shape[1];
	*side = arena_array(&r->adapter->arena, (size_t)n, sizeof **side);
	dtype_traits(t->type)->to_f32(t->data, *side, n);
	const struct mat *m = &r->model->layers[p.layer].linear[p.slot];
	pair->rank = rank;
	pair->n = (int32_t)m->rows;
	pair->k = (int32_t)m->cols;
	double root = r->config->rslora ? sqrt(rank) : rank;
	pair->scale = (float)(adapter_config_alpha(r->config, p.module) / root);
	return 0;
}

static int check_pairs(const struct reader *r)
{
	for (int32_t layer = 0; layer < r->adapter->layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct lora_pair *p = adapter_pair(r->adapter, layer, (enum linear_slot)slot);
			if ((p->a == NULL) != (p->b == NULL))
				return err_set(r->err, ERR_MODEL, "adapter: layer %d %s has only one of lora_A and lora_B", layer,
					       model_linear_traits((enum linear_slot)slot)->module);
		}
	return 0;
}

static int read_all(const struct reader *r, const char *folder)
{
	char *path CLEANUP(mem_freep) = fd_join(folder, "adapter_model.safetensors");
	struct weights *w;
	if (weights_open(&w, path, r->err) < 0)
		return err_wrap(r->err, "adapter '%s'", folder);
	int rc = weights_count(w) ? 0 : err_set(r->err, ERR_MODEL, "%s holds no tensors", path);
	for (size_t i = 0; rc == 0 && i < weights_count(w); i++)
		rc = read_tensor(r, weights_at(w, i));
	weights_close(w);
	return rc < 0 ? -1 : check_pairs(r);
}

int adapter_open(struct adapter **out, const char *folder, const struct model *m, struct err *err)
{
	struct adapter_config config;
	if (adapter_config_open(&config, folder, err) < 0)
		return -1;
	struct adapter *a = mem_alloc(sizeof *a);
	a->layers = m->config.layers;
	a->pairs = arena_array(&a->arena, (size_t)a->layers * LIN_COUNT, sizeof *a->pairs);
	const char *base = json_string_value(json_object_get(config.json, "base_model_name_or_path"));
	a->base_model = base ? arena_strdup(&a->arena, str_of(base)) : NULL;
	struct reader r = {.adapter = a, .model = m, .config = &config, .err = err};
	int rc = read_all(&r, folder);
	adapter_config_done(&config);
	if (rc < 0) {
		adapter_close(a);
		return -1;
	}
	*out = a;
	return 0;
}

void adapter_close(struct adapter *a)
{
	if (a == NULL)
		return;
	arena_done(&a->arena);
	free(a);
}
