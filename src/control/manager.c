/* manager.c: see manager.h. Start order: client, endpoints (so that probes are answered at once), caches, webhook, leadership, provisioner,
 * workers. Informer threads only put keys into queues; workers only take them. */
#include "control/manager.h"

#include "admission/webhook.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalog/model.h"
#include "control/caches.h"
#include "control/endpoints.h"
#include "control/figures.h"
#include "kube/leader.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* To add a controller: its file, its name in control.h, a row here. */
static const struct controller *const CONTROLLERS[] = {
	&WORKSPACE_CONTROLLER, &INFERENCE_SET_CONTROLLER, &MULTI_ROLE_CONTROLLER, &DRIFT_CONTROLLER, &AUTO_UPGRADE_CONTROLLER,
};
enum { CONTROLLER_COUNT = sizeof CONTROLLERS / sizeof CONTROLLERS[0], WORKERS_MAX = 8 };
enum { COALESCE_MS = 50, COALESCE_NODES_MS = 150, STACK_BYTES = 512 << 10 };
static const int64_t CACHES_WAIT_MS = 120000, NODE_CLASS_WAIT_MS = 120000, VOLUMES_PERIOD_MS = 60000;

struct running { /* one controller */
	struct manager *m;
	const struct controller *controller;
	struct work_queue *queue;
	pthread_t workers[WORKERS_MAX], ticker;
	int n_workers;
	bool ticking;
};
struct manager { /* built by one thread; queues and caches have their own locks */
	const struct manager_options *o;
	struct control c;
	struct running running[CONTROLLER_COUNT];
	struct endpoints *endpoints;
	struct webhook *webhook;
	struct leader *leader;
	atomic_bool *stop;
	atomic_bool synced, working;
	pthread_t volumes;
	bool measuring;
};

/* --- events to keys ------------------------------------------------------------------------------------------- */

static void add_now(void *list, const char *key)
{
	work_queue_add(list, key);
}

/* Dependants change in bursts (a StatefulSet, its pods): a short wait makes one pass of them. */
static void add_soon(void *list, const char *key)
{
	work_queue_add_after(list, key, COALESCE_MS);
}

/* A node and its claim become ready one after the other, after minutes: one pass, and one status, for both. */
static void add_node(void *list, const char *key)
{
	work_queue_add_after(list, key, COALESCE_NODES_MS);
}

static bool watches(const struct controller *controller, enum cache cache)
{
	for (size_t i = 0; i < controller->n_caches; i++)
		if (controller->caches[i] == cache)
			return true;
	return false;
}

static void on_event(void *context, enum cache cache, enum informer_event event, const json_t *object)
{
	struct manager *m = context;
	bool own = cache == CACHE_WORKSPACES || cache == CACHE_INFERENCE_SETS || cache == CACHE_MULTI_ROLES;
	bool node = cache == CACHE_NODES || cache == CACHE_NODE_CLAIMS || cache == CACHE_NODE_POOLS;
	(void)event;
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		struct running *r = &m->running[i];
		if (r->queue && watches(r->controller, cache))
			r->controller->keys(&m->c, cache, object, own ? add_now : node ? add_node : add_soon, r->queue);
	}
}

/* --- workers -------------------------------------------------------------------------------------------------- */

static void split_key(const char *key, char **namespace_, char **name)
{
	const char *slash = strchr(key, '/');
	*namespace_ = slash ? mem_strndup(key, (size_t)(slash - key)) : mem_strdup("");
	*name = mem_strdup(slash ? slash + 1 : key);
}

static void reconcile_one(struct running *r, const char *key, int64_t waited_ms)
{
	struct outcome out = {0};
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *namespace_ = NULL;
	CLEANUP(mem_freep) char *name = NULL;
	split_key(key, &namespace_, &name);
	int64_t start = clock_now_ns();
	int rc = r->controller->reconcile(&r->m->c, namespace_, name, &out, &err);
	double seconds = (double)(clock_now_ns() - start) / 1e9;
	const char *result = rc < 0 ? "error" : out.requeue_ms > 0 ? "requeue_after" : "success";
	figures_reconciled(r->m->c.metrics, r->controller->name, result, seconds, (double)waited_ms / 1000);
	if (rc < 0) {
		if (err.kind == ERR_CONFLICT || err.kind == ERR_CANCELLED)
			log_debug("%s %s: %s", r->controller->name, key, err.message);
		else
			log_error("%s %s: %s", r->controller->name, key, err.message);
		work_queue_add_limited(r->queue, key);
		return;
	}
	log_debug("%s %s: %s in %.1f ms", r->controller->name, key, result, seconds * 1000);
	work_queue_forget(r->queue, key);
	if (out.requeue_ms > 0)
		work_queue_add_after(r->queue, key, out.requeue_ms);
}

