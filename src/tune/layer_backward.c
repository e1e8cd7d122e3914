/* layer_backward.c: restores a layer's activations, then walks its program from the last op to the first. */
#include "tune/layer.h"

#include "ops/glu.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include "tune/layer_linear.h"
#include "tune/lora_branch.h"

/* --- planning ------------------------------------------------------------------------------------------------ */

static const struct mat *slot_matrix(const struct layer_walk *w, int32_t layer, int slot) { return &w->model->layers[layer].linear[slot]; }

int64_t layer_run_ranks(const struct layer_walk *w)
{
	const struct program *p = w->graphs[1].program;
	int64_t most = 0;
	for (int32_t layer = 0; layer < w->lora->layers; layer++)
		for (int32_t i = 0; i < p->n_ops; i++) {
			int64_t sum = 0;
			for (int32_t j = 0; p->ops[i].kind == OP_LINEAR && j < graph_linear_run(p, i); j++)
				sum += lora_slot(w->lora, layer, p->ops[i + j].linear)->rank;
			most = sum > most ? sum : most;
		}
	return most;
}

size_t layer_input_bytes(const struct layer_walk *w)
{
	size_t most = 0;
	for (int slot = 0; slot < LIN_COUNT; slot++) {
		size_t bytes = mat_input_bytes(w->rows_max, slot_matrix(w, 0, slot)->cols);
		most = bytes > most ? bytes : most;
	}
	return most;
}

size_t layer_back_bytes(const struct layer_walk *w, struct pool *pool)
{
	size_t most = 0;
	for (int32_t layer = 0; layer < w->model->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct mat *m = slot_matrix(w, layer, slot);
			size_t bytes = m->rows > 0 ? mat_backward_bytes(m, w->rows_max, pool) : 0;
			most = bytes > most ? bytes : most;
		}
	return most;
}

/* --- restore --------------------------------------------------------------------------------------------------- */

static void restore(struct layer_walk *w, int32_t layer, struct worker worker)
{
	const struct graph *g = layer_graph(w, layer);
	bool want[PROGRAM_VALUES_MAX] = {false};
	layer_restore_value(w, g, layer, 0, worker);
	for (int v = 1; w->records[layer].level == KEEP_VALUES && v < g->program->n_values; v++) {
		want[v] = g->values[v].again;
		if (g->values[v].kept)
			layer_restore_value(w, g, layer, (int8_t)v, worker);
	}
	pool_barrier(worker);
	layer_run_ops(w, layer, w->records[layer].level == KEEP_VALUES ? want : NULL, worker);
}

/* --- ops -------------------------------------------------------------------------------------------------------- */

static void back_norm(const struct layer_walk *w, const struct graph *g, const struct op *op, int32_t layer, bool add, struct worker worker)
{
	if (!g->values[op->a].needs_grad)
		return;
	struct view x = layer_act(w, g, op->a), dx = layer_grad(w, g, op->a), dy = layer_grad(w, g, op->out);
	struct norm_shape s = {w->rows, op->width, op->head_dim > 0 ? op->head_dim : op->width, w->model->config.norm_eps};
	rms_norm_backward(x.x, x.ld, w->model->layers[layer].vector[op->vector], dy.x, dy.ld, dx.x, dx.ld, s, add, worker);
}

static void back_rope(const struct layer_walk *w, const struct graph *g, const struct op *op, struct worker worker)
{
	struct view dx = layer_grad(w, g, op->a), dy = layer_grad(w, g, op->out);
	rope_backward(dy.x, dy.ld, w->rope, dx.x, dx.ld, (struct rope_shape){w->rows, op->width, op->head_dim, w->model->config.rope_dims}, worker);
}

static void back_glu(const struct layer_walk *w, const struct graph *g, const struct op *op, struct worker worker)
{
	struct view a = layer_act(w, g, op->a), b = layer_act(w, g, op->b), dy = layer_grad(w, g, op->out);
	struct view da = layer_grad(w, g, op->a), db = layer_grad(w, g, op->b);
	struct glu_shape s = {w->rows, op->width, w->model->config.activation == ACT_GELU_TANH};
	glu_backward(a.x, a.ld, b.x, b.ld, dy.x, dy.ld, da.x, da.ld, db.x, db.ld, s, worker);
}

/* An input without gradient so far shares the output's buffer already; only the other case has work to do. */
static void back_add(const struct layer_walk *w, const struct graph *g, const struct op *op, bool add, struct worker worker)
{
	if (!add)
		return;
	struct view da = layer_grad(w, g, op->a), dy = layer_grad(w, g, op->out);
	rows_add(da.x, da.ld, dy.x, dy.ld, da.x, da.ld, w->rows, op->width, worker);
}

