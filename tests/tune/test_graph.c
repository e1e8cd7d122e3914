/* The planner: buffers that live at the same time never overlap, and layer programs that share gradients in every way the
 * planner knows (residuals, parallel branches, norms after a block, slices) train to finite-difference gradients. */
#include "tune_test.h"

#include "tune/graph.h"

#include "base/random.h"

enum { C = 12, HEADS = 2, D = 6, F = 10, V = 17, LAYERS = 2 };

/* --- programs ------------------------------------------------------------------------------------------------ */

static int8_t put(struct program *p, struct op op)
{
	op.out = (int8_t)p->n_values;
	p->widths[p->n_values++] = op.width;
	p->ops[p->n_ops++] = op;
	return op.out;
}
static int8_t norm(struct program *p, int8_t x, enum vector_slot w) { return put(p, (struct op){.kind = OP_RMS_NORM, .a = x, .b = -1, .c = -1, .vector = (int8_t)w, .width = p->widths[x]}); }
static int8_t linear(struct program *p, int8_t x, enum linear_slot s, int32_t width)
{
	return put(p, (struct op){.kind = OP_LINEAR, .a = x, .b = -1, .c = -1, .linear = (int8_t)s, .vector = -1, .width = width});
}
static int8_t slice(struct program *p, int8_t x, int32_t offset, int32_t width)
{
	return put(p, (struct op){.kind = OP_SLICE, .a = x, .b = -1, .c = -1, .offset = offset, .width = width});
}
static int8_t rope(struct program *p, int8_t x) { return put(p, (struct op){.kind = OP_ROPE, .a = x, .b = -1, .c = -1, .head_dim = D, .width = p->widths[x]}); }
static int8_t add(struct program *p, int8_t x, int8_t y) { return put(p, (struct op){.kind = OP_ADD, .a = x, .b = y, .c = -1, .width = p->widths[x]}); }
static int8_t attend(struct program *p, int8_t h)
{
	int8_t qkv = linear(p, h, LIN_QKV, 3 * C), q = rope(p, slice(p, qkv, 0, C)), k = rope(p, slice(p, qkv, C, C)), v = slice(p, qkv, 2 * C, C);
	int8_t a = put(p, (struct op){.kind = OP_ATTENTION, .a = q, .b = k, .c = v, .head_dim = D, .width = C});
	return linear(p, a, LIN_O, C);
}
static int8_t feed(struct program *p, int8_t h)
{
	int8_t gate = linear(p, h, LIN_GATE, F), up = linear(p, h, LIN_UP, F);
	return linear(p, put(p, (struct op){.kind = OP_GLU, .a = gate, .b = up, .c = -1, .width = F}), LIN_DOWN, C);
}

static int8_t sequential(struct program *p)
{
	int8_t x = add(p, 0, attend(p, norm(p, 0, VEC_ATTN_NORM)));
	return add(p, x, feed(p, norm(p, x, VEC_FFN_NORM)));
}
/* Both blocks read one norm; the residual's gradient is shared by three values. */
static int8_t parallel(struct program *p)
{
	int8_t h = norm(p, 0, VEC_ATTN_NORM), a = attend(p, h), f = feed(p, h);
	return add(p, add(p, 0, a), f);
}
/* The first block's norm adds to the residual's gradient while the second block's share of it is still unread. */
static int8_t crossed(struct program *p)
{
	int8_t f = feed(p, norm(p, 0, VEC_FFN_NORM)), a = attend(p, norm(p, 0, VEC_ATTN_NORM));
	return add(p, add(p, 0, f), a);
}
/* Norms after the blocks: a norm must not work in place on a gradient that the residual shares. */
static int8_t post_norm(struct program *p)
{
	int8_t x = add(p, 0, norm(p, attend(p, 0), VEC_ATTN_NORM));
	return add(p, x, norm(p, feed(p, x), VEC_FFN_NORM));
}
static int8_t (*const programs[])(struct program *p) = {sequential, parallel, crossed, post_norm};
enum { N_PROGRAMS = sizeof programs / sizeof *programs };

