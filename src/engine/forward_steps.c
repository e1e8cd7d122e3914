/* forward_steps.c: what each step of a plan does, from one worker's side. */
#include "engine/forward_internal.h"

#include "ops/glu.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include <math.h>

static int64_t stride(const struct walk *k, struct view v)
{
	return k->plan->widths[v.buffer];
}

static float *at(const struct walk *k, struct view v, int64_t row)
{
	return k->f->buffers[v.buffer] + row * stride(k, v) + v.offset;
}

static int64_t rows_of(const struct walk *k)
{
	return k->job->batch->rows;
}

void forward_step_prepare(struct walk *k, const struct step *s)
{
	const struct model_config *c = &k->f->model->config;
	struct worker w = k->shared ? k->w : k->solo;
	int64_t rows = rows_of(k), width = s->a.width;
	float *x = k->shared ? k->f->shared_x : k->lane->x;
	k->prepared_like = NULL;
	k->input = (struct mat_input){.x = x, .rows = rows, .cols = width, .scratch = k->shared ? k->f->shared_prepared : k->lane->prepared};
	if (s->prepare == OP_RMS_NORM) {
		struct norm_shape shape = {.rows = rows, .width = width, .d = width, .eps = c->norm_eps};
		rms_norm_forward(at(k, s->a, 0), stride(k, s->a), k->f->model->layers[k->layer].vector[s->vector], x, width, shape, w);
	} else if (s->prepare == OP_GLU) {
		struct glu_shape shape = {.rows = rows, .width = width, .gelu = c->activation == ACT_GELU_TANH};
		glu_forward(at(k, s->a, 0), stride(k, s->a), at(k, s->b, 0), stride(k, s->b), x, width, shape, w);
	} else {
		k->input.x = at(k, s->a, 0);
	}
}

static void prepare_products(struct walk *k, const struct mat *m)
{
	enum compute compute = k->f->options.compute;
	if (k->prepared_like && mat_input_same(k->prepared_like, m, compute))
		return;
	if (k->shared && k->prepared_like) /* another form: the last product may still read the old one */
		pool_barrier(k->w);
	mat_input_prepare(&k->input, m, compute, k->shared ? k->w : k->solo);
	if (k->shared)
		pool_barrier(k->w);
	k->prepared_like = m;
}

/* Rows [row, end), which have one adapter (NULL: none). */
struct run { const struct lora *lora; int64_t row, end; };

/* The run that begins at segment *i, which moves behind it. */
static struct run next_run(const struct walk *k, int32_t *i)
{
	const struct batch *b = k->job->batch;
	int32_t first = *i, adapter = b->segments[first].adapter;
	while (*i < b->n_segments && b->segments[*i].adapter == adapter)
		++*i;
	const struct segment *last = &b->segments[*i - 1];
	return (struct run){adapter >= 0 ? k->job->adapters[adapter] : NULL, b->segments[first].row, last->row + last->rows};
}

/* u = A x of the run's rows. */
static void branch_down(const struct walk *k, const struct step *s, const struct run *r, float *u)
{
	int64_t width = k->f->model->layers[k->layer].linear[s->linear].cols;
	const struct lora_weights *w = r->lora ? lora_get(r->lora, k->layer, s->linear) : NULL;
	if (w && w->rank > 0)
		lora_down(r->lora->type, k->input.x + r->row * width, width, r->end - r->row, w->a, width, w->rank, u);
}

/* Columns [from, to) of the run's rows get the bias and the branch. */
static void branch_up(const struct walk *k, const struct step *s, const struct run *r, const float *u, int64_t from, int64_t to)
{
	const struct lora_weights *w = r->lora ? lora_get(r->lora, k->layer, s->linear) : NULL;
	int64_t ld = stride(k, s->out), rows = r->end - r->row;
	float *y = at(k, s->out, r->row);
	if (s->vector >= 0)
		rows_add(y + from, ld, k->f->model->layers[k->layer].vector[s->vector] + from, 0, y + from, ld, rows, to - from, k->solo);
	if (w && w->rank > 0)
		lora_up(r->lora->type, u, rows, w->rank, w->b, from, to, w->scale, y, ld);
}

