/* test_throttle.c: the services' budgets, who goes first when they run out, and what a 429 closes. Time is a variable. */
#include "azure/throttle.h"
#include "check_main.h"

static int64_t now;
static int64_t clock_ms(void) { return now; }
static struct throttle *t;

static void setup(void)
{
	now = 1000000;
	t = throttle_new(clock_ms);
}

/* A request that is answered at once. */
static int64_t take_with(enum arm_class class, const char *pool, int more)
{
	int64_t wait = throttle_take_with(t, class, pool, more);
	if (wait == 0)
		throttle_settled(t, class, pool);
	return wait;
}

static int64_t take(enum arm_class class, const char *pool) { return take_with(class, pool, 0); }

static int take_all(enum arm_class class, const char *pool, int most)
{
	int n = 0;
	while (n < most && take(class, pool) == 0)
		n++;
	return n;
}

START_TEST(bursts_are_the_services_own)
{
	static const struct { enum arm_class class; const char *pool; int burst; } BURSTS[] = {
		{ARM_DELETE, "", 60}, {ARM_POST, "", 60}, {ARM_PUT_MACHINE, "", 56}, {ARM_PUT, "a", 20}, {ARM_OPERATION, "", 200}, {ARM_GET, "", 55}, {ARM_LIST, "", 50}, {ARM_OTHER, "", 100},
	};
	for (size_t i = 0; i < sizeof BURSTS / sizeof BURSTS[0]; i++) {
		setup();
		ck_assert_int_eq(take_all(BURSTS[i].class, BURSTS[i].pool, 1000), BURSTS[i].burst);
		ck_assert(!throttle_open(t, BURSTS[i].class) || BURSTS[i].class == ARM_PUT);
		throttle_free(t);
	}
}
END_TEST

START_TEST(tokens_come_back_at_the_services_rate)
{
	setup();
	take_all(ARM_DELETE, "", 60);
	int64_t wait = take(ARM_DELETE, "");
	ck_assert_int_eq(wait, 1000);
	now += wait - 1;
	ck_assert_int_gt(take(ARM_DELETE, ""), 0);
	now += 1;
	ck_assert_int_eq(take(ARM_DELETE, ""), 0);
	now += 3600000;
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 60);
	throttle_free(t);
}
END_TEST

/* Sixty requests that arrive three seconds late find a bucket that was full all the while. */
START_TEST(nothing_comes_back_before_the_service_has_seen_what_was_taken)
{
	setup();
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(throttle_take(t, ARM_DELETE, ""), 0);
	now += 3000;
	ck_assert_int_gt(throttle_take(t, ARM_DELETE, ""), 0);
	for (int i = 0; i < 60; i++)
		throttle_settled(t, ARM_DELETE, "");
	ck_assert_int_gt(throttle_take(t, ARM_DELETE, ""), 0);
	now += 3000;
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 3);
	throttle_free(t);
}
END_TEST

/* Once there is room for it, what fills a bucket is not held up by slow answers. */
START_TEST(a_request_on_its_way_costs_one_token_and_not_the_rate)
{
	setup();
	ck_assert_int_eq(throttle_take(t, ARM_DELETE, ""), 0);
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 59);
	now += 3000;
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 3);
	now += 3600000;
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 59);
	throttle_settled(t, ARM_DELETE, "");
	throttle_settled(t, ARM_DELETE, ""); /* once too often gives nothing away */
	now += 3600000;
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 60);
	throttle_free(t);
}
END_TEST

START_TEST(each_pool_has_its_own_puts)
{
	setup();
	ck_assert_int_eq(take_all(ARM_PUT, "a", 1000), 20);
	ck_assert_int_eq(take(ARM_PUT, "a"), 60000);
	ck_assert_int_eq(take(ARM_PUT, "b"), 0);
	now += 60000;
	ck_assert_int_eq(take(ARM_PUT, "a"), 0);
	ck_assert_int_gt(take(ARM_PUT, "a"), 0);
	throttle_free(t);
}
END_TEST

START_TEST(writes_of_all_pools_share_arms_bucket)
{
	setup();
	int n = 0;
	for (char pool[8] = ""; n < 1000; n++) {
		snprintf(pool, sizeof pool, "p%d", n);
		if (take(ARM_PUT, pool) > 0)
			break;
	}
	ck_assert_int_eq(n, 200);
	ck_assert_int_eq(take(ARM_PUT, "q1"), 200); /* a tenth of a second after the one before */
	ck_assert_int_eq(take(ARM_PUT, "q2"), 300);
	now += 1000;
	ck_assert_int_eq(take(ARM_PUT, "late"), 0);
	throttle_free(t);
}
END_TEST

START_TEST(a_thousand_pools_are_remembered_and_not_more)
{
	setup();
	for (int i = 0; i < 5000; i++) {
		char pool[16];
		snprintf(pool, sizeof pool, "p%d", i);
		now += 200;
		ck_assert_int_eq(take(ARM_PUT, pool), 0);
	}
	take_all(ARM_PUT, "p4999", 1000);
	ck_assert_int_gt(take(ARM_PUT, "p4999"), 0);
	throttle_free(t);
}
END_TEST

