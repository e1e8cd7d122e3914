/* workspace_status.c: the status of a Workspace, computed from what the pass found (conditions of 3.8). Pure up to the one write at the
 * end, and that is left out when the stored status says the same.
 *
 * After a pass that wrote a workload the status waits for the next pass, a moment later: the workload's own events are on their
 * way, and one write then tells both. */
#include "control/workspace_pass.h"

#include "base/clock.h"
#include "base/mem.h"
#include "kube/object_write.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static const int64_t AFTER_WRITES_MS = 150;
enum { TEXT_MAX = 1024 };

struct draft { /* the conditions being built */
	struct workspace_pass *p;
	json_t *conditions;
	char now[32];
};

/* An error of this pass is told in every condition that does not hold. */
static void put(struct draft *d, const char *type, bool holds, const char *reason, const char *message)
{
	const struct err *e = &d->p->error;
	bool told = holds || e->kind == ERR_NONE || strstr(message, e->message);
	CLEANUP(mem_freep) char *text = told ? mem_strdup(message) : mem_printf("%s (last reconcile error: %s)", message, e->message);
	struct condition c = {type, holds ? "True" : "False", reason, text};
	condition_set(d->conditions, &c, d->p->w.generation, d->now);
}

static void put_node_condition(struct draft *d, const char *type, const struct node_condition *c)
{
	if (c->reason[0])
		put(d, type, c->true_, c->reason, c->message);
}

/* ResourceReady is true when both node conditions are, else it repeats the one that is not. */
static bool put_resource(struct draft *d)
{
	struct workspace_pass *p = d->p;
	struct node_condition nodes = {false, "NodeNotReady", "Not enough Nodes are ready"}, claims = {false, "NodeClaimNotReady", "Ready NodeClaims are not enough"};
	if (p->found.released)
		nodes = claims = (struct node_condition){false, "NodesReleased", "tuning succeeded, the nodes were given back"};
	else if (p->found.nodes_known) {
		nodes = p->found.report.nodes;
		claims = p->found.report.claims;
	}
	if (!p->c->provisioner->provisions)
		claims.reason[0] = 0;
	put_node_condition(d, "NodesReady", &nodes);
	put_node_condition(d, "NodeClaimReady", &claims);
	const struct node_condition *bad = claims.reason[0] && !claims.true_ ? &claims : !nodes.true_ ? &nodes : NULL;
	char text[TEXT_MAX];
	snprintf(text, sizeof text, "%s%s%s", bad ? bad->message : "workspace resource is ready", p->found.note[0] ? "; " : "", p->found.note);
	put(d, "ResourceReady", !bad, bad ? bad->reason : "workspaceResourceStatusSuccess", text);
	return !bad;
}

static bool put_inference(struct draft *d, bool resource)
{
	const struct findings *f = &d->p->found;
	if (f->workload_ready && resource)
		put(d, "InferenceReady", true, "WorkspaceInferenceStatusSuccess", "Inference has been deployed successfully");
	else if (f->failure.reason[0] && (!f->workload_ready || resource))
		put(d, "InferenceReady", false, f->failure.reason, f->failure.message);
	else
		put(d, "InferenceReady", false, "WorkspaceInferenceStatusPending", "Inference workload is not ready");
	return f->workload_ready && resource;
}

static void put_job(struct draft *d)
{
	const struct findings *f = &d->p->found;
	if (f->job_failed)
		put(d, "JobStarted", false, "WorkspaceTuningJobStatusFailed", "tuning job failed");
	else if (f->job_started)
		put(d, "JobStarted", true, "WorkspaceTuningJobStatusStarted", "Tuning job has started");
	else
		put(d, "JobStarted", false, "WorkspaceTuningJobStatusPending", "Tuning job has not started");
}