static void back_attention(const struct layer_walk *w, const struct graph *g, const struct op *op, int32_t layer, struct worker worker)
{
	struct view q = layer_act(w, g, op->a), k = layer_act(w, g, op->b), v = layer_act(w, g, op->c), o = layer_act(w, g, op->out);
	struct view dq = layer_grad(w, g, op->a), dk = layer_grad(w, g, op->b), dv = layer_grad(w, g, op->c), dy = layer_grad(w, g, op->out);
	struct attention_input in = {q.x, k.x, v.x, q.ld, k.ld, v.ld};
	struct attention_grads grads = {dq.x, dk.x, dv.x, dq.ld, dk.ld, dv.ld};
	attention_backward(in, layer_attention_shape(w, op), o.x, o.ld, w->records[layer].lse, dy.x, dy.ld, grads, w->attention_scratch, worker);
}

/* Whether the run's input has a gradient from later ops: what the planner noted at the op it met first. */
static bool gradient_exists(const struct graph *g, int32_t first, int32_t last)
{
	for (int32_t i = last; i >= first; i--)
		if (g->ops[i].backward)
			return g->ops[i].add_a;
	return false;
}

/* Ops [first, last], a run with one input. Adds into the input's gradient one after the other. */
static void back_linears(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t first, int32_t last, struct worker worker)
{
	int8_t input = g->program->ops[first].a;
	bool written = gradient_exists(g, first, last);
	int64_t offset[PROGRAM_OPS_MAX], ranks = 0;
	for (int32_t i = last; i >= first; i--) {
		offset[i] = ranks;
		ranks += lora_slot(w->lora, layer, g->program->ops[i].linear)->rank;
		if (g->ops[i].backward)
			written |= linear_back_rows(w, g, layer, i, offset[i], written, worker);
	}
	pool_barrier(worker);
	for (int32_t i = last; i >= first; i--) {
		if (!g->ops[i].backward)
			continue;
		linear_back_weights(w, g, layer, i, offset[i], worker);
		if (!g->values[input].needs_grad)
			continue;
		linear_back_product(w, g, layer, i, written, worker);
		written = true;
		if (i > first)
			pool_barrier(worker);
	}
}

static void detach(const struct layer_walk *w, const struct graph *g, const struct op *op, const struct graph_op *plan, struct worker worker)
{
	if (plan->detach < 0)
		return;
	struct view to = layer_grad(w, g, op->a);
	const struct graph_buffer *from = &g->buffers[plan->detach_from];
	rows_copy(layer_buffer(w, g, plan->detach_from), from->width, to.x, to.ld, w->rows, from->width, worker);
	pool_barrier(worker);
}

static void back_op(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	detach(w, g, op, &g->ops[i], worker);
	switch (op->kind) {
	case OP_RMS_NORM:
		back_norm(w, g, op, layer, g->ops[i].add_a, worker);
		break;
	case OP_ROPE:
		back_rope(w, g, op, worker);
		break;
	case OP_ATTENTION:
		back_attention(w, g, op, layer, worker);
		break;
	case OP_GLU:
		back_glu(w, g, op, worker);
		break;
	case OP_ADD:
		back_add(w, g, op, g->ops[i].add_a, worker);
		break;
	case OP_LINEAR:
	case OP_SLICE:
		break;
	}
}

/* First op of the run of linears that ends at op i. */
static int32_t run_start(const struct program *p, int32_t i)
{
	int32_t first = i;
	while (first > 0 && p->ops[first - 1].kind == OP_LINEAR && p->ops[first - 1].a == p->ops[i].a)
		first--;
	return first;
}

void layer_backward(struct layer_walk *w, int32_t layer, struct worker worker)
{
	const struct graph *g = layer_graph(w, layer);
	restore(w, layer, worker);
	for (int32_t i = g->program->n_ops - 1; i >= 0; i--) {
		if (g->program->ops[i].kind == OP_LINEAR) {
			int32_t first = run_start(g->program, i);
			for (int32_t j = i; j >= first; j--)
				detach(w, g, &g->program->ops[j], &g->ops[j], worker);
			back_linears(w, g, layer, first, i, worker);
			i = first;
		} else if (g->ops[i].backward) {
			back_op(w, g, layer, i, worker);
		}
		pool_barrier(worker);
	}
	if (g->input_grad > GRAPH_RESIDUAL) {
		struct view dx = layer_grad(w, g, 0);
		rows_copy(dx.x, dx.ld, w->residual, g->values[0].width, w->rows, g->values[0].width, worker);
		pool_barrier(worker);
	}
}
