/* figures.c: see figures.h. Object counts are taken when they are asked for; nothing is kept for them between scrapes. */
#include "control/figures.h"

#include "base/map.h"
#include "base/mem.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct metric_row ROWS[FIGURE_COUNT] = {
	[FIGURE_WORKSPACES] = {"kaito_workspace_count", "Workspaces by phase.", METRIC_GAUGE, NULL, 0},
	[FIGURE_PRESETS] = {"kaito_workspace_preset_count", "Workspaces by preset.", METRIC_GAUGE, NULL, 0},
	[FIGURE_PVC_BYTES] = {"kaito_workspace_pvc_allocated_bytes", "Bytes that a Workspace's volume claim asks for.", METRIC_GAUGE, NULL, 0},
	[FIGURE_PVC_COUNT] = {"kaito_workspace_pvc_count", "Volume claims of a Workspace.", METRIC_GAUGE, NULL, 0},
	[FIGURE_SETS] = {"kaito_inferenceset_count", "InferenceSets by phase.", METRIC_GAUGE, NULL, 0},
	OPERATOR_METRIC_ROWS,
	[FIGURE_BUILD] = {"kaito_build_info", "Always 1; the version is a label.", METRIC_GAUGE, NULL, 0},
};

struct metrics *figures_new(const char *version)
{
	struct metrics *m = metrics_new(ROWS, FIGURE_COUNT, NULL);
	struct buf labels = {0};
	metrics_label(&labels, "version", version);
	metrics_set(m, FIGURE_BUILD, labels.data, 1);
	buf_done(&labels);
	return m;
}

/* --- objects ------------------------------------------------------------------------------------------------- */

enum { PHASES = 4 };
static const char *const PHASE_NAMES[PHASES] = {"succeeded", "error", "pending", "deleting"};
struct tally { size_t phases[PHASES]; struct map presets; const char *ready_type; };

/* A Workspace that is merely not ready yet is pending; error is a workload that failed. */
static size_t phase_of(const json_t *object, const char *ready_type)
{
	const json_t *conditions = json_at(object, "status", "conditions", NULL);
	if (meta_deleting(object))
		return 3;
	if (condition_is(conditions, ready_type, "True"))
		return 0;
	const char *reason = json_text_at(condition_find(conditions, ready_type), "", "reason", NULL);
	return strcmp(reason, "workspaceFailed") == 0 || strcmp(reason, "inferencesetFailed") == 0 ? 1 : 2;
}

static void count_one(void *context, const json_t *object)
{
	struct tally *t = context;
	t->phases[phase_of(object, t->ready_type)]++;
	const char *preset = json_text_at(object, json_text_at(object, "", "tuning", "preset", "name", NULL), "inference", "preset", "name", NULL);
	char lower[128];
	size_t n = 0;
	for (; preset[n] && n + 1 < sizeof lower; n++)
		lower[n] = (char)tolower((unsigned char)preset[n]);
	lower[n] = 0;
	if (n)
		map_put(&t->presets, str_of(lower), (void *)((uintptr_t)map_get(&t->presets, str_of(lower)) + 1));
}

static void set_phases(struct metrics *m, enum figure row, const struct tally *t)
{
	for (size_t i = 0; i < PHASES; i++) {
		char labels[64];
		snprintf(labels, sizeof labels, "phase=\"%s\"", PHASE_NAMES[i]);
		metrics_set(m, row, labels, (double)t->phases[i]);
	}
}

static void set_presets(struct metrics *m, const struct map *presets)
{
	struct map_entry entry;
	metrics_clear(m, FIGURE_PRESETS);
	for (size_t i = 0; map_next(presets, &i, &entry);) {
		struct buf labels = {0};
		CLEANUP(mem_freep) char *name = mem_strndup(entry.key.data, entry.key.len);
		metrics_label(&labels, "preset_name", name);
		metrics_set(m, FIGURE_PRESETS, labels.data, (double)(uintptr_t)entry.value);
		buf_done(&labels);
	}
}

void figures_objects(struct control *c)
{
	struct tally t = {.ready_type = "WorkspaceSucceeded"};
	informer_each(c->op.caches[CACHE_WORKSPACES], count_one, &t);
	set_phases(c->op.metrics, FIGURE_WORKSPACES, &t);
	set_presets(c->op.metrics, &t.presets);
	map_done(&t.presets);
	if (!c->op.caches[CACHE_INFERENCE_SETS])
		return;
	struct tally sets = {.ready_type = "InferenceSetReady"};
	informer_each(c->op.caches[CACHE_INFERENCE_SETS], count_one, &sets);
	set_phases(c->op.metrics, FIGURE_SETS, &sets);
	map_done(&sets.presets);
}

static int read_volumes(void *world, struct err *err)
{
	struct control *c = world;
	CLEANUP(json_decrefp) json_t *claims = NULL;
	if (informer_count(c->op.caches[CACHE_STATEFULSETS]) == 0)
		return 0;
	if (kube_list_array(c->op.kube, &KUBE_PVCS, NULL, LABEL_WORKSPACE, &claims, err) < 0)
		return -1;
	struct map counts = {0};
	metrics_clear(c->op.metrics, FIGURE_PVC_BYTES);
	metrics_clear(c->op.metrics, FIGURE_PVC_COUNT);
	size_t i;
	json_t *claim;
	json_array_foreach(claims, i, claim) {
		double bytes = 0;
		struct err ignored = ERR_INIT;
		struct buf labels = {0};
		metrics_label(&labels, "workspace_name", meta_label(claim, LABEL_WORKSPACE));
		metrics_label(&labels, "workspace_namespace", meta_namespace(claim));
		map_put(&counts, buf_str(&labels), (void *)((uintptr_t)map_get(&counts, buf_str(&labels)) + 1));
		metrics_label(&labels, "pvc_name", meta_name(claim));
		if (quantity_parse(json_text_at(claim, "0", "spec", "resources", "requests", "storage", NULL), &bytes, &ignored) == 0)
			metrics_set(c->op.metrics, FIGURE_PVC_BYTES, labels.data, bytes);
		buf_done(&labels);
	}
	struct map_entry entry;
	for (size_t n = 0; map_next(&counts, &n, &entry);) {
		CLEANUP(mem_freep) char *labels = mem_strndup(entry.key.data, entry.key.len);
		metrics_set(c->op.metrics, FIGURE_PVC_COUNT, labels, (double)(uintptr_t)entry.value);
	}
	map_done(&counts);
	return 0;
}

static int64_t volumes_period_ms(const void *world)
{
	(void)world;
	return 60000;
}

const struct operator_controller VOLUME_FIGURES = {.name = "volume-figures", .tick = read_volumes, .period_ms = volumes_period_ms};
