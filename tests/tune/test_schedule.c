/* Schedules against values of transformers' get_scheduler (lr 1, as its LambdaLR prints them), and the warm-up rule. */
#include "tune_test.h"
#include "tune/schedule.h"

static double at(enum schedule_kind kind, int64_t warmup, int64_t total, int64_t step)
{
	return schedule_lr(&(struct schedule){.kind = kind, .lr = 1.0, .warmup_steps = warmup, .total_steps = total}, step);
}
#define same(got, expect) ck_assert_double_eq_tol(got, expect, 1e-9)

START_TEST(warm_up_rises_linearly_from_zero)
{
	for (int kind = 0; kind < SCHEDULE_COUNT; kind++) {
		bool flat = kind == SCHEDULE_CONSTANT;
		same(at((enum schedule_kind)kind, 4, 20, 0), flat ? 1.0 : 0.0);
		same(at((enum schedule_kind)kind, 4, 20, 2), flat ? 1.0 : 0.5);
		same(at((enum schedule_kind)kind, 4, 20, 4), 1.0);
	}
}
END_TEST

START_TEST(linear_falls_to_zero)
{
	same(at(SCHEDULE_LINEAR, 2, 10, 6), 0.5);
	same(at(SCHEDULE_LINEAR, 2, 10, 9), 0.125);
	same(at(SCHEDULE_LINEAR, 2, 10, 10), 0.0);
	same(at(SCHEDULE_LINEAR, 2, 10, 11), 0.0);
	same(at(SCHEDULE_LINEAR, 0, 0, 0), 0.0);
}
END_TEST

START_TEST(cosine_halves_in_the_middle)
{
	same(at(SCHEDULE_COSINE, 0, 10, 0), 1.0);
	same(at(SCHEDULE_COSINE, 0, 10, 5), 0.5);
	same(at(SCHEDULE_COSINE, 0, 10, 10), 0.0);
	same(at(SCHEDULE_COSINE, 10, 100, 40), 0.75);
	same(at(SCHEDULE_COSINE_WITH_RESTARTS, 0, 10, 5), 0.5);
	same(schedule_lr(&(struct schedule){.kind = SCHEDULE_COSINE_WITH_RESTARTS, .lr = 2.0, .total_steps = 8, .cycles = 2}, 4), 2.0);
	same(at(SCHEDULE_COSINE_WITH_RESTARTS, 0, 10, 10), 0.0);
}
END_TEST

START_TEST(the_others_follow_their_formulas)
{
	same(at(SCHEDULE_CONSTANT_WITH_WARMUP, 3, 10, 9), 1.0);
	same(at(SCHEDULE_POLYNOMIAL, 0, 10, 5), 0.5 * (1.0 - 1e-7) + 1e-7);
	same(at(SCHEDULE_POLYNOMIAL, 0, 10, 11), 1e-7);
	same(at(SCHEDULE_INVERSE_SQRT, 4, 100, 16), 0.5);
}
END_TEST

START_TEST(warm_up_steps_win_over_the_ratio)
{
	ck_assert_int_eq(schedule_warmup_steps(7, 0.5, 100), 7);
	ck_assert_int_eq(schedule_warmup_steps(0, 0.03, 101), 4);
	ck_assert_int_eq(schedule_warmup_steps(0, 0.0, 101), 0);
}
END_TEST

START_TEST(names_parse_and_a_typo_names_its_neighbour)
{
	struct err err = ERR_INIT;
	enum schedule_kind kind;
	for (int i = 0; i < SCHEDULE_COUNT; i++) {
		must(schedule_parse(&kind, schedule_name((enum schedule_kind)i), &err));
		ck_assert_int_eq(kind, i);
	}
	ck_assert_int_eq(schedule_parse(&kind, "cosin", &err), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.message, "'cosine'"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schedule");
	TCase *c = tcase_create("schedule");
	tcase_add_test(c, warm_up_rises_linearly_from_zero);
	tcase_add_test(c, linear_falls_to_zero);
	tcase_add_test(c, cosine_halves_in_the_middle);
	tcase_add_test(c, the_others_follow_their_formulas);
	tcase_add_test(c, warm_up_steps_win_over_the_ratio);
	tcase_add_test(c, names_parse_and_a_typo_names_its_neighbour);
	suite_add_tcase(s, c);
	return run_suite(s);
}
