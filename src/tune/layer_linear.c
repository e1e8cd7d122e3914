/* layer_linear.c: see layer_linear.h. */
#include "tune/layer_linear.h"

#include "ops/kernels.h"
#include "tune/lora_branch.h"

static const struct mat *matrix(const struct layer_walk *w, int32_t layer, const struct op *op) { return &w->model->layers[layer].linear[op->linear]; }

static const float *bias_of(const struct layer_walk *w, int32_t layer, const struct op *op)
{
	return op->vector >= 0 ? w->model->layers[layer].vector[op->vector] : NULL;
}

static struct lora_branch branch_of(const struct layer_walk *w, int32_t layer, const struct op *op, int64_t rank_offset, struct worker worker)
{
	const struct lora *l = w->lora;
	const struct lora_slot *s = lora_slot(l, layer, op->linear);
	uint64_t key = (w->draw * LIMIT_LAYERS + (uint64_t)layer) * LIN_COUNT + (uint64_t)op->linear;
	return (struct lora_branch){.slot = s, .a = l->p + s->a, .b = l->p + s->b, .da = l->grad + s->a, .db = l->grad + s->b,
				    .u = layer_u(w, layer, op->linear), .du = w->du + rank_offset * w->rows_max, .rows = w->rows,
				    .dropout = w->dropout ? l->dropout : 0.0f, .seed = l->seed, .key = key,
				    .scratch = w->branch_scratch + (size_t)worker.index * w->branch_stride};
}

/* y = bias, or y += bias, on this worker's rows. */
static void put_bias(struct view y, const float *bias, int64_t rows, int64_t width, bool accumulate, struct worker worker)
{
	int64_t from, to;
	worker_range(worker, rows, 4, &from, &to);
	for (int64_t t = from; t < to; t++)
		for (int64_t i = 0; i < width; i++)
			y.x[t * y.ld + i] = accumulate ? y.x[t * y.ld + i] + bias[i] : bias[i];
}

static struct mat_input input_of(const struct layer_walk *w, const struct graph *g, const struct op *op)
{
	return (struct mat_input){.x = layer_act(w, g, op->a).x, .rows = w->rows, .cols = g->values[op->a].width, .scratch = w->input_scratch};
}

int32_t linear_run(const struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i)
{
	const struct op *op = &g->program->ops[i];
	int32_t n = 1, most = graph_linear_run(g->program, i);
	while (n < most && mat_input_same(matrix(w, layer, op), matrix(w, layer, op + n), w->compute))
		n++;
	return n;
}

void linear_rows(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, bool first, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	struct view x = layer_act(w, g, op->a), y = layer_act(w, g, op->out);
	const float *bias = bias_of(w, layer, op);
	struct lora_branch b = branch_of(w, layer, op, 0, worker);
	if (first) {
		struct mat_input in = input_of(w, g, op);
		mat_input_prepare(&in, matrix(w, layer, op), w->compute, worker);
	}
	if (b.slot->rank > 0) {
		lora_branch_down(&b, x.x, x.ld, worker);
		lora_branch_up(&b, y.x, y.ld, false, worker);
	}
	if (bias)
		put_bias(y, bias, w->rows, op->width, b.slot->rank > 0, worker);
}

void linear_product(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	struct view y = layer_act(w, g, op->out);
	struct mat_input in = input_of(w, g, op);
	bool accumulate = lora_slot(w->lora, layer, op->linear)->rank > 0 || bias_of(w, layer, op);
	mat_forward(matrix(w, layer, op), &in, w->compute, y.x, y.ld, accumulate, worker);
}

bool linear_back_rows(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, int64_t rank_offset, bool accumulate, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	struct lora_branch b = branch_of(w, layer, op, rank_offset, worker);
	struct view dy = layer_grad(w, g, op->out);
	if (b.slot->rank == 0)
		return false;
	lora_branch_back(&b, dy.x, dy.ld, worker);
	if (!g->values[op->a].needs_grad)
		return false;
	struct view dx = layer_grad(w, g, op->a);
	lora_branch_back_input(&b, dx.x, dx.ld, accumulate, worker);
	return true;
}

void linear_back_weights(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, int64_t rank_offset, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	struct lora_branch b = branch_of(w, layer, op, rank_offset, worker);
	struct view x = layer_act(w, g, op->a), dy = layer_grad(w, g, op->out);
	if (b.slot->rank > 0)
		lora_branch_back_weights(&b, x.x, x.ld, dy.x, dy.ld, worker);
}

void linear_back_product(struct layer_walk *w, const struct graph *g, int32_t layer, int32_t i, bool accumulate, struct worker worker)
{
	const struct op *op = &g->program->ops[i];
	struct view dx = layer_grad(w, g, op->a), dy = layer_grad(w, g, op->out);
	mat_backward(matrix(w, layer, op), dy.x, dy.ld, w->rows, w->compute, dx.x, dx.ld, accumulate, w->back_scratch, worker);
}
