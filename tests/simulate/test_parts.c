/* test_parts.c: parts of the simulator by themselves: token buckets with a clock that the test turns, scripts, settings, names of Nodes. */
#include "simulate/sim.h"

#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse(&out, str_of(text), "test", &err) == 0, "%s", err.message);
	return out;
}

START_TEST(a_bucket_has_its_burst_and_fills_again)
{
	struct sim_budget b = {0};
	int64_t retry = 0, now = 1000;
	sim_budget_reset(&b);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_GET, "a", now, true, &retry), 0);
	ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_GET, "a", now, true, &retry), SIM_BUCKET_AKS_POOLS + 1);
	ck_assert_int_eq(retry, 1);
	ck_assert_int_ne(sim_budget_take(&b, SIM_POOL_LIST, NULL, now + 999, true, &retry), 0);
	ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_LIST, NULL, now + 1000, true, &retry), 0);
	ck_assert_int_eq(sim_budget_take(&b, SIM_OPERATION_GET, NULL, now + 1000, true, &retry), 0); /* another bucket */
	ck_assert_int_eq((int)b.use[SIM_BUCKET_AKS_POOLS].overruns, 2);
	ck_assert_int_eq((int)b.use[SIM_BUCKET_AKS_POOLS].taken, 61);
	sim_budget_done(&b);
}
END_TEST

START_TEST(put_has_a_bucket_for_each_pool)
{
	struct sim_budget b = {0};
	int64_t retry = 0;
	sim_budget_reset(&b);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_PUT, "a", 0, true, &retry), 0);
	ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_PUT, "a", 0, true, &retry), SIM_BUCKET_AKS_PUT + 1);
	ck_assert_int_eq(retry, 60);
	ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_PUT, "b", 0, true, &retry), 0);
	ck_assert_int_eq(sim_budget_take(&b, SIM_POOL_PUT, "a", 60000, true, &retry), 0);
	sim_budget_done(&b);
}
END_TEST

START_TEST(without_refusals_overruns_are_counted_and_the_lowest_level_kept)
{
	struct sim_budget b = {0};
	int64_t retry = 0;
	const char *header = NULL;
	sim_budget_reset(&b);
	for (int i = 0; i < 253; i++)
		(void)!sim_budget_take(&b, SIM_USAGES, NULL, 0, false, &retry);
	ck_assert_int_eq((int)b.use[SIM_BUCKET_ARM_READS].overruns, 3);
	ck_assert_int_eq((int)b.use[SIM_BUCKET_ARM_READS].lowest, -3);
	ck_assert_int_eq(sim_budget_left(&b, SIM_USAGES, &header), 0);
	ck_assert_str_eq(header, "x-ms-ratelimit-remaining-subscription-reads");
	ck_assert_int_eq(sim_budget_left(&b, SIM_POOL_PUT, &header), 200);
	ck_assert_int_eq(sim_budget_take(&b, SIM_TOKEN, NULL, 0, true, &retry), 0);
	sim_budget_done(&b);
}
END_TEST

START_TEST(scripts_that_are_wrong_say_where_and_change_nothing)
{
	static const char *const ROWS[] = {
		"[{\"status\":200},{\"mach\":{}}]", "[{\"match\":{\"path\":\"(\"}}]", "[{\"status\":99}]", "[{\"action\":\"explode\"}]", "[{\"times\":-2}]", "[1]",
		"[{\"text\":\"a\",\"body\":{}}]", "[{\"headers\":{\"a\":\"b\\r\\nc: d\"}}]", "[{\"headers\":{\"a\":1}}]", "[{\"operation\":1}]", "[{\"delay_ms\":1e9}]",
		"[{\"match\":{\"method\":\"AVERYLONGMETHOD\"}}]",
	};
	struct sim_scripts list = {0};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		struct err err = ERR_INIT;
		json_t *rows = parse(ROWS[i]);
		ck_assert_msg(sim_script_add(&list, rows, &err) < 0, "%s", ROWS[i]);
		ck_assert_ptr_nonnull(strstr(err.message, i == 0 ? "script 1" : "script 0"));
		ck_assert_uint_eq(list.rows.len, 0);
		json_decref(rows);
	}
	sim_script_clear(&list);
}
END_TEST