/* The sentence for a tuning that is not done, with what its pods say. */
static void tuning_message(const struct findings *f, char *out, size_t size)
{
	const char *why = f->failure.message, *joint = why[0] ? ": " : "";
	if (f->job_failed)
		snprintf(out, size, "tuning job failed%s%s", joint, why);
	else if (f->job_failures > 0)
		snprintf(out, size, "workspace has not completed yet, tuning job is running after %d failed attempt%s%s%s", f->job_failures,
			 f->job_failures == 1 ? "" : "s", joint, why);
	else if (f->job_started)
		snprintf(out, size, "workspace has not completed yet, tuning job is running%s%s", joint, why);
	else
		snprintf(out, size, "workspace is initializing, tuning job has not started%s%s", joint, why);
}

static void put_tuning(struct draft *d, bool resource)
{
	const struct findings *f = &d->p->found;
	char text[TEXT_MAX];
	put_job(d);
	bool serve = d->p->w.after_success == AFTER_SERVE;
	bool serving = serve && f->job_succeeded && put_inference(d, resource);
	if (serve && !f->job_succeeded)
		put(d, "InferenceReady", false, "WorkspaceInferenceStatusPending", "the endpoint comes when tuning has succeeded");
	if (f->job_succeeded) {
		put(d, "WorkspaceSucceeded", true, "workspaceSucceeded", "workspace succeeds");
		if (serve && !serving)
			put(d, "WorkspaceReady", false, "workspacePending", "tuning succeeded, waiting for the endpoint");
		else
			put(d, "WorkspaceReady", true, "workspaceSucceeded", serve ? "the tuned model is served" : "workspace succeeds");
		return;
	}
	tuning_message(f, text, sizeof text);
	const char *reason = f->job_failed ? "workspaceFailed" : "workspacePending";
	put(d, "WorkspaceSucceeded", false, reason, text);
	put(d, "WorkspaceReady", false, reason, text);
}

static void put_benchmark(struct draft *d)
{
	const struct findings *f = &d->p->found;
	if (f->performance)
		put(d, "BenchmarkCompleted", true, "BenchmarkCompleted", "benchmark result has been recorded");
	else if (f->benchmark_error[0])
		put(d, "BenchmarkCompleted", false, "BenchmarkFailed", f->benchmark_error);
}

static void put_all(struct draft *d)
{
	bool resource = put_resource(d);
	if (d->p->w.tuning) {
		put_tuning(d, resource);
		return;
	}
	bool ready = put_inference(d, resource);
	const char *reason = ready ? "workspaceSucceeded" : "workspacePending";
	const char *text = ready ? "workspace succeeds" : "workspace is waiting for inference workload readiness";
	put(d, "WorkspaceSucceeded", ready, reason, text);
	put(d, "WorkspaceReady", ready, reason, text);
	put_benchmark(d);
}

static const char *state_of(const struct workspace_pass *p, const json_t *conditions)
{
	const struct findings *f = &p->found;
	if (p->w.tuning)
		return f->job_succeeded ? "Succeeded" : f->job_failed ? "Failed" : f->job_started ? "Running" : "Pending";
	const char *before = json_text_at(p->w.status, "Pending", "state", NULL);
	if (condition_is(conditions, "WorkspaceSucceeded", "True"))
		return "Ready";
	return strcmp(before, "Pending") == 0 ? "Pending" : "NotReady";
}

json_t *workspace_status_new(struct workspace_pass *p)
{
	json_t *status = p->w.status ? json_deep_copy(p->w.status) : json_object();
	struct draft d = {.p = p};
	clock_rfc3339(clock_wall_s(), d.now);
	const json_t *old = json_object_get(status, "conditions");
	d.conditions = json_is_array(old) ? json_incref((json_t *)old) : json_array();
	put_all(&d);
	json_object_set_new(status, "conditions", d.conditions);
	json_object_set_new(status, "state", json_string(state_of(p, d.conditions)));
	if (p->plan.nodes > 0)
		json_object_set_new(status, "targetNodeCount", json_integer(p->plan.nodes));
	if (p->found.released || (p->found.nodes_known && json_array_size(p->found.report.worker_nodes) == 0))
		json_object_del(status, "workerNodes");
	else if (p->found.nodes_known)
		json_object_set(status, "workerNodes", p->found.report.worker_nodes);
	if (p->found.performance)
		json_object_set_new(status, "performance", json_pack("{s:{s:O}}", "metrics", "peakTokensPerMinute", p->found.performance));
	return status;
}

