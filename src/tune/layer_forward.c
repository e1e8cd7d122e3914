/* layer_forward.c: the forward walk, and bringing kept values back. */
#include "tune/layer.h"

#include "ops/attention.h"
#include "ops/glu.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include "tune/layer_linear.h"

#include <math.h>

/* --- where things are ------------------------------------------------------------------------------------ */

float *layer_buffer(const struct layer_walk *w, const struct graph *g, int8_t buffer)
{
	switch (buffer) {
	case GRAPH_RESIDUAL:
		return w->residual;
	case GRAPH_INPUT:
		return w->streams[0];
	case GRAPH_RESULT:
		return w->streams[1];
	default:
		return w->work + g->buffers[buffer].offset * w->rows_max;
	}
}

struct view layer_act(const struct layer_walk *w, const struct graph *g, int8_t value)
{
	const struct graph_value *v = &g->values[value];
	return (struct view){layer_buffer(w, g, v->act) + v->column, g->values[v->root].width};
}

struct view layer_grad(const struct layer_walk *w, const struct graph *g, int8_t value)
{
	const struct graph_value *v = &g->values[value];
	return (struct view){layer_buffer(w, g, v->grad) + v->column, g->values[v->root].width};
}

int64_t layer_rank_sum(const struct lora *l, int32_t layer)
{
	int64_t sum = 0;
	for (int slot = 0; slot < LIN_COUNT; slot++)
		sum += lora_slot(l, layer, slot)->rank;
	return sum;
}

float *layer_u(const struct layer_walk *w, int32_t layer, int slot)
{
	float *u = w->records[layer].u;
	for (int s = 0; s < slot; s++)
		u += (int64_t)lora_slot(w->lora, layer, s)->rank * w->rows_max;
	return u;
}

/* --- ops --------------------------------------------------------------------------------------------------- */

static void forward_norm(const struct layer_walk *w, const struct graph *g, const struct op *op, const float *weight, struct worker worker)
{
	struct view x = layer_act(w, g, op->a), y = layer_act(w, g, op->out);
	struct norm_shape s = {w->rows, op->width, op->head_dim > 0 ? op->head_dim : op->width, w->model->config.norm_eps};
	rms_norm_forward(x.x, x.ld, weight, y.x, y.ld, s, worker);
}

static void forward_rope(const struct layer_walk *w, const struct graph *g, const struct op *op, struct worker worker)
{
	struct view x = layer_act(w, g, op->a), y = layer_act(w, g, op->out);
	struct rope_shape s = {w->rows, op->width, op->head_dim, w->model->config.rope_dims};
	rope_forward(x.x, x.ld, w->rope, y.x, y.ld, s, worker);
}

static void forward_glu(const struct layer_walk *w, const struct graph *g, const struct op *op, struct worker worker)
{
	struct view a = layer_act(w, g, op->a), b = layer_act(w, g, op->b), y = layer_act(w, g, op->out);
	struct glu_shape s = {w->rows, op->width, w->model->config.activation == ACT_GELU_TANH};
	glu_forward(a.x, a.ld, b.x, b.ld, y.x, y.ld, s, worker);
}

static void forward_add(const struct layer_walk *w, const struct graph *g, const struct op *op, struct worker worker)
{
	struct view a = layer_act(w, g, op->a), b = layer_act(w, g, op->b), y = layer_act(w, g, op->out);
	rows_add(a.x, a.ld, b.x, b.ld, y.x, y.ld, w->rows, op->width, worker);
}

static void forward_attention(const struct layer_walk *w, const struct graph *g, const struct op *op, int32_t layer, struct worker worker)
{
	struct view q = layer_act(w, g, op->a), k = layer_act(w, g, op->b), v = layer_act(w, g, op->c), y = layer_act(w, g, op->out);
	struct attention_input in = {q.x, k.x, v.x, q.ld, k.ld, v.ld};
	attention_forward(in, layer_attention_shape(w, op), y.x, y.ld, w->records[layer].lse, w->attention_scratch, worker);
}

