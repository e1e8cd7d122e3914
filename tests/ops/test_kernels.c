/* Every kernel of every ISA level against the plain reference, over widths that are and are not multiples of any vector. */
#include "ops_test.h"

static const int64_t widths[] = {1, 3, 16, 33, 64, 100, 576, 1000};
static const enum ops_level levels[] = {OPS_BASE, OPS_AVX2, OPS_AVX512};
#define N_WIDTHS ((int)(sizeof widths / sizeof *widths))
#define N_LEVELS ((int)(sizeof levels / sizeof *levels))
#define ROWS 5
#define PAD 7 /* rows are further apart than they are wide: strides must be honoured */

/* The same kernel with the same random inputs at two levels. */
struct pair { const struct ops_kernels *fast, *law; int64_t width, ld, n; float *x, *y, *z, *w, *a, *b, *a2, *b2; };

static struct pair pair_new(enum ops_level level, int64_t width)
{
	struct pair p = {.fast = ops_kernels_level(level), .law = &ops_kernels_reference, .width = width, .ld = width + PAD, .n = ROWS * (width + PAD)};
	p.x = random_floats(1, p.n, 1.5f);
	p.y = random_floats(2, p.n, 1.0f);
	p.z = random_floats(3, p.n, 1.0f);
	p.w = random_floats(4, p.width, 1.0f);
	p.a = random_floats(5, p.n, 1.0f);
	p.b = random_floats(6, p.n, 1.0f);
	p.a2 = random_floats(5, p.n, 1.0f);
	p.b2 = random_floats(6, p.n, 1.0f);
	return p;
}

