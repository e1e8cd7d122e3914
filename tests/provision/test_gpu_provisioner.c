/* One claim per node: asked for once whatever happens, replaced when gone, explained while missing, given back completely. */
#include "check_main.h"

#include "provision/identity.h"
#include "provision_test.h"

static const struct provisioner *way;
static struct scene s;
static struct node_report report;

static void setup(const char *name)
{
	way = provisioner_find(name);
	ck_assert_ptr_nonnull(way);
	scene_open(&s);
}

static void teardown(void)
{
	node_report_done(&report);
	report = (struct node_report){0};
	scene_close(&s);
}

static void slot_name(int slot, int attempt, char out[IDENTITY_NAME]) { identity_claim_name(&s.r, slot, attempt, out); }

START_TEST(a_workspace_gets_its_node_and_is_told_each_step)
{
	setup("gpu-provisioner");
	ensure_ok(&s, &report);
	ck_assert(!report.ready && !report.nodes.true_ && !report.claims.true_);
	ck_assert_str_eq(report.nodes.reason, "NodeNotReady");
	ck_assert_str_eq(report.nodes.message, "Not enough Nodes are ready");
	ck_assert_str_eq(report.claims.reason, "NodeClaimNotReady");
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1);
	char name[IDENTITY_NAME], wanted[256];
	slot_name(0, 0, name);
	snprintf(wanted, sizeof wanted, "create nodeclaims %s\nevent Normal NodeClaimCreated ws: Successfully created NodeClaim %s for workspace ns/ws\n", name, name);
	ck_assert_str_eq(fake_log(), wanted);

	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert_str_eq(fake_log(), ""); /* a second pass writes nothing */

	scene_claim_ready(fake_nth(&KUBE_NODE_CLAIMS, 0));
	json_t *node = scene_node(&s, "n1", "kaito", "0");
	ensure_ok(&s, &report);
	ck_assert(!report.ready && report.claims.true_ && !report.nodes.true_);
	ck_assert_str_eq(report.nodes.reason, "NodePluginsNotReady");
	ck_assert_str_eq(report.nodes.message, "waiting all node plugins to be ready");
	ck_assert_str_eq(meta_label(node, "accelerator"), "nvidia");
	ck_assert_str_eq(fake_log(), "patch nodes n1\n");

	json_object_set_new(json_at(node, "status", "capacity", NULL), "nvidia.com/gpu", json_string("1"));
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert(report.ready && report.requeue_ms == 0);
	ck_assert_str_eq(report.nodes.message, "Enough Nodes are ready");
	ck_assert_str_eq(report.claims.message, "Enough NodeClaims are ready");
	ck_assert_str_eq(json_text_at(report.worker_nodes, "", "#0", NULL), "n1");
	ck_assert_str_eq(meta_name(report.first_node), "n1");
	ck_assert_str_eq(fake_log(), "");
	teardown();
}
END_TEST

START_TEST(a_stale_cache_never_asks_twice)
{
	setup("azure-gpu-provisioner");
	s.r.count = 3;
	fake_freeze(true); /* the cache stays empty but for what is learnt */
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 3);
	fake_freeze(false);
	fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(fake_nth(&KUBE_NODE_CLAIMS, 1)));
	fake_freeze(true); /* as after a restart that listed too early */
	ensure_ok(&s, &report);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 3);
	teardown();
}
END_TEST

START_TEST(a_restart_with_an_empty_cache_finds_its_claims)
{
	setup("azure-gpu-provisioner");
	s.r.count = 3;
	fake_freeze(true);
	ensure_ok(&s, &report);
	informer_free(s.c.claims);
	s.c.claims = informer_new(fake_client(), &(struct informer_options){.resource = &KUBE_NODE_CLAIMS, .transform = claim_transform, .index = claim_index});
	json_t *kept[3];
	for (size_t i = 0; i < 3; i++)
		kept[i] = json_deep_copy(fake_nth(&KUBE_NODE_CLAIMS, i));
	for (size_t i = 0; i < 3; i++)
		fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(kept[i]));
	fake_freeze(true); /* the new informer saw nothing */
	for (size_t i = 0; i < 3; i++)
		fake_put(&KUBE_NODE_CLAIMS, kept[i]);
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 3);
	ck_assert_ptr_null(strstr(fake_log(), "event")); /* tried, told that they exist, nothing announced */
	int before = fake_requests();
	ensure_ok(&s, &report); /* and learnt */
	ck_assert_int_eq(fake_requests(), before);
	teardown();
}
END_TEST

