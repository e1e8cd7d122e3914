/* test_work_queue.c: the queue's promises, and its token bucket under a clock of the test's. */
#include "check_main.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/token_bucket.h"
#include "kube/work_queue.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static struct work_queue *q;

static void setup(void) { q = work_queue_new("test"); }
static void teardown(void) { work_queue_free(q); }

static void expect_take(const char *key)
{
	char *got = work_queue_take(q, NULL);
	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got, key);
	work_queue_done(q, got);
}

START_TEST(token_bucket_follows_rate_and_burst)
{
	struct token_bucket b;
	token_bucket_init(&b, 10, 3, 1000);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(token_bucket_reserve(&b, 1000), 0);
	ck_assert_int_eq(token_bucket_reserve(&b, 1000), 100);
	ck_assert_int_eq(token_bucket_reserve(&b, 1000), 200);
	ck_assert_int_eq(token_bucket_reserve(&b, 1150), 150); /* the third token in debt comes at 1300 */
	ck_assert_int_eq(token_bucket_reserve(&b, 61300), 0);
	ck_assert_int_eq(token_bucket_reserve(&b, 61300), 0);
	ck_assert_int_eq(token_bucket_reserve(&b, 61300), 0);
	ck_assert_int_eq(token_bucket_reserve(&b, 61300), 100);
}
END_TEST

START_TEST(keys_come_in_order_and_once)
{
	work_queue_add(q, "a");
	work_queue_add(q, "b");
	work_queue_add(q, "a");
	struct work_queue_figures f = work_queue_figures(q);
	ck_assert_uint_eq(f.depth, 2);
	ck_assert_uint_eq(f.adds, 2);
	expect_take("a");
	expect_take("b");
	ck_assert_uint_eq(work_queue_figures(q).depth, 0);
}
END_TEST

START_TEST(a_key_in_work_comes_again_afterwards)
{
	work_queue_add(q, "a");
	char *first = work_queue_take(q, NULL);
	work_queue_add(q, "a");
	work_queue_add(q, "a");
	work_queue_add(q, "b");
	expect_take("b"); /* not "a": it is in work */
	struct work_queue_figures f = work_queue_figures(q);
	ck_assert_uint_eq(f.in_work, 1);
	ck_assert_uint_eq(f.depth, 0);
	ck_assert_uint_eq(f.adds, 3);
	work_queue_done(q, first);
	expect_take("a");
	f = work_queue_figures(q);
	ck_assert_uint_eq(f.depth + f.in_work, 0);
	ck_assert_uint_eq(f.adds, 3);
}
END_TEST

START_TEST(delayed_keys_come_by_due_time_and_the_earliest_wins)
{
	int64_t start = clock_now_ms();
	work_queue_add_after(q, "late", 60000);
	work_queue_add_after(q, "c", 30);
	work_queue_add_after(q, "b", 20);
	work_queue_add_after(q, "a", 10);
	work_queue_add_after(q, "late", 40);
	work_queue_add_after(q, "c", 60000);
	ck_assert_uint_eq(work_queue_figures(q).waiting, 4);
	expect_take("a");
	expect_take("b");
	expect_take("c");
	expect_take("late");
	ck_assert_int_ge(clock_now_ms() - start, 40);
	ck_assert_int_lt(clock_now_ms() - start, 20000);
	ck_assert_uint_eq(work_queue_figures(q).waiting, 0);
}
END_TEST

START_TEST(many_delayed_keys_keep_their_order)
{
	for (int i = 0; i < 200; i++) {
		char key[8];
		snprintf(key, sizeof key, "%03d", i * 37 % 200);
		work_queue_add_after(q, key, 100000 + i * 37 % 200);
	}
	for (int i = 0; i < 200; i++) { /* each moves to the front in its turn, out of the middle of the heap */
		char key[8];
		snprintf(key, sizeof key, "%03d", i * 83 % 200);
		work_queue_add_after(q, key, 1 + i * 83 % 200 / 10);
	}
	char last[8] = "";
	int64_t seen[200] = {0};
	for (int i = 0; i < 200; i++) {
		char *key = work_queue_take(q, NULL);
		seen[strtol(key, NULL, 10)]++;
		snprintf(last, sizeof last, "%s", key);
		work_queue_done(q, key);
	}
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(seen[i], 1);
	ck_assert_uint_eq(work_queue_figures(q).waiting, 0);
}
END_TEST

