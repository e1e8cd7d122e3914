/* sim_calls.c: what was asked: a ring of the last requests with their times, and counts by class, by pool, of throttled and of conflicting
 * ones, from which tests and benchmarks read how many calls a node costs. */
#include "simulate/sim.h"

#include "base/clock.h"
#include <stdio.h>

void sim_calls_init(struct sim_calls *c)
{
	*c = (struct sim_calls){.ring = mem_array(LIMIT_SIMULATOR_CALLS, sizeof *c->ring), .by_pool.free_value = free};
}

void sim_calls_done(struct sim_calls *c)
{
	for (size_t i = 0; i < LIMIT_SIMULATOR_CALLS; i++)
		free(c->ring[i].path);
	free(c->ring);
	map_done(&c->by_pool);
}

static void count_pool(struct sim_calls *c, const struct sim_request *q)
{
	uint64_t *counts = map_get(&c->by_pool, str_of(q->pool));
	if (!counts && c->by_pool.count < LIMIT_SIMULATOR_NAMES) {
		counts = mem_array(SIM_CLASSES, sizeof *counts);
		map_put(&c->by_pool, str_of(q->pool), counts);
	}
	if (counts)
		counts[q->class]++;
}

void sim_calls_note(struct sim_calls *c, const struct sim_request *q, int64_t at_s, int status, int64_t took_us)
{
	struct sim_call *row = &c->ring[c->total % LIMIT_SIMULATOR_CALLS];
	free(row->path);
	*row = (struct sim_call){.number = ++c->total, .at_s = at_s, .at_ms = clock_now_ms(), .took_us = took_us, .class = q->class, .status = status,
		.path = mem_strndup(q->path.data, q->path.len < 400 ? q->path.len : 400)};
	snprintf(row->method, sizeof row->method, "%.*s", (int)(q->method.len < 8 ? q->method.len : 7), q->method.data);
	c->by_class[q->class]++;
	if (q->pool) {
		snprintf(row->pool, sizeof row->pool, "%.*s", SIM_POOL_NAME_MAX, q->pool);
		count_pool(c, q);
	}
}

static json_t *by_class(const uint64_t *counts)
{
	json_t *out = json_object();
	for (int i = 0; i < SIM_CLASSES; i++)
		if (counts[i])
			json_object_set_new(out, sim_budget_class_name((enum sim_class)i), json_integer((json_int_t)counts[i]));
	return out;
}

json_t *sim_calls_counts(const struct sim_calls *c)
{
	json_t *pools = json_object();
	struct map_entry e;
	uint64_t arm = 0;
	for (int i = 0; i < SIM_CLASSES; i++)
		arm += i == SIM_TOKEN || i == SIM_CONTROL ? 0 : c->by_class[i];
	for (size_t i = 0; map_next(&c->by_pool, &i, &e);)
		json_object_set_new(pools, e.key.data, by_class(e.value));
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "total", (json_int_t)c->total, "arm", (json_int_t)arm, "throttled", (json_int_t)c->throttled,
			 "conflicts", (json_int_t)c->conflicts, "by_class", by_class(c->by_class), "by_pool", pools);
}

static json_t *row_json(const struct sim_call *row)
{
	char at[32];
	clock_rfc3339(row->at_s, at);
	json_t *out = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:i, s:I}", "number", (json_int_t)row->number, "at", at, "at_ms", (json_int_t)row->at_ms,
		"class", sim_budget_class_name(row->class), "method", row->method, "path", row->path, "status", row->status, "took_us", (json_int_t)row->took_us);
	if (row->pool[0])
		json_object_set_new(out, "pool", json_string(row->pool));
	return out;
}

json_t *sim_calls_show(const struct sim_calls *c, uint64_t since, const char *class, const char *pool)
{
	json_t *out = json_array();
	uint64_t first = c->total > LIMIT_SIMULATOR_CALLS ? c->total - LIMIT_SIMULATOR_CALLS : 0;
	for (uint64_t i = first > since ? first : since; i < c->total; i++) {
		const struct sim_call *row = &c->ring[i % LIMIT_SIMULATOR_CALLS];
		if ((!class || strcmp(class, sim_budget_class_name(row->class)) == 0) && (!pool || strcmp(pool, row->pool) == 0))
			json_array_append_new(out, row_json(row));
	}
	return out;
}
