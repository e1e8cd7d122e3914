/* workspace_inference.c: Services and StatefulSet of an inference Workspace, and the benchmark's figures. */
#include "control/workspace_pass.h"

#include "base/clock.h"
#include "base/mem.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "workload/benchmark_result.h"
#include "workload/inference_workload.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINES = 500, LOG_BYTES_MAX = 32 << 20 };
static const int64_t LOG_RETRY_MS = 3000, BENCHMARK_RETRY_MS = 60000, STORAGE_CLASS_MS = 60000;

static int service_step(struct workspace_pass *p, const char *name, int (*build)(const struct workload_plan *, json_t **, struct err *), bool updates, struct err *err)
{
	CLEANUP(json_decrefp) json_t *current = informer_get(p->c->op.caches[CACHE_SERVICES], p->w.namespace_, name), *wanted = NULL;
	if (!current) {
		if (build(&p->plan, &wanted, err) < 0)
			return -1;
		return workspace_create(p, &KUBE_SERVICES, CACHE_SERVICES, wanted, err);
	}
	if (!updates || inference_service_update(&p->plan, current, &wanted, err) < 0)
		return updates ? -1 : 0;
	if (!wanted)
		return 0;
	CLEANUP(json_decrefp) json_t *stored = NULL;
	if (kube_patch(p->c->op.kube, &KUBE_SERVICES, p->w.namespace_, name, NULL, KUBE_PATCH_MERGE, wanted, &stored, err) < 0)
		return err_wrap(err, "patch Service %s", name);
	informer_learn(p->c->op.caches[CACHE_SERVICES], stored);
	event_emit(p->c->op.events, p->object, "Normal", "ServiceUpdated", "Updated Service %s", name);
	return 0;
}

/* Before 0.8 a single-node workload was a Deployment of the same name: it goes, the StatefulSet comes. */
static int migrate_deployment(struct workspace_pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *old = NULL;
	struct err why = ERR_INIT;
	if (kube_get(p->c->op.kube, &KUBE_DEPLOYMENTS, p->w.namespace_, p->w.name, &old, &why) < 0)
		return why.kind == ERR_NOT_FOUND ? 0 : err_set(err, why.kind, "get Deployment %s: %s", p->w.name, why.message);
	if (!meta_controlled_by(old, p->w.uid))
		return 0;
	event_emit(p->c->op.events, p->object, "Warning", "WorkloadMigration",
		   "Migrating workload %s from Deployment to StatefulSet, this will cause a few minutes of downtime.", p->w.name);
	struct kube_delete_options o = {.uid = meta_uid(old), .propagation = "Foreground", .grace_s = -1};
	if (kube_delete(p->c->op.kube, &KUBE_DEPLOYMENTS, p->w.namespace_, p->w.name, &o, &why) < 0 && why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "delete Deployment %s: %s", p->w.name, why.message);
	return 0;
}

/* Whether the cluster has the class of local disks. It is asked for once a minute at most: many Workspaces ask at once. */
static int has_local_disks(struct control *c, bool *out, struct err *err)
{
	static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
	static int64_t known_until_ms;
	static bool known;
	struct err why = ERR_INIT;
	pthread_mutex_lock(&mu);
	int rc = 0;
	if (clock_now_ms() >= known_until_ms) {
		rc = kube_get(c->op.kube, &KUBE_STORAGE_CLASSES, NULL, STORAGE_CLASS_NVME, NULL, &why);
		known = rc == 0;
		rc = rc < 0 && why.kind != ERR_NOT_FOUND ? -1 : 0;
		known_until_ms = rc < 0 ? 0 : clock_now_ms() + STORAGE_CLASS_MS;
	}
	*out = known;
	pthread_mutex_unlock(&mu);
	return rc == 0 ? 0 : err_set(err, why.kind, "get StorageClass %s: %s", STORAGE_CLASS_NVME, why.message);
}

/* Decided when a StatefulSet is made; later its own claim templates tell. */
static int weights_volume(struct workspace_pass *p, const json_t *current, struct err *err)
{
	if (current) {
		p->plan.weights_volume = json_array_size(json_at(current, "spec", "volumeClaimTemplates", NULL)) > 0;
		return 0;
	}
	return p->plan.gpu.nvme ? has_local_disks(p->c, &p->plan.weights_volume, err) : 0;
}

