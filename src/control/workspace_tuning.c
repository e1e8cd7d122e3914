/* workspace_tuning.c: the Job of a tuning Workspace, and what comes after success: an endpoint (Serve), free nodes (Release) or nothing
 * (Keep). */
#include "control/workspace_pass.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "workload/tuning_workload.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const int64_t JOB_GOES_MS = 1000;

/* "qlora-params-template"; the method as admission compares it, in lower case. */
static void template_name(const char *method, char *out, size_t size)
{
	size_t n = 0;
	for (; method[n] && n + 1 < size; n++)
		out[n] = (char)tolower((unsigned char)method[n]);
	snprintf(out + n, size - n, "-params-template");
}

/* The chart's template, or the built-in one where the chart's is gone. */
static int template_source(struct workspace_pass *p, const char *name, json_t **out, struct err *err)
{
	struct err why = ERR_INIT;
	if (kube_get(p->c->op.kube, &KUBE_CONFIGMAPS, p->c->options->release_namespace, name, out, &why) == 0)
		return 0;
	if (why.kind != ERR_NOT_FOUND && why.kind != ERR_DENIED)
		return err_set(err, why.kind, "get ConfigMap %s: %s", name, why.message);
	char method[64];
	snprintf(method, sizeof method, "%.*s", (int)strcspn(name, "-"), name);
	const char *text = tuning_config_default(method);
	if (!text)
		return err_set(err, ERR_INVALID, "tuning method '%s' has no configuration; use lora or qlora", p->w.method);
	*out = json_pack("{s:{s:s}}", "data", "training_config.yaml", text);
	return 0;
}

/* p->config: the named ConfigMap, or the method's template in the Workspace's namespace, copied there when missing. */
static int config_map(struct workspace_pass *p, struct err *err)
{
	if (p->config)
		return 0;
	if (p->w.config[0])
		return err_set(err, ERR_INVALID, "%s", p->found.failure.message);
	char name[96];
	template_name(p->w.method, name, sizeof name);
	struct err why = ERR_INIT;
	if (kube_get(p->c->op.kube, &KUBE_CONFIGMAPS, p->w.namespace_, name, &p->config, &why) == 0)
		return 0;
	if (why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "get ConfigMap %s: %s", name, why.message);
	CLEANUP(json_decrefp) json_t *source = NULL;
	if (template_source(p, name, &source, err) < 0)
		return -1;
	p->config = tuning_config_copy(&p->plan, source);
	if (kube_create(p->c->op.kube, &KUBE_CONFIGMAPS, p->config, NULL, &why) < 0 && why.kind != ERR_EXISTS)
		return err_set(err, why.kind, "create ConfigMap %s: %s", name, why.message);
	return 0;
}

static bool condition_true(const json_t *object, const char *type)
{
	return condition_is(json_at(object, "status", "conditions", NULL), type, "True");
}

static void read_job(struct findings *f, const json_t *job)
{
	f->workload_exists = true;
	f->job_failures = (int)json_int_at(job, 0, "status", "failed", NULL);
	f->job_succeeded = condition_true(job, "Complete") || json_int_at(job, 0, "status", "succeeded", NULL) > 0;
	f->job_failed = condition_true(job, "Failed");
	/* Not the counts of active pods: they are zero for a moment before the Job is complete. */
	f->job_started = f->job_succeeded || f->job_failed || f->job_failures > 0 || json_at(job, "status", "startTime", NULL);
}

/* On a GPU the old endpoint must give the device to the new training; on a CPU both run. */
static int pause_serving(struct workspace_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *s = informer_get(p->c->op.caches[CACHE_STATEFULSETS], p->w.namespace_, p->w.name), *stored = NULL;
	if (!s || p->plan.runtime == RUNTIME_NATIVE || json_int_at(s, 1, "spec", "replicas", NULL) == 0)
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:i}}", "spec", "replicas", 0);
	if (kube_patch(p->c->op.kube, &KUBE_STATEFULSETS, p->w.namespace_, p->w.name, NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "pause StatefulSet %s", p->w.name);
	informer_learn(p->c->op.caches[CACHE_STATEFULSETS], stored);
	event_emit(p->c->op.events, p->object, "Normal", "ServingPaused", "Paused the endpoint while the new specification is tuned on the same GPU");
	return 0;
}

static int create_job(struct workspace_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *job = NULL;
	if (config_map(p, err) < 0 || tuning_job(&p->plan, p->config, &job, err) < 0 || pause_serving(p, err) < 0)
		return -1;
	return workspace_create(p, &KUBE_JOBS, CACHE_JOBS, job, err);
}

