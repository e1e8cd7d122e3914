/* The list that one thread makes for all: when it is made, who is told, and that nobody who stops waits for it. The cloud is a script of
 * answers; a list can be held until the test lets it go. */
#include "check_main.h"

#include "base/clock.h"
#include "cloud/lister.h"
#include <pthread.h>
#include <string.h>

enum { PLENTY_MS = 10000 };

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
/* Guarded by mu. */
static struct {
	int begun, answers[8], n_answers; /* 0 made, 1 closed, -1 failed; made after the last */
	int64_t closed_ms, begun_ms[16];
	bool held;
	int told[10];
} cloud;

static struct lister *lister;
static int taken, failed; /* guarded by the lister's lock */
static atomic_bool cancel;
static struct err err;

static int make(void *context, void **list, int64_t *wait_ms, struct err *e)
{
	(void)context;
	pthread_mutex_lock(&mu);
	int n = cloud.begun++, answer = n < cloud.n_answers ? cloud.answers[n] : 0;
	if (n < 16)
		cloud.begun_ms[n] = clock_now_ms();
	pthread_cond_broadcast(&moved);
	while (cloud.held)
		pthread_cond_wait(&moved, &mu);
	*wait_ms = cloud.closed_ms;
	pthread_mutex_unlock(&mu);
	if (answer < 0)
		return err_set(e, ERR_DENIED, "attempt %d: no right", n + 1);
	if (answer == 0)
		*list = malloc(1);
	return answer;
}

static void take(void *context, void *list, int64_t started_ms)
{
	(void)context;
	ck_assert_int_gt(started_ms, 0);
	*(list ? &taken : &failed) += 1;
	free(list);
}

static void changed(void *context, const char *claim)
{
	(void)context;
	pthread_mutex_lock(&mu);
	cloud.told[claim[1] - '0']++;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&mu);
}

static void open_with(int64_t unit_ms, int64_t (*due)(const void *, bool, int64_t, int64_t))
{
	struct lister_source source = {.what = "the machines", .make = make, .take = take, .due = due};
	lister = lister_new(&source, &(struct cloud_hooks){.changed = changed}, unit_ms, &cancel);
}

static void script(int answer)
{
	pthread_mutex_lock(&mu);
	cloud.answers[cloud.n_answers++] = answer;
	pthread_mutex_unlock(&mu);
}

static void hold(bool held)
{
	pthread_mutex_lock(&mu);
	cloud.held = held;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&mu);
}

static int begun(void)
{
	pthread_mutex_lock(&mu);
	int n = cloud.begun;
	pthread_mutex_unlock(&mu);
	return n;
}

static int told(int claim)
{
	pthread_mutex_lock(&mu);
	int n = cloud.told[claim];
	pthread_mutex_unlock(&mu);
	return n;
}

/* Waits until *count, guarded by mu, has reached n. */
static void until(const int *count, int n)
{
	pthread_mutex_lock(&mu);
	for (int64_t deadline = clock_now_ms() + PLENTY_MS; *count < n && clock_now_ms() < deadline;) {
		pthread_mutex_unlock(&mu);
		clock_sleep_ms(1);
		pthread_mutex_lock(&mu);
	}
	ck_assert_int_ge(*count, n);
	pthread_mutex_unlock(&mu);
}

static int look(int claim, int64_t not_before_ms)
{
	char name[] = {'c', (char)('0' + claim), '\0'};
	lister_lock(lister);
	int result = lister_look(lister, name, name, not_before_ms, &err);
	lister_unlock(lister);
	return result;
}

static int fresh(int64_t max_age_ms)
{
	lister_lock(lister);
	int result = lister_fresh(lister, max_age_ms, &err);
	lister_unlock(lister);
	return result;
}

START_TEST(nothing_is_listed_before_somebody_asks)
{
	open_with(1, NULL);
	clock_sleep_ms(30);
	ck_assert_int_eq(begun(), 0);
	ck_assert_int_eq(lister_age_ms(lister), -1);
	ck_assert_int_eq(look(1, 0), 2);
	until(&cloud.told[1], 1);
	ck_assert_int_eq(begun(), 1);
	ck_assert_int_ge(lister_age_ms(lister), 0);
	clock_sleep_ms(30); /* nobody asks any more */
	ck_assert_int_eq(begun(), 1);
	lister_free(lister);
	ck_assert_int_eq(taken, 1);
}
END_TEST

