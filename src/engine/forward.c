/* forward.c: the interpreter of plans. Every worker walks all steps of all layers and does its share of each; the plan says
 * where they meet. */
#include "engine/forward_internal.h"

#include "base/mem.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

enum { ALIGN = 64 };

/* --- memory ---------------------------------------------------------------------------------------------------- */

/* Hands out pieces of the one mapping; the first walk (base NULL) only measures. */
struct carver { unsigned char *base; size_t at; };

static void *carve(struct carver *c, size_t bytes)
{
	void *p = c->base ? c->base + c->at : NULL;
	c->at += (bytes + ALIGN - 1) / ALIGN * ALIGN;
	return p;
}

static void *carve_floats(struct carver *c, int64_t rows, int64_t width)
{
	return carve(c, (size_t)rows * (size_t)width * sizeof(float));
}

static void lay_out(struct forward *f, struct carver *c)
{
	const struct model_config *config = &f->model->config;
	const struct plan *plan = &f->plans[0][0];
	int64_t rows = f->options.max_rows, samples = f->options.max_samples, few = FORWARD_FEW_ROWS;
	for (int32_t i = 0; i < plan->n_buffers; i++)
		f->buffers[i] = carve_floats(c, rows, plan->widths[i]);
	f->shared_x = carve_floats(c, rows, plan->input_width);
	f->shared_prepared = carve(c, mat_input_bytes(rows, plan->input_width));
	f->low_rank = carve_floats(c, LIN_COUNT * few, LIMIT_LORA_RANK);
	f->rope = carve_floats(c, rows, config->rope_dims);
	f->positions = carve_floats(c, rows, 1);
	f->head_x = carve_floats(c, samples, config->hidden);
	f->head_prepared = carve(c, mat_input_bytes(samples, config->hidden));
	f->logits = carve_floats(c, samples, config->vocab);
	for (int i = 0; i < pool_threads(f->pool); i++) {
		f->lanes[i].x = carve_floats(c, few, plan->input_width);
		f->lanes[i].prepared = carve(c, mat_input_bytes(few, plan->input_width));
		f->lanes[i].low_rank = carve_floats(c, rows, LIMIT_LORA_RANK);
		f->lanes[i].attention = carve_floats(c, (int64_t)kv_scratch_floats(config->head_dim), 1);
	}
}

static int map_memory(struct forward *f, struct err *err)
{
	struct carver c = {0};
	f->lanes = arena_array(&f->arena, (size_t)pool_threads(f->pool), sizeof *f->lanes);
	lay_out(f, &c);
	f->bytes = c.at;
	f->pages = mem_map_pages(f->bytes, err);
	if (f->pages == NULL)
		return err_wrap(err, "scratch for batches of %d rows", f->options.max_rows);
	c = (struct carver){.base = f->pages};
	lay_out(f, &c);
	return 0;
}

static int build_plans(struct forward *f, struct err *err)
{
	for (int shared = 0; shared < 2; shared++)
		for (int deltas = 0; deltas < 2; deltas++)
			if (plan_build(&f->plans[shared][deltas], f->model, (struct plan_options){.shared_input = shared, .deltas = deltas}, err) < 0)
				return -1;
	return 0;
}

static void rope_frequencies(struct forward *f)
{
	const struct model_config *c = &f->model->config;
	for (int i = 0; i < 2; i++) {
		f->inv_freq[i] = arena_array(&f->arena, (size_t)c->rope_dims / 2, sizeof(float));
		model_rope(c, i ? LIMIT_CONTEXT_TOKENS + 1 : 1, f->inv_freq[i], &f->magnitude);
	}
}

int forward_new(struct forward **out, const struct model *m, const struct kv_cache *kv, struct pool *pool, struct forward_options options, struct err *err)
{
	struct forward *f = mem_alloc(sizeof *f);
	f->model = m;
	f->kv = kv;
	f->pool = pool;
	f->options = options;
	rope_frequencies(f);
	if (build_plans(f, err) < 0 || map_memory(f, err) < 0) {
		forward_free(f);
		return -1;
	}
	*out = f;
	return 0;
}

void forward_free(struct forward *f)
{
	if (f == NULL)
		return;
	if (f->pages)
		mem_unmap_pages(f->pages, f->bytes);
	arena_done(&f->arena);
	free(f);
}

size_t forward_bytes(const struct forward *f)
{
	return f->bytes;
}

/* --- the walk ------------------------------------------------------------------------------------------------------- */

