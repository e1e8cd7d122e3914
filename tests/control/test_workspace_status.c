/* Tests the status of a Workspace as a function of what a pass found. */
#include "check_main.h"

#include "base/mem.h"
#include "control/workspace_pass.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

struct world {
	struct control_options options;
	struct provisioner provisioner;
	struct control control;
	struct workspace_pass pass;
};

static void world_init(struct world *t, const char *workspace)
{
	*t = (struct world){.options = control_options_default()};
	t->provisioner.provisions = true;
	t->control = (struct control){.options = &t->options, .provisioner = &t->provisioner};
	json_error_t error;
	t->pass.c = &t->control;
	t->pass.object = json_loads(workspace, 0, &error);
	ck_assert_msg(t->pass.object != NULL, "%s", error.text);
	workspace_view_read(&t->pass.w, t->pass.object, &t->options);
	t->pass.plan.nodes = 1;
}

static void world_done(struct world *t)
{
	node_report_done(&t->pass.found.report);
	json_decref(t->pass.found.performance);
	json_decref(t->pass.object);
}

static const char INFERENCE[] = "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\",\"generation\":3},\"resource\":{\"instanceType\":\"Standard_NC24ads_A100_v4\"},"
				"\"inference\":{\"preset\":{\"name\":\"phi-4-mini-instruct\"}}}";
static const char TUNING[] = "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\",\"generation\":1},\"resource\":{},"
			     "\"tuning\":{\"preset\":{\"name\":\"phi-3-mini-128k-instruct\"},\"method\":\"qlora\",\"input\":{},\"output\":{}}}";
static const char SERVED[] = "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\",\"generation\":1},\"resource\":{},"
			     "\"tuning\":{\"afterSuccess\":\"Serve\",\"preset\":{\"name\":\"phi-3-mini-128k-instruct\"},\"method\":\"qlora\",\"input\":{},\"output\":{}}}";

static void nodes_are_ready(struct world *t)
{
	t->pass.found.nodes_known = true;
	t->pass.found.report = (struct node_report){
		.ready = true,
		.nodes = {true, "NodesReady", "Enough Nodes are ready"},
		.claims = {true, "NodeClaimsReady", "Enough NodeClaims are ready"},
		.worker_nodes = json_pack("[s,s]", "a", "b"),
	};
}

/* "True reason" of a condition, compared at once. */
static void expect(const json_t *status, const char *type, const char *state, const char *reason, const char *message_part)
{
	const json_t *c = condition_find(json_object_get(status, "conditions"), type);
	ck_assert_msg(c != NULL, "%s is missing", type);
	ck_assert_str_eq(json_text_at(c, "", "status", NULL), state);
	ck_assert_str_eq(json_text_at(c, "", "reason", NULL), reason);
	const char *message = json_text_at(c, "", "message", NULL);
	ck_assert_msg(strstr(message, message_part) != NULL, "%s: '%s' has no '%s'", type, message, message_part);
}

START_TEST(a_new_workspace_waits_for_nodes)
{
	struct world t;
	world_init(&t, INFERENCE);
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "NodesReady", "False", "NodeNotReady", "Not enough Nodes are ready");
	expect(s, "NodeClaimReady", "False", "NodeClaimNotReady", "Ready NodeClaims are not enough");
	expect(s, "ResourceReady", "False", "NodeClaimNotReady", "Ready NodeClaims are not enough");
	expect(s, "InferenceReady", "False", "WorkspaceInferenceStatusPending", "Inference workload is not ready");
	expect(s, "WorkspaceSucceeded", "False", "workspacePending", "waiting for inference workload readiness");
	expect(s, "WorkspaceReady", "False", "workspacePending", "waiting");
	ck_assert_str_eq(json_text_at(s, "", "state", NULL), "Pending");
	ck_assert_int_eq(json_int_at(s, 0, "targetNodeCount", NULL), 1);
	ck_assert_int_eq(json_int_at(s, 0, "conditions", "#0", "observedGeneration", NULL), 3);
	ck_assert_ptr_null(json_object_get(s, "workerNodes"));
	world_done(&t);
}
END_TEST

START_TEST(an_error_is_told_only_where_something_does_not_hold)
{
	struct world t;
	world_init(&t, INFERENCE);
	nodes_are_ready(&t);
	(void)err_set(&t.pass.error, ERR_INVALID, "no such thing");
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "InferenceReady", "False", "WorkspaceInferenceStatusPending", "(last reconcile error: no such thing)");
	expect(s, "ResourceReady", "True", "workspaceResourceStatusSuccess", "workspace resource is ready");
	ck_assert_ptr_null(strstr(json_text_at(condition_find(json_object_get(s, "conditions"), "ResourceReady"), "", "message", NULL), "error"));
	world_done(&t);
}
END_TEST

