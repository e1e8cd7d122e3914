/* pool_budget.c: see pool_budget.h. */
#include "nodes/pool_budget.h"

#include "kube/meta.h"
#include <stdlib.h>
#include <string.h>

static bool is_for(const json_t *budget, const char *reason)
{
	const json_t *reasons = json_object_get(budget, "reasons"), *r;
	size_t i;
	json_array_foreach(reasons, i, r)
		if (json_is_string(r) && strcmp(json_string_value(r), reason) == 0)
			return true;
	return json_array_size(reasons) == 0;
}

/* "3" or "10%"; what is neither allows nothing. */
static int64_t nodes_of(const char *text, int64_t replicas)
{
	char *end;
	int64_t n = strtoll(text, &end, 10);
	if (end == text || n < 0 || (*end && strcmp(end, "%") != 0))
		return 0;
	if (!*end)
		return n;
	n = n > 100 ? 100 : n;
	return (replicas / 100) * n + ((replicas % 100) * n + 99) / 100;
}

int64_t pool_budget_drifted(const json_t *pool)
{
	int64_t replicas = json_int_at(pool, 0, "spec", "replicas", NULL), least = INT64_MAX;
	const json_t *budget;
	size_t i;
	json_array_foreach(json_at(pool, "spec", "disruption", "budgets", NULL), i, budget) {
		int64_t nodes = is_for(budget, "Drifted") ? nodes_of(json_text_at(budget, "10%", "nodes", NULL), replicas) : INT64_MAX;
		least = nodes < least ? nodes : least;
	}
	return least;
}
