/* trainstep.c: plans and owns the memory of a training step, and runs it. See trainstep.h. */
#include "tune/trainstep.h"

#include "ops/attention.h"
#include "ops/rope.h"
#include "tune/adamw.h"
#include "tune/layer.h"
#include "tune/lora_branch.h"
#include "tune/loss.h"

#include <math.h>

struct trainstep {
	const struct model *model;
	struct pool *pool;
	struct trainstep_options options;
	struct trainstep_plan plan;
	struct lora lora;
	struct layer_walk walk;
	struct loss_head head;
	enum keep_level *levels;      /* [layers] */
	struct layer_record *records; /* [layers] */
	float *rope;                  /* [rows_max, rope_dims] */
	float *inv_freq, magnitude;
	double *square_sums;
	void *block;
	int64_t micro;                /* micro-batches since the last update */
};

/* --- the memory plan ------------------------------------------------------------------------------------------- */

/* Hands out 64-byte aligned pieces; with base NULL it only counts. */
struct carve { char *base; size_t used; };
static void *take(struct carve *c, size_t bytes)
{
	void *at = c->base ? c->base + c->used : NULL;
	c->used += (bytes + 63) & ~(size_t)63;
	return at;
}
static float *take_floats(struct carve *c, size_t n) { return take(c, n * sizeof(float)); }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void carve_parameters(struct trainstep *t, struct carve *c)
{
	size_t start = c->used;
	void *block = take(c, lora_bytes(&t->lora));
	if (block)
		lora_bind(&t->lora, block);
	t->square_sums = take(c, adamw_chunks(t->lora.n) * sizeof(double));
	t->plan.parameters = lora_bytes(&t->lora) / 4;
	t->plan.optimizer = c->used - start - t->plan.parameters;
}

static void carve_records(struct trainstep *t, struct carve *c)
{
	struct layer_walk *w = &t->walk;
	size_t start = c->used, rows = (size_t)w->rows_max, heads = (size_t)t->model->config.heads;
	float *shared_u = take_floats(c, (size_t)LIN_COUNT * (size_t)t->lora.max_rank * rows), *shared_lse = take_floats(c, heads * rows);
	t->plan.layers_kept = 0;
	for (int32_t layer = 0; layer < t->model->config.layers; layer++) {
		struct layer_record *r = &t->records[layer];
		bool values = t->levels[layer] == KEEP_VALUES;
		const struct graph *g = layer_graph(w, layer);
		r->level = t->levels[layer];
		r->values = take(c, (size_t)(values ? g->kept_columns : g->values[0].width) * rows * layer_kept_bytes(w));
		r->u = values ? take_floats(c, (size_t)layer_rank_sum(&t->lora, layer) * rows) : shared_u;
		r->lse = values ? take_floats(c, heads * rows) : shared_lse;
		t->plan.layers_kept += values;
	}
	t->plan.kept = c->used - start;
}

static void carve_workspace(struct trainstep *t, struct carve *c)
{
	struct layer_walk *w = &t->walk;
	const struct model_config *m = &t->model->config;
	size_t start = c->used, rows = (size_t)w->rows_max, stream = rows * (size_t)m->hidden, workers = (size_t)pool_threads(t->pool);
	w->work = take_floats(c, rows * larger((size_t)w->graphs[0].workspace_columns, (size_t)w->graphs[1].workspace_columns));
	w->residual = take_floats(c, stream);
	w->streams[0] = take_floats(c, stream);
	w->streams[1] = take_floats(c, stream);
	w->input_scratch = take(c, layer_input_bytes(w));
	w->attention_scratch = take(c, attention_scratch_bytes(w->rows_max, m->heads, m->kv_heads, m->head_dim, (int)workers));
	w->du = take_floats(c, (size_t)layer_run_ranks(w) * rows);
	w->branch_scratch = take_floats(c, w->branch_stride * workers);
	t->rope = take_floats(c, rows * (size_t)m->rope_dims);
	t->inv_freq = take_floats(c, (size_t)m->rope_dims);
	t->plan.workspace = c->used - start;
}

