/* N Workspaces of one template: as upstream was recorded to make them, never more than wanted, changed one at a time. */
#include "check_main.h"

#include "codec/json.h"
#include "control/inference_set.h"
#include "crd/workspace_view.h"
#include "world.h"
#include <stdio.h>

static struct world w;
static json_t *set; /* live in the fake's store */

static json_t *golden(void)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(json_parse_file(&out, source_path("tests/golden/control/inference_set.json"), &err) == 0, "%s", err.message);
	return out;
}

static void open_with(int replicas)
{
	world_open(&w);
	struct err err = ERR_INIT;
	char text[1024];
	snprintf(text, sizeof text,
		 "{\"apiVersion\":\"kaito.sh/v1beta1\",\"kind\":\"InferenceSet\",\"metadata\":{\"name\":\"s\",\"namespace\":\"ns\"},\"spec\":{\"replicas\":%d,"
		 "\"labelSelector\":{\"matchLabels\":{\"apps\":\"s\"}},\"template\":{\"metadata\":{\"labels\":{\"team\":\"x\"}},\"resource\":{\"instanceType\":"
		 "\"Standard_NC24ads_A100_v4\"},\"inference\":{\"preset\":{\"name\":\"phi-4-mini-instruct\",\"accessMode\":\"public\"}}}}}", replicas);
	ck_assert_int_eq(json_parse(&set, str_of(text), "set", &err), 0);
	fake_put(&KUBE_INFERENCE_SETS, set);
}

static void pass(void) { world_settle(&w, &INFERENCE_SET_CONTROLLER, "s"); }
static json_t *child(size_t n) { return fake_nth(&KUBE_WORKSPACES, n); }
static void scale(int replicas) { json_object_set_new(json_object_get(set, "spec"), "replicas", json_integer(replicas)); }

/* What the Workspace controller would do: finalizer, hash, success. */
static void bring_up(json_t *workspace)
{
	struct workspace_view view;
	char hash[65];
	workspace_view_read(&view, workspace, &w.options);
	workspace_hash(&view, hash);
	meta_set_annotation(workspace, ANNOTATION_HASH, hash);
	json_object_set_new(json_object_get(workspace, "metadata"), "finalizers", json_pack("[s]", FINALIZER_WORKSPACE));
	fake_set_condition(workspace, "WorkspaceSucceeded", "True", "workspaceSucceeded", "workspace succeeds");
	json_object_set_new(world_condition(workspace, "WorkspaceSucceeded"), "observedGeneration", json_integer(meta_generation(workspace)));
}

static void bring_all_up(void)
{
	for (size_t i = 0; i < fake_count(&KUBE_WORKSPACES); i++)
		bring_up(child(i));
}

/* Deleted Workspaces whose finalizer their controller takes away. */
static void reap(void)
{
	for (size_t i = fake_count(&KUBE_WORKSPACES); i-- > 0;)
		if (meta_deleting(child(i)))
			fake_remove(&KUBE_WORKSPACES, "ns", meta_name(child(i)));
}

static size_t count_of(const char *needle)
{
	size_t n = 0;
	for (const char *at = fake_log(); (at = strstr(at, needle)); at++)
		n++;
	return n;
}

START_TEST(children_equal_the_recorded_ones)
{
	world_open(&w);
	CLEANUP(json_decrefp) json_t *g = golden(), *made = NULL, *wanted = json_deep_copy(json_object_get(g, "child"));
	struct inference_set_pass p;
	json_t *stored = json_deep_copy(json_object_get(g, "stored"));
	fake_put(&KUBE_INFERENCE_SETS, stored);
	ck_assert(inference_set_read(&p, &w.c, meta_namespace(stored), meta_name(stored)));
	made = inference_set_child_new(p.object, p.spec, "iset-xxxxx");
	json_object_del(json_object_get(made, "metadata"), "name"); /* ours is fixed; generateName stays, as clients read it */
	json_object_del(wanted, "status");
	CLEANUP(buf_done) struct buf a = {0}, b = {0};
	json_print(made, JSON_PRINT_SORTED, &a);
	json_print(wanted, JSON_PRINT_SORTED, &b);
	ck_assert_str_eq(a.data, b.data);
	inference_set_done(&p);
	world_close(&w);
}
END_TEST