START_TEST(deletes_go_before_gets_and_gets_before_lists)
{
	setup();
	take_all(ARM_LIST, "", 1000);
	ck_assert(!throttle_open(t, ARM_LIST));
	ck_assert_int_eq(take_all(ARM_GET, "", 1000), 5);
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 5);
	throttle_free(t);
}
END_TEST

START_TEST(a_list_that_starved_gets_one_token)
{
	setup();
	int lists = 0, deletes = 0;
	for (int s = 0; s < 200; s++) { /* deletions want every token there is */
		now += 1000;
		lists += take(ARM_LIST, "") == 0;
		deletes += take_all(ARM_DELETE, "", 10);
	}
	ck_assert_int_ge(lists, 10);
	ck_assert_int_ge(deletes, 200);
	ck_assert_int_le(lists + deletes, 60 + 200);
	throttle_free(t);
}
END_TEST

START_TEST(those_who_wait_come_back_one_after_the_other)
{
	setup();
	take_all(ARM_DELETE, "", 60);
	for (int i = 1; i <= 30; i++)
		ck_assert_int_eq(take(ARM_DELETE, ""), i * 1000);
	ck_assert_int_eq(take(ARM_DELETE, ""), 30000); /* nobody is sent away for longer */
	for (int i = 1; i <= 30; i++) {
		now += 1000;
		ck_assert_int_eq(take(ARM_DELETE, ""), 0);
	}
	throttle_free(t);
}
END_TEST

START_TEST(who_asks_again_keeps_its_place)
{
	setup();
	ck_assert_int_eq(take_all(ARM_DELETE, "", 60), 60);
	ck_assert_int_eq(take(ARM_DELETE, "a"), 1000);
	ck_assert_int_eq(take(ARM_DELETE, "b"), 2000);
	now += 400;
	ck_assert_int_eq(take(ARM_DELETE, "b"), 1600);
	ck_assert_int_eq(take(ARM_DELETE, "a"), 600);
	ck_assert_int_eq(take(ARM_DELETE, "c"), 2600); /* as if nobody had asked twice */
	ck_assert_int_gt(take(ARM_POST, "a"), 0); /* another matter, with a place of its own */
	now += 600;
	ck_assert_int_eq(take(ARM_DELETE, "x"), 0); /* somebody else is quicker */
	ck_assert_int_eq(take(ARM_DELETE, "a"), 1000);
	now += 1000;
	ck_assert_int_eq(take(ARM_DELETE, "a"), 0);
	ck_assert_int_eq(take(ARM_DELETE, "a"), 2000); /* served: the next time it comes after c */
	throttle_free(t);
}
END_TEST

/* Four hundred that also ask out of turn, as events come: none is late by more than what its budget takes, and none asks all the time. */
START_TEST(a_line_of_many_takes_as_long_as_its_budget)
{
	enum { MANY = 400 };
	int64_t due[MANY] = {0}, begun;
	int served = 0, asked = 0;
	setup();
	begun = now;
	for (int i = 0; i < MANY; i++)
		due[i] = now + i * 5;
	for (; served < MANY && now < begun + 60000; now += 5)
		for (int i = 0; i < MANY; i++) {
			char pool[8];
			bool event = due[i] && (now - begun) % 4000 == i * 5;
			if (!due[i] || (due[i] > now && !event))
				continue;
			snprintf(pool, sizeof pool, "p%d", i);
			int64_t wait = take(ARM_PUT, pool);
			asked++;
			due[i] = wait ? now + wait : 0;
			served += wait == 0;
		}
	ck_assert_int_eq(served, MANY);
	ck_assert_int_le(now - begun, 20500); /* 200 at once, 200 at ten a second */
	ck_assert_int_le(asked, MANY * 8);
	throttle_free(t);
}
END_TEST

START_TEST(a_429_closes_what_shares_its_budget)
{
	setup();
	throttle_answered(t, ARM_GET, "", 429, 20000, -1);
	ck_assert_int_ge(take(ARM_GET, ""), 20000);
	ck_assert_int_ge(take(ARM_LIST, ""), 20000);
	ck_assert_int_ge(take(ARM_DELETE, ""), 20000);
	ck_assert_int_eq(take(ARM_OPERATION, ""), 0);
	ck_assert_int_eq(take(ARM_PUT, "a"), 0);
	now += 20000;
	ck_assert_int_eq(take(ARM_DELETE, ""), 0);
	throttle_free(t);
}
END_TEST

START_TEST(a_429_of_a_put_closes_its_pool)
{
	setup();
	throttle_answered(t, ARM_PUT, "a", 429, 70000, -1);
	ck_assert_int_ge(take(ARM_PUT, "a"), 70000);
	ck_assert_int_eq(take(ARM_PUT, "b"), 0);
	now += 70000;
	ck_assert_int_eq(take(ARM_PUT, "a"), 0);
	throttle_free(t);
}
END_TEST

