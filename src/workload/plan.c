/* plan.c: see plan.h. */
#include "workload/plan.h"

#include "crd/names.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

/* What an annotation, a gate or the machine says, in that order. A GPU that upstream's images cannot use counts as none unless an
 * older image is named. */
enum runtime plan_runtime(const struct workspace_view *w, const struct control_options *o, const struct gpu_config *gpu)
{
	if (w->runtime_given)
		return w->runtime;
	bool old = gpu->gpus > 0 && gpu->compute_capability > 0 && gpu->compute_capability < 80;
	if (gpu->gpus == 0 || (old && !o->legacy_base_image))
		return RUNTIME_NATIVE;
	return w->runtime;
}

void plan_storage(const struct workspace_view *w, const struct catalog_model *model, char *out, size_t size)
{
	int gib = w->inference && model && model->disk_gib > 0 ? model->disk_gib : 1024;
	snprintf(out, size, "%dGi", gib);
}

bool plan_is_preset(const struct workload_plan *p) { return p->model && !p->w->template_; }

bool plan_multi_node(const struct workload_plan *p) { return p->runtime == RUNTIME_VLLM && plan_is_preset(p) && p->nodes > 1; }

bool plan_data_parallel(const struct workload_plan *p)
{
	if (p->runtime != RUNTIME_VLLM || !plan_is_preset(p) || p->nodes > 1 || p->gpu.gpus < 2)
		return false;
	return p->model->weights_gib * p->gpu.gpus * 2 < p->gpu.gib;
}

bool plan_deep_gemm(const struct workload_plan *p)
{
	static const char *const PREFIXES[] = {"DeepseekV4", "DeepseekV32", "GlmMoeDsa"};
	for (size_t i = 0; p->model && i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
		if (strncmp(p->model->architecture, PREFIXES[i], strlen(PREFIXES[i])) == 0)
			return true;
	return false;
}

bool plan_benchmark(const struct workload_plan *p) { return p->runtime == RUNTIME_VLLM && plan_is_preset(p) && p->w->benchmark; }

bool plan_decode(const struct workload_plan *p)
{
	return p->runtime == RUNTIME_VLLM && plan_is_preset(p) && strcmp(p->w->role, "decode") == 0;
}

int plan_port(const struct workload_plan *p) { return plan_decode(p) ? PORT_DECODE : PORT_SERVE; }

void plan_served_name(const struct workload_plan *p, char *out, size_t size)
{
	const char *roles = meta_label(p->w->object, LABEL_CREATED_BY_ROLES);
	if (p->w->inference_set[0] && !(roles && roles[0]))
		snprintf(out, size, "%s", p->w->inference_set);
	else
		catalog_model_short_name(p->model, out, size);
}