static int replace_job(struct workspace_pass *p, const json_t *job, struct err *err)
{
	p->requeue_ms = JOB_GOES_MS;
	if (meta_deleting(job))
		return 0;
	struct kube_delete_options o = {.uid = meta_uid(job), .propagation = "Foreground", .grace_s = -1};
	struct err why = ERR_INIT;
	if (kube_delete(p->c->op.kube, &KUBE_JOBS, p->w.namespace_, p->w.name, &o, &why) < 0 && why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "delete Job %s: %s", p->w.name, why.message);
	event_emit(p->c->op.events, p->object, "Normal", "TuningRestarted", "The specification changed to revision %s: tuning again", p->plan.revision);
	return 0;
}

/* A finished tuning whose Job somebody cleaned up is not run again. */
static bool finished_before(const struct workspace_pass *p)
{
	return condition_true(p->object, "WorkspaceSucceeded");
}

static int job_step(struct workspace_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *job = informer_get(p->c->op.caches[CACHE_JOBS], p->w.namespace_, p->w.name);
	if (!job && finished_before(p)) {
		p->found.job_started = p->found.job_succeeded = true;
		return 0;
	}
	if (!job)
		return create_job(p, err);
	const char *revision = meta_annotation(job, ANNOTATION_REVISION);
	if (!revision || strcmp(revision, p->plan.revision) != 0)
		return replace_job(p, job, err);
	read_job(&p->found, job);
	if (p->found.job_succeeded)
		return 0;
	workspace_find_failure(p);
	return 0;
}

static int update_serving(struct workspace_pass *p, json_t *current, const json_t *wanted, struct err *err)
{
	const char *have = meta_annotation(current, ANNOTATION_REVISION);
	if (have && strcmp(have, p->plan.revision) == 0)
		return 0;
	CLEANUP(json_decrefp) json_t *next = json_deep_copy(current), *stored = NULL;
	meta_set_annotation(next, ANNOTATION_REVISION, p->plan.revision);
	json_t *spec = json_at(next, "spec", NULL);
	json_object_set(spec, "template", json_at(wanted, "spec", "template", NULL));
	json_object_set(spec, "replicas", json_at(wanted, "spec", "replicas", NULL));
	if (kube_update(p->c->op.kube, &KUBE_STATEFULSETS, NULL, next, &stored, err) < 0)
		return err_wrap(err, "update StatefulSet %s", p->w.name);
	informer_learn(p->c->op.caches[CACHE_STATEFULSETS], stored);
	p->wrote = true;
	return 0;
}

static int serve_step(struct workspace_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *service = informer_get(p->c->op.caches[CACHE_SERVICES], p->w.namespace_, p->w.name);
	CLEANUP(json_decrefp) json_t *current = informer_get(p->c->op.caches[CACHE_STATEFULSETS], p->w.namespace_, p->w.name);
	CLEANUP(json_decrefp) json_t *wanted_service = NULL, *wanted = NULL;
	if (!p->found.job_succeeded) {
		p->found.workload_ready = false;
		return 0;
	}
	if (config_map(p, err) < 0)
		return -1;
	if (!service && (tuned_service(&p->plan, &wanted_service, err) < 0 || workspace_create(p, &KUBE_SERVICES, CACHE_SERVICES, wanted_service, err) < 0))
		return -1;
	if (tuned_statefulset(&p->plan, p->config, &wanted, err) < 0)
		return -1;
	if (!current)
		return workspace_create(p, &KUBE_STATEFULSETS, CACHE_STATEFULSETS, wanted, err);
	if (update_serving(p, current, wanted, err) < 0)
		return -1;
	int64_t replicas = json_int_at(current, 1, "spec", "replicas", NULL);
	p->found.workload_ready = !p->wrote && replicas > 0 && json_int_at(current, 0, "status", "readyReplicas", NULL) == replicas &&
				  json_int_at(current, 0, "status", "observedGeneration", NULL) >= meta_generation(current);
	if (p->found.workload_ready)
		return 0;
	workspace_find_failure(p);
	return 0;
}

bool workspace_tuning_release(struct workspace_pass *p)
{
	return p->w.tuning && p->w.after_success == AFTER_RELEASE && p->c->provisioner->provisions && finished_before(p);
}

/* Gives the nodes back once. 0: done, or done before. */
int workspace_tuning_release_step(struct workspace_pass *p, struct err *err)
{
	const json_t *nodes = condition_find(json_at(p->w.status, "conditions", NULL), "NodesReady");
	p->found.released = true;
	p->found.job_started = p->found.job_succeeded = true;
	if (strcmp(json_text_at(nodes, "", "reason", NULL), "NodesReleased") == 0)
		return 0;
	int left = workspace_release_nodes(p, err);
	if (left < 0)
		return -1;
	if (left > 0)
		p->requeue_ms = JOB_GOES_MS;
	event_emit(p->c->op.events, p->object, "Normal", "NodesReleased", "Tuning succeeded: the nodes are given back");
	return 0;
}

int workspace_tuning_step(struct workspace_pass *p, struct err *err)
{
	if (job_step(p, err) < 0)
		return -1;
	return p->w.after_success == AFTER_SERVE ? serve_step(p, err) : 0;
}