START_TEST(after_retry_after_there_is_a_token)
{
	setup();
	ck_assert_int_eq(take(ARM_PUT, "a"), 0);
	throttle_answered(t, ARM_PUT, "a", 429, 1000, -1);
	int64_t wait = take(ARM_PUT, "a");
	ck_assert(wait >= 1000 && wait <= 1001);
	now += wait;
	ck_assert_int_eq(take(ARM_PUT, "a"), 0); /* although the bucket fills by one a minute */
	ck_assert_int_gt(take(ARM_PUT, "a"), 50000);
	throttle_free(t);
}
END_TEST

START_TEST(another_services_429_does_not_stop_aks)
{
	setup();
	throttle_answered(t, ARM_OTHER, "", 429, 60000, -1);
	ck_assert_int_ge(take(ARM_OTHER, ""), 60000);
	ck_assert(throttle_open(t, ARM_LIST) && throttle_open(t, ARM_GET) && throttle_open(t, ARM_DELETE) && throttle_open(t, ARM_OPERATION) && throttle_open(t, ARM_PUT));
	throttle_free(t);
}
END_TEST

START_TEST(a_subscription_that_is_throttled_closes_everything)
{
	setup();
	throttle_answered(t, ARM_CLASSES, "", 429, 30000, -1);
	for (int class = 0; class < ARM_CLASSES; class++) {
		ck_assert_int_ge(take((enum arm_class)class, "a"), 30000);
		ck_assert(!throttle_open(t, (enum arm_class)class));
	}
	now += 30000;
	for (int class = 0; class < ARM_CLASSES; class++)
		ck_assert_int_eq(take((enum arm_class)class, "a"), 0);
	throttle_free(t);
}
END_TEST

START_TEST(retry_after_is_taken_within_reason)
{
	static const struct { int64_t asked, closed; } ROWS[] = {{-1, 10000}, {0, 1000}, {600000, 600000}, {86400000, 600000}};
	for (size_t i = 0; i < 4; i++) {
		setup();
		throttle_answered(t, ARM_CLASSES, "", 429, ROWS[i].asked, -1);
		ck_assert_int_eq(take(ARM_LIST, ""), ROWS[i].closed);
		throttle_answered(t, ARM_CLASSES, "", 429, 1000, -1); /* a shorter one does not open it earlier */
		ck_assert_int_eq(take(ARM_LIST, ""), ROWS[i].closed);
		throttle_free(t);
	}
}
END_TEST

START_TEST(other_statuses_close_nothing)
{
	setup();
	throttle_answered(t, ARM_GET, "", 503, 60000, -1);
	throttle_answered(t, ARM_CLASSES, "", 500, 60000, -1);
	ck_assert_int_eq(take(ARM_GET, ""), 0);
	throttle_free(t);
}
END_TEST

START_TEST(few_remaining_requests_slow_the_low_classes_first)
{
	setup();
	throttle_answered(t, ARM_GET, "", 200, -1, 40); /* someone else uses the subscription too */
	ck_assert(!throttle_open(t, ARM_LIST));
	ck_assert(throttle_open(t, ARM_GET));
	throttle_answered(t, ARM_GET, "", 200, -1, 20);
	ck_assert(!throttle_open(t, ARM_GET));
	ck_assert(throttle_open(t, ARM_OPERATION) && throttle_open(t, ARM_DELETE) && throttle_open(t, ARM_PUT));
	throttle_answered(t, ARM_PUT, "a", 200, -1, 0);
	ck_assert(!throttle_open(t, ARM_PUT) && throttle_open(t, ARM_DELETE));
	now += 5000;
	ck_assert(throttle_open(t, ARM_LIST) && throttle_open(t, ARM_PUT));
	throttle_answered(t, ARM_GET, "", 200, -1, 11999);
	ck_assert(throttle_open(t, ARM_LIST));
	throttle_free(t);
}
END_TEST

START_TEST(asking_does_not_take)
{
	setup();
	for (int i = 0; i < 1000; i++)
		ck_assert(throttle_open(t, ARM_DELETE));
	ck_assert_int_eq(take_all(ARM_DELETE, "", 1000), 60);
	throttle_free(t);
}
END_TEST

int main(void)
{
	CHECK_RUN("throttle", 20, bursts_are_the_services_own, tokens_come_back_at_the_services_rate, nothing_comes_back_before_the_service_has_seen_what_was_taken,
		  a_request_on_its_way_costs_one_token_and_not_the_rate, each_pool_has_its_own_puts,
		  writes_of_all_pools_share_arms_bucket, a_thousand_pools_are_remembered_and_not_more, deletes_go_before_gets_and_gets_before_lists,
		  a_list_that_starved_gets_one_token, those_who_wait_come_back_one_after_the_other,
		  who_asks_again_keeps_its_place, a_line_of_many_takes_as_long_as_its_budget, a_429_closes_what_shares_its_budget,
		  a_429_of_a_put_closes_its_pool, after_retry_after_there_is_a_token, another_services_429_does_not_stop_aks, a_subscription_that_is_throttled_closes_everything, retry_after_is_taken_within_reason,
		  other_statuses_close_nothing, few_remaining_requests_slow_the_low_classes_first, asking_does_not_take);
}