START_TEST(scripts_have_a_limit)
{
	struct sim_scripts list = {0};
	struct err err = ERR_INIT;
	json_t *row = parse("{\"status\":500}");
	for (int i = 0; i < LIMIT_SIMULATOR_SCRIPTS; i++)
		ck_assert_int_eq(sim_script_add(&list, row, &err), 0);
	ck_assert_int_lt(sim_script_add(&list, row, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	json_decref(row);
	sim_script_clear(&list);
}
END_TEST

START_TEST(the_first_script_that_concerns_a_request_is_used)
{
	struct sim_scripts list = {0};
	struct sim_effect e = {0};
	struct err err = ERR_INIT;
	json_t *rows = parse("[{\"match\":{\"method\":\"PUT\"},\"status\":500},{\"match\":{\"path\":\"/B$\"},\"after\":1,\"status\":501},{\"status\":502}]");
	ck_assert_int_eq(sim_script_add(&list, rows, &err), 0);
	json_decref(rows);
	ck_assert(sim_script_match(&list, STR("GET"), STR("/a/b"), &e)); /* the second lets one pass */
	ck_assert_int_eq(e.status, 502);
	sim_effect_done(&e);
	ck_assert(sim_script_match(&list, STR("GET"), STR("/a/b"), &e));
	ck_assert_int_eq(e.status, 501);
	sim_effect_done(&e);
	ck_assert(!sim_script_match(&list, STR("GET"), STR("/a/b"), &e));
	ck_assert(sim_script_match(&list, STR("PUT"), STR("/"), &e));
	ck_assert_int_eq(e.status, 500);
	sim_effect_done(&e);
	ck_assert_uint_eq(list.rows.len, 0);
	sim_script_clear(&list);
}
END_TEST

START_TEST(settings_are_taken_whole_or_not_at_all)
{
	static const char *const ROWS[] = {
		"{\"create_ms\":5,\"lro\":\"smoke\"}", "{\"create_ms\":-1}", "{\"create_ms\":5,\"creat_ms\":1}", "{\"auth\":1}", "{\"quotas\":{\"a\":-1}}", "{\"quotas\":[]}", "[]",
		"{\"lro\":\"\"}", "{\"lro\":\"async|body\"}", "{\"max_pools\":0}",
	};
	struct sim_settings s;
	struct err err = ERR_INIT;
	sim_settings_init(&s, SIM_ON_AZURE);
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		json_t *change = parse(ROWS[i]);
		ck_assert_msg(sim_settings_apply(&s, change, &err) < 0, "%s", ROWS[i]);
		ck_assert_int_eq((int)s.create_ms, 0);
		json_decref(change);
	}
	json_t *change = parse("{\"create_ms\":5,\"lro\":\"body\",\"auth\":false,\"quotas\":{\"cores\":7}}"), *all;
	ck_assert_int_eq(sim_settings_apply(&s, change, &err), 0);
	all = sim_settings_show(&s);
	ck_assert_int_eq(json_int_at(all, 0, "create_ms", NULL), 5);
	ck_assert_str_eq(json_text_at(all, "", "lro", NULL), "body");
	ck_assert_int_eq(json_int_at(all, 0, "quotas", "cores", NULL), 7);
	ck_assert_int_eq(sim_settings_apply(&s, all, &err), 0); /* what is shown can be given back */
	json_decref(change);
	json_decref(all);
	sim_settings_done(&s);
}
END_TEST

START_TEST(node_names_are_read_back)
{
	struct simulator s = {.digits = "12345678"};
	char name[SIM_NODE_NAME], pool[SIM_UNIT_NAME_MAX + 1];
	int index = -1;
	sim_node_name(&s, "abcdefghijkl", 999, name);
	ck_assert_str_eq(name, "aks-abcdefghijkl-12345678-vmss0000rr");
	ck_assert(sim_node_parse(name, pool, &index));
	ck_assert_str_eq(pool, "abcdefghijkl");
	ck_assert_int_eq(index, 999);
	ck_assert(!sim_node_parse("aks-a-12345678-vmss0000001", pool, &index));
	ck_assert(!sim_node_parse("aks-a-12345678-vmss00001", pool, &index));
	ck_assert(!sim_node_parse("aks-a-12345678-vmsszzzzzz", pool, &index));
	ck_assert(!sim_node_parse("node-1", pool, &index));
}
END_TEST

START_TEST(the_log_of_calls_keeps_the_last_ones_and_counts_all)
{
	struct sim_calls c;
	struct sim_request q = {.method = STR("GET"), .path = STR("/x"), .class = SIM_POOL_GET};
	char name[SIM_POOL_NAME_MAX + 1];
	sim_calls_init(&c);
	for (int i = 0; i < LIMIT_SIMULATOR_NAMES + 5; i++) {
		snprintf(name, sizeof name, "p%d", i);
		q.pool = name;
		sim_calls_note(&c, &q, 0, 200, 1);
	}
	json_t *counts = sim_calls_counts(&c), *all = sim_calls_show(&c, 0, NULL, NULL), *tail = sim_calls_show(&c, c.total - 2, "pool_get", NULL);
	ck_assert_int_eq(json_int_at(counts, 0, "total", NULL), LIMIT_SIMULATOR_NAMES + 5);
	ck_assert_uint_eq(json_object_size(json_object_get(counts, "by_pool")), LIMIT_SIMULATOR_NAMES);
	ck_assert_uint_eq(json_array_size(all), LIMIT_SIMULATOR_CALLS);
	ck_assert_int_eq(json_int_at(all, 0, "#0", "number", NULL), LIMIT_SIMULATOR_NAMES + 5 - LIMIT_SIMULATOR_CALLS + 1);
	ck_assert_uint_eq(json_array_size(tail), 2);
	json_decref(counts);
	json_decref(all);
	json_decref(tail);
	sim_calls_done(&c);
}
END_TEST

START_TEST(operations_that_ended_are_forgotten_first)
{
	char id[] = "s", group[] = "g", cluster[] = "c";
	struct simulator s = {.subscription = id, .resource_group = group, .cluster = cluster};
	struct sim_effect none = {0};
	s.pools.free_value = sim_pools_free;
	s.operations.free_value = sim_operations_free;
	sim_settings_init(&s.settings, SIM_ON_AZURE);
	json_t *body = parse("{\"properties\":{\"vmSize\":\"Standard_D2s_v3\"}}");
	struct sim_pool *p = sim_pools_put(&s, "a", body, false), *busy = sim_pools_put(&s, "b", body, false);
	uint64_t running = sim_operations_begin(&s, busy, SIM_UPDATE, &none)->id;
	ck_assert_uint_eq(running, 1); /* 0 means none */
	for (int i = 1; i < LIMIT_SIMULATOR_OPERATIONS; i++)
		sim_operations_run(&s, sim_operations_begin(&s, p, SIM_UPDATE, &none));
	ck_assert_ptr_nonnull(sim_operations_find(&s, 2));
	uint64_t last = sim_operations_begin(&s, p, SIM_UPDATE, &none)->id;
	ck_assert_ptr_null(sim_operations_find(&s, 2));
	ck_assert_ptr_nonnull(sim_operations_find(&s, running));
	ck_assert_ptr_nonnull(sim_operations_find(&s, last));
	ck_assert_ptr_nonnull(sim_operations_find(&s, last - 1));
	ck_assert_ptr_null(sim_operations_find(&s, last + 1));
	ck_assert_uint_eq(s.operations.count, s.operations_by_id.len);
	ck_assert_uint_le(s.operations.count, LIMIT_SIMULATOR_OPERATIONS);
	json_decref(body);
	map_done(&s.pools);
	map_done(&s.operations);
	vec_done(&s.operations_by_id);
	sim_settings_done(&s.settings);
}
END_TEST

int main(void)
{
	CHECK_RUN("parts", 60, a_bucket_has_its_burst_and_fills_again, put_has_a_bucket_for_each_pool, without_refusals_overruns_are_counted_and_the_lowest_level_kept,
		  scripts_that_are_wrong_say_where_and_change_nothing, scripts_have_a_limit, the_first_script_that_concerns_a_request_is_used,
		  settings_are_taken_whole_or_not_at_all, node_names_are_read_back,
		  the_log_of_calls_keeps_the_last_ones_and_counts_all, operations_that_ended_are_forgotten_first);
}