/* With few rows: every linear has its own place, so that a worker may begin the next one while another still reads this one. */
static float *shared_low_rank(const struct walk *k, const struct step *s, const struct run *r)
{
	return k->f->low_rank + (s->linear * FORWARD_FEW_ROWS + r->row) * LIMIT_LORA_RANK;
}

void forward_step_linear(struct walk *k, const struct step *s)
{
	const struct mat *m = &k->f->model->layers[k->layer].linear[s->linear];
	const struct batch *b = k->job->batch;
	enum compute compute = k->f->options.compute;
	float *y = at(k, s->out, 0);
	int64_t from, to;
	prepare_products(k, m);
	if (k->shared) {
		mat_forward(m, &k->input, compute, y, stride(k, s->out), s->accumulate, k->w);
		return;
	}
	for (int32_t i = 0, n = 0; k->branches && i < b->n_segments; n++) {
		struct run r = next_run(k, &i);
		if (n % k->w.count == k->w.index)
			branch_down(k, s, &r, shared_low_rank(k, s, &r));
	}
	worker_range(k->w, m->rows, 16, &from, &to);
	mat_forward_rows(m, from, to, &k->input, compute, y + from, stride(k, s->out), s->accumulate, k->solo);
	if (k->branches)
		pool_barrier(k->w);
	for (int32_t i = 0; (s->vector >= 0 || k->branches) && i < b->n_segments;) {
		struct run r = next_run(k, &i);
		if (from < to)
			branch_up(k, s, &r, shared_low_rank(k, s, &r), from, to);
	}
}

void forward_step_delta(struct walk *k, const struct step *s)
{
	int64_t from, to;
	worker_range(k->w, rows_of(k), 1, &from, &to);
	for (int32_t i = 0; i < k->job->batch->n_segments;) {
		struct run r = next_run(k, &i);
		r.row = r.row > from ? r.row : from;
		r.end = r.end < to ? r.end : to;
		if (r.row >= r.end)
			continue;
		branch_down(k, s, &r, k->lane->low_rank);
		branch_up(k, s, &r, k->lane->low_rank, 0, k->f->model->layers[k->layer].linear[s->linear].rows);
	}
}

/* Per-head norm and rotary embedding of rows [from, to), in place. */
static void turn(struct walk *k, struct view v, int vector, bool rope, int64_t from, int64_t to)
{
	const struct model_config *c = &k->f->model->config;
	float *x = at(k, v, from);
	if (vector >= 0) {
		struct norm_shape shape = {.rows = to - from, .width = v.width, .d = c->head_dim, .eps = c->norm_eps};
		rms_norm_forward(x, stride(k, v), k->f->model->layers[k->layer].vector[vector], x, stride(k, v), shape, k->solo);
	}
	if (rope) {
		struct rope_shape shape = {.rows = to - from, .width = v.width, .d = c->head_dim, .dims = c->rope_dims};
		rope_forward(x, stride(k, v), k->f->rope + from * c->rope_dims, x, stride(k, v), shape, k->solo);
	}
}

void forward_step_keys(struct walk *k, const struct step *s)
{
	const struct kv_cache *kv = k->f->kv;
	const struct kv_kernels *kernels = kv_kernels();
	int64_t from, to;
	worker_range(k->w, rows_of(k), 1, &from, &to);
	turn(k, s->a, s->vector, s->rope_a, from, to);
	turn(k, s->b, s->vector_b, s->rope_b, from, to);
	for (int32_t i = 0; i < k->job->batch->n_segments; i++) {
		const struct segment *g = &k->job->batch->segments[i];
		int64_t a = g->row > from ? g->row : from, b = g->row + g->rows < to ? g->row + g->rows : to;
		for (int32_t h = 0; a < b && h < kv->heads; h++) {
			int64_t first = g->first + (a - g->row);
			kernels->store_keys(kv->type, kv->d, kv_cache_keys(kv, g->slot, k->layer, h), first, b - a, at(k, s->b, a) + h * kv->d, stride(k, s->b));
			kernels->store_values(kv->type, kv->d, kv_cache_values(kv, g->slot, k->layer, h), first, b - a, at(k, s->c, a) + h * kv->d, stride(k, s->c));
		}
	}
}