static void pair_done(struct pair *p, const char *what, double tolerance)
{
	double a = worst_difference(p->a, p->a2, p->n), b = worst_difference(p->b, p->b2, p->n);
	ck_assert_msg(a <= tolerance && b <= tolerance, "%s, %s, width %lld: differs by %g, %g", p->fast->name, what, (long long)p->width, a, b);
	float *all[] = {p->x, p->y, p->z, p->w, p->a, p->b, p->a2, p->b2};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

#define FOR_EACH_PAIR(p) \
	for (int l_ = 0; l_ < N_LEVELS; l_++) \
		for (int i_ = 0; i_ < N_WIDTHS && ops_kernels_level(levels[l_]); i_++) \
			for (struct pair p = pair_new(levels[l_], widths[i_]); p.x; p.x = NULL)

START_TEST(rms_norm_equals_the_reference)
{
	FOR_EACH_PAIR(p)
	{
		p.fast->rms_norm(p.x, p.ld, p.w, p.a, p.ld, ROWS, p.width, p.width, 1e-5f);
		p.law->rms_norm(p.x, p.ld, p.w, p.a2, p.ld, ROWS, p.width, p.width, 1e-5f);
		p.fast->rms_norm_backward(p.x, p.ld, p.w, p.y, p.ld, p.b, p.ld, ROWS, p.width, p.width, 1e-5f, true);
		p.law->rms_norm_backward(p.x, p.ld, p.w, p.y, p.ld, p.b2, p.ld, ROWS, p.width, p.width, 1e-5f, true);
		pair_done(&p, "rms_norm", 5e-6);
	}
}
END_TEST

START_TEST(rms_norm_per_head_equals_the_reference)
{
	FOR_EACH_PAIR(p)
	{
		int64_t d = p.width % 4 == 0 ? p.width / 4 : p.width;
		p.fast->rms_norm(p.x, p.ld, p.w, p.a, p.ld, ROWS, p.width, d, 1e-6f);
		p.law->rms_norm(p.x, p.ld, p.w, p.a2, p.ld, ROWS, p.width, d, 1e-6f);
		p.fast->rms_norm_backward(p.x, p.ld, p.w, p.y, p.ld, p.b, p.ld, ROWS, p.width, d, 1e-6f, false);
		p.law->rms_norm_backward(p.x, p.ld, p.w, p.y, p.ld, p.b2, p.ld, ROWS, p.width, d, 1e-6f, false);
		pair_done(&p, "rms_norm per head", 1e-5);
	}
}
END_TEST

START_TEST(rope_equals_the_reference_with_partial_dims)
{
	FOR_EACH_PAIR(p)
	{
		int64_t dims = p.width / 2 / 2 * 2;
		p.fast->rope(p.x, p.ld, p.y, p.a, p.ld, ROWS, p.width, p.width, dims, false);
		p.law->rope(p.x, p.ld, p.y, p.a2, p.ld, ROWS, p.width, p.width, dims, false);
		p.fast->rope(p.x, p.ld, p.y, p.b, p.ld, ROWS, p.width, p.width, p.width / 2 * 2, true);
		p.law->rope(p.x, p.ld, p.y, p.b2, p.ld, ROWS, p.width, p.width, p.width / 2 * 2, true);
		pair_done(&p, "rope", 1e-6);
	}
}
END_TEST

START_TEST(glu_equals_the_reference)
{
	for (int gelu = 0; gelu < 2; gelu++)
		FOR_EACH_PAIR(p)
		{
			p.fast->glu_backward(gelu, p.x, p.ld, p.y, p.ld, p.z, p.ld, p.a, p.ld, p.b, p.ld, ROWS, p.width);
			p.law->glu_backward(gelu, p.x, p.ld, p.y, p.ld, p.z, p.ld, p.a2, p.ld, p.b2, p.ld, ROWS, p.width);
			pair_done(&p, "glu_backward", 2e-6);
		}
	for (int gelu = 0; gelu < 2; gelu++)
		FOR_EACH_PAIR(p)
		{
			p.fast->glu(gelu, p.x, p.ld, p.y, p.ld, p.a, p.ld, ROWS, p.width);
			p.law->glu(gelu, p.x, p.ld, p.y, p.ld, p.a2, p.ld, ROWS, p.width);
			p.fast->add(p.x, p.ld, p.y, p.ld, p.b, p.ld, ROWS, p.width);
			p.law->add(p.x, p.ld, p.y, p.ld, p.b2, p.ld, ROWS, p.width);
			pair_done(&p, "glu, add", 1e-6);
		}
}
END_TEST

START_TEST(glu_of_extreme_gates_is_finite)
{
	float gate[] = {-1e4f, -200.0f, -88.0f, 0.0f, 88.0f, 200.0f, 1e4f}, up[] = {1, 1, 1, 1, 1, 1, 1}, out[7];
	for (int l = 0; l < N_LEVELS; l++) {
		const struct ops_kernels *k = ops_kernels_level(levels[l]);
		if (!k)
			continue;
		k->glu(false, gate, 7, up, 7, out, 7, 1, 7);
		ck_assert_float_eq_tol(out[0], 0.0f, 1e-30f);
		ck_assert_float_eq_tol(out[3], 0.0f, 1e-30f);
		ck_assert_float_eq_tol(out[6], 1e4f, 1e-3f);
		for (int i = 0; i < 7; i++)
			ck_assert(isfinite(out[i]));
	}
}
END_TEST

START_TEST(softmax_and_cross_entropy_equal_the_reference)
{
	FOR_EACH_PAIR(p)
	{
		float loss = 0, law = 0;
		p.fast->softmax(p.a, p.ld, ROWS, p.width);
		p.law->softmax(p.a2, p.ld, ROWS, p.width);
		for (int64_t t = 0; t < ROWS; t++) {
			int32_t label = (int32_t)(t * 31 % p.width);
			loss = p.fast->cross_entropy(p.b + t * p.ld, p.width, label, 0.25f, true);
			law = p.law->cross_entropy(p.b2 + t * p.ld, p.width, label, 0.25f, true);
			ck_assert_float_eq_tol(loss, law, 1e-5f);
		}
		pair_done(&p, "softmax, cross_entropy", 1e-6);
	}
}
END_TEST

START_TEST(bf16_copies_round_to_nearest_even)
{
	FOR_EACH_PAIR(p)
	{
		uint16_t *h = mem_array((size_t)p.n, sizeof *h);
		p.fast->to_bf16(p.x, p.ld, h, p.ld, ROWS, p.width);
		p.fast->from_bf16(h, p.ld, p.a, p.ld, ROWS, p.width);
		p.law->to_bf16(p.x, p.ld, h, p.ld, ROWS, p.width);
		p.law->from_bf16(h, p.ld, p.a2, p.ld, ROWS, p.width);
		free(h);
		pair_done(&p, "bf16", 0.0);
	}
}
END_TEST

static void compare_gemm(const struct ops_kernels *k, int64_t m, int64_t n, int64_t depth, bool accumulate)
{
	float *a = random_floats(1, m * depth, 1.0f), *b = random_floats(2, n * depth, 1.0f);
	float *c = random_floats(3, m * n, 1.0f), *law = random_floats(3, m * n, 1.0f);
	struct gemm g = {.m = m, .n = n, .k = depth, .a = a, .a_row = depth, .a_col = 1, .b = b, .ldb = n, .c = c, .ldc = n, .alpha = 0.5f, .accumulate = accumulate};
	struct gemm r = g;
	r.c = law;
	double tolerance = 1e-6 * sqrt((double)depth) + 1e-6;
	k->gemm_nn(&g);
	ops_kernels_reference.gemm_nn(&r);
	ck_assert_msg(worst_difference(c, law, m * n) <= tolerance, "%s gemm_nn %lld x %lld x %lld", k->name, (long long)m, (long long)n, (long long)depth);
	g.a_row = r.a_row = 1;
	g.a_col = r.a_col = m;
	k->gemm_nn(&g);
	ops_kernels_reference.gemm_nn(&r);
	ck_assert_msg(worst_difference(c, law, m * n) <= tolerance, "%s gemm_nn, transposed A", k->name);
	g.a_row = r.a_row = depth;
	g.a_col = r.a_col = 1;
	g.ldb = r.ldb = depth;
	k->gemm_nt(&g);
	ops_kernels_reference.gemm_nt(&r);
	ck_assert_msg(worst_difference(c, law, m * n) <= tolerance, "%s gemm_nt %lld x %lld x %lld", k->name, (long long)m, (long long)n, (long long)depth);
	free(a);
	free(b);
	free(c);
	free(law);
}

START_TEST(gemm_equals_the_reference_at_every_edge)
{
	static const int64_t sizes[] = {1, 3, 4, 8, 17, 64, 70, 129};
	for (int l = 0; l < N_LEVELS; l++)
		for (int i = 0; i < 8 && ops_kernels_level(levels[l]); i++)
			for (int j = 0; j < 8; j++)
				for (int k = 0; k < 8; k += 2)
					compare_gemm(ops_kernels_level(levels[l]), sizes[i], sizes[j], sizes[k], (i + j) & 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ops kernels");
	TCase *c = tcase_create("levels");
	tcase_set_timeout(c, 60);
	tcase_add_test(c, rms_norm_equals_the_reference);
	tcase_add_test(c, rms_norm_per_head_equals_the_reference);
	tcase_add_test(c, rope_equals_the_reference_with_partial_dims);
	tcase_add_test(c, glu_equals_the_reference);
	tcase_add_test(c, glu_of_extreme_gates_is_finite);
	tcase_add_test(c, softmax_and_cross_entropy_equal_the_reference);
	tcase_add_test(c, bf16_copies_round_to_nearest_even);
	tcase_add_test(c, gemm_equals_the_reference_at_every_edge);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
