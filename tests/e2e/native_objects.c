/* native_objects.c: prints what the controller would create for a Workspace, for native_pods.py to run:
 * native_objects WORKSPACE.json [CONFIGMAP.json] -> {"job", "statefulset", "service"}. */
#include "codec/json.h"
#include "workload/inference_workload.h"
#include "workload/tuning_workload.h"
#include <stdio.h>

static int build(const struct workload_plan *p, const json_t *config, json_t *out, struct err *err)
{
	json_t *job = NULL, *set = NULL, *service = NULL;
	if (p->w->tuning && (tuning_job(p, config, &job, err) < 0 || tuned_statefulset(p, config, &set, err) < 0 || tuned_service(p, &service, err) < 0))
		return -1;
	if (p->w->inference && (inference_statefulset(p, &set, err) < 0 || inference_service(p, &service, err) < 0))
		return -1;
	json_object_set_new(out, "job", job ? job : json_null());
	json_object_set_new(out, "statefulset", set);
	json_object_set_new(out, "service", service);
	return 0;
}

static int print(const char *workspace_path, const char *config_path, struct err *err)
{
	CLEANUP(json_decrefp) json_t *workspace = NULL;
	CLEANUP(json_decrefp) json_t *config = NULL;
	CLEANUP(json_decrefp) json_t *out = json_object();
	CLEANUP(buf_done) struct buf text = {0};
	struct control_options o = control_options_default();
	struct workspace_view view;
	if (json_parse_file(&workspace, workspace_path, err) < 0 || (config_path && json_parse_file(&config, config_path, err) < 0))
		return -1;
	workspace_view_read(&view, workspace, &o);
	struct workload_plan p = {.w = &view, .o = &o, .model = catalog_model_find(view.preset), .runtime = view.runtime, .nodes = 1, .config_hash = "", .revision = "1",
				  .has_config = view.config[0] != 0};
	const struct sku *sku = sku_find(o.cloud, view.instance_type);
	if (sku)
		p.gpu = (struct gpu_config){.gpus = sku->gpus, .gib = sku->gpu_gib, .model = sku->gpu_model, .compute_capability = sku->compute_capability};
	p.runtime = plan_runtime(&view, &o, &p.gpu);
	if (build(&p, config, out, err) < 0)
		return -1;
	json_print(out, JSON_PRINT_INDENT, &text);
	puts(text.data);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc < 2 || print(argv[1], argc > 2 ? argv[2] : NULL, &err) < 0) {
		fprintf(stderr, "native_objects: %s\n", argc < 2 ? "usage: native_objects WORKSPACE.json [CONFIGMAP.json]" : err.message);
		return 1;
	}
	return 0;
}