START_TEST(a_name_that_another_holds_is_passed_over)
{
	setup("azure-gpu-provisioner");
	char name[IDENTITY_NAME], next[IDENTITY_NAME];
	slot_name(0, 0, name);
	slot_name(0, 1, next);
	json_t *foreign = meta_new(&KUBE_NODE_CLAIMS, NULL, name);
	meta_set_label(foreign, "kaito.sh/workspace", "other");
	meta_set_label(foreign, "kaito.sh/workspacenamespace", "ns");
	fake_put(&KUBE_NODE_CLAIMS, foreign);
	ensure_ok(&s, &report);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 2);
	ck_assert_ptr_nonnull(fake_object(&KUBE_NODE_CLAIMS, NULL, next));
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1); /* the other's stays */
	teardown();
}
END_TEST

START_TEST(a_deleted_claim_is_replaced_once_it_is_gone)
{
	setup("azure-gpu-provisioner");
	ensure_ok(&s, &report);
	json_t *claim = fake_nth(&KUBE_NODE_CLAIMS, 0);
	char name[IDENTITY_NAME];
	slot_name(0, 0, name);
	scene_claim_ready(claim);
	scene_node(&s, "n1", "kaito", "1");
	json_object_set_new(json_object_get(claim, "metadata"), "finalizers", json_pack("[s]", "karpenter.sh/termination"));
	struct err err = ERR_INIT;
	ck_assert_int_eq(kube_delete(s.c.kube, &KUBE_NODE_CLAIMS, NULL, name, NULL, &err), 0);
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert(!report.ready && report.nodes.true_ && !report.claims.true_);
	ck_assert_str_eq(report.claims.message, "Ready NodeClaims are not enough");
	ck_assert_str_eq(fake_log(), "");
	fake_remove(&KUBE_NODE_CLAIMS, NULL, name);
	fake_remove(&KUBE_NODES, NULL, "n1");
	ensure_ok(&s, &report);
	ck_assert(!report.nodes.true_);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1);
	ck_assert(!meta_deleting(fake_nth(&KUBE_NODE_CLAIMS, 0)));
	teardown();
}
END_TEST

START_TEST(a_successor_of_the_same_name_does_not_wait_for_the_nodes_of_the_first)
{
	setup("azure-gpu-provisioner");
	ensure_ok(&s, &report);
	json_t *claim = fake_nth(&KUBE_NODE_CLAIMS, 0);
	json_object_set_new(json_object_get(claim, "metadata"), "finalizers", json_pack("[s]", "karpenter.sh/termination"));
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert(meta_deleting(claim));
	s.r.uid = "u-2";
	ensure_ok(&s, &report);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 2);
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1);
	teardown();
}
END_TEST

START_TEST(a_larger_target_adds_and_a_smaller_one_takes_nothing_away)
{
	setup("azure-gpu-provisioner");
	ensure_ok(&s, &report);
	s.r.count = 4;
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 4);
	s.r.count = 2;
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 4);
	teardown();
}
END_TEST

START_TEST(claims_of_the_former_controller_count)
{
	setup("azure-gpu-provisioner");
	s.r.count = 2;
	json_t *old = meta_new(&KUBE_NODE_CLAIMS, NULL, "ws012345678");
	meta_set_label(old, "kaito.sh/workspace", "ws");
	meta_set_label(old, "kaito.sh/workspacenamespace", "ns");
	fake_put(&KUBE_NODE_CLAIMS, old);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 2);
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 0);
	teardown();
}
END_TEST

START_TEST(own_nodes_save_a_claim_only_where_pods_can_land)
{
	setup("azure-gpu-provisioner");
	json_t *unlabelled = scene_node(&s, "own", NULL, "1");
	json_object_del(json_at(unlabelled, "metadata", "labels", NULL), "kaito.sh/workspace");
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1); /* its labels match, the pods' affinity does not */
	fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(fake_nth(&KUBE_NODE_CLAIMS, 0)));
	meta_set_label(unlabelled, "kaito.sh/workspace", "ws");
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 0);
	ck_assert(report.ready && report.claims.true_);
	ck_assert_str_eq(fake_log(), ""); /* an own node's labels are its owner's */
	json_t *taints = json_pack("[{s:s,s:s,s:s},{s:s,s:s}]", "key", "sku", "value", "gpu", "effect", "NoSchedule", "key", "nvidia.com/gpu", "effect", "NoSchedule");
	json_object_set_new(unlabelled, "spec", json_pack("{s:o}", "taints", taints));
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 0); /* the pods tolerate these */
	json_array_append_new(taints, json_pack("{s:s,s:s,s:s}", "key", "team", "value", "other", "effect", "NoSchedule"));
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 1);
	teardown();
}
END_TEST

