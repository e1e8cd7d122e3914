/* plan.c: lowering, one pass over the program. A value is either in a buffer or pending: the op that makes it has not run
 * and will be folded into the step that needs it. */
#include "engine/plan.h"

struct value {
	struct view at;
	int8_t pending;        /* op to run when the value is prepared, -1: it is in its buffer */
	int8_t norm;           /* per-head norm to apply when keys are stored, -1: none */
	bool rope;
	bool known;
};

struct lowering {
	const struct model *model;
	struct plan *plan;
	struct plan_options options;
	struct value values[PROGRAM_VALUES_MAX];
	int8_t prepared;       /* value whose prepared form the input holds, -1: none */
	struct step deltas[LIN_COUNT]; /* of the products that shared this input: emitted together, one barrier for all */
	int32_t n_deltas;
	struct err *err;
};

static int impossible(const struct lowering *l, const char *what)
{
	return err_set(l->err, ERR_INTERNAL, "%s: the engine cannot run this layer program (%s)", l->model->arch->name, what);
}

static struct step *emit(struct lowering *l, enum step_kind kind)
{
	struct step *s = &l->plan->steps[l->plan->n_steps++];
	*s = (struct step){.kind = kind, .prepare = OP_ADD, .vector = -1, .vector_b = -1, .linear = -1};
	return s;
}

static int new_buffer(struct lowering *l, int32_t width, struct view *out)
{
	if (l->plan->n_buffers == PLAN_BUFFERS_MAX)
		return impossible(l, "too many values");
	*out = (struct view){.buffer = (int8_t)l->plan->n_buffers, .width = width};
	l->plan->widths[l->plan->n_buffers++] = width;
	return 0;
}

static void flush_deltas(struct lowering *l)
{
	for (int32_t i = 0; i < l->n_deltas; i++)
		*emit(l, STEP_DELTA) = l->deltas[i];
	l->n_deltas = 0;
}

/* The input of a product: run what is pending, unless the last product had the same input. */
static int prepare(struct lowering *l, int8_t number)
{
	const struct value *v = &l->values[number];
	if (l->prepared == number)
		return 0;
	flush_deltas(l);
	struct step *s = emit(l, STEP_PREPARE);
	s->a = v->at;
	if (v->pending >= 0) {
		const struct op *op = &l->model->program.ops[v->pending];
		s->prepare = op->kind;
		s->vector = op->vector;
		s->a = l->values[op->a].at;
		s->b = op->b >= 0 ? l->values[op->b].at : s->a;
	} else if (v->at.width != l->plan->widths[v->at.buffer] || v->norm >= 0 || v->rope) {
		return impossible(l, "a product of a view");
	}
	l->prepared = number;
	int32_t width = l->model->program.widths[number];
	if (width > l->plan->input_width)
		l->plan->input_width = width;
	return 0;
}

/* The addition that is the only use of value v, or NULL. */
static const struct op *only_use_is_add(const struct program *p, int8_t v)
{
	const struct op *found = NULL;
	for (int32_t i = 0; i < p->n_ops; i++) {
		const struct op *op = &p->ops[i];
		if (op->a != v && op->b != v && op->c != v)
			continue;
		if (found || op->kind != OP_ADD)
			return NULL;
		found = op;
	}
	return p->result == v ? NULL : found;
}

static bool used_after(const struct program *p, int8_t v, const struct op *op)
{
	for (const struct op *o = op + 1; o < p->ops + p->n_ops; o++)
		if (o->a == v || o->b == v || o->c == v)
			return true;
	return p->result == v;
}

/* Whether a value still to be computed reads x. */
static bool awaited(const struct lowering *l, int8_t x, const struct op *now)
{
	const struct program *p = &l->model->program;
	for (int32_t v = 0; v < p->n_values; v++) {
		const struct op *op = l->values[v].known && l->values[v].pending >= 0 ? &p->ops[l->values[v].pending] : NULL;
		if (op && (op->a == x || op->b == x) && used_after(p, (int8_t)v, now))
			return true;
	}
	return false;
}

/* x + W a becomes an accumulation into x when x is dead afterwards. */
static bool residual(struct lowering *l, const struct op *op, struct view *out)
{
	const struct program *p = &l->model->program;
	const struct op *add = only_use_is_add(p, op->out);
	if (add == NULL)
		return false;
	int8_t other = add->a == op->out ? add->b : add->a;
	if (!l->values[other].known || l->values[other].pending >= 0 || used_after(p, other, add) || awaited(l, other, op))
		return false;
	*out = l->values[other].at;
	l->values[add->out] = (struct value){.at = *out, .pending = -1, .norm = -1, .known = true};
	return true;
}

static int lower_linear(struct lowering *l, const struct op *op)
{
	struct value *v = &l->values[op->out];
	struct view out;
	if (prepare(l, op->a) < 0)
		return -1;
	bool accumulate = residual(l, op, &out);
	if (!accumulate && new_buffer(l, op->width, &out) < 0)
		return -1;
	v->at = out;
	struct step *s = emit(l, STEP_LINEAR);
	s->out = out;
	s->linear = op->linear;
	s->accumulate = accumulate;
	s->vector = op->vector;
	if (l->options.shared_input && (op->vector >= 0 || l->options.deltas))
		l->deltas[l->n_deltas++] = (struct step){.kind = STEP_DELTA, .out = out, .linear = op->linear, .vector = op->vector, .vector_b = -1};
	return 0;
}

