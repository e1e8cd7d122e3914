/* sim_budget.c: the services' token buckets. ARM has one each for reads, writes and deletes; the AKS resource provider has its own, of which
 * that for PUT exists once for each pool. EC2 has one for each action. Without throttling a bucket may go below zero, which is counted as an overrun: a benchmark reads
 * from it whether its client would have been refused. Nothing here reads a clock: the caller gives the time. */
#include "simulate/sim.h"

#include <math.h>

struct bucket { enum sim_clouds cloud; const char *name; double burst, per_s; const char *header; /* of the tokens left; NULL: the AKS RP's */ };
static const struct bucket BUCKETS[SIM_BUCKETS] = {
	[SIM_BUCKET_ARM_READS] = {SIM_ON_AZURE, "arm_reads", 250, 25, "x-ms-ratelimit-remaining-subscription-reads"},
	[SIM_BUCKET_ARM_WRITES] = {SIM_ON_AZURE, "arm_writes", 200, 10, "x-ms-ratelimit-remaining-subscription-writes"},
	[SIM_BUCKET_ARM_DELETES] = {SIM_ON_AZURE, "arm_deletes", 200, 10, "x-ms-ratelimit-remaining-subscription-deletes"},
	[SIM_BUCKET_AKS_POOLS] = {SIM_ON_AZURE, "aks_pools", 60, 1, NULL},
	[SIM_BUCKET_AKS_OPERATIONS] = {SIM_ON_AZURE, "aks_operations", 200, 2, NULL},
	[SIM_BUCKET_AKS_CLUSTER] = {SIM_ON_AZURE, "aks_cluster", 60, 1, NULL},
	[SIM_BUCKET_AKS_PUT] = {SIM_ON_AZURE, "aks_pool_put", 20, 1.0 / 60, NULL},
	[SIM_BUCKET_EC2_CREATE_FLEET] = {SIM_ON_AWS, "CreateFleet", 50, 5, NULL},
	[SIM_BUCKET_EC2_RUN] = {SIM_ON_AWS, "RunInstances", 5, 2, NULL},
	[SIM_BUCKET_EC2_TERMINATE] = {SIM_ON_AWS, "TerminateInstances", 50, 5, NULL},
	[SIM_BUCKET_EC2_INSTANCES] = {SIM_ON_AWS, "DescribeInstances", 100, 20, NULL},
	[SIM_BUCKET_EC2_CREATE_TEMPLATE] = {SIM_ON_AWS, "CreateLaunchTemplate", 50, 5, NULL},
	[SIM_BUCKET_EC2_DELETE_TEMPLATE] = {SIM_ON_AWS, "DeleteLaunchTemplate", 50, 5, NULL},
	[SIM_BUCKET_EC2_TEMPLATES] = {SIM_ON_AWS, "DescribeLaunchTemplates", 100, 20, NULL},
	[SIM_BUCKET_EC2_SUBNETS] = {SIM_ON_AWS, "DescribeSubnets", 100, 20, NULL},
	[SIM_BUCKET_EC2_GROUPS] = {SIM_ON_AWS, "DescribeSecurityGroups", 100, 20, NULL},
	[SIM_BUCKET_EC2_CREATE_TAGS] = {SIM_ON_AWS, "CreateTags", 100, 10, NULL},
};
#define NONE SIM_BUCKETS
/* Which buckets a request of a class takes from: ARM's and the resource provider's, or EC2's alone. */
static const struct { const char *name; enum sim_bucket arm, aks; } CLASSES[SIM_CLASSES] = {
	[SIM_POOL_PUT] = {"pool_put", SIM_BUCKET_ARM_WRITES, SIM_BUCKET_AKS_PUT},
	[SIM_POOL_GET] = {"pool_get", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_POOLS},
	[SIM_POOL_LIST] = {"pool_list", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_POOLS},
	[SIM_POOL_DELETE] = {"pool_delete", SIM_BUCKET_ARM_DELETES, SIM_BUCKET_AKS_POOLS},
	[SIM_POOL_ABORT] = {"pool_abort", SIM_BUCKET_ARM_WRITES, SIM_BUCKET_AKS_POOLS},
	[SIM_MACHINE_PUT] = {"machine_put", SIM_BUCKET_ARM_WRITES, SIM_BUCKET_AKS_POOLS},
	[SIM_MACHINE_GET] = {"machine_get", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_POOLS},
	[SIM_MACHINE_LIST] = {"machine_list", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_POOLS},
	[SIM_MACHINE_DELETE] = {"machine_delete", SIM_BUCKET_ARM_WRITES, SIM_BUCKET_AKS_POOLS},
	[SIM_OPERATION_GET] = {"operation_get", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_OPERATIONS},
	[SIM_CLUSTER_GET] = {"cluster_get", SIM_BUCKET_ARM_READS, SIM_BUCKET_AKS_CLUSTER},
	[SIM_USAGES] = {"usages", SIM_BUCKET_ARM_READS, NONE},
	[SIM_REGISTER] = {"register", SIM_BUCKET_ARM_WRITES, NONE},
	[SIM_ARM_OTHER] = {"other", SIM_BUCKET_ARM_READS, NONE},
	[SIM_TOKEN] = {"token", NONE, NONE},
	[SIM_CONTROL] = {"control", NONE, NONE},
	[SIM_EC2_CREATE_FLEET] = {"CreateFleet", SIM_BUCKET_EC2_CREATE_FLEET, NONE},
	[SIM_EC2_RUN] = {"RunInstances", SIM_BUCKET_EC2_RUN, NONE},
	[SIM_EC2_TERMINATE] = {"TerminateInstances", SIM_BUCKET_EC2_TERMINATE, NONE},
	[SIM_EC2_INSTANCES] = {"DescribeInstances", SIM_BUCKET_EC2_INSTANCES, NONE},
	[SIM_EC2_CREATE_TEMPLATE] = {"CreateLaunchTemplate", SIM_BUCKET_EC2_CREATE_TEMPLATE, NONE},
	[SIM_EC2_DELETE_TEMPLATE] = {"DeleteLaunchTemplate", SIM_BUCKET_EC2_DELETE_TEMPLATE, NONE},
	[SIM_EC2_TEMPLATES] = {"DescribeLaunchTemplates", SIM_BUCKET_EC2_TEMPLATES, NONE},
	[SIM_EC2_SUBNETS] = {"DescribeSubnets", SIM_BUCKET_EC2_SUBNETS, NONE},
	[SIM_EC2_GROUPS] = {"DescribeSecurityGroups", SIM_BUCKET_EC2_GROUPS, NONE},
	[SIM_EC2_CREATE_TAGS] = {"CreateTags", SIM_BUCKET_EC2_CREATE_TAGS, NONE},
	[SIM_EC2_OTHER] = {"other_action", NONE, NONE},
	[SIM_SSM] = {"GetParameter", NONE, NONE},
	[SIM_STS] = {"AssumeRoleWithWebIdentity", NONE, NONE},
	[SIM_METADATA] = {"metadata", NONE, NONE},
};
const char *sim_budget_class_name(enum sim_class class) { return CLASSES[class].name; }
const char *sim_budget_bucket_name(enum sim_bucket bucket) { return BUCKETS[bucket].name; }
bool sim_budget_is_arm(enum sim_bucket bucket) { return BUCKETS[bucket].header != NULL; }