/* --- a model around a program ------------------------------------------------------------------------------------ */

static float *numbers(struct arena *a, uint64_t key, size_t n, float scale, float offset)
{
	float *x = arena_array(a, n, sizeof *x);
	for (size_t i = 0; i < n; i++)
		x[i] = offset + scale * random_normal(key, RANDOM_TEST, 1, i);
	return x;
}
static struct mat matrix(struct arena *a, uint64_t key, int64_t rows, int64_t cols)
{
	float *x = numbers(a, key, (size_t)(rows * cols), 1.0f / sqrtf((float)cols), 0.0f);
	return (struct mat){.type = DT_F32, .rows = rows, .cols = cols, .src = x, .row_bytes = (size_t)cols * sizeof(float)};
}

static void build(struct model *m, int which)
{
	*m = (struct model){.config = {.vocab = V, .hidden = C, .layers = LAYERS, .heads = HEADS, .kv_heads = HEADS, .head_dim = D, .ffn = F, .context = 64,
				       .norm_eps = 1e-5f, .rope_dims = 4, .rope_theta = 100.0, .rope_factor = 1, .rope_attention_factor = 1}};
	m->program.n_values = 1;
	m->program.widths[0] = C;
	m->program.result = programs[which](&m->program);
	m->layers = arena_array(&m->arena, LAYERS, sizeof *m->layers);
	for (uint64_t l = 0; l < LAYERS; l++) {
		struct model_layer *layer = &m->layers[l];
		layer->linear[LIN_QKV] = matrix(&m->arena, 10 * l + 1, 3 * C, C);
		layer->linear[LIN_O] = matrix(&m->arena, 10 * l + 2, C, C);
		layer->linear[LIN_GATE] = matrix(&m->arena, 10 * l + 3, F, C);
		layer->linear[LIN_UP] = matrix(&m->arena, 10 * l + 4, F, C);
		layer->linear[LIN_DOWN] = matrix(&m->arena, 10 * l + 5, C, F);
		layer->vector[VEC_ATTN_NORM] = numbers(&m->arena, 10 * l + 6, C, 0.3f, 1.0f);
		layer->vector[VEC_FFN_NORM] = numbers(&m->arena, 10 * l + 7, C, 0.3f, 1.0f);
	}
	m->token_embd = matrix(&m->arena, 100, V, C);
	m->head = matrix(&m->arena, 101, V, C);
	m->output_norm = numbers(&m->arena, 102, C, 0.3f, 1.0f);
}

static const struct { uint32_t slots; bool recompute; } choices[] = {
	{UINT32_MAX, false}, {UINT32_MAX, true}, {1u << LIN_QKV, false}, {1u << LIN_DOWN, false}, {1u << LIN_GATE | 1u << LIN_O, true}};
enum { N_CHOICES = sizeof choices / sizeof *choices };

static double loss_of(struct trainstep *t, const struct micro_batch *b)
{
	struct err err = ERR_INIT;
	double sum;
	int64_t labels;
	must(trainstep_evaluate(t, b, &sum, &labels, &err));
	return sum;
}

