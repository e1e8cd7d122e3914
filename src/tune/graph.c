/* graph.c: see graph.h. Four passes: who needs a gradient; what the backward reads, keeps or computes again; which buffer
 * each gradient lives in; where the buffers lie. */
#include "tune/graph.h"

static int time_back(const struct graph *g, int op) { return 2 * g->program->n_ops - 1 - op; }

static void describe_values(struct graph *g)
{
	for (int v = 0; v < g->program->n_values; v++)
		g->values[v] = (struct graph_value){.producer = -1, .root = (int8_t)v, .width = g->program->widths[v], .act = -1, .grad = -1};
	for (int i = 0; i < g->program->n_ops; i++) {
		const struct op *op = &g->program->ops[i];
		struct graph_value *out = &g->values[op->out];
		out->producer = (int8_t)i;
		if (op->kind == OP_SLICE) {
			out->root = g->values[op->a].root;
			out->column = g->values[op->a].column + op->offset;
		}
	}
}

static void find_gradients(struct graph *g, bool input_needs_grad)
{
	g->values[0].needs_grad = input_needs_grad;
	for (int i = 0; i < g->program->n_ops; i++) {
		const struct op *op = &g->program->ops[i];
		bool needs = op->kind == OP_LINEAR && (g->lora_slots >> op->linear & 1u) != 0;
		const int8_t inputs[] = {op->a, op->b, op->c};
		for (int k = 0; k < 3; k++)
			needs |= inputs[k] >= 0 && g->values[inputs[k]].needs_grad;
		g->values[op->out].needs_grad = needs;
	}
}

/* --- what the backward reads ------------------------------------------------------------------------- */

static void mark_read(struct graph *g)
{
	for (int i = 0; i < g->program->n_ops; i++) {
		const struct op *op = &g->program->ops[i];
		if (!g->values[op->out].needs_grad)
			continue;
		switch (op->kind) {
		case OP_RMS_NORM:
			g->values[op->a].read |= g->values[op->a].needs_grad;
			break;
		case OP_LINEAR:
			g->values[op->a].read |= (g->lora_slots >> op->linear & 1u) != 0;
			break;
		case OP_ATTENTION:
			g->values[op->c].read = g->values[op->out].read = true;
			g->values[op->b].read = true;
			g->values[op->a].read = true;
			break;
		case OP_GLU:
			g->values[op->a].read = g->values[op->b].read = true;
			break;
		case OP_SLICE:
		case OP_ROPE:
		case OP_ADD:
			break;
		}
	}
}

static bool cheap(const struct op *op) { return op->kind == OP_GLU || (op->kind == OP_RMS_NORM && op->head_dim == 0); }

/* Last op first, so that what a recomputed value needs is settled before its inputs are visited. */
static void choose_kept(struct graph *g)
{
	bool wanted[PROGRAM_VALUES_MAX] = {false};
	for (int v = 0; v < g->program->n_values; v++)
		wanted[v] = g->values[v].read;
	for (int i = g->program->n_ops - 1; i >= 0; i--) {
		const struct op *op = &g->program->ops[i];
		if (!wanted[op->out])
			continue;
		if (!cheap(op)) {
			g->values[op->out].kept = true;
			continue;
		}
		g->values[op->out].again = true;
		wanted[op->a] = true;
		if (op->b >= 0)
			wanted[op->b] = true;
	}
	g->values[0].kept = true;
	for (int v = 0; v < g->program->n_values; v++)
		if (g->values[v].kept) {
			g->values[v].kept_column = g->kept_columns;
			g->kept_columns += g->values[v].width;
		}
}

/* --- buffers --------------------------------------------------------------------------------------------- */

static int8_t buffer_new(struct graph *g, int32_t width, int first, int last)
{
	g->buffers[g->n_buffers] = (struct graph_buffer){.width = width, .first = first, .last = last};
	return (int8_t)g->n_buffers++;
}

static void live_until(struct graph *g, int8_t buffer, int time)
{
	if (g->buffers[buffer].last < time)
		g->buffers[buffer].last = time;
}