START_TEST(a_ready_workload_with_nodes_makes_the_workspace_ready)
{
	struct world t;
	world_init(&t, INFERENCE);
	nodes_are_ready(&t);
	t.pass.found.workload_ready = true;
	t.pass.found.performance = json_pack("{s:s}", "value", "1");
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "InferenceReady", "True", "WorkspaceInferenceStatusSuccess", "Inference has been deployed successfully");
	expect(s, "WorkspaceSucceeded", "True", "workspaceSucceeded", "workspace succeeds");
	expect(s, "BenchmarkCompleted", "True", "BenchmarkCompleted", "recorded");
	ck_assert_str_eq(json_text_at(s, "", "state", NULL), "Ready");
	ck_assert_uint_eq(json_array_size(json_object_get(s, "workerNodes")), 2);
	ck_assert_str_eq(json_text_at(s, "", "performance", "metrics", "peakTokensPerMinute", "value", NULL), "1");
	world_done(&t);
}
END_TEST

START_TEST(a_workspace_that_was_ready_becomes_not_ready)
{
	struct world t;
	world_init(&t, "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\",\"generation\":1},\"inference\":{\"preset\":{\"name\":\"phi-4\"}},"
		       "\"status\":{\"state\":\"Ready\",\"conditions\":[]}}");
	nodes_are_ready(&t);
	snprintf(t.pass.found.failure.reason, sizeof t.pass.found.failure.reason, "ContainerOOMKilled");
	snprintf(t.pass.found.failure.message, sizeof t.pass.found.failure.message, "pod w-0: out of memory");
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "InferenceReady", "False", "ContainerOOMKilled", "out of memory");
	ck_assert_str_eq(json_text_at(s, "", "state", NULL), "NotReady");
	world_done(&t);
}
END_TEST

START_TEST(a_failed_attempt_of_a_running_job_is_told_and_not_final)
{
	struct world t;
	world_init(&t, TUNING);
	nodes_are_ready(&t);
	t.pass.found.job_started = true;
	t.pass.found.job_failures = 1;
	snprintf(t.pass.found.failure.message, sizeof t.pass.found.failure.message, "row 7 has no content");
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "JobStarted", "True", "WorkspaceTuningJobStatusStarted", "Tuning job has started");
	expect(s, "WorkspaceSucceeded", "False", "workspacePending", "after 1 failed attempt: row 7 has no content");
	ck_assert_str_eq(json_text_at(s, "", "state", NULL), "Running");
	t.pass.found.job_failed = true;
	CLEANUP(json_decrefp) json_t *failed = workspace_status_new(&t.pass);
	expect(failed, "JobStarted", "False", "WorkspaceTuningJobStatusFailed", "tuning job failed");
	expect(failed, "WorkspaceSucceeded", "False", "workspaceFailed", "tuning job failed: row 7 has no content");
	ck_assert_str_eq(json_text_at(failed, "", "state", NULL), "Failed");
	world_done(&t);
}
END_TEST

START_TEST(serving_after_success_has_its_own_readiness)
{
	struct world t;
	world_init(&t, SERVED);
	nodes_are_ready(&t);
	CLEANUP(json_decrefp) json_t *first = workspace_status_new(&t.pass);
	expect(first, "InferenceReady", "False", "WorkspaceInferenceStatusPending", "when tuning has succeeded");
	t.pass.found.job_started = t.pass.found.job_succeeded = true;
	CLEANUP(json_decrefp) json_t *waiting = workspace_status_new(&t.pass);
	expect(waiting, "WorkspaceSucceeded", "True", "workspaceSucceeded", "workspace succeeds");
	expect(waiting, "WorkspaceReady", "False", "workspacePending", "waiting for the endpoint");
	expect(waiting, "InferenceReady", "False", "WorkspaceInferenceStatusPending", "not ready");
	t.pass.found.workload_ready = true;
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "InferenceReady", "True", "WorkspaceInferenceStatusSuccess", "deployed");
	expect(s, "WorkspaceReady", "True", "workspaceSucceeded", "the tuned model is served");
	world_done(&t);
}
END_TEST

START_TEST(released_nodes_are_told)
{
	struct world t;
	world_init(&t, TUNING);
	t.pass.found.released = t.pass.found.job_succeeded = t.pass.found.job_started = true;
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	expect(s, "NodesReady", "False", "NodesReleased", "given back");
	expect(s, "ResourceReady", "False", "NodesReleased", "given back");
	expect(s, "WorkspaceSucceeded", "True", "workspaceSucceeded", "workspace succeeds");
	world_done(&t);
}
END_TEST