START_TEST(the_spelling_of_an_instance_type_does_not_matter)
{
	setup("azure-gpu-provisioner");
	ensure_ok(&s, &report);
	scene_claim_ready(fake_nth(&KUBE_NODE_CLAIMS, 0));
	meta_set_label(scene_node(&s, "n1", "kaito", "1"), "node.kubernetes.io/instance-type", "STANDARD_nc24ads_a100_V4");
	ensure_ok(&s, &report);
	ck_assert(report.ready);
	meta_set_label(fake_nth(&KUBE_NODES, 0), "node.kubernetes.io/instance-type", "Standard_NC48ads_A100_v4");
	ensure_ok(&s, &report);
	ck_assert(!report.ready && !report.nodes.true_);
	teardown();
}
END_TEST

START_TEST(machines_without_gpus_wait_for_no_plugin)
{
	setup("azure-gpu-provisioner");
	s.r.gpu = false;
	ensure_ok(&s, &report);
	scene_claim_ready(fake_nth(&KUBE_NODE_CLAIMS, 0));
	scene_node(&s, "n1", "kaito", "0");
	fake_log_clear();
	ensure_ok(&s, &report);
	ck_assert(report.ready);
	ck_assert_str_eq(fake_log(), "");
	teardown();
}
END_TEST

START_TEST(pressure_is_told)
{
	setup("azure-gpu-provisioner");
	ensure_ok(&s, &report);
	scene_claim_ready(fake_nth(&KUBE_NODE_CLAIMS, 0));
	fake_set_condition(scene_node(&s, "n1", "kaito", "1"), "DiskPressure", "True", "KubeletHasDiskPressure", "");
	ensure_ok(&s, &report);
	ck_assert(report.ready);
	ck_assert_str_eq(report.nodes.message, "Enough Nodes are ready; warning: worker node(s) under resource pressure: n1 (DiskPressure)");
	teardown();
}
END_TEST

START_TEST(a_refused_claim_is_an_event_and_an_error)
{
	setup("azure-gpu-provisioner");
	s.r.count = 2;
	fake_forbid("nodeclaims");
	struct err err = ERR_INIT;
	ck_assert_int_lt(way->ensure(&s.c, &s.r, &report, &err), 0);
	ck_assert_int_eq(err.kind, ERR_DENIED);
	const char *first = strstr(fake_log(), "event Warning NodeClaimCreationFailed ws: Failed to create NodeClaim ws");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(strstr(first + 1, "NodeClaimCreationFailed")); /* the second was tried too */
	ck_assert_ptr_nonnull(strstr(first, "exceeded quota"));
	fake_forbid(NULL);
	ensure_ok(&s, &report);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 2);
	teardown();
}
END_TEST

START_TEST(release_deletes_what_the_cache_does_not_know_yet)
{
	setup("azure-gpu-provisioner");
	s.r.count = 2;
	ensure_ok(&s, &report);
	struct err err = ERR_INIT;
	json_t *kept[2] = {json_deep_copy(fake_nth(&KUBE_NODE_CLAIMS, 0)), json_deep_copy(fake_nth(&KUBE_NODE_CLAIMS, 1))};
	fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(kept[0]));
	fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(kept[1]));
	fake_freeze(true);
	fake_put(&KUBE_NODE_CLAIMS, kept[0]);
	fake_put(&KUBE_NODE_CLAIMS, kept[1]);
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 0);
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0); /* again: nothing to do */
	teardown();
}
END_TEST

/* Deleted before its first status was written: how many claims were made is not known. */
START_TEST(release_goes_on_past_the_number_that_is_known)
{
	setup("azure-gpu-provisioner");
	s.r.count = 3;
	ensure_ok(&s, &report);
	struct err err = ERR_INIT;
	json_t *kept[3];
	for (size_t i = 0; i < 3; i++)
		kept[i] = json_deep_copy(fake_nth(&KUBE_NODE_CLAIMS, i));
	for (size_t i = 0; i < 3; i++)
		fake_remove(&KUBE_NODE_CLAIMS, NULL, meta_name(kept[i]));
	fake_freeze(true);
	for (size_t i = 0; i < 3; i++)
		fake_put(&KUBE_NODE_CLAIMS, kept[i]);
	s.r.count = 1;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_uint_eq(fake_count(&KUBE_NODE_CLAIMS), 0);
	teardown();
}
END_TEST