static int update_statefulset(struct workspace_pass *p, const json_t *current, struct err *err)
{
	CLEANUP(json_decrefp) json_t *wanted = NULL, *stored = NULL;
	bool upgraded = false;
	if (inference_statefulset_update(&p->plan, current, &wanted, &upgraded, err) < 0)
		return -1;
	if (!wanted)
		return 0;
	if (upgraded && workspace_forget(p, workspace_status_without_benchmark(p), err) < 0)
		return -1;
	if (kube_update(p->c->op.kube, &KUBE_STATEFULSETS, NULL, wanted, &stored, err) < 0)
		return err_wrap(err, "update StatefulSet %s", p->w.name);
	informer_learn(p->c->op.caches[CACHE_STATEFULSETS], stored);
	p->wrote = true;
	event_emit(p->c->op.events, p->object, "Normal", "WorkloadUpdated", "Updated StatefulSet %s to revision %s", p->w.name, p->plan.revision);
	return 0;
}

/* All replicas answer, of the revision that was asked for: while an update rolls, the old pod is ready too. */
static bool statefulset_ready(const json_t *s)
{
	int64_t wanted = json_int_at(s, 1, "spec", "replicas", NULL);
	const char *updated = json_text_at(s, "", "status", "updateRevision", NULL), *current = json_text_at(s, updated, "status", "currentRevision", NULL);
	return json_int_at(s, 0, "status", "observedGeneration", NULL) >= meta_generation(s) && json_int_at(s, 0, "status", "readyReplicas", NULL) == wanted &&
	       strcmp(updated, current) == 0;
}

static bool has_benchmark(const json_t *s)
{
	const json_t *probe = json_at(s, "spec", "template", "spec", "containers", "#0", "startupProbe", "exec", "command", NULL);
	size_t i;
	json_t *word;
	json_array_foreach(probe, i, word)
		if (json_is_string(word) && strstr(json_string_value(word), "benchmark_entrypoint.py"))
			return true;
	return false;
}

/* Reads the figures once. A failure does not make a working model unready; it is told in BenchmarkCompleted and tried again. */
static void read_benchmark(struct workspace_pass *p)
{
	if (condition_is(json_at(p->w.status, "conditions", NULL), "BenchmarkCompleted", "True"))
		return;
	CLEANUP(mem_freep) char *path = mem_printf("/api/v1/namespaces/%s/pods/%s-0/log?container=%s&tailLines=%d", p->w.namespace_, p->w.name, p->w.name, LOG_LINES);
	struct buf log = {0};
	struct err why = ERR_INIT;
	bool read = kube_get_text(p->c->op.kube, path, LOG_BYTES_MAX, &log, &why) == 0;
	if (!read || benchmark_result_parse(buf_str(&log), "0.25.1", "", &p->found.performance, &why) < 0) {
		snprintf(p->found.benchmark_error, sizeof p->found.benchmark_error, "%s", why.message);
		p->requeue_ms = read ? BENCHMARK_RETRY_MS : LOG_RETRY_MS;
	}
	buf_done(&log);
}

int workspace_inference_step(struct workspace_pass *p, struct err *err)
{
	CLEANUP(mem_freep) char *headless = mem_printf("%s-headless", p->w.name);
	if (service_step(p, p->w.name, inference_service, true, err) < 0 || service_step(p, headless, inference_headless_service, false, err) < 0)
		return -1;
	CLEANUP(json_decrefp) json_t *current = informer_get(p->c->op.caches[CACHE_STATEFULSETS], p->w.namespace_, p->w.name), *wanted = NULL;
	if (weights_volume(p, current, err) < 0)
		return -1;
	p->found.workload_exists = true;
	if (!current) {
		if (migrate_deployment(p, err) < 0 || inference_statefulset(&p->plan, &wanted, err) < 0)
			return -1;
		return workspace_create(p, &KUBE_STATEFULSETS, CACHE_STATEFULSETS, wanted, err);
	}
	if (update_statefulset(p, current, err) < 0)
		return -1;
	p->found.workload_ready = statefulset_ready(current) && !p->wrote;
	p->found.benchmark_wanted = has_benchmark(current);
	if (p->found.workload_ready && p->found.benchmark_wanted)
		read_benchmark(p);
	if (p->found.workload_ready)
		return 0;
	workspace_find_failure(p);
	return 0;
}