/* How many nodes there should be, and that a tuning has succeeded: what later passes go by. */
json_t *workspace_status_without_decisions(struct workspace_pass *p)
{
	static const char CHANGED[] = "the specification changed";
	bool succeeded = p->w.tuning && condition_is(json_at(p->w.status, "conditions", NULL), "WorkspaceSucceeded", "True");
	if (!succeeded && json_int_at(p->w.status, 0, "targetNodeCount", NULL) == 0)
		return NULL;
	json_t *status = json_deep_copy(p->w.status);
	json_object_del(status, "targetNodeCount");
	if (succeeded) {
		struct draft d = {.p = p, .conditions = json_object_get(status, "conditions")};
		clock_rfc3339(clock_wall_s(), d.now);
		put(&d, "WorkspaceSucceeded", false, "workspacePending", CHANGED);
		put(&d, "WorkspaceReady", false, "workspacePending", CHANGED);
	}
	return status;
}

json_t *workspace_status_without_benchmark(struct workspace_pass *p)
{
	json_t *status = object_status_copy(p->object), *conditions = json_object_get(status, "conditions");
	condition_remove(conditions, "BenchmarkCompleted");
	json_object_del(status, "performance");
	return status;
}

/* What `kubectl describe` tells as a story: the conditions that turned, as events. */
static void tell_events(struct workspace_pass *p, const json_t *old, const json_t *new)
{
	const char *resource = json_text_at(condition_find(old, "ResourceReady"), "", "message", NULL);
	if (p->found.note[0] && !strstr(resource, p->found.note))
		event_emit(p->c->op.events, p->object, "Warning", LEGACY_EVENT_REASON, "%s", p->found.note);
	static const char *const TOLD[] = {"ResourceReady", "JobStarted", "InferenceReady", "WorkspaceSucceeded"};
	enum { TOLD_SUCCEEDED = 3 };
	for (size_t i = 0; i < sizeof TOLD / sizeof TOLD[0]; i++) {
		const json_t *now = condition_find(new, TOLD[i]), *before = condition_find(old, TOLD[i]);
		const char *status = json_text_at(now, "", "status", NULL), *reason = json_text_at(now, "", "reason", NULL);
		bool holds = strcmp(status, "True") == 0, held = condition_is(old, TOLD[i], "True");
		if (i == TOLD_SUCCEEDED && !p->w.tuning)
			continue; /* InferenceReady has said it */
		bool other_reason = strcmp(reason, json_text_at(before, reason, "reason", NULL)) != 0;
		bool failure = !holds && p->found.failure.reason[0] && strcmp(reason, p->found.failure.reason) == 0 && (!before || other_reason);
		if (holds != held || failure)
			event_emit(p->c->op.events, p->object, holds ? "Normal" : "Warning", reason, "%s", json_text_at(now, "", "message", NULL));
	}
}

int workspace_write_status(struct workspace_pass *p, const json_t *status, json_t **stored, struct err *err)
{
	CLEANUP(json_decrefp) json_t *changed = object_difference(p->w.status, status);
	if (json_object_size(changed) == 0)
		return 1;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s},s:O}", "metadata", "resourceVersion", meta_version(p->object), "status", changed);
	if (kube_patch(p->c->op.kube, &KUBE_WORKSPACES, p->w.namespace_, p->w.name, "status", KUBE_PATCH_MERGE, body, stored, err) < 0)
		return err_wrap(err, "write status");
	workspace_wrote(p, *stored);
	return 0;
}

int workspace_status_step(struct workspace_pass *p, struct err *err)
{
	if (p->wrote) {
		p->requeue_ms = AFTER_WRITES_MS;
		return 1;
	}
	CLEANUP(json_decrefp) json_t *status = workspace_status_new(p), *stored = NULL;
	int rc = workspace_write_status(p, status, &stored, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	tell_events(p, json_at(p->object, "status", "conditions", NULL), json_object_get(status, "conditions"));
	return 0;
}
