/* workspace_nodes.c: what a Workspace will run on: the model, the GPUs of one node, the number of nodes, and asking for them. */
#include "control/workspace_pass.h"

#include "control/node_gpu.h"
#include "base/limits.h"
#include "base/str.h"
#include "crd/names.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static const int64_t HUB_DEADLINE_MS = 10000;

static int gpu_of_sku(struct workspace_pass *p, struct err *err)
{
	const struct sku *sku = sku_find(p->c->options->cloud, p->w.instance_type);
	if (!sku)
		return err_set(err, ERR_INVALID, "failed to get GPU config for instance type %s: Unsupported SKU '%s' for cloud provider", p->w.instance_type, p->w.instance_type);
	p->plan.gpu = (struct gpu_config){.gpus = sku->gpus, .gib = sku->gpu_gib, .model = sku->gpu_model, .nvme = sku->nvme, .compute_capability = sku->compute_capability};
	return 0;
}

/* A part of a node's GPUs (own nodes only): a MIG slice, or some of the GPUs. */
static int apply_partition(struct workspace_pass *p, struct err *err)
{
	const struct workspace_view *w = &p->w;
	struct gpu_config *g = &p->plan.gpu;
	if (strcmp(w->partition_mode, "mig") == 0) {
		const struct mig_profile *profile = mig_profile_find(w->partition_profile);
		if (!profile)
			return err_set(err, ERR_INVALID, "unknown MIG profile '%s'", w->partition_profile);
		*g = (struct gpu_config){.gpus = 1, .gib = profile->gib, .model = profile->name, .mig = true, .compute_capability = g->compute_capability ? g->compute_capability : 80};
	} else if (strcmp(w->partition_mode, "accelerator") == 0 && w->partition_count > 0 && g->gpus > w->partition_count) {
		g->gib = g->gib / g->gpus * (double)w->partition_count;
		g->gpus = (int)w->partition_count;
	}
	return 0;
}

/* The first node that could be used, for own nodes: there is no table to ask. 1: none yet. */
static int gpu_of_own_nodes(struct workspace_pass *p, struct err *err)
{
	if (strcmp(p->w.partition_mode, "mig") == 0)
		return apply_partition(p, err);
	workspace_request(p);
	p->request.count = 1;
	if (p->c->provisioner->ensure(&p->c->nodes, &p->request, &p->found.report, err) < 0)
		return -1;
	p->found.nodes_known = true;
	if (!p->found.report.first_node) {
		p->requeue_ms = p->found.report.requeue_ms;
		return 1;
	}
	if (!node_gpu(p->found.report.first_node, &p->plan.gpu))
		p->plan.gpu = (struct gpu_config){0}; /* a machine without GPUs: the native runtime's */
	return apply_partition(p, err);
}

/* The owner's own number of nodes (annotation); 0: none. */
static int wanted_nodes(const struct workspace_pass *p, struct err *err)
{
	const char *text = meta_annotation(p->object, ANNOTATION_NODE_COUNT);
	int64_t n = 0;
	if (!text)
		return 0;
	if (!str_to_i64(str_of(text), &n) || n < 1 || n > LIMIT_WORKSPACE_NODES)
		return err_set(err, ERR_INVALID, "annotation %s is '%.20s'; use a number from 1 to %d", ANNOTATION_NODE_COUNT, text, LIMIT_WORKSPACE_NODES);
	return (int)n;
}

static int node_count(struct workspace_pass *p, struct err *err)
{
	struct workload_plan *plan = &p->plan;
	plan->nodes = 1;
	if (p->w.tuning || plan->runtime == RUNTIME_NATIVE)
		return 0;
	if (!plan->model || plan->runtime == RUNTIME_TRANSFORMERS) {
		plan->nodes = p->w.count > 0 && p->w.count <= LIMIT_WORKSPACE_NODES ? (int)p->w.count : 1;
		return 0;
	}
	/* What was decided stays until the specification changes: a better estimate must not restart a model. */
	int64_t stored = json_int_at(p->w.status, 0, "targetNodeCount", NULL);
	if (stored > 0) {
		plan->nodes = (int)stored;
		return 0;
	}
	int wanted = wanted_nodes(p, err);
	if (wanted != 0) {
		plan->nodes = wanted > 0 ? wanted : 0;
		return wanted > 0 ? 0 : -1;
	}
	if (plan->gpu.gib <= 0) /* own nodes that do not tell their memory */
		return 0;
	struct estimate e;
	if (estimate_nodes(plan->model, &plan->gpu, plan->max_model_len, &e, err) < 0)
		return err_wrap(err, "failed to calculate target node count");
	plan->nodes = e.nodes;
	return 0;
}

