/* operator.c: see operator.h. Start order: client, endpoints (so that probes are answered at once), caches, the process's own servers,
 * leadership, workers. Informer threads only put keys into queues; workers only take them. */
#include "operator/operator.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "kube/leader.h"
#include "operator/endpoints.h"
#include "operator/last_call.h"
#include "operator/queue_figures.h"
#include <malloc.h>
#include <pthread.h>
#include <string.h>

enum { STACK_BYTES = 512 << 10 };
static const int64_t CACHES_WAIT_MS = 120000;
static const int64_t LOST_MS = 5000;  /* after the loss of the lease the successor works already */
static const int64_t STOP_MS = 25000; /* before the kubelet's SIGKILL after 30 s */

struct running { /* one controller */
	struct operator_machine *m;
	const struct operator_controller *controller;
	struct work_queue *queue; /* NULL: not enabled */
	pthread_t workers[OPERATOR_WORKERS_MAX], ticker;
	int n_workers;
	bool ticking;
	atomic_bool in_tick;
};
struct relay { struct operator_machine *m; int cache; }; /* an informer's context */
struct operator_machine { /* built by one thread; queues and caches have their own locks */
	const struct operator_options *options;
	struct operator *o;
	void *world;
	struct running running[OPERATOR_CONTROLLERS_MAX];
	struct relay relays[OPERATOR_CACHES_MAX];
	struct endpoints *endpoints;
	struct leader *leader;
	atomic_bool synced, working;
	bool lost;                    /* the lease */
	_Atomic(const char *) ending; /* what is being taken down */
};

/* --- events to keys ------------------------------------------------------------------------------------------- */

struct target { struct work_queue *queue; int delay_ms; };

static void add_key(void *list, const char *key)
{
	const struct target *t = list;
	work_queue_add_after(t->queue, key, t->delay_ms);
}

static bool watches(const struct operator_controller *controller, int cache)
{
	for (size_t i = 0; i < controller->n_caches; i++)
		if (controller->caches[i] == cache)
			return true;
	return false;
}

static void on_event(void *context, enum informer_event event, const json_t *object)
{
	const struct relay *relay = context;
	struct operator_machine *m = relay->m;
	(void)event;
	for (size_t i = 0; i < m->options->n_controllers; i++) {
		struct running *r = &m->running[i];
		if (!r->queue || !watches(r->controller, relay->cache))
			continue;
		struct target t = {r->queue, m->options->caches[relay->cache].coalesce_ms};
		r->controller->keys(m->world, relay->cache, object, add_key, &t);
	}
}

void operator_wake(struct operator *o, const char *controller, const char *key, int64_t delay_ms)
{
	struct operator_machine *m = o->machine;
	for (size_t i = 0; m && i < m->options->n_controllers; i++)
		if (m->running[i].queue && strcmp(m->running[i].controller->name, controller) == 0)
			work_queue_add_after(m->running[i].queue, key, delay_ms);
}

/* --- workers -------------------------------------------------------------------------------------------------- */

static void split_key(const char *key, char **namespace_, char **name)
{
	const char *slash = strchr(key, '/');
	*namespace_ = slash ? mem_strndup(key, (size_t)(slash - key)) : mem_strdup("");
	*name = mem_strdup(slash ? slash + 1 : key);
}

static void requeue_failed(struct running *r, const char *key, const struct err *err)
{
	if (err->kind == ERR_CONFLICT || err->kind == ERR_CANCELLED)
		log_debug("%s %s: %s", r->controller->name, key, err->message);
	else
		log_error("%s %s: %s", r->controller->name, key, err->message);
	work_queue_add_limited(r->queue, key);
}

static void reconcile_one(struct running *r, const char *key, int64_t waited_ms)
{
	struct outcome out = {0};
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) char *namespace_ = NULL;
	CLEANUP(mem_freep) char *name = NULL;
	split_key(key, &namespace_, &name);
	int64_t start = clock_now_ns();
	int rc = r->controller->reconcile(r->m->world, namespace_, name, &out, &err);
	double seconds = (double)(clock_now_ns() - start) / 1e9;
	const char *result = rc < 0 ? "error" : out.requeue_ms > 0 ? "requeue_after" : "success";
	queue_figures_reconciled(r->m->o->metrics, r->controller->name, result, seconds, (double)waited_ms / 1000);
	if (rc < 0) {
		requeue_failed(r, key, &err);
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
		if (!atomic_load(r->m->o->stop))
			reconcile_one(r, key, waited);
		work_queue_done(r->queue, key);
	}
	return NULL;
}

/* Sleeps in steps, so that a stop is noticed. */
static bool pause_for(struct operator_machine *m, int64_t ms)
{
	for (int64_t end = clock_now_ms() + ms; clock_now_ms() < end;) {
		if (atomic_load(m->o->stop))
			return false;
		clock_sleep_ms(200);
	}
	return !atomic_load(m->o->stop);
}