START_TEST(every_program_trains_to_finite_difference_gradients)
{
	struct err err = ERR_INIT;
	struct model m;
	struct pool *pool;
	struct trainstep *t;
	const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
	struct packed p = packed_new(16);
	packed_add(&p, ids, ids, 7);
	packed_add(&p, ids + 7, ids + 7, 4);
	struct micro_batch b = packed_batch(&p);
	build(&m, _i / N_CHOICES);
	must(pool_new(&pool, 2, &err));
	must(trainstep_new(&t, &m, pool, &(struct trainstep_options){.max_rows = 16, .checkpoint_all = choices[_i % N_CHOICES].recompute},
			   &(struct lora_options){.slots = choices[_i % N_CHOICES].slots, .rank = 2, .alpha = 2, .seed = 1}, NULL, &err));
	struct lora *l = trainstep_lora(t);
	for (size_t i = 0; i < l->n; i++)
		l->p[i] = 0.3f * random_normal(3, RANDOM_TEST, 0, i);
	double sum;
	must(trainstep_accumulate(t, &b, 1, &sum, &err));
	for (size_t i = 0; i < l->n; i += 1 + l->n / (SLOW_BUILD ? 13 : 61)) {
		float kept = l->p[i], h = 2e-3f;
		l->p[i] = kept + h;
		double up = loss_of(t, &b);
		l->p[i] = kept - h;
		double down = loss_of(t, &b), expect = (up - down) / (2.0 * (double)h);
		l->p[i] = kept;
		ck_assert_msg(fabs(l->grad[i] - expect) <= 5e-3 * fabs(expect) + 8e-3, "program %d, choice %d, parameter %zu: gradient %g, finite difference %g", _i / N_CHOICES,
			      _i % N_CHOICES, i, (double)l->grad[i], expect);
	}
	trainstep_free(t);
	pool_free(pool);
	packed_done(&p);
	arena_done(&m.arena);
}
END_TEST

START_TEST(buffers_alive_together_never_overlap)
{
	struct err err = ERR_INIT;
	struct graph g;
	struct program p = {.n_values = 1, .widths = {C}};
	p.result = programs[_i](&p);
	for (int first = 0; first < 2; first++) {
		must(graph_plan(&g, &p, UINT32_MAX, first == 0, &err));
		ck_assert_int_gt(g.n_buffers, GRAPH_FIXED);
		for (int a = GRAPH_FIXED; a < g.n_buffers; a++)
			for (int b = GRAPH_FIXED; b < a; b++) {
				const struct graph_buffer *x = &g.buffers[a], *y = &g.buffers[b];
				bool together = x->first <= y->last && y->first <= x->last, overlap = x->offset < y->offset + y->width && y->offset < x->offset + x->width;
				ck_assert_msg(!(together && overlap), "buffers %d and %d", a, b);
			}
		for (int v = 0; v < p.n_values; v++)
			if (g.values[v].act >= GRAPH_FIXED)
				ck_assert_int_le(g.buffers[g.values[v].act].offset + g.buffers[g.values[v].act].width, g.workspace_columns);
	}
}
END_TEST

START_TEST(storage_of_dead_values_is_used_again)
{
	struct err err = ERR_INIT;
	struct graph g;
	struct program p = {.n_values = 1, .widths = {C}};
	int64_t all = 0;
	p.result = sequential(&p);
	must(graph_plan(&g, &p, UINT32_MAX, true, &err));
	for (int b = GRAPH_FIXED; b < g.n_buffers; b++)
		all += g.buffers[b].width;
	ck_assert_int_lt(g.workspace_columns, all);
	ck_assert_int_eq(g.input_grad, GRAPH_RESIDUAL); /* the residual's gradient is never copied in the usual layer */
}
END_TEST

START_TEST(a_program_without_a_rule_is_refused)
{
	struct err err = ERR_INIT;
	struct graph g;
	struct program p = {.n_values = 1, .widths = {C}};
	int8_t h = linear(&p, 0, LIN_O, C);
	p.result = add(&p, h, h);
	ck_assert_int_lt(graph_plan(&g, &p, UINT32_MAX, true, &err), 0);
	ck_assert_int_eq(err.kind, ERR_UNSUPPORTED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("graph");
	TCase *c = tcase_create("graph");
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, every_program_trains_to_finite_difference_gradients, 0, N_PROGRAMS * N_CHOICES);
	tcase_add_loop_test(c, buffers_alive_together_never_overlap, 0, N_PROGRAMS);
	tcase_add_test(c, storage_of_dead_values_is_used_again);
	tcase_add_test(c, a_program_without_a_rule_is_refused);
	suite_add_tcase(s, c);
	return run_suite(s);
}