static int lower_attention(struct lowering *l, const struct op *op)
{
	const struct value *q = &l->values[op->a], *k = &l->values[op->b], *v = &l->values[op->c];
	if (q->pending >= 0 || k->pending >= 0 || v->pending >= 0 || v->norm >= 0 || v->rope)
		return impossible(l, "attention over this input");
	flush_deltas(l);
	struct step *s = emit(l, STEP_KEYS);
	s->a = q->at;
	s->b = k->at;
	s->c = v->at;
	s->vector = q->norm;
	s->vector_b = k->norm;
	s->rope_a = q->rope;
	s->rope_b = k->rope;
	struct view out;
	if (new_buffer(l, op->width, &out) < 0)
		return -1;
	l->values[op->out].at = out;
	s = emit(l, STEP_ATTENTION);
	s->a = q->at;
	s->out = out;
	return 0;
}

static int lower(struct lowering *l, int32_t i)
{
	const struct op *op = &l->model->program.ops[i];
	struct value *v = &l->values[op->out];
	const struct value *a = &l->values[op->a];
	if (op->kind == OP_ADD)
		return v->known ? 0 : impossible(l, "a sum that is no residual");
	*v = (struct value){.pending = -1, .norm = -1, .known = true};
	switch (op->kind) {
	case OP_LINEAR: return lower_linear(l, op);
	case OP_ATTENTION: return lower_attention(l, op);
	case OP_GLU: v->pending = (int8_t)i; return 0;
	case OP_RMS_NORM:
		if (op->head_dim == 0) {
			v->pending = (int8_t)i;
			return a->pending < 0 ? 0 : impossible(l, "a norm of a norm");
		}
		v->at = a->at;
		v->norm = op->vector;
		return a->rope ? impossible(l, "a norm after the rotary embedding") : 0;
	case OP_ROPE:
		*v = *a;
		v->rope = true;
		return 0;
	case OP_SLICE:
		*v = *a;
		v->at.offset += op->offset;
		v->at.width = op->width;
		return 0;
	case OP_ADD: return 0;
	}
	return 0;
}

/* --- barriers ------------------------------------------------------------------------------------------------ */

/* One bit per buffer, then the shared input and the cache. */
enum { BIT_INPUT = 1 << PLAN_BUFFERS_MAX, BIT_CACHE = 1 << (PLAN_BUFFERS_MAX + 1) };

static unsigned bit(struct view v) { return 1u << v.buffer; }

static void access(const struct step *s, bool shared_input, unsigned *reads, unsigned *writes)
{
	unsigned input = shared_input ? BIT_INPUT : 0;
	switch (s->kind) {
	case STEP_PREPARE: *reads = bit(s->a) | (s->prepare == OP_GLU ? bit(s->b) : 0); *writes = input; break;
	case STEP_LINEAR:
	case STEP_DELTA: *reads = input; *writes = bit(s->out); break;
	case STEP_KEYS: *reads = bit(s->c); *writes = bit(s->a) | bit(s->b) | BIT_CACHE; break;
	case STEP_ATTENTION: *reads = bit(s->a) | BIT_CACHE; *writes = bit(s->out); break;
	}
}

/* A step must wait when it touches what another worker may have written since the last meeting, or writes what
 * another may still read. Two products write different columns of different buffers or the same share of one: the second
 * walk sees the state that the layer before leaves behind. */
static void place_barriers(struct plan *p, bool shared_input)
{
	unsigned read = 0, written = 1; /* buffer 0 comes from outside */
	for (int pass = 0; pass < 2; pass++)
		for (int32_t i = 0; i < p->n_steps; i++) {
			struct step *s = &p->steps[i];
			unsigned r = 0, w = 0;
			access(s, shared_input, &r, &w);
			bool wait = (written & (r | w)) || (read & w);
			s->barrier = s->barrier || wait;
			read = (s->barrier ? 0 : read) | r;
			written = (s->barrier ? 0 : written) | w;
		}
}

int plan_build(struct plan *plan, const struct model *m, struct plan_options options, struct err *err)
{
	struct lowering l = {.model = m, .plan = plan, .options = options, .prepared = -1, .err = err};
	*plan = (struct plan){.n_buffers = 1};
	plan->widths[0] = m->config.hidden;
	l.values[0] = (struct value){.at = {.width = m->config.hidden}, .pending = -1, .norm = -1, .known = true};
	for (int32_t i = 0; i < m->program.n_ops; i++)
		if (lower(&l, i) < 0)
			return -1;
	flush_deltas(&l);
	struct view result = l.values[m->program.result].at;
	if (result.buffer != 0 || result.offset != 0)
		return impossible(&l, "the result is not the residual stream");
	place_barriers(plan, options.shared_input);
	return 0;
}
