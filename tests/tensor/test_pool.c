/* The thread pool: every worker runs once a run, barriers order memory, idle workers wake up. Meant for TSan too. */
#include "base/clock.h"
#include "tensor/pool.h"
#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { STEPS = 200, WORKERS = 4 };

struct relay {
	int64_t cell[WORKERS];
	int64_t sum[WORKERS];
	int runs[WORKERS];
};

/* Each step writes the own cell, meets the others, and reads all cells: a missing order shows as a race or a wrong sum. */
static void relay_step(void *arg, struct worker w)
{
	struct relay *r = arg;
	r->runs[w.index]++;
	for (int step = 0; step < STEPS; step++) {
		r->cell[w.index] = (int64_t)step * (w.index + 1);
		pool_barrier(w);
		for (int i = 0; i < w.count; i++)
			r->sum[w.index] += r->cell[i];
		pool_barrier(w);
	}
}

static void check_relay(int threads)
{
	struct pool *pool;
	struct err err = ERR_INIT;
	struct relay r = {0};
	ck_assert_int_eq(pool_new(&pool, threads, &err), 0);
	ck_assert_int_eq(pool_threads(pool), threads);
	for (int run = 0; run < 5; run++)
		pool_run(pool, relay_step, &r);
	int64_t want = (int64_t)STEPS * (STEPS - 1) / 2 * (threads * (threads + 1) / 2) * 5;
	for (int i = 0; i < threads; i++) {
		ck_assert_int_eq(r.runs[i], 5);
		ck_assert_int_eq(r.sum[i], want);
	}
	pool_free(pool);
}

START_TEST(barriers_order_all_workers) { check_relay(_i); }
END_TEST

static void count_one(void *arg, struct worker w)
{
	(void)w;
	atomic_fetch_add((_Atomic int *)arg, 1);
}

START_TEST(sleeping_workers_wake_for_the_next_run)
{
	struct pool *pool;
	struct err err = ERR_INIT;
	_Atomic int count = 0;
	ck_assert_int_eq(pool_new(&pool, 3, &err), 0);
	for (int run = 0; run < 3; run++) {
		pool_run(pool, count_one, &count);
		clock_sleep_ms(60); /* longer than spinning and yielding together; only a lost wake-up could fail */
	}
	ck_assert_int_eq(count, 9);
	pool_free(pool);
}
END_TEST

START_TEST(one_thread_needs_no_others)
{
	struct pool *pool;
	struct err err = ERR_INIT;
	_Atomic int count = 0;
	ck_assert_int_eq(pool_new(&pool, 1, &err), 0);
	pool_run(pool, count_one, &count);
	ck_assert_int_eq(count, 1);
	pool_free(pool);
	pool_barrier((struct worker){0, 1, NULL});
}
END_TEST

START_TEST(bad_thread_counts_are_refused)
{
	struct pool *pool = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_lt(pool_new(&pool, -1, &err), 0);
	ck_assert_int_eq(err.kind, ERR_USAGE);
	ck_assert_int_lt(pool_new(&pool, 100000, &err), 0);
	ck_assert_ptr_null(pool);
	ck_assert_int_eq(pool_new(&pool, 0, &err), 0);
	ck_assert_int_ge(pool_threads(pool), 1);
	pool_free(pool);
	pool_free(NULL);
}
END_TEST

START_TEST(shares_cover_everything_once_in_whole_units)
{
	for (int count = 1; count <= 5; count++)
		for (int64_t n = 0; n < 100; n++) {
			int64_t next = 0;
			for (int i = 0; i < count; i++) {
				int64_t from, to;
				worker_range((struct worker){i, count, NULL}, n, 16, &from, &to);
				ck_assert_int_eq(from, next);
				ck_assert(from % 16 == 0 || from == n);
				next = to;
			}
			ck_assert_int_eq(next, n);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tensor/pool");
	TCase *all = tcase_create("pool");
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, barriers_order_all_workers, 1, WORKERS + 1);
	tcase_add_test(all, sleeping_workers_wake_for_the_next_run);
	tcase_add_test(all, one_thread_needs_no_others);
	tcase_add_test(all, bad_thread_counts_are_refused);
	tcase_add_test(all, shares_cover_everything_once_in_whole_units);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