START_TEST(release_is_one_request_per_claim)
{
	setup("azure-gpu-provisioner");
	s.r.count = 2;
	ensure_ok(&s, &report);
	for (size_t i = 0; i < 2; i++)
		json_object_set_new(json_object_get(fake_nth(&KUBE_NODE_CLAIMS, i), "metadata"), "finalizers", json_pack("[s]", "karpenter.sh/termination"));
	struct err err = ERR_INIT;
	int before = fake_requests();
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_int_eq(fake_requests() - before, 2);
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_int_eq(fake_requests() - before, 2); /* being deleted: nothing more */
	s.r.release = true;
	ensure_ok(&s, &report);
	ck_assert(report.ready);
	ck_assert_str_eq(report.nodes.reason, "NodesReleased");
	ck_assert_int_eq(fake_requests() - before, 2);
	teardown();
}
END_TEST

START_TEST(a_cluster_without_the_crd_is_told_and_lets_go)
{
	setup("azure-gpu-provisioner");
	fake_no_crd("nodeclaims");
	struct err err = ERR_INIT;
	ck_assert_int_lt(way->ensure(&s.c, &s.r, &report, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "nodeclaims.karpenter.sh"));
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	teardown();
}
END_TEST

START_TEST(pods_are_tied_to_the_workspace)
{
	setup("azure-gpu-provisioner");
	CLEANUP(json_decrefp) json_t *terms = way->terms(&s.c, &s.r);
	ck_assert_str_eq(json_text_at(terms, "", "#0", "key", NULL), "kaito.sh/workspace");
	ck_assert_str_eq(json_text_at(terms, "", "#0", "values", "#0", NULL), "ws");
	ck_assert_str_eq(json_text_at(terms, "", "#1", "key", NULL), "kaito.sh/workspacenamespace");
	ck_assert_str_eq(json_text_at(terms, "", "#1", "values", "#0", NULL), "ns");
	teardown();
}
END_TEST

START_TEST(own_nodes_are_counted_and_nothing_is_made)
{
	setup("byo");
	s.r.count = 2;
	s.r.gpu = true;
	s.r.instance_type = "whatever";
	meta_set_label(scene_node(&s, "b", NULL, "1"), "node.kubernetes.io/instance-type", "other");
	ensure_ok(&s, &report);
	ck_assert(!report.ready && report.requeue_ms == 0); /* a node's event wakes it */
	ck_assert_str_eq(report.nodes.message, "Not enough Nodes are ready");
	ck_assert_str_eq(report.claims.reason, ""); /* no such condition here */
	scene_node(&s, "a", NULL, "0");
	json_t *foreign = scene_node(&s, "c", NULL, "1");
	meta_set_label(foreign, "apps", "another");
	ensure_ok(&s, &report);
	ck_assert(report.ready && report.requeue_ms == 0);
	ck_assert_str_eq(json_text_at(report.worker_nodes, "", "#0", NULL), "a");
	ck_assert_str_eq(json_text_at(report.worker_nodes, "", "#1", NULL), "b");
	ck_assert_uint_eq(json_array_size(report.worker_nodes), 2);
	CLEANUP(json_decrefp) json_t *terms = way->terms(&s.c, &s.r);
	ck_assert_uint_eq(json_array_size(terms), 0);
	struct err err = ERR_INIT;
	ck_assert_int_eq(way->release(&s.c, &s.r, &err), 0);
	ck_assert_str_eq(fake_log(), "");
	ck_assert_ptr_null(provisioner_find("nobody"));
	teardown();
}
END_TEST

int main(void)
{
	CHECK_RUN("gpu provisioner", 20, a_workspace_gets_its_node_and_is_told_each_step, a_stale_cache_never_asks_twice, a_restart_with_an_empty_cache_finds_its_claims,
		  a_name_that_another_holds_is_passed_over, a_deleted_claim_is_replaced_once_it_is_gone,
		  a_successor_of_the_same_name_does_not_wait_for_the_nodes_of_the_first, a_larger_target_adds_and_a_smaller_one_takes_nothing_away,
		  claims_of_the_former_controller_count, own_nodes_save_a_claim_only_where_pods_can_land, the_spelling_of_an_instance_type_does_not_matter,
		  machines_without_gpus_wait_for_no_plugin, pressure_is_told, a_refused_claim_is_an_event_and_an_error,
		  release_deletes_what_the_cache_does_not_know_yet, release_goes_on_past_the_number_that_is_known, release_is_one_request_per_claim, a_cluster_without_the_crd_is_told_and_lets_go,
		  pods_are_tied_to_the_workspace, own_nodes_are_counted_and_nothing_is_made);
}
