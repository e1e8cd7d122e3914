/* Nodes without machines: one per claim whatever is repeated, gone with it, and never somebody else's. */
#include "check_main.h"

#include "base/mem.h"
#include "cloud/kwok.h"
#include "kube/meta.h"
#include "../provision/fake_kube.h"

static struct cloud *cloud;
static struct informer *nodes;
static json_t *claim;
static struct claim_view v;
static struct launch_result launched;
static struct terminate_result terminated;
static struct err err;

static void view(const char *uid)
{
	claim_view_done(&v);
	json_decref(claim);
	claim = json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:{s:s}},s:{s:[{s:s,s:s,s:[s]}],s:{s:{s:s}},s:[{s:s,s:s,s:s}]}}", "apiVersion", "karpenter.sh/v1", "kind", "NodeClaim",
			  "metadata", "name", "ws1", "uid", uid, "creationTimestamp", "2026-11-24T08:00:00Z", "labels", "kaito.sh/workspace", "w", "spec", "requirements",
			  "key", LABEL_INSTANCE_TYPE, "operator", "In", "values", "Standard_NC24ads_A100_v4", "resources", "requests", "storage", "120Gi", "taints", "key",
			  "sku", "value", "gpu", "effect", "NoSchedule");
	ck_assert_int_eq(claim_view_init(&v, claim, &err), 0);
}

static void begin(bool ready)
{
	fake_reset();
	nodes = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODES});
	cloud = kwok_new(&(struct kwok_options){.kube = fake_client(), .hooks = {.nodes = nodes}, .ready = ready});
	view("uid-1");
}

static void end(void)
{
	launch_result_done(&launched);
	terminate_result_done(&terminated);
	claim_view_done(&v);
	json_decref(claim);
	claim = NULL;
	cloud->ops->free(cloud);
	informer_free(nodes);
	fake_reset();
}

static void launch(void)
{
	launch_result_done(&launched);
	ck_assert_msg(cloud->ops->launch(cloud, &v, &launched, &err) == 0, "%s", err.message);
}

START_TEST(a_claim_gets_one_node)
{
	begin(false);
	launch();
	ck_assert_int_eq(launched.step, STEP_DONE);
	ck_assert_str_eq(launched.provider_id, "kwok://ws1");
	launch(); /* as after a crash */
	ck_assert_int_eq(launched.step, STEP_DONE);
	ck_assert_uint_eq(fake_count(&KUBE_NODES), 1);
	const json_t *node = fake_object(&KUBE_NODES, NULL, "ws1");
	ck_assert_str_eq(json_text_at(node, "", "spec", "providerID", NULL), "kwok://ws1");
	ck_assert_str_eq(meta_label(node, "kwok.x-k8s.io/node"), "fake");
	ck_assert_str_eq(meta_annotation(node, "kwok.x-k8s.io/node"), "fake");
	ck_assert_str_eq(meta_label(node, "kaito.sh/workspace"), "w");
	ck_assert_str_eq(meta_label(node, LABEL_INSTANCE_TYPE), "Standard_NC24ads_A100_v4");
	ck_assert_str_eq(json_text_at(node, "", "spec", "taints", "#0", "key", NULL), TAINT_UNREGISTERED);
	ck_assert_str_eq(json_text_at(node, "", "spec", "taints", "#1", "key", NULL), "sku");
	ck_assert_str_eq(json_text_at(node, "", "status", "capacity", "nvidia.com/gpu", NULL), "1");
	ck_assert_ptr_null(json_at(node, "status", "conditions", NULL));
	end();
}
END_TEST

START_TEST(it_is_ready_when_asked_for)
{
	begin(true);
	launch();
	ck_assert_str_eq(json_text_at(fake_object(&KUBE_NODES, NULL, "ws1"), "", "status", "conditions", "#0", "status", NULL), "True");
	end();
}
END_TEST

START_TEST(somebody_elses_node_stays)
{
	begin(false);
	fake_put(&KUBE_NODES, meta_new(&KUBE_NODES, NULL, "ws1"));
	launch();
	ck_assert_int_eq(launched.step, STEP_FAILED);
	ck_assert_str_eq(launched.reason, "NodeNameConflict");
	ck_assert_int_eq(cloud->ops->terminate(cloud, &v, &terminated, &err), 0);
	ck_assert_int_eq(terminated.step, STEP_DONE);
	ck_assert_uint_eq(fake_count(&KUBE_NODES), 1);
	end();
}
END_TEST

static size_t n_seen;
static void see(void *context, const struct instance *i)
{
	n_seen++;
	if (context)
		ck_assert_int_eq(cloud->ops->reap(cloud, i, &err), 0);
	ck_assert_str_eq(i->claim, "ws1");
	ck_assert_str_eq(i->claim_uid, "uid-1");
}

START_TEST(it_is_listed_and_goes_with_its_claim)
{
	begin(false);
	launch();
	fake_put(&KUBE_NODES, meta_new(&KUBE_NODES, NULL, "other"));
	ck_assert_int_eq(cloud->ops->list(cloud, 0, see, NULL, &err), 0);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_int_eq(cloud->ops->get(cloud, "kwok://ws1", see, NULL, &err), 0);
	ck_assert_int_eq(cloud->ops->get(cloud, "kwok://ws2", see, NULL, &err), 1);
	ck_assert_int_eq(cloud->ops->get(cloud, "", see, NULL, &err), 1);
	ck_assert_int_eq(cloud->ops->terminate(cloud, &v, &terminated, &err), 0);
	ck_assert_int_eq(terminated.step, STEP_DONE);
	ck_assert_ptr_null(fake_object(&KUBE_NODES, NULL, "ws1"));
	launch();
	ck_assert_int_eq(cloud->ops->list(cloud, 0, see, &n_seen, &err), 0); /* and is reaped */
	ck_assert_ptr_null(fake_object(&KUBE_NODES, NULL, "ws1"));
	ck_assert_ptr_nonnull(fake_object(&KUBE_NODES, NULL, "other"));
	end();
}
END_TEST

START_TEST(explain_shows_the_node)
{
	begin(false);
	CLEANUP(buf_done) struct buf out = {0};
	ck_assert_int_eq(cloud->ops->explain(cloud, &v, &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(out.data, "\"providerID\": \"kwok://ws1\""));
	ck_assert_uint_eq(fake_count(&KUBE_NODES), 0);
	end();
}
END_TEST

int main(void)
{
	CHECK_RUN("kwok", 20, a_claim_gets_one_node, it_is_ready_when_asked_for, somebody_elses_node_stays, it_is_listed_and_goes_with_its_claim, explain_shows_the_node);
}
