/* AdamW against its formula in double precision over several updates, and clipping by global norm. */
#include "tune_test.h"
#include "tune/adamw.h"

#define N 9001 /* three chunks, the last one short */

static void fill(float *x, float scale, int key)
{
	for (int i = 0; i < N; i++)
		x[i] = scale * (float)((i * 7919 + key * 104729) % 2003 - 1001) / 1001.0f;
}

START_TEST(updates_follow_torch)
{
	static float p[N], g[N], m[N], v[N];
	static double dp[N], dm[N], dv[N];
	fill(p, 1.0f, 1);
	for (int i = 0; i < N; i++)
		dp[i] = p[i];
	for (int t = 1; t <= 5; t++) {
		fill(g, 0.1f, t + 10);
		for (int i = 0; i < N; i++) {
			double x = 0.5 * (double)g[i];
			dm[i] = 0.9 * dm[i] + 0.1 * x;
			dv[i] = 0.999 * dv[i] + 0.001 * x * x;
			dp[i] = dp[i] * (1 - 1e-2 * 0.1) - 1e-2 * (dm[i] / (1 - pow(0.9, t))) / (sqrt(dv[i] / (1 - pow(0.999, t))) + 1e-8);
		}
		adamw_apply(&(struct adamw_step){p, g, m, v, N, 1e-2, 0.9, 0.999, 1e-8, 0.1, 0.5, t}, (struct worker){0, 1, NULL});
		for (int i = 0; i < N; i++) {
			ck_assert_double_eq_tol(p[i], dp[i], 2e-6);
			ck_assert_float_eq(g[i], 0.0f);
		}
	}
}
END_TEST

START_TEST(the_norm_does_not_depend_on_the_workers)
{
	static float g[N];
	double one[3], many[3], sum = 0;
	fill(g, 2.0f, 3);
	ck_assert_uint_eq(adamw_chunks(N), 3);
	adamw_square_sums(g, N, one, (struct worker){0, 1, NULL});
	for (int w = 0; w < 4; w++)
		adamw_square_sums(g, N, many, (struct worker){w, 4, NULL});
	ck_assert_mem_eq(one, many, sizeof one);
	for (int i = 0; i < N; i++)
		sum += (double)g[i] * g[i];
	ck_assert_double_eq_tol(adamw_norm(one, N), sqrt(sum), 1e-9);
}
END_TEST

START_TEST(workers_share_the_update)
{
	static float p[2][N], g[2][N], m[2][N], v[2][N];
	for (int k = 0; k < 2; k++) {
		fill(p[k], 1.0f, 1);
		fill(g[k], 1.0f, 2);
		for (int w = 0; w < (k ? 3 : 1); w++)
			adamw_apply(&(struct adamw_step){p[k], g[k], m[k], v[k], N, 1e-2, 0.9, 0.999, 1e-8, 0, 1, 1}, (struct worker){w, k ? 3 : 1, NULL});
	}
	ck_assert_mem_eq(p[0], p[1], sizeof p[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("adamw");
	TCase *c = tcase_create("adamw");
	tcase_add_test(c, updates_follow_torch);
	tcase_add_test(c, the_norm_does_not_depend_on_the_workers);
	tcase_add_test(c, workers_share_the_update);
	suite_add_tcase(s, c);
	return run_suite(s);
}