static void carve_head(struct trainstep *t, struct carve *c)
{
	struct loss_head *h = &t->head;
	const struct model_config *m = &t->model->config;
	size_t start = c->used, rows = (size_t)t->walk.rows_max, chunk = (size_t)h->chunk_max;
	h->rows = take(c, rows * sizeof(int32_t));
	h->labels = take(c, rows * sizeof(int32_t));
	h->losses = take_floats(c, rows);
	h->hidden = take_floats(c, chunk * (size_t)m->hidden);
	h->dhidden = take_floats(c, chunk * (size_t)m->hidden);
	h->logits = take_floats(c, chunk * (size_t)m->vocab);
	h->input_scratch = take(c, mat_input_bytes(h->chunk_max, m->hidden));
	h->back_scratch = take(c, larger(mat_backward_bytes(&t->model->head, h->chunk_max, t->pool), layer_back_bytes(&t->walk, t->pool)));
	t->walk.back_scratch = h->back_scratch;
	t->plan.head = c->used - start;
}

static size_t carve_all(struct trainstep *t, void *block)
{
	struct carve c = {.base = block};
	carve_parameters(t, &c);
	carve_records(t, &c);
	carve_workspace(t, &c);
	carve_head(t, &c);
	t->plan.layers = t->model->config.layers;
	t->plan.total = c.used;
	return c.used;
}

/* Layers give up their inner activations, first layers first, until the block fits the budget. */
static int choose_levels(struct trainstep *t, struct err *err)
{
	size_t budget = t->options.memory_budget_bytes;
	for (int32_t i = 0; i < t->model->config.layers; i++)
		t->levels[i] = t->options.checkpoint_all ? KEEP_INPUT : KEEP_VALUES;
	for (int32_t i = 0; budget > 0 && carve_all(t, NULL) > budget; i++) {
		if (i == t->model->config.layers)
			return err_set(err, ERR_NO_MEMORY, "a training step of %d tokens needs %zu MB even with every layer recomputed, the budget is %zu MB; shorten the sequences or the batch",
				       t->options.max_rows, t->plan.total >> 20, budget >> 20);
		t->levels[i] = KEEP_INPUT;
	}
	return 0;
}

static size_t widest_input(const struct model *m)
{
	size_t most = 0;
	for (int slot = 0; slot < LIN_COUNT; slot++)
		most = larger(most, (size_t)m->layers[0].linear[slot].cols);
	return most;
}

static uint32_t slots_of(const struct lora *l)
{
	uint32_t slots = 0;
	for (int32_t i = 0; i < l->layers * LIN_COUNT; i++)
		if (l->slots[i].rank > 0)
			slots |= 1u << (i % LIN_COUNT);
	return slots;
}

static int plan_step(struct trainstep *t, struct err *err)
{
	const struct model *m = t->model;
	struct layer_walk *w = &t->walk;
	*w = (struct layer_walk){.model = m, .lora = &t->lora, .compute = t->options.compute, .keep_bf16 = t->options.compute == COMPUTE_FAST,
				 .rows_max = t->options.max_rows, .records = t->records};
	w->branch_stride = t->lora.dropout > 0 ? lora_branch_floats((int64_t)widest_input(m)) : 0;
	t->head = (struct loss_head){.model = m, .compute = t->options.compute, .chunk_max = loss_chunk_rows(m, t->options.max_rows)};
	if (graph_plan(&w->graphs[0], &m->program, slots_of(&t->lora), false, err) < 0 || graph_plan(&w->graphs[1], &m->program, slots_of(&t->lora), true, err) < 0)
		return -1;
	if (choose_levels(t, err) < 0)
		return -1;
	t->block = mem_map_pages(carve_all(t, NULL), err);
	if (!t->block)
		return -1;
	carve_all(t, t->block);
	return 0;
}