static int find_model(struct workspace_pass *p, struct err *err)
{
	if (p->w.template_)
		return 0;
	struct err why = ERR_INIT;
	if (catalog_resolve(p->c->models, p->w.preset, getenv("HF_TOKEN"), HUB_DEADLINE_MS, &p->plan.model, &why) == 0)
		return 0;
	/* Not a kind that passes silently: a hub that cannot be reached belongs into the conditions. */
	return err_set(err, ERR_MODEL, "failed to get model by name: %s", why.message);
}

int workspace_plan_step(struct workspace_pass *p, struct err *err)
{
	struct workload_plan *plan = &p->plan;
	plan->w = &p->w;
	plan->o = p->c->options;
	plan->revision = p->revision.number;
	if (find_model(p, err) < 0 || workspace_config_step(p, err) < 0)
		return -1;
	int rc = p->c->provisioner->provisions ? gpu_of_sku(p, err) : gpu_of_own_nodes(p, err);
	if (rc != 0)
		return rc;
	plan->legacy_gpu = plan->gpu.compute_capability > 0 && plan->gpu.compute_capability < 80;
	plan->runtime = p->w.template_ ? p->w.runtime : plan_runtime(&p->w, p->c->options, &plan->gpu);
	if (!p->w.template_)
		legacy_message(plan, p->found.note, sizeof p->found.note);
	return node_count(p, err);
}

/* As planned; without a plan, at a Workspace's end, as many as its status tells. */
static int request_count(const struct workspace_pass *p)
{
	int64_t stored = json_int_at(p->w.status, 0, "targetNodeCount", NULL);
	if (p->plan.nodes > 0)
		return p->plan.nodes;
	return stored < 1 ? 1 : stored < LIMIT_WORKSPACE_NODES ? (int)stored : LIMIT_WORKSPACE_NODES;
}

void workspace_request(struct workspace_pass *p)
{
	const struct workspace_view *w = &p->w;
	if (!p->labels)
		p->labels = workspace_match_labels(w);
	const struct catalog_model *m = w->tuning ? NULL : p->plan.model;
	snprintf(p->storage, sizeof p->storage, "%dGi", m && m->disk_gib > 0 ? m->disk_gib : 1024);
	const char *family = meta_annotation(p->object, ANNOTATION_IMAGE_FAMILY), *class = meta_annotation(p->object, ANNOTATION_NODE_CLASS);
	p->request = (struct node_request){
		.owner = p->object,
		.name = w->name,
		.namespace_ = w->namespace_,
		.uid = w->uid,
		.inference_set = w->inference_set,
		.match_labels = p->labels,
		.instance_type = w->instance_type,
		.count = request_count(p),
		.storage = p->storage,
		.image_family = family ? family : "",
		.node_class = class ? class : "",
		.gpu = p->plan.gpu.gpus > 0,
	};
}

int workspace_release_nodes(struct workspace_pass *p, struct err *err)
{
	workspace_request(p);
	p->request.release = true;
	int left = p->c->provisioner->release(&p->c->nodes, &p->request, err);
	return left < 0 ? err_wrap(err, "release nodes") : left;
}

int workspace_nodes_step(struct workspace_pass *p, struct err *err)
{
	workspace_request(p);
	node_report_done(&p->found.report);
	p->found.report = (struct node_report){0};
	if (p->c->provisioner->ensure(&p->c->nodes, &p->request, &p->found.report, err) < 0)
		return err_wrap(err, "provision nodes");
	p->found.nodes_known = true;
	if (p->found.report.requeue_ms > 0)
		p->requeue_ms = p->found.report.requeue_ms;
	if (!p->found.report.ready)
		return 1;
	p->terms = p->c->provisioner->terms(&p->c->nodes, &p->request);
	p->plan.node_terms = p->terms;
	return 0;
}