START_TEST(hashes_of_children_equal_the_recorded_ones)
{
	world_open(&w);
	CLEANUP(json_decrefp) json_t *g = golden();
	json_t *stored = json_deep_copy(json_object_get(g, "stored"));
	const char *ns = meta_namespace(stored), *name = meta_name(stored);
	fake_put(&KUBE_INFERENCE_SETS, stored);
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(INFERENCE_SET_CONTROLLER.reconcile(&w.c, ns, name, &out, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(count_of("create controllerrevisions"), 0); /* the hash is the recorded one: no new revision */
	struct workspace_view view;
	char hash[65];
	workspace_view_read(&view, child(0), &w.options);
	workspace_hash(&view, hash);
	ck_assert_str_eq(hash, meta_annotation(json_object_get(g, "child_ready"), ANNOTATION_HASH));
	world_close(&w);
}
END_TEST

START_TEST(a_new_set_gets_its_children_and_its_status)
{
	open_with(2);
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	ck_assert_uint_eq(count_of("create controllerrevisions s-"), 1);
	ck_assert_uint_eq(count_of("patch inferencesets s\n"), 1); /* finalizer and annotations in one */
	ck_assert_uint_eq(count_of("patch inferencesets/status s\n"), 1);
	ck_assert(meta_has_finalizer(set, FINALIZER_SET));
	ck_assert_str_eq(meta_annotation(set, "inferenceset.kaito.io/revision"), "1");
	ck_assert_condition(set, "InferenceSetReady", "False", "inferencesetNotReady", "inferenceset is not ready, 0/2 replicas are ready");
	ck_assert_condition(set, "BenchmarkCompleted", "False", "BenchmarkPending", "0/2 replicas benchmarked");
	ck_assert_int_eq(json_int_at(set, 0, "status", "replicas", NULL), 2);
	ck_assert_str_eq(json_text_at(set, "", "status", "selector", NULL), "inferenceset.kaito.sh/created-by=s");
	ck_assert_str_eq(meta_label(child(0), "team"), "x");
	ck_assert_int_eq(strncmp(meta_name(child(0)), "s-", 2), 0);
	ck_assert_uint_eq(strlen(meta_name(child(0))), 7);
	ck_assert_str_ne(meta_name(child(0)), meta_name(child(1)));
	world_close(&w);
}
END_TEST

START_TEST(the_status_adds_up_what_the_children_reach)
{
	open_with(2);
	pass();
	CLEANUP(json_decrefp) json_t *g = golden();
	for (size_t i = 0; i < 2; i++) {
		bring_up(child(i));
		json_object_set_new(json_object_get(child(i), "status"), "performance", json_deep_copy(json_at(g, "child_ready", "status", "performance", NULL)));
		fake_set_condition(child(i), "BenchmarkCompleted", "True", "BenchmarkCompleted", "");
	}
	pass();
	ck_assert_condition(set, "InferenceSetReady", "True", "inferencesetReady", "inferenceset is ready");
	ck_assert_condition(set, "BenchmarkCompleted", "True", "BenchmarkCompleted", "2/2 replicas benchmarked");
	ck_assert(json_equal(json_at(set, "status", "performance", NULL), json_at(g, "stored", "status", "performance", NULL)));
	ck_assert_int_eq(json_int_at(set, 0, "status", "readyReplicas", NULL), 2);
	fake_log_clear();
	pass();
	ck_assert_str_eq(fake_log(), ""); /* nothing changed, nothing is written */
	world_close(&w);
}
END_TEST

START_TEST(scaling_takes_the_least_useful_and_keeps_the_ready)
{
	open_with(3);
	pass();
	bring_up(child(1));
	CLEANUP(mem_freep) char *kept = mem_strdup(meta_name(child(1)));
	scale(1);
	pass();
	reap();
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 1);
	ck_assert_str_eq(meta_name(child(0)), kept);
	ck_assert_condition(set, "InferenceSetReady", "True", "inferencesetReady", "inferenceset is ready");
	scale(0);
	pass();
	reap();
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 0);
	ck_assert_condition(set, "InferenceSetReady", "True", "inferencesetReady", "inferenceset is ready");
	ck_assert_ptr_null(json_at(set, "status", "replicas", NULL));
	world_close(&w);
}
END_TEST