int trainstep_new(struct trainstep **out, const struct model *m, struct pool *pool, const struct trainstep_options *o, const struct lora_options *lora,
		  const struct adapter *init, struct err *err)
{
	if (o->max_rows < 2)
		return err_set(err, ERR_CONFIG, "a training step needs at least 2 tokens, got %d", o->max_rows);
	struct trainstep *t = mem_alloc(sizeof *t);
	t->model = m;
	t->pool = pool;
	t->options = *o;
	t->levels = mem_array((size_t)m->config.layers, sizeof *t->levels);
	t->records = mem_array((size_t)m->config.layers, sizeof *t->records);
	if (lora_layout(&t->lora, m, lora, init, err) < 0 || plan_step(t, err) < 0) {
		trainstep_free(t);
		return -1;
	}
	model_rope(&m->config, o->max_length > 0 ? o->max_length : o->max_rows, t->inv_freq, &t->magnitude);
	if (init)
		lora_import(&t->lora, init);
	else
		lora_init(&t->lora);
	*out = t;
	return 0;
}

void trainstep_free(struct trainstep *t)
{
	if (!t)
		return;
	mem_unmap_pages(t->block, t->plan.total);
	lora_done(&t->lora);
	free(t->levels);
	free(t->records);
	free(t);
}

const struct trainstep_plan *trainstep_plan(const struct trainstep *t) { return &t->plan; }
struct lora *trainstep_lora(struct trainstep *t) { return &t->lora; }

/* --- a micro-batch ------------------------------------------------------------------------------------------------ */

/* What row i predicts: the next row's label within its sequence, or TRAIN_IGNORE. */
static int32_t target(const struct micro_batch *b, int32_t i)
{
	return i + 1 < b->rows && b->segments[i + 1] == b->segments[i] ? b->labels[i + 1] : TRAIN_IGNORE;
}

int64_t trainstep_count_labels(const struct micro_batch *b)
{
	int64_t n = 0;
	for (int32_t i = 0; i < b->rows; i++)
		n += target(b, i) != TRAIN_IGNORE;
	return n;
}

static bool row_is_sound(const struct micro_batch *b, int32_t i, int32_t vocab)
{
	int32_t start = b->segments[i], label = b->labels[i];
	bool continues = start >= 0 && start < i && b->segments[i - 1] == start;
	return b->ids[i] >= 0 && b->ids[i] < vocab && (label == TRAIN_IGNORE || (label >= 0 && label < vocab)) && b->positions[i] >= 0 &&
	       (start == i || continues);
}

static int check_batch(const struct trainstep *t, const struct micro_batch *b, struct err *err)
{
	if (b->rows < 1 || b->rows > t->options.max_rows)
		return err_set(err, ERR_LIMIT, "a micro-batch of %d tokens does not fit the planned %d", b->rows, t->options.max_rows);
	for (int32_t i = 0; i < b->rows; i++)
		if (!row_is_sound(b, i, t->model->config.vocab))
			return err_set(err, ERR_DATA, "micro-batch row %d: id %d, label %d, position %d, segment %d do not fit this model (vocabulary %d)", i, b->ids[i],
				       b->labels[i], b->positions[i], b->segments[i], t->model->config.vocab);
	return 0;
}

static void choose_rows(struct loss_head *h, const struct micro_batch *b)
{
	h->n = 0;
	for (int32_t i = 0; i < b->rows; i++)
		if (target(b, i) != TRAIN_IGNORE) {
			h->rows[h->n] = i;
			h->labels[h->n++] = target(b, i);
		}
}

struct pass { struct trainstep *t; const struct micro_batch *b; float scale; bool gradient; };

