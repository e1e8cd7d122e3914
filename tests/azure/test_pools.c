/* The shared list: who is told what, how often it is asked for, and what it never says. */
#include "check_main.h"

#include "azure/pools.h"
#include "azure_variables.h"
#include "base/clock.h"
#include "fake_arm.h"
#include "kube/meta.h"
#include <pthread.h>
#include <stdatomic.h>

static struct azure_environment environment;
static struct token_cache *tokens;
static struct throttle *throttle;
static struct arm *arm;
static struct pools *pools;
static atomic_int told[10];
static struct err err;

static void changed(void *context, const char *claim)
{
	(void)context;
	atomic_fetch_add(&told[claim[strlen(claim) - 1] - '0'], 1);
}

static void begin(int64_t unit_ms)
{
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d", fake_arm_start());
	variables_reset();
	variable_set("DEPLOYMENT_MODE", "managed");
	variable_set("AZURE_CLIENT_SECRET", "hush");
	variable_set("AZURE_AUTHORITY_HOST", url);
	variable_set("AZURE_RESOURCE_MANAGER_ENDPOINT", url);
	ck_assert_msg(environment_read(&environment, variable_get, &err) == 0, "%s", err.message);
	tokens = token_cache_new(&environment, NULL);
	throttle = throttle_new(NULL);
	arm = arm_new(&(struct arm_options){.environment = &environment, .tokens = tokens, .throttle = throttle, .user_agent = "test"});
	pools = pools_new(arm, &environment, &(struct cloud_hooks){.changed = changed}, unit_ms, NULL);
	for (int i = 0; i < 10; i++)
		atomic_store(&told[i], 0);
}

static void end(void)
{
	pools_free(pools);
	arm_free(arm);
	throttle_free(throttle);
	token_cache_free(tokens);
	environment_done(&environment);
	fake_arm_stop();
}

static void until_told(int claim, int times)
{
	for (int i = 0; i < 2000 && atomic_load(&told[claim]) < times; i++)
		clock_sleep_ms(2);
	ck_assert_int_ge(atomic_load(&told[claim]), times);
}

static int look(const char *pool, const char *claim, int64_t not_before_ms, char state[32])
{
	json_t *found = NULL;
	int result = pools_look(pools, pool, claim, not_before_ms, &found, &err);
	if (state)
		snprintf(state, 32, "%s", json_text_at(found, "", "properties", "provisioningState", NULL));
	json_decref(found);
	return result;
}

START_TEST(nothing_is_asked_while_nobody_waits)
{
	begin(5);
	clock_sleep_ms(60);
	ck_assert_uint_eq(fake_arm_count("GET", ""), 0);
	ck_assert_int_eq(pools_age_ms(pools), -1);
	pools_expect(pools, "ws1", "c1");
	pools_settled(pools, "ws1");
	size_t before = fake_arm_count("GET", "");
	clock_sleep_ms(60);
	ck_assert_uint_le(fake_arm_count("GET", ""), before + 1); /* one may have been under way */
	end();
}
END_TEST

START_TEST(one_list_serves_many_claims)
{
	char name[16], claim[16];
	int answers[9];
	begin(20);
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		fake_arm_put(name, "Creating", NULL, NULL);
	}
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		snprintf(claim, sizeof claim, "c%d", i);
		answers[i] = look(name, claim, 0, NULL);
		ck_assert(answers[i] == 2 || (i > 0 && answers[i] == 0)); /* the list that the first asked for may be there already */
	}
	for (int i = 0; i < 9; i++)
		if (answers[i] == 2)
			until_told(i, 1);
	ck_assert_uint_le(fake_arm_count("GET", "/agentPools"), 2);
	char state[32];
	ck_assert_int_eq(look("ws3", "c3", 0, state), 0);
	ck_assert_str_eq(state, "Creating");
	ck_assert_int_eq(look("ws9", "c9", 0, NULL), 1);
	end();
}
END_TEST

START_TEST(changes_are_told_to_those_who_wait)
{
	begin(5);
	fake_arm_put("ws1", "Creating", NULL, NULL);
	fake_arm_put("ws2", "Creating", NULL, NULL);
	pools_expect(pools, "ws1", "c1");
	until_told(1, 1); /* it is there */
	fake_arm_set_state("ws1", "Succeeded");
	fake_arm_set_state("ws2", "Succeeded");
	until_told(1, 2);
	fake_arm_remove("ws1");
	until_told(1, 3);
	ck_assert_int_eq(look("ws1", "c1", 1, NULL), 1);
	ck_assert_int_eq(atomic_load(&told[2]), 0);
	end();
}
END_TEST

START_TEST(a_list_of_before_does_not_unmake_what_was_learnt)
{
	begin(5);
	ck_assert_int_eq(look("ws1", "c1", 0, NULL), 2);
	until_told(1, 1);
	ck_assert_int_eq(look("ws1", "c1", 0, NULL), 1);
	int64_t now = clock_now_ms();
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:s,s:{s:s}}", "name", "ws1", "properties", "provisioningState", "Creating");
	pools_learn(pools, "ws1", body);
	ck_assert_int_eq(look("ws1", "c1", now, NULL), 0);
	pools_learn(pools, "ws1", NULL);
	ck_assert_int_ne(look("ws1", "c1", now, NULL), 0);
	end();
}
END_TEST

