/* golden.h: recorded objects of upstream's controller (tests/golden/workload/<case>.json): an array of {workspace, service, headless,
 * statefulset, gpu (of own nodes), changed and updated (an update)} and their comparison with ours. */
#pragma once
#include "catalog/model.h"
#include "catalog/sku.h"
#include "check_main.h"
#include "codec/json.h"
#include "kube/meta.h"
#include "workload/plan.h"
#include "workload/shell_word.h"
#include <string.h>

/* What an API server adds where a writer left it out; upstream's recorded bodies have it already. */
static const struct { const char *key, *value; } GOLDEN_DEFAULTS[] = {
	{"creationTimestamp", NULL}, {"dnsPolicy", "\"ClusterFirst\""}, {"internalTrafficPolicy", "\"Cluster\""},
	{"persistentVolumeClaimRetentionPolicy", "{\"whenDeleted\":\"Retain\",\"whenScaled\":\"Retain\"}"}, {"podManagementPolicy", "\"OrderedReady\""},
	{"imagePullPolicy", "\"IfNotPresent\""}, {"protocol", "\"TCP\""}, {"resources", "{}"}, {"restartPolicy", "\"Always\""},
	{"revisionHistoryLimit", "10"}, {"schedulerName", "\"default-scheduler\""}, {"securityContext", "{}"}, {"sessionAffinity", "\"None\""},
	{"status", NULL}, {"terminationGracePeriodSeconds", "30"}, {"terminationMessagePath", "\"/dev/termination-log\""},
	{"terminationMessagePolicy", "\"File\""}, {"updateStrategy", "{\"rollingUpdate\":{\"partition\":0},\"type\":\"RollingUpdate\"}"},
	{"volumeMode", "\"Filesystem\""},
};

static inline json_t *golden_json(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	ck_assert_ptr_nonnull(value);
	return value;
}

static inline bool golden_is_default(const char *key, const json_t *value)
{
	for (size_t i = 0; i < sizeof GOLDEN_DEFAULTS / sizeof GOLDEN_DEFAULTS[0]; i++) {
		if (strcmp(GOLDEN_DEFAULTS[i].key, key) != 0)
			continue;
		if (!GOLDEN_DEFAULTS[i].value)
			return true;
		json_t *wanted = golden_json(GOLDEN_DEFAULTS[i].value);
		bool same = json_equal(wanted, value);
		json_decref(wanted);
		return same;
	}
	return false;
}

static inline void golden_report(struct buf *out, const char *path, const json_t *ours, const json_t *theirs)
{
	buf_printf(out, "%s:\n  ours   ", path);
	json_print(ours, JSON_PRINT_SORTED, out);
	buf_puts(out, "\n  theirs ");
	json_print(theirs, JSON_PRINT_SORTED, out);
	buf_putc(out, '\n');
}

static inline bool golden_same_text(const char *ours, const char *theirs)
{
	if (strncmp(theirs, "<script, ", 9) == 0)
		return ours[0] != 0;
	return strcmp(ours, theirs) == 0 || (strstr(theirs, " --") && shell_words_equal(str_of(ours), str_of(theirs)));
}

static inline bool golden_same_scalar(const json_t *ours, const json_t *theirs)
{
	char number[32];
	if (json_is_integer(ours) && json_is_string(theirs)) { /* a quantity */
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(ours));
		return strcmp(number, json_string_value(theirs)) == 0;
	}
	if (json_is_string(ours) && json_is_string(theirs))
		return golden_same_text(json_string_value(ours), json_string_value(theirs));
	return json_equal(ours, theirs);
}