START_TEST(own_nodes_have_no_claim_condition)
{
	struct world t;
	world_init(&t, INFERENCE);
	t.provisioner.provisions = false;
	CLEANUP(json_decrefp) json_t *s = workspace_status_new(&t.pass);
	ck_assert_ptr_null(condition_find(json_object_get(s, "conditions"), "NodeClaimReady"));
	expect(s, "ResourceReady", "False", "NodeNotReady", "Not enough Nodes are ready");
	world_done(&t);
}
END_TEST

START_TEST(a_changed_specification_takes_its_decisions_along)
{
	struct world t;
	static const char HEAD[] = "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\",\"generation\":2},";
	static const char STATUS[] = ",\"status\":{\"targetNodeCount\":2,\"state\":\"Succeeded\",\"conditions\":["
				     "{\"type\":\"WorkspaceSucceeded\",\"status\":\"True\",\"reason\":\"workspaceSucceeded\"},"
				     "{\"type\":\"ResourceReady\",\"status\":\"True\",\"reason\":\"r\"}]}}";
	CLEANUP(mem_freep) char *tuning = mem_printf("%s\"tuning\":{\"preset\":{\"name\":\"phi-4\"}}%s", HEAD, STATUS);
	CLEANUP(mem_freep) char *inference = mem_printf("%s\"inference\":{\"preset\":{\"name\":\"phi-4\"}}%s", HEAD, STATUS);
	world_init(&t, tuning);
	CLEANUP(json_decrefp) json_t *s = workspace_status_without_decisions(&t.pass);
	expect(s, "WorkspaceSucceeded", "False", "workspacePending", "the specification changed");
	expect(s, "WorkspaceReady", "False", "workspacePending", "the specification changed");
	expect(s, "ResourceReady", "True", "r", "");
	ck_assert_ptr_null(json_object_get(s, "targetNodeCount"));
	ck_assert_int_eq(json_int_at(t.pass.w.status, 0, "targetNodeCount", NULL), 2);
	world_done(&t);
	world_init(&t, inference); /* an endpoint goes on answering: only the number of nodes is in question */
	CLEANUP(json_decrefp) json_t *i = workspace_status_without_decisions(&t.pass);
	expect(i, "WorkspaceSucceeded", "True", "workspaceSucceeded", "");
	ck_assert_ptr_null(json_object_get(i, "targetNodeCount"));
	world_done(&t);
	world_init(&t, TUNING);
	ck_assert_ptr_null(workspace_status_without_decisions(&t.pass));
	world_done(&t);
}
END_TEST

START_TEST(a_new_base_image_takes_the_old_figures_along)
{
	struct world t;
	world_init(&t, "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\"},\"inference\":{\"preset\":{\"name\":\"phi-4\"}},\"status\":{\"state\":\"Ready\","
		       "\"performance\":{\"metrics\":{}},\"conditions\":[{\"type\":\"BenchmarkCompleted\",\"status\":\"True\"},{\"type\":\"InferenceReady\",\"status\":\"True\"}]}}");
	CLEANUP(json_decrefp) json_t *s = workspace_status_without_benchmark(&t.pass);
	ck_assert_ptr_null(json_object_get(s, "performance"));
	ck_assert_ptr_null(condition_find(json_object_get(s, "conditions"), "BenchmarkCompleted"));
	ck_assert_ptr_nonnull(condition_find(json_object_get(s, "conditions"), "InferenceReady"));
	ck_assert_ptr_nonnull(json_at(t.pass.w.status, "performance", NULL));
	world_done(&t);
}
END_TEST

START_TEST(the_same_findings_give_the_same_status)
{
	struct world t;
	world_init(&t, INFERENCE);
	nodes_are_ready(&t);
	CLEANUP(json_decrefp) json_t *first = workspace_status_new(&t.pass);
	json_object_set(t.pass.object, "status", first);
	workspace_view_read(&t.pass.w, t.pass.object, &t.options);
	CLEANUP(json_decrefp) json_t *second = workspace_status_new(&t.pass);
	ck_assert_int_eq(json_equal(first, second), 1);
	world_done(&t);
}
END_TEST

int main(void)
{
	CHECK_RUN("workspace status", 20, a_new_workspace_waits_for_nodes, an_error_is_told_only_where_something_does_not_hold,
		  a_ready_workload_with_nodes_makes_the_workspace_ready, a_workspace_that_was_ready_becomes_not_ready,
		  a_failed_attempt_of_a_running_job_is_told_and_not_final, serving_after_success_has_its_own_readiness, released_nodes_are_told,
		  own_nodes_have_no_claim_condition, a_changed_specification_takes_its_decisions_along, a_new_base_image_takes_the_old_figures_along, the_same_findings_give_the_same_status);
}
