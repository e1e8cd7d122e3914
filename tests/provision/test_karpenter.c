/* One static pool per Workspace, its drift budget, and the node classes made at start. */
#include "check_main.h"

#include "provision/pool.h"
#include "provision_test.h"

static const struct provisioner *way;
static struct scene s;
static struct node_report report;

static void setup(void)
{
	way = provisioner_find("karpenter");
	scene_open(&s);
}

static void teardown(void)
{
	node_report_done(&report);
	report = (struct node_report){0};
	scene_close(&s);
}

static json_t *pool_node(const char *name, const char *gpus)
{
	json_t *node = scene_node(&s, name, "ns-ws", gpus);
	json_object_del(json_at(node, "metadata", "labels", NULL), "kaito.sh/workspace");
	meta_set_label(node, LABEL_POOL_WORKSPACE, "ws");
	meta_set_label(node, LABEL_POOL_NAMESPACE, "ns");
	return node;
}

static json_t *pool_claim(const char *name)
{
	json_t *claim = meta_new(&KUBE_NODE_CLAIMS, NULL, name);
	meta_set_label(claim, LABEL_POOL_WORKSPACE, "ws");
	meta_set_label(claim, LABEL_POOL_NAMESPACE, "ns");
	fake_put(&KUBE_NODE_CLAIMS, claim);
	return claim;
}

START_TEST(a_pool_is_made_once_and_only_raised)
{
	setup();
	ensure_ok(&s, &report);
	ck_assert_str_eq(fake_log(), "create nodepools ns-ws\n");
	ck_assert(!report.ready && !report.claims.true_);
	ck_assert_str_eq(report.claims.message, "Ready NodeClaims are not enough");
	s.r.count = 3;
	ensure_ok(&s, &report);
	ck_assert_int_eq(json_int_at(fake_nth(&KUBE_NODE_POOLS, 0), 0, "spec", "replicas", NULL), 3);
	s.r.count = 2;
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert_int_eq(json_int_at(fake_nth(&KUBE_NODE_POOLS, 0), 0, "spec", "replicas", NULL), 3);
	ck_assert_str_eq(fake_log(), "");
	teardown();
}
END_TEST

START_TEST(it_is_ready_with_claims_nodes_and_gpus)
{
	setup();
	ensure_ok(&s, &report);
	json_t *claim = pool_claim("ns-ws-abcde"), *node = pool_node("n1", "0");
	ensure_ok(&s, &report);
	ck_assert(!report.claims.true_);
	scene_claim_ready(claim);
	ensure_ok(&s, &report);
	ck_assert(report.claims.true_ && !report.ready);
	ck_assert_str_eq(report.nodes.reason, "NodePluginsNotReady");
	ck_assert_str_eq(meta_label(node, "accelerator"), "nvidia");
	json_object_set_new(json_at(node, "status", "capacity", NULL), "nvidia.com/gpu", json_string("1"));
	ensure_ok(&s, &report);
	ck_assert(report.ready);
	ck_assert_str_eq(report.nodes.message, "Enough Nodes are ready with GPU resources");
	ck_assert_str_eq(report.claims.message, "Enough NodeClaims are ready");
	teardown();
}
END_TEST

START_TEST(a_stale_cache_makes_no_second_pool)
{
	setup();
	json_t *pool = NULL;
	ensure_ok(&s, &report);
	pool = json_deep_copy(fake_nth(&KUBE_NODE_POOLS, 0));
	fake_remove(&KUBE_NODE_POOLS, NULL, "ns-ws");
	fake_freeze(true);
	fake_put(&KUBE_NODE_POOLS, pool);
	ensure_ok(&s, &report);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_POOLS), 1);
	teardown();
}
END_TEST

START_TEST(a_pool_of_the_same_name_is_another_workspaces)
{
	setup();
	s.r.namespace_ = "a", s.r.name = "b-c";
	ensure_ok(&s, &report);
	struct node_request first = s.r;
	s.r.namespace_ = "a-b", s.r.name = "c";
	ensure_ok(&s, &report);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_POOLS), 2);
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_POOLS), 1);
	ck_assert_str_eq(meta_label(fake_nth(&KUBE_NODE_POOLS, 0), LABEL_POOL_WORKSPACE), first.name);
	teardown();
}
END_TEST