/* Appends every difference to out. */
static inline void golden_compare(const char *path, const json_t *ours, const json_t *theirs, struct buf *out)
{
	char below[512];
	const char *key;
	json_t *value;
	if (json_is_object(ours) && json_is_object(theirs)) {
		json_object_foreach((json_t *)ours, key, value) {
			snprintf(below, sizeof below, "%s.%s", path, key);
			golden_compare(below, value, json_object_get(theirs, key), out);
		}
		json_object_foreach((json_t *)theirs, key, value) {
			snprintf(below, sizeof below, "%s.%s", path, key);
			if (!json_object_get(ours, key) && !golden_is_default(key, value))
				golden_report(out, below, NULL, value);
		}
	} else if (json_is_array(ours) && json_is_array(theirs) && json_array_size(ours) == json_array_size(theirs)) {
		for (size_t i = 0; i < json_array_size(ours); i++) {
			snprintf(below, sizeof below, "%s[%zu]", path, i);
			golden_compare(below, json_array_get(ours, i), json_array_get(theirs, i), out);
		}
	} else if (json_is_object(theirs) || json_is_array(theirs) || !golden_same_scalar(ours, theirs)) {
		golden_report(out, path, ours, theirs);
	}
}

static inline void golden_assert(const char *name, const json_t *ours, const json_t *theirs)
{
	struct buf text = {0};
	golden_compare(name, ours, theirs, &text);
	if (text.len > 0)
		ck_abort_msg("%s", text.data);
	buf_done(&text);
}

/* A plan as the reconciler would fill it, and what it borrows. */
struct golden_plan { struct control_options options; struct workspace_view view; struct workload_plan plan; json_t *terms; };

static inline json_t *golden_term(const char *key, const char *value)
{
	return json_pack("{s:s, s:s, s:[s]}", "key", key, "operator", "In", "values", value);
}

static inline json_t *golden_terms(const char *name, const struct workspace_view *w)
{
	if (strncmp(name, "byo-", 4) == 0)
		return json_array();
	if (strncmp(name, "karpenter-", 10) == 0)
		return json_pack("[o, o]", golden_term("karpenter.kaito.sh/workspace-name", w->name),
				 golden_term("karpenter.kaito.sh/workspace-namespace", w->namespace_));
	return json_pack("[o, o]", golden_term("kaito.sh/workspace", w->name), golden_term("kaito.sh/workspacenamespace", w->namespace_));
}

static inline struct gpu_config golden_gpu(const struct workspace_view *w, const json_t *gpu)
{
	const struct sku *sku = sku_find("azure", w->instance_type);
	if (sku)
		return (struct gpu_config){sku->gpus, sku->gpu_gib, sku->gpu_model, sku->nvme, sku->compute_capability, false};
	int gpus = (int)json_int_at(gpu, 0, "gpus", NULL);
	return (struct gpu_config){gpus, (double)json_int_at(gpu, 0, "mib", NULL) * gpus / 1024, json_text_at(gpu, "", "model", NULL), false, 80, false};
}

/* name: the case; the workspace and gpu are borrowed for the plan's life. */
static inline void golden_fill(struct golden_plan *g, const char *name, const json_t *workspace, const json_t *gpu)
{
	*g = (struct golden_plan){.options = control_options_default()};
	workspace_view_read(&g->view, workspace, &g->options);
	g->terms = golden_terms(name, &g->view);
	struct workload_plan *p = &g->plan;
	*p = (struct workload_plan){.w = &g->view, .o = &g->options, .runtime = g->view.runtime, .gpu = golden_gpu(&g->view, gpu), .nodes = 1,
				    .config_hash = "", .node_terms = g->terms};
	p->revision = meta_annotation(workspace, "workspace.kaito.io/revision");
	p->revision = p->revision ? p->revision : "1";
	p->weights_volume = p->gpu.nvme;
	p->model = g->view.template_ ? NULL : catalog_model_find(g->view.preset);
	struct estimate estimate;
	struct err err;
	if (p->model && p->runtime == RUNTIME_VLLM) {
		ck_assert_msg(estimate_nodes(p->model, &p->gpu, 0, &estimate, &err) == 0, "%s", err.message);
		p->nodes = estimate.nodes;
	}
}

static inline void golden_done(struct golden_plan *g) { json_decref(g->terms); }

/* The array of a case's file. */
static inline json_t *golden_load(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "tests/golden/workload/%s.json", name);
	json_t *cases = NULL;
	struct err err;
	ck_assert_msg(json_parse_file(&cases, source_path(path), &err) == 0, "%s", err.message);
	return cases;
}