START_TEST(one_list_serves_all_and_tells_each_once)
{
	open_with(1, NULL);
	hold(true);
	ck_assert_int_eq(look(0, 0), 2);
	until(&cloud.begun, 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(look(i, 0), 2); /* the one under way is enough for them */
	hold(false);
	for (int i = 0; i < 8; i++)
		until(&cloud.told[i], 1);
	ck_assert_int_eq(look(3, 0), 0);
	lister_free(lister);
	ck_assert_int_eq(begun(), 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(told(i), 1);
	ck_assert_int_eq(told(8), 0);
}
END_TEST

START_TEST(who_needs_a_later_list_gets_another)
{
	open_with(1, NULL);
	hold(true);
	ck_assert_int_eq(look(1, 0), 2);
	until(&cloud.begun, 1);
	clock_sleep_ms(2);
	int64_t now = clock_now_ms();
	ck_assert_int_eq(look(2, now), 2); /* the one under way began before */
	hold(false);
	until(&cloud.told[2], 1);
	ck_assert_int_ge(begun(), 2);
	ck_assert_int_eq(look(2, now), 0);
	lister_free(lister);
	ck_assert_int_eq(told(1), 1);
	ck_assert_int_eq(told(2), 1);
}
END_TEST

START_TEST(who_is_forgotten_is_not_told)
{
	open_with(1, NULL);
	hold(true);
	ck_assert_int_eq(look(1, 0), 2);
	ck_assert_int_eq(look(2, 0), 2);
	lister_lock(lister);
	lister_forget(lister, "c1");
	lister_unlock(lister);
	hold(false);
	until(&cloud.told[2], 1);
	lister_free(lister);
	ck_assert_int_eq(told(1), 0);
}
END_TEST

START_TEST(failures_say_why_and_are_spaced_out)
{
	script(-1);
	script(-1);
	script(-1);
	open_with(20, NULL);
	int64_t now = clock_now_ms();
	ck_assert_int_eq(look(1, now), 2);
	until(&cloud.told[1], 1);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(look(1, now), -1); /* and asks again */
		ck_assert_int_eq(err.kind, ERR_DENIED);
		ck_assert_ptr_nonnull(strstr(err.message, "no right"));
		until(&cloud.told[1], i + 1);
	}
	ck_assert_int_eq(look(1, now), 0);
	lister_free(lister);
	ck_assert_int_eq(begun(), 4);
	ck_assert_int_eq(failed, 3);
	for (int i = 1; i < 4; i++) /* 2, 4 and 8 units */
		ck_assert_int_ge(cloud.begun_ms[i] - cloud.begun_ms[i - 1], 20 << i);
}
END_TEST

START_TEST(a_closed_budget_delays_and_is_no_failure)
{
	script(1);
	script(1);
	cloud.closed_ms = 40;
	open_with(1, NULL);
	hold(true);
	ck_assert_int_eq(look(1, 0), 2);
	ck_assert_int_eq(look(2, 0), 2);
	hold(false);
	until(&cloud.told[1], 1);
	until(&cloud.told[2], 1);
	lister_free(lister);
	ck_assert_int_eq(begun(), 3);
	ck_assert_int_eq(failed, 0);
	for (int i = 1; i < 3; i++)
		ck_assert_int_ge(cloud.begun_ms[i] - cloud.begun_ms[i - 1], 40);
}
END_TEST

START_TEST(a_closed_budget_does_not_hold_the_end)
{
	script(1);
	cloud.closed_ms = 600000;
	open_with(1, NULL);
	ck_assert_int_eq(look(1, 0), 2);
	until(&cloud.begun, 1);
	int64_t begun_ms = clock_now_ms();
	lister_free(lister);
	ck_assert_int_lt(clock_now_ms() - begun_ms, PLENTY_MS);
	ck_assert_int_eq(begun(), 1);
	ck_assert_int_eq(told(1), 0);
}
END_TEST

static void *cancel_soon(void *unused)
{
	until(&cloud.begun, 1);
	clock_sleep_ms(20);
	atomic_store(&cancel, true);
	return unused;
}

/* Nobody signals the condition: a flag is all that a signal handler sets. */
START_TEST(who_waits_sees_the_flag)
{
	pthread_t canceller;
	script(1);
	cloud.closed_ms = 600000;
	open_with(1, NULL);
	ck_assert_int_eq(pthread_create(&canceller, NULL, cancel_soon, NULL), 0);
	int64_t begun_ms = clock_now_ms();
	ck_assert_int_eq(fresh(0), -1);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_str_eq(err.message, "the machines were not listed: the request budget is used up");
	ck_assert_int_lt(clock_now_ms() - begun_ms, PLENTY_MS);
	pthread_join(canceller, NULL);
	lister_free(lister);
}
END_TEST

START_TEST(a_list_is_as_old_as_its_start)
{
	open_with(1, NULL);
	ck_assert_int_eq(fresh(0), 0);
	ck_assert_int_eq(fresh(600000), 0);
	ck_assert_int_eq(begun(), 1);
	hold(true);
	clock_sleep_ms(2); /* in the same millisecond it would be young enough */
	int64_t now = clock_now_ms();
	ck_assert_int_eq(look(1, now), 2);
	until(&cloud.begun, 2);
	ck_assert_int_eq(look(1, now), 2);
	hold(false);
	until(&cloud.told[1], 1);
	ck_assert_int_eq(look(1, now), 0);
	lister_free(lister);
	ck_assert_int_eq(taken, 2);
}
END_TEST

START_TEST(who_waits_for_a_list_hears_why_there_is_none)
{
	script(-1);
	open_with(1, NULL);
	ck_assert_int_eq(lister_ready(lister, &err), 1);
	until(&cloud.begun, 1);
	clock_sleep_ms(2); /* that one began before */
	script(-1);
	ck_assert_int_eq(fresh(0), -1);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	clock_sleep_ms(2);
	ck_assert_int_eq(fresh(0), 0); /* the third is answered */
	lister_free(lister);
}
END_TEST

START_TEST(readiness_is_the_last_list)
{
	script(-1);
	script(-1);
	open_with(100, NULL);
	hold(true);
	ck_assert_int_eq(lister_ready(lister, &err), 1); /* and asks */
	ck_assert_str_eq(err.message, "the machines were not listed yet");
	until(&cloud.begun, 1);
	hold(false);
	for (int64_t deadline = clock_now_ms() + PLENTY_MS; err.kind != ERR_DENIED && clock_now_ms() < deadline; clock_sleep_ms(1))
		ck_assert_int_eq(lister_ready(lister, &err), 1);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	while (lister_ready(lister, NULL) != 0) /* the second fails, the third is made */
		clock_sleep_ms(5);
	ck_assert_int_eq(begun(), 3);
	lister_free(lister);
}
END_TEST

static atomic_bool wanted;

static int64_t own_reason(const void *context, bool asked, int64_t ended_ms, int64_t now_ms)
{
	(void)context;
	if (asked)
		return now_ms;
	return atomic_load(&wanted) ? ended_ms + 1 : -1;
}

START_TEST(a_room_has_reasons_of_its_own)
{
	open_with(60000, own_reason);
	atomic_store(&wanted, true);
	lister_lock(lister);
	lister_need(lister);
	lister_unlock(lister);
	until(&cloud.begun, 3); /* nobody asked, and no unit passed */
	atomic_store(&wanted, false);
	lister_free(lister);
	ck_assert_int_eq(failed, 0);
}
END_TEST

static void *many_looks(void *claim)
{
	for (int i = 0; i < 50; i++) {
		int result = look((int)(intptr_t)claim, clock_now_ms());
		ck_assert(result == 0 || result == 2 || result == -1);
		if (i % 10 == 0)
			(void)lister_age_ms(lister);
		clock_sleep_ms(1);
	}
	return NULL;
}

START_TEST(many_threads_may_ask)
{
	pthread_t threads[4];
	script(0);
	script(-1);
	script(1);
	open_with(1, NULL);
	for (intptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, many_looks, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		until(&cloud.told[i], 1);
	lister_free(lister);
	for (int i = 0; i < 4; i++)
		ck_assert_int_le(told(i), begun());
}
END_TEST

int main(void)
{
	CHECK_RUN("lister", 30, nothing_is_listed_before_somebody_asks, one_list_serves_all_and_tells_each_once, who_needs_a_later_list_gets_another,
		  who_is_forgotten_is_not_told, failures_say_why_and_are_spaced_out, a_closed_budget_delays_and_is_no_failure,
		  a_closed_budget_does_not_hold_the_end, who_waits_sees_the_flag, a_list_is_as_old_as_its_start, who_waits_for_a_list_hears_why_there_is_none,
		  readiness_is_the_last_list, a_room_has_reasons_of_its_own, many_threads_may_ask);
}
