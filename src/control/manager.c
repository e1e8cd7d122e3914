/* manager.c: see manager.h. The world of the Workspace's controllers: options, provisioner, models; the machinery is operator/operator.h. */
#include "control/manager.h"

#include "admission/webhook.h"
#include "catalog/model.h"
#include "control/caches.h"
#include "control/figures.h"
#include <string.h>

/* To add a controller: its file, its name in control.h, a row here. */
static const struct operator_controller *const CONTROLLERS[] = {
	&WORKSPACE_CONTROLLER, &INFERENCE_SET_CONTROLLER, &MULTI_ROLE_CONTROLLER, &DRIFT_CONTROLLER, &AUTO_UPGRADE_CONTROLLER, &VOLUME_FIGURES,
};
static const int64_t NODE_CLASS_WAIT_MS = 120000;

struct manager {
	struct control c; /* first: the world is a struct control to the controllers */
	const struct manager_options *o;
	struct node_options nodes;
	struct webhook *webhook;
};

static int prepare(void *world, struct err *err)
{
	struct manager *m = world;
	const struct control_options *o = m->c.options;
	(void)err;
	m->nodes = (struct node_options){o->cloud, o->default_image_family, o->node_api, o->node_class_group, o->node_class_kind,
					 o->node_class_version, o->node_class_resource, o->node_classes_json};
	m->c.models = catalog_resolver_new(o->hub_url, m->o->hub_cache);
	catalog_resolver_stop_with(m->c.models, m->c.op.stop);
	m->c.nodes = (struct node_context){m->c.op.kube, m->c.op.caches[CACHE_NODES], m->c.op.caches[CACHE_NODE_CLAIMS],
					   m->c.op.caches[CACHE_NODE_POOLS], m->c.op.events, &m->nodes};
	return 0;
}

static int start_webhook(void *world, struct err *err)
{
	struct manager *m = world;
	if (!m->o->webhook)
		return 0;
	struct webhook_options w = {
		.port = m->o->webhook_port,
		.service = m->o->webhook_service,
		.namespace_ = m->o->system_namespace,
		.secret = "workspace-webhook-cert",
		.control = m->c.options,
		.kube = m->c.op.kube,
		.models = m->c.models,
	};
	return webhook_start(&m->webhook, &w, err);
}

static int start_provisioner(void *world, struct err *err)
{
	struct manager *m = world;
	return m->c.provisioner->start ? m->c.provisioner->start(&m->c.nodes, NODE_CLASS_WAIT_MS, err) : 0;
}

static void finish(void *world)
{
	struct manager *m = world;
	if (m->webhook)
		webhook_stop(m->webhook);
	m->webhook = NULL;
}

static void collect(void *world)
{
	figures_objects(world);
}

int manager_run(const struct manager_options *o, atomic_bool *stop, struct err *err)
{
	struct manager m = {.o = o, .c = {.options = &o->control, .provisioner = provisioner_find(o->control.node_provisioner)}};
	if (!m.c.provisioner)
		return err_set(err, ERR_USAGE, "unknown node provisioner '%s'; use azure-gpu-provisioner, karpenter or byo", o->control.node_provisioner);
	const struct operator_options options = {
		.name = "kaito-controller",
		.kubeconfig = o->kubeconfig,
		.qps = o->qps,
		.burst = o->burst,
		.health_address = o->health_address,
		.metrics_address = o->metrics_address,
		.leader_elect = o->leader_elect,
		.lease_namespace = o->system_namespace,
		.lease_name = "ef60f9b0.io",
		.event_component = "KAITO-*-controller",
		.caches = CACHES,
		.n_caches = CACHE_COUNT,
		.controllers = CONTROLLERS,
		.n_controllers = sizeof CONTROLLERS / sizeof CONTROLLERS[0],
		.cache_wanted = caches_wanted,
		.cache_resource = caches_resource,
		.prepare = prepare,
		.serve = start_webhook,
		.lead = start_provisioner,
		.finish = finish,
		.collect = collect,
	};
	int rc = operator_run(&m.c.op, &options, &m, figures_new(o->version), stop, err);
	if (m.c.models)
		catalog_resolver_free(m.c.models);
	return rc;
}