START_TEST(failures_back_off_and_are_forgotten)
{
	for (int i = 0; i < 3; i++) {
		int64_t start = clock_now_ms(), waited;
		work_queue_add_limited(q, "a");
		ck_assert_int_eq(work_queue_failures(q, "a"), i + 1);
		char *key = work_queue_take(q, &waited);
		ck_assert_int_ge(clock_now_ms() - start, 5 << i);
		work_queue_done(q, key);
	}
	ck_assert_uint_eq(work_queue_figures(q).retries, 3);
	work_queue_forget(q, "a");
	ck_assert_int_eq(work_queue_failures(q, "a"), 0);
	ck_assert_int_eq(work_queue_failures(q, "never seen"), 0);
	work_queue_forget(q, "never seen");
}
END_TEST

START_TEST(forgetting_does_not_lose_a_waiting_key)
{
	work_queue_add_limited(q, "a");
	work_queue_forget(q, "a");
	expect_take("a");
	work_queue_add(q, "b");
	work_queue_forget(q, "b");
	expect_take("b");
}
END_TEST

static void *take_one(void *out)
{
	*(char **)out = work_queue_take(q, NULL);
	return NULL;
}

START_TEST(stop_wakes_all_takers)
{
	pthread_t threads[3];
	char *keys[3] = {0};
	work_queue_add_after(q, "later", 100000);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_one, &keys[i]), 0);
	work_queue_stop(q);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_ptr_null(keys[i]);
	}
	work_queue_add(q, "a");
	ck_assert_ptr_null(work_queue_take(q, NULL));
}
END_TEST

#define KEYS 20
#define ADDS 2000
static atomic_int working[KEYS], done_count[KEYS], wanted[KEYS];

static void *worker(void *unused)
{
	(void)unused;
	for (char *key; (key = work_queue_take(q, NULL));) {
		long i = strtol(key, NULL, 10);
		ck_assert_int_eq(atomic_fetch_add(&working[i], 1), 0);
		atomic_store(&done_count[i], atomic_load(&wanted[i]));
		atomic_fetch_sub(&working[i], 1);
		work_queue_done(q, key);
	}
	return NULL;
}

START_TEST(no_key_is_lost_or_worked_on_twice_at_once)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, worker, NULL), 0);
	for (int n = 0; n < ADDS; n++) {
		char key[8];
		int i = n * 7 % KEYS;
		snprintf(key, sizeof key, "%d", i);
		atomic_fetch_add(&wanted[i], 1);
		work_queue_add_after(q, key, n % 3);
	}
	struct work_queue_figures f;
	do {
		f = work_queue_figures(q);
		clock_sleep_ms(1);
	} while (f.depth || f.in_work || f.waiting);
	work_queue_stop(q);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < KEYS; i++)
		ck_assert_int_eq(atomic_load(&done_count[i]), atomic_load(&wanted[i]));
}
END_TEST

START_TEST(figures_tell_how_long_work_runs)
{
	work_queue_add(q, "a");
	char *key = work_queue_take(q, NULL);
	clock_sleep_ms(5);
	struct work_queue_figures f = work_queue_figures(q);
	ck_assert(f.longest_running_s >= 0.004 && f.unfinished_s >= f.longest_running_s);
	work_queue_done(q, key);
	ck_assert(work_queue_figures(q).longest_running_s == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kube/work_queue");
	TCase *t = tcase_create("work_queue");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, token_bucket_follows_rate_and_burst);
	tcase_add_test(t, keys_come_in_order_and_once);
	tcase_add_test(t, a_key_in_work_comes_again_afterwards);
	tcase_add_test(t, delayed_keys_come_by_due_time_and_the_earliest_wins);
	tcase_add_test(t, many_delayed_keys_keep_their_order);
	tcase_add_test(t, failures_back_off_and_are_forgotten);
	tcase_add_test(t, forgetting_does_not_lose_a_waiting_key);
	tcase_add_test(t, stop_wakes_all_takers);
	tcase_add_test(t, no_key_is_lost_or_worked_on_twice_at_once);
	tcase_add_test(t, figures_tell_how_long_work_runs);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