START_TEST(a_stale_cache_makes_no_child_twice_and_deletes_none_too_many)
{
	open_with(2);
	fake_freeze(true);
	struct outcome out = {0};
	struct err err = ERR_INIT;
	for (int i = 0; i < 3; i++) { /* as one process that is restarted with a cache that saw only the set */
		fake_freeze(false);
		fake_freeze(true);
		ck_assert_msg(INFERENCE_SET_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err) == 0 || err.kind == ERR_CONFLICT, "%s", err.message);
		ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	}
	fake_freeze(false);
	bring_all_up();
	scale(1);
	fake_freeze(true); /* the deletion is not seen to be under way */
	for (int i = 0; i < 3; i++)
		ck_assert_msg(INFERENCE_SET_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err) == 0 || err.kind == ERR_CONFLICT, "%s", err.message);
	size_t going = 0;
	for (size_t i = 0; i < 2; i++)
		going += meta_deleting(child(i));
	ck_assert_uint_eq(going, 1);
	world_close(&w);
}
END_TEST

START_TEST(a_stale_list_makes_no_child_twice)
{
	open_with(2);
	pass();
	json_t *kept[2] = {json_deep_copy(child(0)), json_deep_copy(child(1))};
	for (size_t i = 0; i < 2; i++)
		fake_remove(&KUBE_WORKSPACES, "ns", meta_name(kept[i]));
	fake_freeze(true); /* a new process whose cache does not know the children */
	for (size_t i = 0; i < 2; i++)
		fake_put(&KUBE_WORKSPACES, kept[i]);
	fake_stale_lists("workspaces");
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_msg(INFERENCE_SET_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	ck_assert_uint_eq(count_of("WorkspaceCreated"), 2); /* those of the first process */
	world_close(&w);
}
END_TEST

START_TEST(a_child_that_somebody_deletes_is_replaced)
{
	open_with(1);
	pass();
	bring_all_up();
	CLEANUP(mem_freep) char *first = mem_strdup(meta_name(child(0)));
	struct err err = ERR_INIT;
	ck_assert_int_eq(kube_delete(w.c.op.kube, &KUBE_WORKSPACES, "ns", first, NULL, &err), 0);
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 1); /* it has its nodes until it is gone */
	reap();
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 1);
	ck_assert(!meta_deleting(child(0)));
	world_close(&w);
}
END_TEST

START_TEST(the_node_limit_stops_growth_and_says_so)
{
	open_with(3);
	json_object_set_new(json_object_get(set, "spec"), "nodeCountLimit", json_integer(4));
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 1); /* one, to find out how many nodes a replica takes */
	json_object_set_new(child(0), "status", json_pack("{s:i}", "targetNodeCount", 2));
	bring_all_up();
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	ck_assert_condition(set, "InferenceSetReady", "False", "inferencesetNotReady", "inferenceset is not ready, 1/3 replicas are ready; nodeCountLimit 4 allows 2 of them");
	json_object_set_new(json_object_get(set, "spec"), "nodeCountLimit", json_integer(1));
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2); /* what runs stays */
	world_close(&w);
}
END_TEST

START_TEST(labels_of_the_template_reach_the_children_at_once)
{
	open_with(2);
	pass();
	bring_all_up();
	meta_set_label(child(0), "mine", "stays");
	json_object_set_new(json_at(set, "spec", "template", "metadata", "labels", NULL), "tier", json_string("gold"));
	pass();
	ck_assert_str_eq(meta_label(child(0), "tier"), "gold");
	ck_assert_str_eq(meta_label(child(1), "tier"), "gold");
	ck_assert_str_eq(meta_label(child(0), "mine"), "stays");
	world_close(&w);
}
END_TEST