/* Token embeddings and rotary angles of this worker's rows. */
static void begin(struct walk *k)
{
	struct forward *f = k->f;
	const struct model_config *c = &f->model->config;
	int64_t from, to;
	worker_range(k->w, k->job->batch->rows, 1, &from, &to);
	for (int32_t i = 0; i < k->job->batch->n_segments; i++) {
		const struct segment *s = &k->job->batch->segments[i];
		int64_t a = s->row > from ? s->row : from, b = s->row + s->rows < to ? s->row + s->rows : to;
		for (int64_t r = a; r < b; r++) {
			mat_row_f32(&f->model->token_embd, k->job->batch->ids[r], f->buffers[0] + r * c->hidden);
			f->positions[r] = s->first + (int32_t)(r - s->row);
		}
		if (a < b)
			rope_table(f->positions + a, b - a, f->inv_freq[s->long_rope], c->rope_dims, f->magnitude, f->rope + a * c->rope_dims, k->solo);
	}
}

static void run_layer(struct walk *k)
{
	static void (*const RUN[])(struct walk *, const struct step *) = {
		[STEP_PREPARE] = forward_step_prepare, [STEP_LINEAR] = forward_step_linear,       [STEP_DELTA] = forward_step_delta,
		[STEP_KEYS] = forward_step_keys,       [STEP_ATTENTION] = forward_step_attention,
	};
	for (int32_t i = 0; i < k->plan->n_steps; i++) {
		const struct step *s = &k->plan->steps[i];
		if (s->barrier)
			pool_barrier(k->w);
		RUN[s->kind](k, s);
	}
}

/* logits[i] = head · norm(x[rows[i]]). */
static void head(struct walk *k, const int32_t *rows, int32_t n)
{
	struct forward *f = k->f;
	const struct model *m = f->model;
	int64_t hidden = m->config.hidden;
	bool alone = n <= FORWARD_FEW_ROWS;
	struct worker w = alone ? k->solo : k->w;
	struct mat_input in = {.x = alone ? k->lane->x : f->head_x, .rows = n, .cols = hidden, .scratch = alone ? k->lane->prepared : f->head_prepared};
	int64_t from, to;
	worker_range(w, n, 1, &from, &to);
	for (int64_t i = from; i < to; i++)
		forward_hidden(f, rows[i], (alone ? k->lane->x : f->head_x) + i * hidden);
	if (!alone)
		pool_barrier(k->w);
	mat_input_prepare(&in, &m->head, f->options.compute, w);
	if (!alone)
		pool_barrier(k->w);
	mat_forward(&m->head, &in, f->options.compute, f->logits, m->config.vocab, false, k->w);
}

static bool has_adapters(const struct forward_job *job)
{
	for (int32_t i = 0; i < job->batch->n_segments; i++)
		if (job->batch->segments[i].adapter >= 0)
			return true;
	return false;
}

static struct walk walk_of(struct forward *f, const struct forward_job *job, struct worker w)
{
	struct walk k = {.f = f, .job = job, .w = w, .solo = {0, 1, w.pool}, .lane = &f->lanes[w.index]};
	if (job) {
		k.shared = job->batch->rows > FORWARD_FEW_ROWS;
		k.branches = has_adapters(job);
		k.plan = &f->plans[k.shared][k.branches];
	}
	return k;
}

struct call { struct forward *f; const struct forward_job *job; const int32_t *rows; int32_t n; };

static void run_job(void *arg, struct worker w)
{
	const struct call *c = arg;
	struct walk k = walk_of(c->f, c->job, w);
	begin(&k);
	for (k.layer = 0; k.layer < c->f->model->config.layers; k.layer++)
		run_layer(&k);
	if (c->job->n_samples > 0) {
		pool_barrier(w);
		head(&k, c->job->sample_rows, c->job->n_samples);
	}
	if (c->job->after) {
		pool_barrier(w);
		c->job->after(c->job->arg, w);
	}
}

void forward_run(struct forward *f, const struct forward_job *job)
{
	struct call c = {.f = f, .job = job};
	pool_run(f->pool, run_job, &c);
}

static void run_head(void *arg, struct worker w)
{
	const struct call *c = arg;
	struct walk k = walk_of(c->f, NULL, w);
	head(&k, c->rows, c->n);
}

void forward_more_logits(struct forward *f, const int32_t *rows, int32_t n)
{
	struct call c = {.f = f, .rows = rows, .n = n};
	pool_run(f->pool, run_head, &c);
}

float *forward_logits(struct forward *f, int32_t sample)
{
	return f->logits + (int64_t)sample * f->model->config.vocab;
}

void forward_hidden(const struct forward *f, int32_t row, float *out)
{
	const struct model_config *c = &f->model->config;
	struct norm_shape shape = {.rows = 1, .width = c->hidden, .d = c->hidden, .eps = c->norm_eps};
	rms_norm_forward(f->buffers[0] + (int64_t)row * c->hidden, c->hidden, f->model->output_norm, out, c->hidden, shape, (struct worker){0, 1, f->pool});
}