static void *work(void *context)
{
	struct running *r = context;
	int64_t waited = 0;
	for (char *key; (key = work_queue_take(r->queue, &waited));) {
		if (!atomic_load(r->m->stop))
			reconcile_one(r, key, waited);
		work_queue_done(r->queue, key);
	}
	return NULL;
}

/* Sleeps in steps, so that a stop is noticed. */
static bool pause_for(struct manager *m, int64_t ms)
{
	for (int64_t end = clock_now_ms() + ms; clock_now_ms() < end;) {
		if (atomic_load(m->stop))
			return false;
		clock_sleep_ms(200);
	}
	return !atomic_load(m->stop);
}

static void *tick(void *context)
{
	struct running *r = context;
	do {
		struct err err = ERR_INIT;
		if (r->controller->tick(&r->m->c, &err) < 0)
			log_error("%s: %s", r->controller->name, err.message);
	} while (pause_for(r->m, r->controller->period_ms));
	return NULL;
}

static void *measure_volumes(void *context)
{
	struct manager *m = context;
	do {
		struct err err = ERR_INIT;
		if (figures_volumes(&m->c, &err) < 0)
			log_warning("volume metrics: %s", err.message);
	} while (pause_for(m, VOLUMES_PERIOD_MS));
	return NULL;
}

static int start_thread(pthread_t *thread, void *(*fn)(void *), void *context, struct err *err)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int rc = pthread_create(thread, &attributes, fn, context);
	pthread_attr_destroy(&attributes);
	return rc == 0 ? 0 : err_set_errno(err, ERR_INTERNAL, rc, "start a thread");
}

static int start_workers(struct manager *m, struct err *err)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		struct running *r = &m->running[i];
		for (; r->queue && r->n_workers < r->controller->workers && r->n_workers < WORKERS_MAX; r->n_workers++)
			if (start_thread(&r->workers[r->n_workers], work, r, err) < 0)
				return -1;
		if (r->queue && r->controller->tick) {
			if (start_thread(&r->ticker, tick, r, err) < 0)
				return -1;
			r->ticking = true;
		}
	}
	if (start_thread(&m->volumes, measure_volumes, m, err) < 0)
		return -1;
	m->measuring = true;
	atomic_store(&m->working, true);
	return 0;
}

static void stop_workers(struct manager *m)
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		if (m->running[i].queue)
			work_queue_stop(m->running[i].queue);
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		struct running *r = &m->running[i];
		for (int w = 0; w < r->n_workers; w++)
			pthread_join(r->workers[w], NULL);
		if (r->ticking)
			pthread_join(r->ticker, NULL);
	}
	if (m->measuring)
		pthread_join(m->volumes, NULL);
}

/* --- start and stop ------------------------------------------------------------------------------------------- */

static bool ready(void *context)
{
	struct manager *m = context;
	return atomic_load(&m->synced);
}

static void collect(void *context, struct buf *out)
{
	struct manager *m = context;
	if (atomic_load(&m->synced))
		figures_objects(&m->c);
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		if (m->running[i].queue)
			figures_queue(m->c.metrics, m->running[i].controller->name, m->running[i].queue);
	metrics_set(m->c.metrics, FIGURE_LEADER, "name=\"ef60f9b0.io\"", atomic_load(&m->working));
	metrics_render(m->c.metrics, out);
}

static void on_request(void *context, const char *method, int status)
{
	figures_request(context, method, status);
}

/* Caches of the enabled controllers; claims and pools only where the provisioner has them. */
static void want_caches(const struct manager *m, bool wanted[CACHE_COUNT])
{
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		for (size_t k = 0; m->running[i].queue && k < CONTROLLERS[i]->n_caches; k++)
			wanted[CONTROLLERS[i]->caches[k]] = true;
	wanted[CACHE_NODE_CLAIMS] = wanted[CACHE_NODE_CLAIMS] && m->c.provisioner->uses_claims;
	wanted[CACHE_NODE_POOLS] = wanted[CACHE_NODE_POOLS] && m->c.provisioner->uses_pools;
}

static int create_client(struct manager *m, struct err *err)
{
	struct kube_options k = {
		.kubeconfig = m->o->kubeconfig,
		.qps = m->o->qps,
		.burst = m->o->burst,
		.user_agent = "kaito-controller",
		.cancel = m->stop,
		.on_request = on_request,
		.context_for_on_request = m->c.metrics,
	};
	return kube_client_open(&m->c.kube, &k, err);
}