START_TEST(a_changed_configuration_is_rolled_out_one_by_one)
{
	open_with(3);
	pass();
	bring_all_up();
	pass();
	json_object_set_new(json_at(set, "spec", "template", "inference", NULL), "config", json_string("tuned"));
	for (size_t done = 1; done <= 3; done++) {
		pass();
		size_t changed = 0;
		for (size_t i = 0; i < 3; i++)
			changed += strcmp(json_text_at(child(i), "", "inference", "config", NULL), "tuned") == 0;
		ck_assert_uint_eq(changed, done); /* the next one waits until this one is up again */
		bring_all_up();
	}
	json_object_del(json_at(set, "spec", "template", "inference", NULL), "config");
	pass();
	ck_assert_ptr_null(json_at(child(0), "inference", "config", NULL)); /* removed members are removed */
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 3);
	world_close(&w);
}
END_TEST

START_TEST(a_rollout_waits_for_the_pods_of_the_last_change)
{
	open_with(2);
	pass();
	bring_all_up();
	pass();
	json_object_set_new(json_at(set, "spec", "template", "inference", NULL), "config", json_string("tuned"));
	pass();
	bring_all_up();
	json_t *workload = meta_new(&KUBE_STATEFULSETS, "ns", meta_name(child(0)));
	meta_own(workload, &KUBE_WORKSPACES, child(0));
	json_object_set_new(workload, "spec", json_pack("{s:i}", "replicas", 1));
	json_object_set_new(workload, "status", json_pack("{s:i,s:i,s:i}", "observedGeneration", 1, "readyReplicas", 1, "updatedReplicas", 0));
	fake_put(&KUBE_STATEFULSETS, workload); /* the old pod is still ready */
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_int_eq(INFERENCE_SET_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err), 0);
	ck_assert_int_gt(out.requeue_ms, 0);
	size_t changed = 0;
	for (size_t i = 0; i < 2; i++)
		changed += json_at(child(i), "inference", "config", NULL) != NULL;
	ck_assert_uint_eq(changed, 1);
	json_object_set_new(json_object_get(workload, "status"), "updatedReplicas", json_integer(1));
	pass();
	ck_assert_ptr_nonnull(json_at(child(0), "inference", "config", NULL));
	ck_assert_ptr_nonnull(json_at(child(1), "inference", "config", NULL));
	world_close(&w);
}
END_TEST

START_TEST(what_a_workspace_cannot_change_replaces_it)
{
	open_with(2);
	pass();
	bring_all_up();
	pass();
	json_object_set_new(json_at(set, "spec", "template", "inference", "preset", NULL), "name", json_string("phi-4"));
	pass();
	size_t going = 0;
	for (size_t i = 0; i < fake_count(&KUBE_WORKSPACES); i++)
		going += meta_deleting(child(i));
	ck_assert_uint_eq(going, 1);
	for (int round = 0; round < 3; round++) {
		reap();
		pass();
		bring_all_up();
		pass();
	}
	reap();
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_str_eq(json_text_at(child(i), "", "inference", "preset", "name", NULL), "phi-4");
	world_close(&w);
}
END_TEST

START_TEST(on_delete_and_edits_by_hand_are_respected)
{
	open_with(2);
	json_object_set_new(json_object_get(set, "spec"), "updateStrategy", json_pack("{s:s}", "type", "OnDelete"));
	pass();
	bring_all_up();
	json_object_set_new(json_at(set, "spec", "template", "inference", NULL), "config", json_string("tuned"));
	pass();
	ck_assert_ptr_null(json_at(child(0), "inference", "config", NULL));
	json_object_del(json_object_get(set, "spec"), "updateStrategy");
	json_object_set_new(json_object_get(child(0), "inference"), "config", json_string("by-hand"));
	bring_all_up();
	pass();
	bring_all_up();
	pass();
	ck_assert_str_eq(json_text_at(child(0), "", "inference", "config", NULL), "by-hand");
	ck_assert_str_eq(json_text_at(child(1), "", "inference", "config", NULL), "tuned");
	world_close(&w);
}
END_TEST

