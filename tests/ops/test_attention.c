/* Training attention: every level against the reference over head sizes, segments, windows and groups; gradients by finite differences. */
#include "ops/attention.h"
#include "ops_test.h"

struct problem {
	struct attention_shape s;
	int32_t segments[300];
	float *q, *k, *v, *o, *lse, *dout, *dq, *dk, *dv, *scratch;
	int64_t ldq, ldk, ldv, ldo;
};

static struct problem problem_new(int64_t rows, int64_t segment, int32_t heads, int32_t kv, int32_t d, int32_t window)
{
	struct problem p = {.s = {.rows = rows, .heads = heads, .kv_heads = kv, .d = d, .window = window, .scale = 1.0f / sqrtf((float)d)}};
	p.ldq = heads * d + 3;
	p.ldk = kv * d + 5;
	p.ldv = kv * d + 2;
	p.ldo = heads * d + 1;
	for (int64_t i = 0; i < rows; i++)
		p.segments[i] = (int32_t)(i / segment * segment);
	p.q = random_floats(1, rows * p.ldq, 1.0f);
	p.k = random_floats(2, rows * p.ldk, 1.0f);
	p.v = random_floats(3, rows * p.ldv, 1.0f);
	p.dout = random_floats(4, rows * p.ldo, 1.0f);
	p.o = random_floats(5, rows * p.ldo, 1.0f);
	p.dq = random_floats(6, rows * p.ldq, 1.0f);
	p.dk = random_floats(7, rows * p.ldk, 1.0f);
	p.dv = random_floats(8, rows * p.ldv, 1.0f);
	p.lse = mem_array((size_t)(rows * heads), sizeof(float));
	p.scratch = mem_alloc(attention_scratch_bytes(rows, heads, kv, d, 1));
	return p;
}