static void create_world(struct manager *m, struct node_options *nodes)
{
	const struct control_options *o = &m->o->control;
	*nodes = (struct node_options){o->cloud, o->default_image_family, o->node_api, o->node_class_group, o->node_class_kind,
				       o->node_class_version, o->node_class_resource, o->node_classes_json};
	m->c.options = o;
	m->c.events = event_recorder_new(m->c.kube, "KAITO-*-controller");
	m->c.models = catalog_resolver_new(o->hub_url, m->o->hub_cache);
	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		m->running[i] = (struct running){.m = m, .controller = CONTROLLERS[i]};
		if (CONTROLLERS[i]->enabled(o))
			m->running[i].queue = work_queue_new(CONTROLLERS[i]->name);
	}
	bool wanted[CACHE_COUNT] = {false};
	want_caches(m, wanted);
	caches_create(&m->c, wanted, on_event, m);
	m->c.nodes = (struct node_context){m->c.kube, m->c.caches[CACHE_NODES], m->c.caches[CACHE_NODE_CLAIMS], m->c.caches[CACHE_NODE_POOLS],
					   m->c.events, nodes};
}

static int start_webhook(struct manager *m, struct err *err)
{
	if (!m->o->webhook)
		return 0;
	struct webhook_options w = {
		.port = m->o->webhook_port,
		.service = m->o->webhook_service,
		.namespace_ = m->o->system_namespace,
		.secret = "workspace-webhook-cert",
		.control = m->c.options,
		.kube = m->c.kube,
		.models = m->c.models,
	};
	return webhook_start(&m->webhook, &w, err);
}

static int lead(struct manager *m, struct err *err)
{
	if (!m->o->leader_elect)
		return 0;
	struct leader_options l = {.namespace_ = m->o->system_namespace, .name = "ef60f9b0.io", .cancel = m->stop};
	m->leader = leader_new(m->c.kube, &l);
	log_info("waiting for the lease %s/%s", l.namespace_, l.name);
	return leader_acquire(m->leader, err);
}

static int run(struct manager *m, struct err *err)
{
	caches_start(&m->c);
	if (start_webhook(m, err) < 0 || caches_wait(&m->c, CACHES_WAIT_MS, err) < 0)
		return -1;
	atomic_store(&m->synced, true);
	if (lead(m, err) < 0 || (m->c.provisioner->start && m->c.provisioner->start(&m->c.nodes, NODE_CLASS_WAIT_MS, err) < 0) || start_workers(m, err) < 0)
		return -1;
	log_info("controllers are running");
	while (!atomic_load(m->stop)) {
		if (m->leader && !leader_holds(m->leader))
			return err_set(err, ERR_BUSY, "the lease was lost to another replica");
		clock_sleep_ms(100);
	}
	return 0;
}

static void manager_done(struct manager *m)
{
	atomic_store(m->stop, true);
	stop_workers(m);
	if (m->webhook)
		webhook_stop(m->webhook);
	if (m->leader)
		leader_free(m->leader);
	caches_free(&m->c);
	for (size_t i = 0; i < CONTROLLER_COUNT; i++)
		if (m->running[i].queue)
			work_queue_free(m->running[i].queue);
	endpoints_stop(m->endpoints);
	if (m->c.events)
		event_recorder_free(m->c.events);
	if (m->c.models)
		catalog_resolver_free(m->c.models);
	kube_client_close(m->c.kube);
	metrics_free(m->c.metrics);
}

int manager_run(const struct manager_options *o, atomic_bool *stop, struct err *err)
{
	struct manager m CLEANUP(manager_done) = {.o = o, .stop = stop};
	struct node_options nodes;
	m.c.metrics = figures_new(o->version);
	m.c.provisioner = provisioner_find(o->control.node_provisioner);
	if (!m.c.provisioner)
		return err_set(err, ERR_USAGE, "unknown node provisioner '%s'; use azure-gpu-provisioner, karpenter or byo", o->control.node_provisioner);
	if (create_client(&m, err) < 0)
		return -1;
	create_world(&m, &nodes);
	struct endpoints_options e = {o->health_address, o->metrics_address, ready, collect, &m};
	if (endpoints_start(&m.endpoints, &e, err) < 0)
		return -1;
	int rc = run(&m, err);
	return rc < 0 && err->kind == ERR_CANCELLED && atomic_load(stop) ? 0 : rc;
}