static void *tick(void *context)
{
	struct running *r = context;
	do {
		struct err err = ERR_INIT;
		atomic_store(&r->in_tick, true);
		if (r->controller->tick(r->m->world, &err) < 0)
			log_error("%s: %s", r->controller->name, err.message);
		atomic_store(&r->in_tick, false);
		malloc_trim(0); /* a round looks at everything and then at nothing for minutes */
	} while (pause_for(r->m, r->controller->period_ms(r->m->world)));
	return NULL;
}

static int start_thread(pthread_t *thread, void *(*fn)(void *), void *context, struct err *err)
{
	int rc = thread_start(thread, STACK_BYTES, fn, context);
	return rc == 0 ? 0 : err_set_errno(err, ERR_INTERNAL, rc, "start a thread");
}

static int start_running(struct running *r, struct err *err)
{
	int wanted = r->controller->workers < OPERATOR_WORKERS_MAX ? r->controller->workers : OPERATOR_WORKERS_MAX;
	if (r->m->options->workers && r->controller->workers_scale)
		wanted = r->m->options->workers < OPERATOR_WORKERS_MAX ? r->m->options->workers : OPERATOR_WORKERS_MAX;
	for (; r->controller->reconcile && r->n_workers < wanted; r->n_workers++)
		if (start_thread(&r->workers[r->n_workers], work, r, err) < 0)
			return -1;
	if (!r->controller->tick)
		return 0;
	if (start_thread(&r->ticker, tick, r, err) < 0)
		return -1;
	r->ticking = true;
	return 0;
}

static int start_workers(struct operator_machine *m, struct err *err)
{
	for (size_t i = 0; i < m->options->n_controllers; i++)
		if (m->running[i].queue && start_running(&m->running[i], err) < 0)
			return -1;
	atomic_store(&m->working, true);
	return 0;
}

static void stop_workers(struct operator_machine *m)
{
	for (size_t i = 0; i < m->options->n_controllers; i++)
		if (m->running[i].queue)
			work_queue_stop(m->running[i].queue);
	for (size_t i = 0; i < m->options->n_controllers; i++) {
		struct running *r = &m->running[i];
		for (int w = 0; w < r->n_workers; w++)
			pthread_join(r->workers[w], NULL);
		if (r->ticking)
			pthread_join(r->ticker, NULL);
	}
}

/* --- start and stop ------------------------------------------------------------------------------------------- */

static int ready(void *context, struct err *err)
{
	struct operator_machine *m = context;
	if (!atomic_load(&m->synced))
		return err_set(err, ERR_BUSY, "caches are not filled yet");
	return m->options->ready ? m->options->ready(m->world, err) : 0;
}

static void collect(void *context, struct buf *out)
{
	struct operator_machine *m = context;
	if (atomic_load(&m->synced) && m->options->collect)
		m->options->collect(m->world);
	for (size_t i = 0; i < m->options->n_controllers; i++)
		if (m->running[i].queue)
			queue_figures_collect(m->o->metrics, m->running[i].controller->name, m->running[i].queue);
	struct buf labels = {0};
	metrics_label(&labels, "name", m->options->lease_name);
	metrics_set(m->o->metrics, OPERATOR_LEADER, labels.data, atomic_load(&m->working));
	buf_done(&labels);
	metrics_render(m->o->metrics, out);
	if (m->options->collect_text)
		m->options->collect_text(m->world, out);
}

static void on_request(void *context, const char *method, int status)
{
	queue_figures_request(context, method, status);
}

static int create_client(struct operator_machine *m, struct err *err)
{
	const struct operator_options *options = m->options;
	struct kube_options k = {
		.kubeconfig = options->kubeconfig,
		.qps = options->qps,
		.burst = options->burst,
		.user_agent = options->name,
		.cancel = m->o->stop,
		.until_ms = &m->o->until_ms,
		.on_request = on_request,
		.context_for_on_request = m->o->metrics,
	};
	return kube_client_open(&m->o->kube, &k, err);
}

static void create_queues(struct operator_machine *m)
{
	for (size_t i = 0; i < m->options->n_controllers; i++) {
		const struct operator_controller *c = m->options->controllers[i];
		m->running[i] = (struct running){.m = m, .controller = c};
		if (c->enabled && !c->enabled(m->world))
			continue;
		m->running[i].queue = work_queue_new(c->name);
		work_queue_set_backoff(m->running[i].queue, c->backoff_first_ms, c->backoff_max_ms);
	}
}

static bool cache_wanted(const struct operator_machine *m, int cache)
{
	bool watched = false;
	for (size_t i = 0; i < m->options->n_controllers; i++)
		watched = watched || (m->running[i].queue && watches(m->running[i].controller, cache));
	return watched && (!m->options->cache_wanted || m->options->cache_wanted(m->world, cache));
}

static void create_caches(struct operator_machine *m)
{
	for (size_t i = 0; i < m->options->n_caches; i++) {
		const struct operator_cache *row = &m->options->caches[i];
		if (!cache_wanted(m, (int)i))
			continue;
		m->relays[i] = (struct relay){m, (int)i};
		const struct kube_resource *other = m->options->cache_resource ? m->options->cache_resource(m->world, (int)i) : NULL;
		m->o->caches[i] = operator_cache_new(m->o->kube, row, other, on_event, &m->relays[i]);
	}
}

