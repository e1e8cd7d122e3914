/* Backward ops by finite differences, each also with its buffers aliased as tune's planner aliases them (graph.c): the
 * result must have the same bits as with separate buffers. */
#include "ops/cross_entropy.h"
#include "ops/glu.h"
#include "ops/low_rank.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rows.h"
#include "ops_test.h"

#define ROWS 6
#define WIDTH 36
#define N (ROWS * WIDTH)
static const struct worker alone = {0, 1, NULL};

struct op_case { float *x, *y, *w, *out, *g; int kind; };

static const struct norm_shape norm = {ROWS, WIDTH, 12, 1e-5f};
static const struct rope_shape rotary = {ROWS, WIDTH, 12, 8};
static const struct glu_shape silu = {ROWS, WIDTH, false}, gelu = {ROWS, WIDTH, true};

static double forward_loss(void *arg)
{
	struct op_case *c = arg;
	switch (c->kind) {
	case 0:
		rms_norm_forward(c->x, WIDTH, c->w, c->out, WIDTH, norm, alone);
		break;
	case 1:
		rope_forward(c->x, WIDTH, c->w, c->out, WIDTH, rotary, alone);
		break;
	default:
		glu_forward(c->x, WIDTH, c->y, WIDTH, c->out, WIDTH, c->kind == 2 ? silu : gelu, alone);
	}
	return weighted_sum(c->out, c->g, N);
}

static struct op_case case_new(int kind)
{
	return (struct op_case){random_floats(1, N, 1.0f), random_floats(2, N, 1.0f), random_floats(3, N, 1.0f), random_floats(4, N, 1.0f), random_floats(5, N, 1.0f), kind};
}
static void case_done(struct op_case *c)
{
	free(c->x);
	free(c->y);
	free(c->w);
	free(c->out);
	free(c->g);
}

START_TEST(rms_norm_gradient)
{
	struct op_case c = case_new(0);
	float *dx = random_floats(9, N, 1.0f), *alias = random_floats(5, N, 1.0f);
	rms_norm_backward(c.x, WIDTH, c.w, c.g, WIDTH, dx, WIDTH, norm, false, alone);
	check_gradient("rms_norm", c.x, N, 1, dx, forward_loss, &c);
	rms_norm_backward(c.x, WIDTH, c.w, alias, WIDTH, alias, WIDTH, norm, false, alone); /* dx in dy's buffer */
	ck_assert_mem_eq(dx, alias, N * sizeof(float));
	float *sum = random_floats(6, N, 1.0f), *before = random_floats(6, N, 1.0f);
	rms_norm_backward(c.x, WIDTH, c.w, c.g, WIDTH, sum, WIDTH, norm, true, alone); /* added to the residual's gradient */
	for (int i = 0; i < N; i++)
		ck_assert_float_eq_tol(sum[i], before[i] + dx[i], 1e-5f);
	free(dx);
	free(alias);
	free(sum);
	free(before);
	case_done(&c);
}
END_TEST

START_TEST(rms_norm_forward_in_place)
{
	struct op_case c = case_new(0);
	forward_loss(&c);
	rms_norm_forward(c.x, WIDTH, c.w, c.x, WIDTH, norm, alone);
	ck_assert_mem_eq(c.x, c.out, N * sizeof(float));
	case_done(&c);
}
END_TEST

START_TEST(rope_gradient)
{
	struct op_case c = case_new(1);
	float *dx = random_floats(9, N, 1.0f), *alias = random_floats(5, N, 1.0f);
	rope_backward(c.g, WIDTH, c.w, dx, WIDTH, rotary, alone);
	check_gradient("rope", c.x, N, 1, dx, forward_loss, &c);
	rope_backward(alias, WIDTH, c.w, alias, WIDTH, rotary, alone);
	ck_assert_mem_eq(dx, alias, N * sizeof(float));
	forward_loss(&c);
	rope_forward(c.x, WIDTH, c.w, c.x, WIDTH, rotary, alone);
	ck_assert_mem_eq(c.x, c.out, N * sizeof(float));
	free(dx);
	free(alias);
	case_done(&c);
}
END_TEST

START_TEST(rope_table_turns_by_position)
{
	const int32_t positions[2] = {0, 3};
	const float freq[2] = {1.0f, 0.5f};
	float table[8];
	rope_table(positions, 2, freq, 4, 2.0f, table, alone);
	ck_assert_float_eq_tol(table[0], 2.0f, 1e-6f);
	ck_assert_float_eq_tol(table[2], 0.0f, 1e-6f);
	ck_assert_float_eq_tol(table[4], 2.0f * cosf(3.0f), 1e-6f);
	ck_assert_float_eq_tol(table[7], 2.0f * sinf(1.5f), 1e-6f);
}
END_TEST

START_TEST(glu_gradient)
{
	struct op_case c = case_new(2 + _i);
	struct glu_shape s = _i ? gelu : silu;
	float *dx = random_floats(9, N, 1.0f), *dy = random_floats(9, N, 1.0f), *alias = random_floats(5, N, 1.0f);
	glu_backward(c.x, WIDTH, c.y, WIDTH, c.g, WIDTH, dx, WIDTH, dy, WIDTH, s, alone);
	check_gradient("glu gate", c.x, N, 1, dx, forward_loss, &c);
	check_gradient("glu up", c.y, N, 1, dy, forward_loss, &c);
	float *other = random_floats(9, N, 1.0f);
	glu_backward(c.x, WIDTH, c.y, WIDTH, alias, WIDTH, alias, WIDTH, other, WIDTH, s, alone); /* dgate in dout's buffer */
	ck_assert_mem_eq(dx, alias, N * sizeof(float));
	ck_assert_mem_eq(dy, other, N * sizeof(float));
	memcpy(alias, c.g, N * sizeof(float));
	glu_backward(c.x, WIDTH, c.y, WIDTH, alias, WIDTH, other, WIDTH, alias, WIDTH, s, alone); /* dup in dout's buffer */
	ck_assert_mem_eq(dx, other, N * sizeof(float));
	ck_assert_mem_eq(dy, alias, N * sizeof(float));
	glu_backward(c.x, WIDTH, c.y, WIDTH, c.g, WIDTH, c.x, WIDTH, c.y, WIDTH, s, alone); /* over the inputs */
	ck_assert_mem_eq(dx, c.x, N * sizeof(float));
	ck_assert_mem_eq(dy, c.y, N * sizeof(float));
	free(dx);
	free(dy);
	free(alias);
	free(other);
	case_done(&c);
}
END_TEST