/* Activations: from the producer to the last reader, forward or backward; a view keeps its root alive. */
static void place_activations(struct graph *g)
{
	const struct program *p = g->program;
	for (int v = 0; v < p->n_values; v++) {
		struct graph_value *value = &g->values[v];
		int from = value->producer < 0 ? 0 : value->producer;
		if (v == 0)
			value->act = GRAPH_INPUT;
		else if (v == p->result)
			value->act = GRAPH_RESULT;
		else
			value->act = value->root == v ? buffer_new(g, value->width, from, from) : g->values[value->root].act;
		live_until(g, value->act, from);
	}
	for (int i = 0; i < p->n_ops; i++) {
		const struct op *op = &p->ops[i];
		const int8_t used[] = {op->a, op->b, op->c, op->out};
		for (int k = 0; k < 4; k++)
			if (used[k] >= 0)
				live_until(g, g->values[used[k]].act, g->values[used[k]].read || g->values[used[k]].kept ? time_back(g, i) : i);
	}
}

/* Whether a value other than `self` whose gradient is still to be read (its producer comes at or before op) lies in the buffer. */
static bool shared(const struct graph *g, int8_t buffer, int8_t self, int op)
{
	for (int v = 0; v < g->program->n_values; v++)
		if (v != self && g->values[v].grad == buffer && g->values[v].producer <= op && g->values[v].root != g->values[self].root)
			return true;
	return false;
}

/* The gradient buffer of input v, written for the first time at op i; `take` is a buffer it may take over, or -1. */
static void first_write(struct graph *g, int8_t v, int i, int8_t take)
{
	struct graph_value *value = &g->values[v], *root = &g->values[value->root];
	if (value->root != v) {
		if (root->grad < 0)
			root->grad = buffer_new(g, root->width, time_back(g, i), time_back(g, root->producer));
		value->grad = root->grad;
		return;
	}
	value->grad = take >= 0 ? take : buffer_new(g, value->width, time_back(g, i), time_back(g, i));
	live_until(g, value->grad, value->producer < 0 ? 2 * g->program->n_ops : time_back(g, value->producer));
}

/* out's buffer, when this op may write its input's gradient over it. */
static int8_t in_place(const struct graph *g, const struct op *op, int8_t input, int i)
{
	const struct graph_value *out = &g->values[op->out], *in = &g->values[input];
	bool whole = out->root == op->out && in->root == input && out->width == in->width;
	return whole && !shared(g, out->grad, op->out, i) ? out->grad : -1;
}

/* Input v gets another contribution at op i: copy its gradient away first if the buffer has another reader. */
static void add_to(struct graph *g, int8_t v, int i)
{
	if (!shared(g, g->values[v].grad, v, i))
		return;
	g->ops[i].detach_from = g->values[v].grad;
	g->values[v].grad = -1;
	first_write(g, v, i, -1);
	g->ops[i].detach = g->values[v].grad;
}

static int unsupported(const struct op *op, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "training: value %d is used in a way this planner has no rule for; this architecture can be served only", op->out);
}

static int plan_add(struct graph *g, const struct op *op, int i, struct err *err)
{
	const int8_t inputs[] = {op->a, op->b};
	if (op->a == op->b)
		return unsupported(op, err);
	for (int k = 0; k < 2; k++) {
		int8_t v = inputs[k];
		if (!g->values[v].needs_grad)
			continue;
		if (g->values[v].root != v || (k == 1 && g->values[v].grad >= 0))
			return unsupported(op, err);
		if (g->values[v].grad >= 0) {
			g->ops[i].add_a = true;
			add_to(g, v, i);
		} else {
			first_write(g, v, i, g->values[op->out].grad);
		}
	}
	return 0;
}

/* One input, gradients may be added to what is there. */
static void plan_unary(struct graph *g, const struct op *op, int i, bool can_replace)
{
	if (!g->values[op->a].needs_grad)
		return;
	if (g->values[op->a].grad >= 0) {
		g->ops[i].add_a = true;
		add_to(g, op->a, i);
	} else {
		first_write(g, op->a, i, can_replace ? in_place(g, op, op->a, i) : -1);
	}
}

/* Inputs whose gradients are written, never added to; also those that nobody needs, since one kernel writes all of them. */
static int plan_written(struct graph *g, const struct op *op, int i, int8_t replaces, struct err *err)
{
	const int8_t inputs[] = {op->a, op->b, op->c};
	for (int k = 0; k < 3; k++) {
		if (inputs[k] < 0)
			continue;
		if (g->values[inputs[k]].grad >= 0 && g->values[inputs[k]].root == inputs[k])
			return unsupported(op, err);
		first_write(g, inputs[k], i, inputs[k] == replaces ? in_place(g, op, inputs[k], i) : -1);
	}
	return 0;
}