static void run_pass(void *arg, struct worker worker)
{
	const struct pass *p = arg;
	struct trainstep *t = p->t;
	struct layer_walk w = t->walk; /* each worker swaps its own pair of stream pointers */
	int32_t layers = t->model->config.layers;
	rope_table(p->b->positions, w.rows, t->inv_freq, t->model->config.rope_dims, t->magnitude, t->rope, worker);
	loss_embed(t->model, p->b->ids, w.rows, w.streams[0], worker);
	for (int32_t layer = 0; layer < layers; layer++) {
		layer_forward(&w, layer, p->gradient, worker);
		float *result = w.streams[1];
		w.streams[1] = w.streams[0];
		w.streams[0] = result;
	}
	loss_rows(&t->head, w.streams[0], p->gradient ? w.residual : NULL, w.rows, p->scale, worker);
	for (int32_t layer = layers - 1; p->gradient && layer >= 0; layer--)
		layer_backward(&w, layer, worker);
}

/* Sum of the token losses, in row order. */
static double run_batch(struct trainstep *t, const struct micro_batch *b, float scale, bool gradient)
{
	double sum = 0;
	choose_rows(&t->head, b);
	t->walk.rows = b->rows;
	t->walk.segments = b->segments;
	t->walk.rope = t->rope;
	t->walk.dropout = gradient;
	t->walk.draw = (uint64_t)t->lora.steps * 65536 + (uint64_t)t->micro;
	pool_run(t->pool, run_pass, &(struct pass){t, b, scale, gradient});
	for (int32_t i = 0; i < t->head.n; i++)
		sum += t->head.losses[i];
	return sum;
}

int trainstep_accumulate(struct trainstep *t, const struct micro_batch *b, int64_t n_items, double *loss_sum, struct err *err)
{
	if (check_batch(t, b, err) < 0)
		return -1;
	double sum = run_batch(t, b, 1.0f / (float)(n_items > 0 ? n_items : 1), true);
	t->micro++;
	if (!isfinite(sum)) {
		memset(t->lora.grad, 0, t->lora.n * sizeof(float));
		return err_set(err, ERR_DIVERGED, "the loss became %g in update %lld; lower the learning rate", sum, (long long)t->lora.steps + 1);
	}
	*loss_sum = sum;
	return 0;
}

int trainstep_evaluate(struct trainstep *t, const struct micro_batch *b, double *loss_sum, int64_t *labels, struct err *err)
{
	if (check_batch(t, b, err) < 0)
		return -1;
	double sum = run_batch(t, b, 0.0f, false);
	if (!isfinite(sum))
		return err_set(err, ERR_DIVERGED, "the evaluation loss became %g after %lld updates", sum, (long long)t->lora.steps);
	*loss_sum = sum;
	*labels = t->head.n;
	return 0;
}

/* --- the update ------------------------------------------------------------------------------------------------------- */

static void run_square_sums(void *arg, struct worker worker)
{
	const struct trainstep *t = arg;
	adamw_square_sums(t->lora.grad, t->lora.n, t->square_sums, worker);
}

static void run_adamw(void *arg, struct worker worker) { adamw_apply(arg, worker); }

int trainstep_update(struct trainstep *t, double lr, const struct trainstep_adamw *a, double *grad_norm, struct err *err)
{
	struct lora *l = &t->lora;
	pool_run(t->pool, run_square_sums, t);
	double norm = adamw_norm(t->square_sums, l->n), clip = a->max_grad_norm > 0 ? a->max_grad_norm / (norm + 1e-6) : 1.0;
	t->micro = 0;
	if (!isfinite(norm)) {
		memset(l->grad, 0, l->n * sizeof(float));
		return err_set(err, ERR_DIVERGED, "the gradient norm became %g in update %lld; lower the learning rate", norm, (long long)l->steps + 1);
	}
	struct adamw_step s = {.p = l->p, .grad = l->grad, .m = l->m, .v = l->v, .n = l->n, .lr = lr, .beta1 = a->beta1, .beta2 = a->beta2, .eps = a->eps,
			       .weight_decay = a->weight_decay, .clip = clip < 1.0 ? clip : 1.0, .step = ++l->steps};
	pool_run(t->pool, run_adamw, &s);
	*grad_norm = norm;
	return 0;
}