void sim_budget_reset(struct sim_budget *b)
{
	sim_budget_done(b);
	*b = (struct sim_budget){.pools.free_value = free};
	for (int i = 0; i < SIM_BUCKETS; i++)
		b->use[i].lowest = BUCKETS[i].burst;
}

void sim_budget_done(struct sim_budget *b) { map_done(&b->pools); }

/* NULL for the per-pool bucket past the limit of names: not counted then. */
static struct sim_level *level_of(struct sim_budget *b, enum sim_bucket bucket, const char *pool)
{
	if (bucket == NONE)
		return NULL;
	if (bucket != SIM_BUCKET_AKS_PUT)
		return &b->levels[bucket];
	struct sim_level *l = map_get(&b->pools, str_of(pool));
	if (!l && b->pools.count < LIMIT_SIMULATOR_NAMES) {
		l = mem_alloc(sizeof *l);
		map_put(&b->pools, str_of(pool), l);
	}
	return l;
}

static void refill(struct sim_level *l, const struct bucket *row, int64_t now_ms)
{
	if (!l->begun)
		*l = (struct sim_level){row->burst, now_ms, true};
	l->tokens = fmin(row->burst, l->tokens + (double)(now_ms - l->at_ms) / 1000 * row->per_s);
	l->at_ms = now_ms;
}

/* Whether the bucket has a token now. */
static bool has(struct sim_budget *b, enum sim_bucket bucket, const char *pool, int64_t now_ms, int64_t *retry_s)
{
	struct sim_level *l = level_of(b, bucket, pool);
	if (!l)
		return true;
	refill(l, &BUCKETS[bucket], now_ms);
	if (l->tokens >= 1 - 1e-9)
		return true;
	*retry_s = (int64_t)ceil((1 - l->tokens) / BUCKETS[bucket].per_s - 1e-9);
	b->use[bucket].overruns++;
	return false;
}

static void take(struct sim_budget *b, enum sim_bucket bucket, const char *pool)
{
	struct sim_level *l = level_of(b, bucket, pool);
	if (!l)
		return;
	l->tokens -= 1;
	b->use[bucket].taken++;
	b->use[bucket].lowest = fmin(b->use[bucket].lowest, l->tokens);
}

int sim_budget_take(struct sim_budget *b, enum sim_class class, const char *pool, int64_t now_ms, bool refuse, int64_t *retry_s)
{
	enum sim_bucket arm = CLASSES[class].arm, aks = CLASSES[class].aks;
	pool = pool ? pool : "";
	int over = !has(b, arm, pool, now_ms, retry_s) ? (int)arm + 1 : !has(b, aks, pool, now_ms, retry_s) ? (int)aks + 1 : 0;
	if (over && refuse)
		return over;
	take(b, arm, pool);
	take(b, aks, pool);
	return over;
}

int sim_budget_left(const struct sim_budget *b, enum sim_class class, const char **header)
{
	enum sim_bucket arm = CLASSES[class].arm;
	if (arm == NONE || !BUCKETS[arm].header)
		return 0;
	*header = BUCKETS[arm].header;
	return b->levels[arm].begun ? (int)fmax(0, floor(b->levels[arm].tokens)) : (int)BUCKETS[arm].burst;
}

json_t *sim_budget_show(const struct sim_budget *b, enum sim_clouds cloud)
{
	json_t *out = json_object();
	for (int i = 0; i < SIM_BUCKETS; i++)
		if (BUCKETS[i].cloud == cloud)
			json_object_set_new(out, BUCKETS[i].name, json_pack("{s:I, s:I, s:f, s:f, s:f}", "taken", (json_int_t)b->use[i].taken, "overruns", (json_int_t)b->use[i].overruns,
			"lowest", b->use[i].lowest, "burst", BUCKETS[i].burst, "per_second", BUCKETS[i].per_s));
	return out;
}
