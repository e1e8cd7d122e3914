/* test_random.c: Philox known answers (the published test vectors of Random123) and distribution checks. */
#include "base/random.h"
#include "check_main.h"
#include <math.h>

START_TEST(random_equals_itself_and_separates_streams)
{
	uint32_t a[4], b[4], c[4];
	random_block(7, RANDOM_INIT, 1, 2, a);
	random_block(7, RANDOM_INIT, 1, 2, b);
	random_block(7, RANDOM_DROPOUT, 1, 2, c);
	ck_assert_mem_eq(a, b, sizeof a);
	ck_assert_mem_ne(a, c, sizeof a);
	random_block(7, RANDOM_INIT, 1, 3, c);
	ck_assert_mem_ne(a, c, sizeof a);
}
END_TEST

START_TEST(random_philox_known_answer)
{
	/* philox4x32-10, counter ff.., key ff..: our key word 0 is seed ^ stream * constant, so choose the seed that gives ff... */
	uint32_t out[4];
	uint64_t seed = ((uint64_t)0xffffffffu << 32) | (0xffffffffu ^ ((uint32_t)RANDOM_INIT * 0x85EBCA6Bu));
	random_block(seed, RANDOM_INIT, UINT64_MAX, UINT64_MAX, out);
	ck_assert_uint_eq(out[0], 0x408f276d);
	ck_assert_uint_eq(out[1], 0x41c83b0e);
	ck_assert_uint_eq(out[2], 0xa20bc7c6);
	ck_assert_uint_eq(out[3], 0x6d5451fd);
}
END_TEST

START_TEST(random_uniform_and_normal_have_their_moments)
{
	double sum = 0, square = 0, uniform = 0;
	enum { N = 20000 };
	for (uint64_t i = 0; i < N; i++) {
		double n = (double)random_normal(3, RANDOM_TEST, 0, i);
		float u = random_uniform(3, RANDOM_TEST, 1, i);
		ck_assert(u >= 0 && u < 1);
		sum += n;
		square += n * n;
		uniform += (double)u;
	}
	ck_assert(fabs(sum / N) < 0.03 && fabs(square / N - 1) < 0.05 && fabs(uniform / N - 0.5) < 0.02);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert(random_below(1, RANDOM_TEST, 2, i, 7) < 7);
}
END_TEST

int main(void)
{
	CHECK_RUN("base/random", 10, random_equals_itself_and_separates_streams, random_philox_known_answer, random_uniform_and_normal_have_their_moments);
}
