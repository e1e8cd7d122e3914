/* pool_plan.c: see pool_plan.h.
 *
 * Replacing drifted claims: as many claims are made besides as the budget allows to be away, and a drifted claim goes when so many of the
 * others are Ready that spec.replicas stay served. A pass computes this anew; nothing is remembered. */
#include "nodes/pool_plan.h"

#include "cloud/dialect.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include "nodes/pool_budget.h"
#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t positive(int64_t a) { return a > 0 ? a : 0; }

static bool protected(const json_t *claim)
{
	const char *value = meta_annotation(claim, ANNOTATION_DO_NOT_DISRUPT);
	return value && strcmp(value, "true") == 0;
}

static bool has(const json_t *claim, const char *condition) { return condition_is(json_at(claim, "status", "conditions", NULL), condition, "True"); }

bool pool_plan_launched(const json_t *claim) { return has(claim, "Launched"); }
bool pool_plan_drifted(const json_t *claim) { return !meta_deleting(claim) && has(claim, "Drifted") && !protected(claim); }

struct tally { int64_t all, alive, deleting, drifted, ready /* alive, Ready and not drifted */; };

static struct tally count(const json_t *claims, bool drift)
{
	struct tally t = {0};
	const json_t *claim;
	size_t i;
	json_array_foreach(claims, i, claim) {
		bool drifted = drift && pool_plan_drifted(claim);
		t.all++;
		t.deleting += meta_deleting(claim);
		t.drifted += drifted;
		t.ready += !meta_deleting(claim) && !drifted && has(claim, "Ready");
	}
	t.alive = t.all - t.deleting;
	return t;
}

/* spec.limits.nodes counts machines, so those that are going too. */
static int64_t limit_of(const json_t *pool)
{
	const json_t *limit = json_at(pool, "spec", "limits", "nodes", NULL);
	double value = json_number_value(limit);
	struct err why = ERR_INIT;
	if (!limit || (json_is_string(limit) && quantity_parse(json_string_value(limit), &value, &why) < 0) || value > 1e9)
		return INT64_MAX;
	return value > 0 ? (int64_t)value : 0;
}

struct pool_plan pool_plan(const json_t *pool, const json_t *claims, bool drift)
{
	struct tally t = count(claims, drift);
	int64_t replicas = positive(json_int_at(pool, 0, "spec", "replicas", NULL)), limit = limit_of(pool);
	int64_t allowed = t.drifted ? positive(pool_budget_drifted(pool) - t.deleting) : 0, surge = least(allowed, t.drifted);
	return (struct pool_plan){
		.create = least(positive(replicas + surge - t.alive), positive(limit - t.all)),
		.remove = positive(t.alive - replicas - surge),
		.replace = least(surge, positive(t.ready + t.drifted - replicas)),
	};
}

/* --- order of removal ------------------------------------------------------------------------------------------ */

static int rank(const struct pool_candidate *c)
{
	if (protected(c->claim))
		return 3;
	return !pool_plan_launched(c->claim) ? 0 : c->empty ? 1 : 2;
}

static int compare(const void *a, const void *b)
{
	const struct pool_candidate *x = a, *y = b;
	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	int age = strcmp(json_text_at(y->claim, "", "metadata", "creationTimestamp", NULL), json_text_at(x->claim, "", "metadata", "creationTimestamp", NULL));
	return age ? age : strcmp(meta_name(x->claim), meta_name(y->claim));
}

void pool_plan_sort(struct pool_candidate *list, size_t n) { qsort(list, n, sizeof *list, compare); }