/* --- attention --------------------------------------------------------------------------------------------------- */

/* Rows [row, row + rows) of segment g against KV head h: the unit that workers share out. */
struct piece { const struct segment *g; int64_t row, rows; int32_t h; };

static int64_t cost(const struct piece *p)
{
	return p->rows * (p->g->first + (p->row - p->g->row) + p->rows / 2 + 32);
}

static int64_t piece_rows(const struct walk *k)
{
	int32_t group = k->f->model->config.heads / k->f->model->config.kv_heads;
	return group < KV_TILE_ROWS ? KV_TILE_ROWS / group : 1;
}

static int64_t total_cost(const struct walk *k)
{
	int64_t sum = 0, step = piece_rows(k);
	for (int32_t i = 0; i < k->job->batch->n_segments; i++) {
		const struct segment *g = &k->job->batch->segments[i];
		for (int64_t r = 0; r < g->rows; r += step) {
			struct piece p = {.g = g, .row = g->row + r, .rows = g->rows - r < step ? g->rows - r : step};
			sum += cost(&p) * k->f->model->config.heads;
		}
	}
	return sum;
}

/* Query heads [from, to) of the piece's group. */
static void attend(const struct walk *k, const struct step *s, const struct piece *p, int32_t from, int32_t to)
{
	const struct model_config *c = &k->f->model->config;
	const struct kv_cache *kv = k->f->kv;
	int64_t column = ((int64_t)p->h * (c->heads / c->kv_heads) + from) * c->head_dim;
	struct kv_attention a = {
		.type = kv->type, .d = c->head_dim, .group = to - from, .window = c->sliding_window, .scale = 1.0f / sqrtf((float)c->head_dim),
		.keys = kv_cache_keys(kv, p->g->slot, k->layer, p->h), .values = kv_cache_values(kv, p->g->slot, k->layer, p->h),
		.first = p->g->first + (p->row - p->g->row), .rows = p->rows,
		.q = at(k, s->a, p->row) + column, .ldq = stride(k, s->a),
		.out = at(k, s->out, p->row) + column, .ldo = stride(k, s->out), .scratch = k->lane->attention,
	};
	kv_kernels()->attention(&a);
}

/* Every worker walks all pieces with a running cost and takes those whose middle falls into its part of the total: no counter
 * is shared and the split does not depend on timing. With few rows the heads of a group are split too. */
static void take(const struct walk *k, const struct step *s, const struct piece *p, int64_t *at_cost, int64_t total)
{
	int32_t group = k->f->model->config.heads / k->f->model->config.kv_heads, unit = k->shared ? group : 1, from = -1, to = -1;
	for (int32_t h = 0; h < group; h += unit) {
		int64_t piece_cost = cost(p) * unit, middle = *at_cost + piece_cost / 2;
		*at_cost += piece_cost;
		if (middle * k->w.count / total != k->w.index)
			continue;
		from = from < 0 ? h : from;
		to = h + unit;
	}
	if (to > from)
		attend(k, s, p, from, to);
}

void forward_step_attention(struct walk *k, const struct step *s)
{
	int64_t total = total_cost(k), at_cost = 0, step = piece_rows(k);
	for (int32_t i = 0; i < k->job->batch->n_segments; i++) {
		const struct segment *g = &k->job->batch->segments[i];
		for (int32_t h = 0; h < k->f->kv->heads; h++)
			for (int64_t r = 0; r < g->rows; r += step) {
				struct piece p = {.g = g, .row = g->row + r, .rows = g->rows - r < step ? g->rows - r : step, .h = h};
				take(k, s, &p, &at_cost, total);
			}
	}
}