static int fill_caches(struct operator_machine *m, struct err *err)
{
	int64_t limit_ms = m->options->caches_wait_ms ? m->options->caches_wait_ms : CACHES_WAIT_MS;
	for (size_t i = 0; i < m->options->n_caches; i++)
		if (m->o->caches[i] && informer_wait(m->o->caches[i], limit_ms, err) < 0)
			return -1;
	atomic_store(&m->synced, true);
	return 0;
}

static int lead(struct operator_machine *m, struct err *err)
{
	if (!m->options->leader_elect)
		return 0;
	const char *namespace_ = m->options->lease_namespace;
	if (!namespace_ || !namespace_[0])
		namespace_ = kube_client_namespace(m->o->kube);
	struct leader_options l = {.namespace_ = namespace_, .name = m->options->lease_name, .cancel = m->o->stop, .until_ms = &m->o->until_ms};
	m->leader = leader_new(m->o->kube, &l);
	log_info("waiting for the lease %s/%s", l.namespace_, l.name);
	return leader_acquire(m->leader, err);
}

static int step(const struct operator_machine *m, int (*fn)(void *world, struct err *err), struct err *err)
{
	return fn ? fn(m->world, err) : 0;
}

static int run(struct operator_machine *m, struct err *err)
{
	for (size_t i = 0; i < m->options->n_caches; i++)
		if (m->o->caches[i])
			informer_start(m->o->caches[i]);
	if (step(m, m->options->serve, err) < 0 || fill_caches(m, err) < 0 || lead(m, err) < 0 || step(m, m->options->lead, err) < 0 || start_workers(m, err) < 0)
		return -1;
	log_info("controllers are running");
	while (!atomic_load(m->o->stop)) {
		m->lost = m->leader && !leader_holds(m->leader);
		if (m->lost) {
			log_warning("the lease was lost");
			return err_set(err, ERR_BUSY, "the lease was lost to another replica");
		}
		clock_sleep_ms(100);
	}
	return 0;
}

static void tell_who_works(void *context)
{
	struct operator_machine *m = context;
	log_error("still at work: %s", atomic_load(&m->ending));
	for (size_t i = 0; i < m->options->n_controllers; i++) {
		struct running *r = &m->running[i];
		size_t keys = r->queue ? work_queue_figures(r->queue).in_work : 0;
		if (keys || atomic_load(&r->in_tick))
			log_error("%s still works, on %zu keys", r->controller->name, keys);
	}
}

/* Endpoints go before what they tell of; the recorder sends its last events while the rest goes. */
static void machine_done(struct operator_machine *m)
{
	atomic_store(m->o->stop, true);
	atomic_store(&m->ending, "controllers");
	struct last_call *guard = last_call_new(m->lost ? LOST_MS : STOP_MS, tell_who_works, m);
	stop_workers(m);
	atomic_store(&m->ending, "endpoints");
	endpoints_stop(m->endpoints);
	if (m->o->events)
		event_recorder_stop(m->o->events);
	atomic_store(&m->ending, "cloud or webhook");
	if (m->options->finish)
		m->options->finish(m->world);
	atomic_store(&m->ending, "lease");
	leader_free(m->leader);
	atomic_store(&m->ending, "caches");
	for (size_t i = 0; i < m->options->n_caches; i++) {
		informer_free(m->o->caches[i]);
		m->o->caches[i] = NULL;
	}
	atomic_store(&m->ending, "events");
	event_recorder_free(m->o->events);
	last_call_free(guard);
	m->o->machine = NULL;
	for (size_t i = 0; i < m->options->n_controllers; i++)
		work_queue_free(m->running[i].queue);
	kube_client_close(m->o->kube);
	metrics_free(m->o->metrics);
}

int operator_run(struct operator *o, const struct operator_options *options, void *world, struct metrics *metrics, atomic_bool *stop, struct err *err)
{
	struct operator_machine m CLEANUP(machine_done) = {.options = options, .o = o, .world = world};
	o->metrics = metrics;
	o->stop = stop;
	o->machine = &m;
	if (options->n_caches > OPERATOR_CACHES_MAX || options->n_controllers > OPERATOR_CONTROLLERS_MAX)
		return err_set(err, ERR_INTERNAL, "more caches or controllers than operator.h allows");
	if (create_client(&m, err) < 0)
		return -1;
	o->events = event_recorder_new(o->kube, options->event_component);
	event_recorder_set_quiet(o->events, options->event_quiet_ms);
	create_queues(&m);
	create_caches(&m);
	struct endpoints_options e = {options->health_address, options->metrics_address, options->profiling, ready, collect, &m};
	if (step(&m, options->prepare, err) < 0 || endpoints_start(&m.endpoints, &e, err) < 0)
		return -1;
	if (run(&m, err) == 0)
		return 0;
	if (m.lost || !atomic_load(stop))
		return -1;
	log_info("stopped before its work began: %s", err->message);
	return 0;
}