static double entropy_loss(void *arg)
{
	struct op_case *c = arg;
	const int32_t labels[ROWS] = {0, 35, 7, 7, 1, 20};
	float losses[ROWS];
	double sum = 0;
	memcpy(c->out, c->x, N * sizeof(float));
	cross_entropy_rows(c->out, WIDTH, ROWS, WIDTH, labels, 0.5f, false, losses, alone);
	ck_assert_mem_eq(c->out, c->x, N * sizeof(float)); /* no gradient: logits untouched */
	for (int i = 0; i < ROWS; i++)
		sum += 0.5 * losses[i];
	return sum;
}

START_TEST(cross_entropy_gradient_replaces_the_logits)
{
	struct op_case c = case_new(0);
	const int32_t labels[ROWS] = {0, 35, 7, 7, 1, 20};
	float losses[ROWS], *grad = random_floats(1, N, 1.0f);
	cross_entropy_rows(grad, WIDTH, ROWS, WIDTH, labels, 0.5f, true, losses, alone);
	check_gradient("cross_entropy", c.x, N, 1, grad, entropy_loss, &c);
	free(grad);
	case_done(&c);
}
END_TEST

START_TEST(cross_entropy_of_large_logits_is_finite)
{
	float logits[4] = {1e4f, -1e4f, 0.0f, 9e3f}, loss;
	const int32_t label = 0;
	cross_entropy_rows(logits, 4, 1, 4, &label, 1.0f, true, &loss, alone);
	ck_assert_float_eq_tol(loss, 0.0f, 1e-6f);
	for (int i = 0; i < 4; i++)
		ck_assert_float_eq_tol(logits[i], 0.0f, 1e-6f);
}
END_TEST

/* y = base + s (x Aᵀ) Bt: gradients of x, A and B. */
#define RANK 5
#define OUT 22
struct branch { float *x, *a, *b, *g, u[ROWS * RANK], y[ROWS * OUT]; };
static double branch_loss(void *arg)
{
	struct branch *c = arg;
	low_rank_down(c->x, WIDTH, c->a, c->u, ROWS, WIDTH, RANK, 1.0f, alone);
	low_rank_up(c->u, c->b, c->y, OUT, ROWS, OUT, RANK, 0.5f, false, alone);
	return weighted_sum(c->y, c->g, ROWS * OUT);
}

START_TEST(low_rank_gradients)
{
	struct branch c = {random_floats(1, N, 1.0f), random_floats(2, RANK * WIDTH, 0.3f), random_floats(3, RANK * OUT, 0.3f), random_floats(4, ROWS * OUT, 1.0f), {0}, {0}};
	float du[ROWS * RANK], da[RANK * WIDTH] = {0}, db[RANK * OUT] = {0}, dx[N];
	branch_loss(&c);
	low_rank_down(c.g, OUT, c.b, du, ROWS, OUT, RANK, 0.5f, alone);
	low_rank_grad(c.u, c.g, OUT, db, ROWS, OUT, RANK, 0.5f, alone);
	low_rank_grad(du, c.x, WIDTH, da, ROWS, WIDTH, RANK, 1.0f, alone);
	low_rank_up(du, c.a, dx, WIDTH, ROWS, WIDTH, RANK, 1.0f, false, alone);
	check_gradient("A", c.a, RANK * WIDTH, 3, da, branch_loss, &c);
	check_gradient("B", c.b, RANK * OUT, 1, db, branch_loss, &c);
	check_gradient("x", c.x, N, 5, dx, branch_loss, &c);
	free(c.x);
	free(c.a);
	free(c.b);
	free(c.g);
}
END_TEST

START_TEST(addition_in_place)
{
	float *a = random_floats(1, N, 1.0f), *b = random_floats(2, N, 1.0f), *sum = random_floats(3, N, 1.0f);
	rows_add(a, WIDTH, b, WIDTH, sum, WIDTH, ROWS, WIDTH, alone);
	for (int i = 0; i < N; i++)
		ck_assert_float_eq(sum[i], a[i] + b[i]);
	rows_add(a, WIDTH, b, WIDTH, b, WIDTH, ROWS, WIDTH, alone);
	ck_assert_mem_eq(sum, b, N * sizeof(float));
	free(a);
	free(b);
	free(sum);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("op gradients");
	TCase *c = tcase_create("gradients");
	tcase_add_test(c, rms_norm_gradient);
	tcase_add_test(c, rms_norm_forward_in_place);
	tcase_add_test(c, rope_gradient);
	tcase_add_test(c, rope_table_turns_by_position);
	tcase_add_loop_test(c, glu_gradient, 0, 2);
	tcase_add_test(c, cross_entropy_gradient_replaces_the_logits);
	tcase_add_test(c, cross_entropy_of_large_logits_is_finite);
	tcase_add_test(c, low_rank_gradients);
	tcase_add_test(c, addition_in_place);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