START_TEST(all_pages_are_read)
{
	char name[16];
	begin(5);
	fake_arm_page(2);
	for (int i = 0; i < 7; i++) {
		snprintf(name, sizeof name, "ws%d", i);
		fake_arm_put(name, "Succeeded", NULL, NULL);
	}
	ck_assert_int_eq(look("ws6", "c6", 0, NULL), 2);
	until_told(6, 1);
	ck_assert_int_eq(look("ws6", "c6", 0, NULL), 0);
	ck_assert_uint_eq(fake_arm_count("GET", "/agentPools"), 4);
	end();
}
END_TEST

START_TEST(a_failed_list_says_nothing_but_why)
{
	begin(5);
	fake_arm_put("ws1", "Succeeded", NULL, NULL);
	fake_arm_fail("GET", "/agentPools", 1, FAKE_ARM_REPLY, 403, "AuthorizationFailed", "no right");
	int64_t now = clock_now_ms();
	ck_assert_int_eq(look("ws1", "c1", now, NULL), 2);
	until_told(1, 1);
	ck_assert_int_eq(look("ws1", "c1", now, NULL), -1); /* and asks again */
	ck_assert_int_eq(err.kind, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(err.message, "AuthorizationFailed"));
	until_told(1, 2);
	ck_assert_int_eq(look("ws1", "c1", now, NULL), 0);
	end();
}
END_TEST

START_TEST(an_answer_that_is_no_list_proves_nothing)
{
	begin(5);
	fake_arm_fail("GET", "/agentPools", 1, FAKE_ARM_REPLY, 200, "x", "y");
	int64_t now = clock_now_ms();
	ck_assert_int_eq(look("ws1", "c1", now, NULL), 2);
	until_told(1, 1);
	ck_assert_int_eq(look("ws1", "c1", now, NULL), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "value"));
	end();
}
END_TEST

START_TEST(lists_become_rarer)
{
	begin(20);
	fake_arm_put("ws1", "Creating", NULL, NULL);
	pools_expect(pools, "ws1", "c1");
	until_told(1, 1);
	size_t before = fake_arm_count("GET", "/agentPools");
	clock_sleep_ms(450); /* 20, 40, then 100 apart */
	size_t n = fake_arm_count("GET", "/agentPools") - before;
	ck_assert_uint_ge(n, 2);
	ck_assert_uint_le(n, 6);
	end();
}
END_TEST

static void count(void *context, const json_t *pool)
{
	(void)pool;
	++*(size_t *)context;
}

START_TEST(a_young_list_is_used_again)
{
	size_t n = 0;
	begin(5);
	fake_arm_put("ws1", "Succeeded", NULL, NULL);
	fake_arm_put("ws2", "Succeeded", NULL, NULL);
	ck_assert_int_eq(pools_list(pools, 0, count, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(pools_list(pools, 60000, count, &n, &err), 0);
	ck_assert_uint_eq(fake_arm_count("GET", "/agentPools"), 1);
	clock_sleep_ms(2); /* in the same millisecond it would be young enough */
	ck_assert_int_eq(pools_list(pools, 0, count, &n, &err), 0);
	ck_assert_uint_eq(fake_arm_count("GET", "/agentPools"), 2);
	ck_assert_uint_eq(n, 6);
	end();
}
END_TEST

START_TEST(a_busy_gate_slows_lists_down)
{
	begin(20);
	fake_arm_put("ws1", "Creating", NULL, NULL);
	pools_yield(pools);
	pools_expect(pools, "ws1", "c1");
	clock_sleep_ms(60);
	ck_assert_uint_eq(fake_arm_count("GET", "/agentPools"), 0);
	until_told(1, 1);
	end();
}
END_TEST

static atomic_bool cancelled;

static void *cancel_soon(void *unused)
{
	clock_sleep_ms(50);
	atomic_store(&cancelled, true);
	return unused;
}

/* A process that is to stop waits for no budget: neither who asked for a list nor the thread that makes it. */
START_TEST(a_closed_gate_holds_nobody_who_stops)
{
	size_t n = 0;
	pthread_t canceller;
	begin(5);
	pools_free(pools);
	atomic_store(&cancelled, false);
	pools = pools_new(arm, &environment, &(struct cloud_hooks){.changed = changed}, 5, &cancelled);
	throttle_answered(throttle, ARM_LIST, NULL, 429, 20000, -1);
	int64_t begun_ms = clock_now_ms();
	ck_assert_int_eq(pthread_create(&canceller, NULL, cancel_soon, NULL), 0);
	ck_assert_int_eq(pools_list(pools, 0, count, &n, &err), -1);
	ck_assert_int_eq(err.kind, ERR_CANCELLED);
	ck_assert_uint_eq(fake_arm_count("GET", "/agentPools"), 0);
	pthread_join(canceller, NULL);
	end();
	ck_assert_int_lt(clock_now_ms() - begun_ms, 5000);
}
END_TEST

int main(void)
{
	CHECK_RUN("pools", 30, nothing_is_asked_while_nobody_waits, one_list_serves_many_claims, changes_are_told_to_those_who_wait,
		  a_list_of_before_does_not_unmake_what_was_learnt, all_pages_are_read, a_failed_list_says_nothing_but_why, an_answer_that_is_no_list_proves_nothing,
		  lists_become_rarer, a_young_list_is_used_again, a_busy_gate_slows_lists_down, a_closed_gate_holds_nobody_who_stops);
}