struct attention_shape layer_attention_shape(const struct layer_walk *w, const struct op *op)
{
	const struct model_config *c = &w->model->config;
	return (struct attention_shape){.rows = w->rows, .segments = w->segments, .heads = c->heads, .kv_heads = c->kv_heads, .d = op->head_dim,
					.window = c->sliding_window, .scale = 1.0f / sqrtf((float)op->head_dim), .fast = w->compute == COMPUTE_FAST};
}

/* A run of linears that share their input: LoRA and bias by rows, then the frozen products by outputs. */
static void forward_linears(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t first, int32_t count, struct worker worker)
{
	for (int32_t i = first; i < first + count; i++)
		linear_rows(w, g, layer, i, i == first, worker);
	pool_barrier(worker);
	for (int32_t i = first; i < first + count; i++)
		linear_product(w, g, layer, i, worker);
}

void layer_run_ops(struct layer_walk *w, int32_t layer, const bool *want, struct worker worker)
{
	const struct graph *g = layer_graph(w, layer);
	for (int32_t i = 0; i < g->program->n_ops; i++) {
		const struct op *op = &g->program->ops[i];
		if (want && !want[op->out])
			continue;
		switch (op->kind) {
		case OP_RMS_NORM:
			forward_norm(w, g, op, w->model->layers[layer].vector[op->vector], worker);
			break;
		case OP_LINEAR: {
			int32_t count = linear_run(w, g, layer, i);
			forward_linears(w, g, layer, i, count, worker);
			i += count - 1;
			break;
		}
		case OP_SLICE:
			break;
		case OP_ROPE:
			forward_rope(w, g, op, worker);
			break;
		case OP_ATTENTION:
			forward_attention(w, g, op, layer, worker);
			break;
		case OP_GLU:
			forward_glu(w, g, op, worker);
			break;
		case OP_ADD:
			forward_add(w, g, op, worker);
			break;
		}
		if (op->kind != OP_SLICE)
			pool_barrier(worker);
	}
}

/* --- records ------------------------------------------------------------------------------------------------ */

static void keep_value(const struct layer_walk *w, const struct graph *g, int32_t layer, int8_t value, struct worker worker)
{
	struct view x = layer_act(w, g, value);
	const struct graph_value *v = &g->values[value];
	int64_t at = (int64_t)v->kept_column * w->rows_max;
	if (w->keep_bf16)
		rows_to_bf16(x.x, x.ld, (uint16_t *)w->records[layer].values + at, v->width, w->rows, v->width, worker);
	else
		rows_copy(x.x, x.ld, (float *)w->records[layer].values + at, v->width, w->rows, v->width, worker);
}

void layer_restore_value(const struct layer_walk *w, const struct graph *g, int32_t layer, int8_t value, struct worker worker)
{
	struct view x = layer_act(w, g, value);
	const struct graph_value *v = &g->values[value];
	int64_t at = (int64_t)v->kept_column * w->rows_max;
	if (w->keep_bf16)
		rows_from_bf16((const uint16_t *)w->records[layer].values + at, v->width, x.x, x.ld, w->rows, v->width, worker);
	else
		rows_copy((const float *)w->records[layer].values + at, v->width, x.x, x.ld, w->rows, v->width, worker);
}

void layer_forward(struct layer_walk *w, int32_t layer, bool keep, struct worker worker)
{
	const struct graph *g = layer_graph(w, layer);
	if (keep)
		keep_value(w, g, layer, 0, worker);
	layer_run_ops(w, layer, NULL, worker);
	for (int v = 1; keep && w->records[layer].level == KEEP_VALUES && v < g->program->n_values; v++)
		if (g->values[v].kept)
			keep_value(w, g, layer, (int8_t)v, worker);
	pool_barrier(worker);
}