START_TEST(claims_from_before_count_and_go_too)
{
	setup();
	s.r.count = 2;
	json_t *legacy = meta_new(&KUBE_NODE_CLAIMS, NULL, "ws012345678");
	meta_set_label(legacy, "kaito.sh/workspace", "ws");
	meta_set_label(legacy, "kaito.sh/workspacenamespace", "ns");
	fake_put(&KUBE_NODE_CLAIMS, legacy);
	ensure_ok(&s, &report);
	ck_assert_int_eq(json_int_at(fake_nth(&KUBE_NODE_POOLS, 0), 0, "spec", "replicas", NULL), 1);
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_POOLS) + fake_count(&KUBE_NODE_CLAIMS), 0);
	teardown();
}
END_TEST

START_TEST(release_finds_a_pool_that_the_cache_does_not_know)
{
	setup();
	ensure_ok(&s, &report);
	json_t *pool = json_deep_copy(fake_nth(&KUBE_NODE_POOLS, 0));
	fake_remove(&KUBE_NODE_POOLS, NULL, "ns-ws");
	fake_freeze(true);
	fake_put(&KUBE_NODE_POOLS, pool);
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_POOLS), 0);
	fake_freeze(false);
	fake_no_crd("nodepools");
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	teardown();
}
END_TEST

START_TEST(a_pool_that_cannot_work_says_why)
{
	setup();
	ensure_ok(&s, &report);
	fake_set_condition(fake_nth(&KUBE_NODE_POOLS, 0), "NodeClassReady", "False", "NodeClassNotFound", "NodeClass not found on cluster");
	ensure_ok(&s, &report);
	ck_assert_str_eq(report.claims.message, "NodeClass not found on cluster");
	teardown();
}
END_TEST

START_TEST(the_drift_budget_opens_and_closes_with_one_write_each)
{
	setup();
	ensure_ok(&s, &report);
	struct err err = ERR_INIT;
	fake_log_clear();
	ck_assert_int_eq(way->set_drift_budget(&s.c, &s.r, 0, &err), 0);
	ck_assert_int_eq(way->set_drift_budget(&s.c, &s.r, 0, &err), 0);
	ck_assert_str_eq(fake_log(), "patch nodepools ns-ws\n");
	ck_assert_str_eq(json_text_at(fake_nth(&KUBE_NODE_POOLS, 0), "", "spec", "disruption", "budgets", "#0", "nodes", NULL), "0");
	ck_assert_str_eq(json_text_at(fake_nth(&KUBE_NODE_POOLS, 0), "", "spec", "disruption", "consolidateAfter", NULL), "0s");
	teardown();
}
END_TEST

static const struct kube_resource CLASSES = {"karpenter.azure.com", "v1beta1", "aksnodeclasses", "AKSNodeClass", false};

static void put_crd(const char *name) { fake_put(&KUBE_CRDS, meta_new(&KUBE_CRDS, NULL, name)); }

START_TEST(start_needs_crds_and_a_ready_default_class)
{
	setup();
	struct err err = ERR_INIT;
	ck_assert_int_lt(way->start(&s.c, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "nodepools.karpenter.sh"));
	put_crd("nodepools.karpenter.sh");
	put_crd("nodeclaims.karpenter.sh");
	put_crd("aksnodeclasses.karpenter.azure.com");
	ck_assert_int_lt(way->start(&s.c, 0, &err), 0);
	ck_assert_int_eq(err.kind, ERR_TIMEOUT);
	ck_assert_uint_eq(fake_count(&CLASSES), 2);
	json_t *class = fake_object(&CLASSES, NULL, "image-family-ubuntu");
	ck_assert_str_eq(meta_label(class, "karpenter.kaito.sh/default"), "true");
	ck_assert_str_eq(meta_label(class, "karpenter.kaito.sh/managed-by"), "kaito");
	ck_assert_int_eq(json_int_at(class, 0, "spec", "osDiskSizeGB", NULL), 300);
	fake_set_condition(class, "Ready", "False", "ImagesNotReady", "no images");
	ck_assert_int_lt(way->start(&s.c, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "no images"));
	fake_set_condition(class, "Ready", "True", "Ready", "");
	ck_assert_int_eq(way->start(&s.c, 0, &err), 0);
	s.options.node_classes_json = "[{\"name\":\"a\"}]";
	ck_assert_int_lt(way->start(&s.c, 0, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	s.options.node_classes_json = NULL;
	ck_assert_int_lt(way->start(&s.c, 0, &err), 0);
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("karpenter", 20, a_pool_is_made_once_and_only_raised, it_is_ready_with_claims_nodes_and_gpus, a_stale_cache_makes_no_second_pool,
		  a_pool_of_the_same_name_is_another_workspaces, claims_from_before_count_and_go_too, release_finds_a_pool_that_the_cache_does_not_know,
		  a_pool_that_cannot_work_says_why, the_drift_budget_opens_and_closes_with_one_write_each, start_needs_crds_and_a_ready_default_class);
}
