/* validate_plan.c: see validate_plan.h. Names and numbers come from the same tables and formula that the controller uses. */
#include "cmd/validate_plan.h"

#include "base/buf.h"
#include "base/mem.h"
#include "catalog/estimate.h"
#include "kube/meta.h"
#include "workload/plan.h"
#include <stdio.h>
#include <string.h>

#define HUB_MS 10000

static const char *const RUNTIMES[] = {[RUNTIME_VLLM] = "vllm", [RUNTIME_TRANSFORMERS] = "transformers", [RUNTIME_NATIVE] = "native"};

static void add(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(json_t *list, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	json_array_append_new(list, json_string(text));
}

static const struct catalog_model *model_of(struct catalog_resolver *models, const char *preset)
{
	const struct catalog_model *m = catalog_model_find(preset);
	struct err err = ERR_INIT;
	if (!m && models && catalog_model_is_hub_name(preset) && catalog_resolve(models, preset, NULL, HUB_MS, &m, &err) < 0)
		m = NULL;
	return m;
}

/* 0: not known (own nodes, an unknown machine or model). */
static int nodes_of(const struct workspace_view *w, const struct catalog_model *m, const struct gpu_config *gpu, enum runtime runtime)
{
	struct estimate e;
	struct err err = ERR_INIT;
	if (w->tuning || runtime == RUNTIME_NATIVE)
		return 1;
	if (runtime == RUNTIME_TRANSFORMERS || w->template_)
		return w->count > 1 && w->count < 1000 ? (int)w->count : 1;
	return m && gpu->gpus && estimate_nodes(m, gpu, 0, &e, &err) == 0 ? e.nodes : 0;
}

static void node_objects(const struct control_options *o, const struct workspace_view *w, int nodes, json_t *list)
{
	if (strcmp(o->node_provisioner, "karpenter") == 0)
		add(list, "NodePool %s-%s", w->namespace_, w->name);
	else if (strcmp(o->node_provisioner, "byo") != 0 && nodes > 0)
		add(list, "%d %s%s", nodes, strcmp(o->node_api, "machine") == 0 ? "Machine" : "NodeClaim", nodes > 1 ? "s" : "");
}

static void workload_objects(const struct workspace_view *w, json_t *list)
{
	if (w->inference) {
		add(list, "Service %s", w->name);
		if (!w->template_)
			add(list, "Service %s-headless", w->name);
		add(list, "StatefulSet %s", w->name);
		return;
	}
	if (!w->config[0])
		add(list, "ConfigMap %s-params-template", strcasecmp(w->method, "lora") == 0 ? "lora" : "qlora");
	add(list, "Job %s", w->name);
	if (w->after_success == AFTER_SERVE) {
		add(list, "StatefulSet %s (after the Job)", w->name);
		add(list, "Service %s (after the Job)", w->name);
	}
}

static json_t *workspace_plan(const struct control_options *o, struct catalog_resolver *models, const json_t *object)
{
	struct workspace_view w;
	workspace_view_read(&w, object, o);
	const struct sku *sku = w.instance_type[0] ? sku_find(o->cloud, w.instance_type) : NULL;
	struct gpu_config gpu = {0};
	if (sku)
		gpu = (struct gpu_config){.gpus = sku->gpus, .gib = sku->gpu_gib, .model = sku->gpu_model, .nvme = sku->nvme, .compute_capability = sku->compute_capability};
	const struct catalog_model *m = w.preset[0] ? model_of(models, w.preset) : NULL;
	enum runtime runtime = sku ? plan_runtime(&w, o, &gpu) : w.runtime;
	int nodes = nodes_of(&w, m, &gpu, runtime);
	json_t *list = json_array(), *out = json_pack("{s:s, s:i, s:o}", "work", w.inference ? "inference" : "tuning", "nodes", nodes, "objects", list);
	if (m)
		json_object_set_new(out, "model", json_string(m->id));
	if (w.inference ? !w.template_ : runtime == RUNTIME_NATIVE)
		json_object_set_new(out, "runtime", json_string(RUNTIMES[runtime]));
	if (w.instance_type[0])
		json_object_set_new(out, "instanceType", json_string(w.instance_type));
	if (sku && sku->gpus)
		json_object_set_new(out, "machine", json_sprintf("%d x %s, %.0f GiB", sku->gpus, sku->gpu_model, sku->gpu_gib));
	else if (sku)
		json_object_set_new(out, "machine", json_sprintf("%d CPUs, %.0f GiB", sku->cpus, sku->memory_gib));
	node_objects(o, &w, nodes, list);
	workload_objects(&w, list);
	return out;
}

static json_t *set_plan(const struct control_options *o, struct catalog_resolver *models, const json_t *object)
{
	const json_t *spec = json_object_get(object, "spec"), *inference = json_at(spec, "template", "inference", NULL);
	int64_t replicas = json_int_at(spec, 1, "replicas", NULL);
	json_t *child = json_object(), *resource = json_object();
	json_object_set_new(child, "metadata", json_pack("{s:s, s:s}", "name", meta_name(object), "namespace", meta_namespace(object)));
	json_object_set(resource, "instanceType", json_at(spec, "template", "resource", "instanceType", NULL));
	json_object_set(resource, "labelSelector", json_object_get(spec, "labelSelector"));
	json_object_set_new(child, "resource", resource);
	json_object_set(child, "inference", (json_t *)(uintptr_t)inference);
	json_t *out = workspace_plan(o, models, child), *list = json_array();
	add(list, "%lld Workspace%s %s-…", (long long)replicas, replicas == 1 ? "" : "s", meta_name(object));
	json_object_set_new(out, "objects", list);
	json_object_set_new(out, "replicas", json_integer(replicas));
	json_decref(child);
	return out;
}

json_t *validate_plan(const struct control_options *o, struct catalog_resolver *models, const json_t *object)
{
	const char *kind = json_text_at(object, "", "kind", NULL);
	if (strcmp(kind, "Workspace") == 0)
		return workspace_plan(o, models, object);
	return strcmp(kind, "InferenceSet") == 0 ? set_plan(o, models, object) : NULL;
}

char *validate_plan_text(const json_t *plan)
{
	struct buf out = {0};
	const char *model = json_text_at(plan, NULL, "model", NULL), *runtime = json_text_at(plan, NULL, "runtime", NULL);
	const char *type = json_text_at(plan, NULL, "instanceType", NULL), *machine = json_text_at(plan, NULL, "machine", NULL);
	int64_t nodes = json_int_at(plan, 0, "nodes", NULL), replicas = json_int_at(plan, 0, "replicas", NULL);
	size_t i;
	json_t *item;
	if (replicas)
		buf_printf(&out, "%lld times ", (long long)replicas);
	buf_puts(&out, json_text_at(plan, "", "work", NULL));
	if (model)
		buf_printf(&out, " of %s", model);
	if (runtime)
		buf_printf(&out, ", runtime %s", runtime);
	if (nodes)
		buf_printf(&out, ", %lld node%s", (long long)nodes, nodes == 1 ? "" : "s");
	if (type)
		buf_printf(&out, " of %s", type);
	if (machine)
		buf_printf(&out, " (%s)", machine);
	json_array_foreach(json_object_get(plan, "objects"), i, item)
		buf_printf(&out, "%s%s", i ? ", " : "; makes ", json_string_value(item));
	return buf_take(&out);
}
