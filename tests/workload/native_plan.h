/* native_plan.h: a plan from a Workspace in JSON, for tests of native and tuned workloads. */
#pragma once
#include "golden.h"
#include "contract/training_config.h"
#include "workload/native_workload.h"
#include "workload/tuning_workload.h"

struct native_plan { json_t *object; struct control_options o; struct workspace_view w; struct workload_plan p; json_t *terms; };

static inline void native_plan_open(struct native_plan *n, const char *text)
{
	const struct sku *sku;
	*n = (struct native_plan){.object = golden_json(text), .o = control_options_default()};
	workspace_view_read(&n->w, n->object, &n->o);
	sku = sku_find("azure", n->w.instance_type);
	n->terms = json_pack("[o]", golden_term("kaito.sh/workspace", n->w.name));
	n->p = (struct workload_plan){.w = &n->w, .o = &n->o, .model = catalog_model_find(n->w.preset), .nodes = 1, .config_hash = "", .revision = "3",
				      .has_config = n->w.config[0] != 0, .node_terms = n->terms};
	if (sku)
		n->p.gpu = (struct gpu_config){sku->gpus, sku->gpu_gib, sku->gpu_model, sku->nvme, sku->compute_capability, false};
	n->p.legacy_gpu = n->p.gpu.gpus > 0 && n->p.gpu.compute_capability < 80;
	n->p.runtime = plan_runtime(&n->w, &n->o, &n->p.gpu);
}

static inline void native_plan_close(struct native_plan *n)
{
	json_decref(n->object);
	json_decref(n->terms);
}

static inline json_t *native_config(const char *yaml) { return json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", "mine", "data", "training_config.yaml", yaml); }

static inline const json_t *native_named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;
	json_array_foreach((json_t *)list, i, item)
		if (strcmp(json_text_at(item, "", "name", NULL), name) == 0)
			return item;
	return NULL;
}

/* The words of a container's command, joined by blanks. Caller frees. */
static inline char *native_line(const json_t *container)
{
	struct buf line = {0};
	const json_t *word;
	size_t i;
	json_array_foreach(json_object_get(container, "command"), i, word)
		buf_printf(&line, "%s%s", i ? " " : "", json_string_value(word));
	return buf_take(&line);
}

static inline void native_expect_line(const json_t *pod, const char *list, const char *name, const char *expected)
{
	const json_t *container = native_named(json_object_get(pod, list), name);
	ck_assert_msg(container != NULL, "no container %s", name);
	char *line = native_line(container);
	ck_assert_str_eq(line, expected);
	free(line);
}