static void problem_done(struct problem *p)
{
	float *all[] = {p->q, p->k, p->v, p->dout, p->o, p->dq, p->dk, p->dv, p->lse, p->scratch};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

static const struct worker alone = {0, 1, NULL};

static void run(struct problem *p)
{
	struct attention_shape s = p->s;
	s.segments = p->segments;
	struct attention_input in = {p->q, p->k, p->v, p->ldq, p->ldk, p->ldv};
	attention_forward(in, s, p->o, p->ldo, p->lse, p->scratch, alone);
	attention_backward(in, s, p->o, p->ldo, p->lse, p->dout, p->ldo, (struct attention_grads){p->dq, p->dk, p->dv, p->ldq, p->ldk, p->ldv}, p->scratch, alone);
}

/* The law, straight from the definition, over the whole problem. */
static double visible_loss(void *arg)
{
	struct problem *p = arg;
	double loss = 0;
	for (int32_t h = 0; h < p->s.heads; h++)
		for (int64_t i = 0; i < p->s.rows; i++) {
			const float *q = p->q + i * p->ldq + h * p->s.d, *g = p->dout + i * p->ldo + h * p->s.d;
			int64_t column = h / (p->s.heads / p->s.kv_heads) * p->s.d, first = p->segments[i];
			double sum = 0, value = 0;
			if (p->s.window && i - p->s.window + 1 > first)
				first = i - p->s.window + 1;
			for (int64_t j = first; j <= i; j++) {
				double score = p->s.scale * weighted_sum(q, p->k + j * p->ldk + column, p->s.d);
				sum += exp(score);
				value += exp(score) * weighted_sum(g, p->v + j * p->ldv + column, p->s.d);
			}
			loss += value / sum;
		}
	return loss;
}

static double output_loss(const struct problem *p)
{
	double loss = 0;
	for (int64_t i = 0; i < p->s.rows; i++)
		loss += weighted_sum(p->o + i * p->ldo, p->dout + i * p->ldo, p->s.heads * p->s.d);
	return loss;
}

static const struct { int64_t rows, segment; int32_t heads, kv, d, window; } cases[] = {
	{1, 1, 1, 1, 16, 0}, {5, 5, 2, 1, 16, 0},    {64, 64, 2, 2, 64, 0},  {65, 65, 3, 1, 64, 0},   {130, 130, 4, 2, 33, 0},
	{150, 40, 4, 2, 64, 0}, {200, 200, 2, 1, 32, 17}, {130, 70, 2, 2, 96, 64}, {100, 3, 6, 2, 20, 0}, {260, 260, 1, 1, 128, 100},
};

START_TEST(forward_is_softmax_attention_over_the_visible_keys)
{
	struct problem p = problem_new(cases[_i].rows, cases[_i].segment, cases[_i].heads, cases[_i].kv, cases[_i].d, cases[_i].window);
	run(&p);
	double expect = visible_loss(&p);
	ck_assert_msg(fabs(output_loss(&p) - expect) <= 1e-4 * (1 + fabs(expect)), "case %d: %g, expected %g", _i, output_loss(&p), expect);
	problem_done(&p);
}
END_TEST

START_TEST(backward_equals_finite_differences)
{
	struct problem p = problem_new(cases[_i].rows, cases[_i].segment, cases[_i].heads, cases[_i].kv, cases[_i].d, cases[_i].window);
	run(&p);
	int64_t nq = p.s.rows * p.ldq, nk = p.s.rows * p.ldk, nv = p.s.rows * p.ldv;
	/* Columns past the last head belong to nobody: their gradient buffers keep what was there. */
	for (int64_t i = 0; i < p.s.rows; i++) {
		memset(p.dq + i * p.ldq + p.s.heads * p.s.d, 0, 3 * sizeof(float));
		memset(p.dk + i * p.ldk + p.s.kv_heads * p.s.d, 0, 5 * sizeof(float));
		memset(p.dv + i * p.ldv + p.s.kv_heads * p.s.d, 0, 2 * sizeof(float));
	}
	check_gradient("dq", p.q, nq, nq / 7 + 1, p.dq, visible_loss, &p);
	check_gradient("dk", p.k, nk, nk / 7 + 1, p.dk, visible_loss, &p);
	check_gradient("dv", p.v, nv, nv / 7 + 1, p.dv, visible_loss, &p);
	problem_done(&p);
}
END_TEST

static void run_level(const struct ops_kernels *k, struct attention_head h, float *o, float *dq, float *dk, float *dv)
{
	h.o = o;
	k->attention(&h);
	h.out = o;
	h.dq = dq;
	h.dk = dk;
	h.dv = dv;
	k->attention_backward(&h);
}

START_TEST(every_level_equals_the_reference)
{
	int64_t n = cases[_i].rows, d = cases[_i].d;
	float *q = random_floats(1, n * d, 1.0f), *k = random_floats(2, n * d, 1.0f), *v = random_floats(3, n * d, 1.0f), *g = random_floats(4, n * d, 1.0f);
	float *out[2][4], *lse = mem_array((size_t)n, sizeof(float)), *scratch = mem_array(attention_scratch_floats((int32_t)d), sizeof(float));
	for (int i = 0; i < 8; i++)
		out[i / 4][i % 4] = mem_array((size_t)(n * d), sizeof(float));
	struct attention_head h = {.q = q, .k = k, .v = v, .dout = g, .lse = lse, .ldq = d, .ldk = d, .ldv = d, .ldo = d, .lddo = d, .lddq = d, .lddk = d, .lddv = d,
				   .n = n, .d = (int32_t)d, .window = cases[_i].window, .scale = 1.0f / sqrtf((float)d), .scratch = scratch};
	run_level(&ops_kernels_reference, h, out[0][0], out[0][1], out[0][2], out[0][3]);
	for (int level = OPS_BASE; level < OPS_LEVELS; level++) {
		const struct ops_kernels *fast = ops_kernels_level((enum ops_level)level);
		if (!fast)
			continue;
		run_level(fast, h, out[1][0], out[1][1], out[1][2], out[1][3]);
		for (int i = 0; i < 4; i++)
			ck_assert_msg(worst_difference(out[1][i], out[0][i], n * d) <= 2e-5, "%s: output %d of case %d differs by %g", fast->name, i, _i,
				      worst_difference(out[1][i], out[0][i], n * d));
	}
	for (int i = 0; i < 8; i++)
		free(out[i / 4][i % 4]);
	free(q);
	free(k);
	free(v);
	free(g);
	free(lse);
	free(scratch);
}
END_TEST

START_TEST(fast_products_stay_within_bf16_of_the_exact_ones)
{
	struct problem exact = problem_new(cases[_i].rows, cases[_i].segment, cases[_i].heads, cases[_i].kv, cases[_i].d, cases[_i].window);
	struct problem fast = problem_new(cases[_i].rows, cases[_i].segment, cases[_i].heads, cases[_i].kv, cases[_i].d, cases[_i].window);
	fast.s.fast = true;
	run(&exact);
	run(&fast);
	const float *pairs[4][2] = {{exact.o, fast.o}, {exact.dq, fast.dq}, {exact.dk, fast.dk}, {exact.dv, fast.dv}};
	const int64_t lengths[4] = {exact.ldo, exact.ldq, exact.ldk, exact.ldv};
	for (int k = 0; k < 4; k++) {
		double off = 0, all = 0;
		for (int64_t i = 0; i < exact.s.rows * lengths[k]; i++) {
			off += pow((double)pairs[k][1][i] - pairs[k][0][i], 2);
			all += pow(pairs[k][0][i], 2);
		}
		ck_assert_msg(sqrt(off / all) <= 0.01, "case %d, output %d: relative error %g", _i, k, sqrt(off / all));
	}
	problem_done(&exact);
	problem_done(&fast);
}
END_TEST

/* Pairs are dealt completely and the result does not depend on the worker count. */
struct shared { struct problem *p; };
static void collective(void *arg, struct worker w)
{
	struct problem *p = ((struct shared *)arg)->p;
	struct attention_shape s = p->s;
	s.segments = p->segments;
	struct attention_input in = {p->q, p->k, p->v, p->ldq, p->ldk, p->ldv};
	attention_forward(in, s, p->o, p->ldo, p->lse, p->scratch, w);
	pool_barrier(w);
	attention_backward(in, s, p->o, p->ldo, p->lse, p->dout, p->ldo, (struct attention_grads){p->dq, p->dk, p->dv, p->ldq, p->ldk, p->ldv}, p->scratch, w);
}

START_TEST(three_workers_give_the_bits_of_one)
{
	struct problem one = problem_new(150, 40, 4, 2, 64, 0), many = problem_new(150, 40, 4, 2, 64, 0);
	struct err err = ERR_INIT;
	struct pool *pool;
	ck_assert_int_eq(pool_new(&pool, 3, &err), 0);
	free(many.scratch);
	many.scratch = mem_alloc(attention_scratch_bytes(150, 4, 2, 64, 3));
	run(&one);
	pool_run(pool, collective, &(struct shared){&many});
	pool_free(pool);
	ck_assert_mem_eq(one.o, many.o, (size_t)(150 * one.ldo) * sizeof(float));
	ck_assert_mem_eq(one.dq, many.dq, (size_t)(150 * one.ldq) * sizeof(float));
	ck_assert_mem_eq(one.dk, many.dk, (size_t)(150 * one.ldk) * sizeof(float));
	ck_assert_mem_eq(one.dv, many.dv, (size_t)(150 * one.ldv) * sizeof(float));
	problem_done(&one);
	problem_done(&many);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("attention");
	TCase *c = tcase_create("attention");
	int n = (int)(sizeof cases / sizeof *cases);
	tcase_set_timeout(c, 100);
	tcase_add_loop_test(c, forward_is_softmax_attention_over_the_visible_keys, 0, n);
	tcase_add_loop_test(c, backward_equals_finite_differences, 0, n);
	tcase_add_loop_test(c, every_level_equals_the_reference, 0, n);
	tcase_add_loop_test(c, fast_products_stay_within_bf16_of_the_exact_ones, 0, n);
	tcase_add_test(c, three_workers_give_the_bits_of_one);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
