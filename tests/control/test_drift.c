/* One pool of a set is open at a time, and only while its nodes are drifted. */
#include "check_main.h"

#include "base/mem.h"
#include "provision/pool.h"
#include "world.h"
#include <stdio.h>

static struct world w;

static json_t *replica(const json_t *set, const char *name)
{
	json_t *ws = meta_new(&KUBE_WORKSPACES, "ns", name), *pool, *claim;
	meta_set_label(ws, LABEL_CREATED_BY_SET, "s");
	meta_own(ws, &KUBE_INFERENCE_SETS, set);
	fake_set_condition(ws, "WorkspaceSucceeded", "True", "workspaceSucceeded", "");
	fake_put(&KUBE_WORKSPACES, ws);
	CLEANUP(mem_freep) char *pool_id = mem_printf("ns-%s", name);
	pool = meta_new(&KUBE_NODE_POOLS, NULL, pool_id);
	meta_set_label(pool, LABEL_POOL_WORKSPACE, name);
	meta_set_label(pool, LABEL_POOL_NAMESPACE, "ns");
	json_object_set_new(pool, "spec", json_pack("{s:{s:o}}", "disruption", "budgets", pool_budgets(0)));
	fake_put(&KUBE_NODE_POOLS, pool);
	claim = meta_new(&KUBE_NODE_CLAIMS, NULL, pool_id);
	meta_set_label(claim, LABEL_POOL_WORKSPACE, name);
	meta_set_label(claim, LABEL_POOL_NAMESPACE, "ns");
	meta_set_label(claim, LABEL_POOL_SET, "s");
	meta_set_label(claim, LABEL_POOL_SET_NAMESPACE, "ns");
	fake_put(&KUBE_NODE_CLAIMS, claim);
	return ws;
}

static void open_two(void)
{
	world_open(&w);
	json_t *set = meta_new(&KUBE_INFERENCE_SETS, "ns", "s");
	fake_put(&KUBE_INFERENCE_SETS, set);
	replica(set, "a");
	replica(set, "b");
}

static const char *budget(const char *name) { return json_text_at(fake_object(&KUBE_NODE_POOLS, NULL, name), "", "spec", "disruption", "budgets", "#0", "nodes", NULL); }
static void drift(const char *name, const char *status) { fake_set_condition(fake_object(&KUBE_NODE_CLAIMS, NULL, name), "Drifted", status, "NodeClassDrift", ""); }

static int64_t look(void)
{
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(DRIFT_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err) == 0, "%s", err.message);
	return out.requeue_ms;
}

START_TEST(replicas_are_renewed_one_after_the_other)
{
	open_two();
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(fake_log(), "");
	drift("ns-a", "True");
	drift("ns-b", "True");
	ck_assert_int_eq(look(), 30000);
	ck_assert_str_eq(budget("ns-a"), "1");
	ck_assert_str_eq(budget("ns-b"), "0");
	fake_log_clear();
	ck_assert_int_eq(look(), 30000);
	ck_assert_str_eq(fake_log(), ""); /* under way */
	drift("ns-a", "False");
	fake_set_condition(fake_object(&KUBE_WORKSPACES, "ns", "a"), "WorkspaceSucceeded", "False", "workspacePending", "");
	ck_assert_int_eq(look(), 30000);
	ck_assert_str_eq(budget("ns-a"), "1"); /* the replica is not back yet */
	fake_set_condition(fake_object(&KUBE_WORKSPACES, "ns", "a"), "WorkspaceSucceeded", "True", "workspaceSucceeded", "");
	look();
	ck_assert_str_eq(budget("ns-a"), "0");
	ck_assert_str_eq(budget("ns-b"), "1");
	ck_assert_ptr_nonnull(strstr(fake_log(), "event Normal DriftComplete s: "));
	drift("ns-b", "False");
	ck_assert_int_eq(look(), 0);
	ck_assert_str_eq(budget("ns-b"), "0");
	world_close(&w);
}
END_TEST

static void count(void *list, const char *key)
{
	ck_assert_str_eq(key, "ns/s");
	(*(int *)list)++;
}

START_TEST(only_drifted_claims_and_open_pools_wake_it)
{
	open_two();
	int keys = 0;
	json_t *claim = fake_object(&KUBE_NODE_CLAIMS, NULL, "ns-a"), *pool = fake_object(&KUBE_NODE_POOLS, NULL, "ns-a");
	DRIFT_CONTROLLER.keys(&w.c, CACHE_NODE_CLAIMS, claim, count, &keys);
	DRIFT_CONTROLLER.keys(&w.c, CACHE_NODE_POOLS, pool, count, &keys);
	ck_assert_int_eq(keys, 0);
	drift("ns-a", "True");
	DRIFT_CONTROLLER.keys(&w.c, CACHE_NODE_CLAIMS, claim, count, &keys);
	ck_assert_int_eq(keys, 1);
	CLEANUP(json_decrefp) json_t *kept = json_deep_copy(claim);
	ck_assert(claim_transform(kept)); /* what the cache keeps is enough */
	DRIFT_CONTROLLER.keys(&w.c, CACHE_NODE_CLAIMS, kept, count, &keys);
	ck_assert_int_eq(keys, 2);
	ck_assert(!DRIFT_CONTROLLER.enabled(&w.c)); /* the default provisioner has no pools */
	w.options.node_provisioner = "karpenter";
	ck_assert(DRIFT_CONTROLLER.enabled(&w.c));
	world_close(&w);
}
END_TEST

int main(void)
{
	CHECK_RUN("drift", 20, replicas_are_renewed_one_after_the_other, only_drifted_claims_and_open_pools_wake_it);
}