static int plan_op(struct graph *g, int i, struct err *err)
{
	const struct op *op = &g->program->ops[i];
	g->ops[i] = (struct graph_op){.detach = -1, .detach_from = -1};
	if (g->values[op->out].grad < 0 || !g->values[op->out].needs_grad)
		return 0;
	g->ops[i].backward = true;
	switch (op->kind) {
	case OP_RMS_NORM:
		plan_unary(g, op, i, true);
		return 0;
	case OP_LINEAR:
		if (g->values[op->a].root != op->a)
			return unsupported(op, err);
		plan_unary(g, op, i, false);
		return 0;
	case OP_SLICE:
		return 0;
	case OP_ROPE:
		return plan_written(g, op, i, op->a, err);
	case OP_ATTENTION:
		return plan_written(g, op, i, -1, err);
	case OP_GLU:
		return plan_written(g, op, i, op->a, err);
	case OP_ADD:
		return plan_add(g, op, i, err);
	}
	return 0;
}

static int place_gradients(struct graph *g, struct err *err)
{
	const struct program *p = g->program;
	g->values[p->result].grad = GRAPH_RESIDUAL;
	for (int i = p->n_ops - 1; i >= 0; i--)
		if (plan_op(g, i, err) < 0)
			return -1;
	g->input_grad = g->values[0].needs_grad ? g->values[0].grad : -1;
	return 0;
}

/* Every slice of a value whose gradient is wanted must have one, or the root's buffer would keep a hole. */
static int check_slices(const struct graph *g, struct err *err)
{
	for (int v = 0; v < g->program->n_values; v++) {
		int32_t covered = 0;
		if (g->values[v].grad < 0 || g->values[v].root != v)
			continue;
		for (int s = 0; s < g->program->n_values; s++)
			if (s != v && g->values[s].root == v && g->values[s].grad >= 0)
				covered += g->values[s].width;
		if (covered != 0 && covered != g->values[v].width)
			return unsupported(&g->program->ops[g->values[v].producer], err);
	}
	return 0;
}

/* Largest first, each at the lowest place that no buffer alive at the same time holds. */
static void lay_out(struct graph *g)
{
	bool placed[GRAPH_BUFFERS_MAX] = {false};
	for (int n = GRAPH_FIXED; n < g->n_buffers; n++) {
		int next = -1;
		for (int b = GRAPH_FIXED; b < g->n_buffers; b++)
			if (!placed[b] && (next < 0 || g->buffers[b].width > g->buffers[next].width))
				next = b;
		struct graph_buffer *buffer = &g->buffers[next];
		placed[next] = true;
		for (bool moved = true; moved;) {
			moved = false;
			for (int b = GRAPH_FIXED; b < g->n_buffers; b++) {
				const struct graph_buffer *o = &g->buffers[b];
				bool meet = placed[b] && b != next && o->first <= buffer->last && buffer->first <= o->last;
				if (meet && o->offset < buffer->offset + buffer->width && buffer->offset < o->offset + o->width) {
					buffer->offset = o->offset + o->width;
					moved = true;
				}
			}
		}
		if (g->workspace_columns < buffer->offset + buffer->width)
			g->workspace_columns = buffer->offset + buffer->width;
	}
}

int graph_plan(struct graph *g, const struct program *program, uint32_t lora_slots, bool input_needs_grad, struct err *err)
{
	*g = (struct graph){.program = program, .lora_slots = lora_slots, .n_buffers = GRAPH_FIXED, .input_grad = -1};
	for (int b = 0; b < GRAPH_FIXED; b++)
		g->buffers[b].width = program->widths[0];
	describe_values(g);
	if (g->values[program->result].root != program->result || g->values[program->result].producer < 0)
		return err_set(err, ERR_UNSUPPORTED, "training: the layer's result must be computed by an op of its own");
	find_gradients(g, input_needs_grad);
	mark_read(g);
	choose_kept(g);
	place_activations(g);
	if (place_gradients(g, err) < 0 || check_slices(g, err) < 0)
		return -1;
	lay_out(g);
	return 0;
}

int32_t graph_linear_run(const struct program *p, int32_t i)
{
	int32_t n = 1;
	while (i + n < p->n_ops && p->ops[i].kind == OP_LINEAR && p->ops[i + n].kind == OP_LINEAR && p->ops[i + n].a == p->ops[i].a)
		n++;
	return n;
}