START_TEST(deletion_waits_for_the_children)
{
	open_with(2);
	pass();
	bring_all_up();
	pass();
	struct err err = ERR_INIT;
	ck_assert_int_eq(kube_delete(w.c.op.kube, &KUBE_INFERENCE_SETS, "ns", "s", NULL, &err), 0);
	pass();
	ck_assert_condition(set, "InferenceSetDeleting", "True", "inferencesetDeleted", "inferenceset is being deleted");
	ck_assert(meta_deleting(child(0)) && meta_deleting(child(1)));
	ck_assert_uint_eq(fake_count(&KUBE_INFERENCE_SETS), 1);
	reap();
	pass();
	ck_assert_uint_eq(fake_count(&KUBE_INFERENCE_SETS) + fake_count(&KUBE_WORKSPACES), 0);
	world_close(&w);
}
END_TEST

START_TEST(an_error_is_told_in_the_status)
{
	open_with(1);
	fake_forbid("workspaces");
	struct outcome out = {0};
	struct err err = ERR_INIT;
	ck_assert_int_lt(INFERENCE_SET_CONTROLLER.reconcile(&w.c, "ns", "s", &out, &err), 0);
	const json_t *c = world_condition(set, "InferenceSetReady");
	ck_assert_str_eq(json_text_at(c, "", "reason", NULL), "inferencesetFailed");
	ck_assert_ptr_nonnull(strstr(json_text_at(c, "", "message", NULL), "exceeded quota"));
	world_close(&w);
}
END_TEST

START_TEST(the_pool_behind_a_gateway_is_told_and_not_waited_for)
{
	open_with(1);
	w.options.gates[GATE_GATEWAY_API] = true;
	fake_no_crd("ocirepositories");
	pass();
	const json_t *c = world_condition(set, "InferencePoolReady");
	ck_assert_str_eq(json_text_at(c, "", "reason", NULL), "CRDNotInstalled");
	ck_assert_uint_eq(fake_count(&KUBE_WORKSPACES), 1);
	fake_no_crd(NULL);
	pass();
	json_t *repository = fake_object(&KUBE_OCI_REPOSITORIES, "ns", "s-inferencepool");
	ck_assert_str_eq(json_text_at(repository, "", "spec", "ref", "tag", NULL), "v0.9.0");
	fake_set_condition(repository, "Ready", "True", "Succeeded", "");
	pass();
	json_t *release = fake_object(&KUBE_HELM_RELEASES, "ns", "s-inferencepool");
	const json_t *labels = json_at(release, "spec", "values", "router", "modelServers", "matchLabels", NULL);
	ck_assert_str_eq(json_text_at(labels, "", "inferenceset.kaito.sh/created-by", NULL), "s");
	ck_assert_str_eq(json_text_at(labels, "", "apps.kubernetes.io/pod-index", NULL), "0");
	fake_set_condition(release, "Ready", "True", "Succeeded", "");
	json_object_set_new(json_at(release, "spec", "values", "router", "epp", "image", NULL), "tag", json_string("v0.0.1"));
	pass();
	ck_assert_condition(set, "InferencePoolReady", "True", "InferencePoolReady", "InferencePool is ready");
	ck_assert_str_eq(json_text_at(release, "", "spec", "values", "router", "epp", "image", "tag", NULL), "v0.9.0");
	world_close(&w);
}
END_TEST

int main(void)
{
	CHECK_RUN("inference set", 20, children_equal_the_recorded_ones, hashes_of_children_equal_the_recorded_ones, a_new_set_gets_its_children_and_its_status,
		  the_status_adds_up_what_the_children_reach, scaling_takes_the_least_useful_and_keeps_the_ready,
		  a_stale_cache_makes_no_child_twice_and_deletes_none_too_many, a_stale_list_makes_no_child_twice, a_child_that_somebody_deletes_is_replaced, the_node_limit_stops_growth_and_says_so,
		  labels_of_the_template_reach_the_children_at_once, a_changed_configuration_is_rolled_out_one_by_one,
		  a_rollout_waits_for_the_pods_of_the_last_change, what_a_workspace_cannot_change_replaces_it,
		  on_delete_and_edits_by_hand_are_respected, deletion_waits_for_the_children, an_error_is_told_in_the_status,
		  the_pool_behind_a_gateway_is_told_and_not_waited_for);
}
