/* figures.c: the provisioner's metrics. The names that start with karpenter_ are Karpenter's, so that its dashboards go on working; those
 * that start with kaito_ tell what it does not: how long a claim takes on each part of its way to Ready. */
#include "nodes/nodes.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <string.h>

/* Machines with GPUs take minutes, and 30 at the most before anybody loses patience. */
static const double WAY[] = {1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800};
#define WAY_HISTOGRAM METRIC_HISTOGRAM, WAY, sizeof WAY / sizeof WAY[0]
static const double LIFE[] = {60, 600, 3600, 14400, 43200, 86400, 259200, 604800, 1209600, 2592000, 7776000};
#define LIFE_HISTOGRAM METRIC_HISTOGRAM, LIFE, sizeof LIFE / sizeof LIFE[0]
#define COUNTER METRIC_COUNTER, NULL, 0

static const struct metric_row ROWS[NODES_METRICS] = {
	OPERATOR_METRIC_ROWS,
	[NODES_BUILD] = {"karpenter_build_info", "Always 1; the version is a label.", METRIC_GAUGE, NULL, 0},
	[NODES_CREATED] = {"karpenter_nodeclaims_created_total", "Claims taken up.", COUNTER},
	[NODES_TERMINATED] = {"karpenter_nodeclaims_terminated_total", "Claims whose machine is gone.", COUNTER},
	[NODES_DISRUPTED] = {"karpenter_nodeclaims_disrupted_total", "Claims deleted by the provisioner, by reason.", COUNTER},
	[NODES_UNHEALTHY] = {"karpenter_nodeclaims_unhealthy_disrupted_total", "Claims deleted because their Node was unhealthy.", COUNTER},
	[NODES_INSTANCE_SECONDS] = {"karpenter_nodeclaims_instance_termination_duration_seconds", "From asking the cloud to delete a machine to its end.", WAY_HISTOGRAM},
	[NODES_TERMINATION_SECONDS] = {"karpenter_nodeclaims_termination_duration_seconds", "From a claim's deletion to its end.", WAY_HISTOGRAM},
	[NODES_NODES_CREATED] = {"karpenter_nodes_created_total", "Nodes registered.", COUNTER},
	[NODES_NODES_TERMINATED] = {"karpenter_nodes_terminated_total", "Nodes deleted.", COUNTER},
	[NODES_DRAINED] = {"karpenter_nodes_drained_total", "Nodes drained.", COUNTER},
	[NODES_NODE_TERMINATION_SECONDS] = {"karpenter_nodes_termination_duration_seconds", "From a Node's deletion to its end.", WAY_HISTOGRAM},
	[NODES_LIFETIME_SECONDS] = {"karpenter_nodes_lifetime_duration_seconds", "From a Node's creation to its end.", LIFE_HISTOGRAM},
	[NODES_EVICTIONS] = {"karpenter_nodes_eviction_requests_total", "Evictions by the API server's answer.", COUNTER},
	[NODES_PODS_DRAINED] = {"karpenter_pods_drained_total", "Pods drained, by reason.", COUNTER},
	[NODES_CLOUD_SECONDS] = {"karpenter_cloudprovider_duration_seconds", "Length of a call to the cloud.", OPERATOR_HISTOGRAM},
	[NODES_CLOUD_ERRORS] = {"karpenter_cloudprovider_errors_total", "Calls to the cloud that failed.", COUNTER},
	[NODES_LAUNCH_SECONDS] = {"kaito_nodeclaim_launch_seconds", "From a claim's creation to its machine.", WAY_HISTOGRAM},
	[NODES_REGISTRATION_SECONDS] = {"kaito_nodeclaim_registration_seconds", "From the machine to its Node.", WAY_HISTOGRAM},
	[NODES_INITIALIZATION_SECONDS] = {"kaito_nodeclaim_initialization_seconds", "From the Node to its being usable.", WAY_HISTOGRAM},
	[NODES_READY_SECONDS] = {"kaito_nodeclaim_ready_seconds", "From a claim's creation to Ready.", WAY_HISTOGRAM},
	[NODES_CLAIMS_GAUGE] = {"kaito_nodeclaims", "Claims by state.", METRIC_GAUGE, NULL, 0},
};

struct metrics *nodes_metrics_new(const char *version)
{
	struct metrics *m = metrics_new(ROWS, NODES_METRICS, NULL);
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "version", version);
	metrics_set(m, NODES_BUILD, labels.data, 1);
	return m;
}

/* --- claims by state ----------------------------------------------------------------------------------------------- */

static const char *const STATES[] = {"launching", "registering", "initializing", "ready", "deleting"};
enum { N_STATES = sizeof STATES / sizeof STATES[0] };
struct tally { const struct dialect *dialect; double counts[N_STATES]; };

static void count_claim(void *context, const json_t *claim)
{
	struct tally *t = context;
	const struct condition_set s = {(json_t *)(uintptr_t)claim, t->dialect, ""};
	const char *const steps[] = {t->dialect->launched, t->dialect->registered, t->dialect->initialized};
	size_t at = 0;
	while (at < 3 && condition_set_is_true(&s, steps[at]))
		at++;
	t->counts[meta_deleting(claim) ? N_STATES - 1 : at]++;
}

void nodes_collect(void *world)
{
	struct nodes *n = world;
	struct tally t = {0};
	const struct dialect *const dialects[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
	if (!atomic_exchange(&n->claims_changed, false))
		return; /* thousands of idle claims cost a scrape nothing */
	for (size_t i = 0; i < 2; i++) {
		struct informer *cache = nodes_claim_cache(n, dialects[i]);
		t.dialect = dialects[i];
		if (cache)
			informer_each(cache, count_claim, &t);
	}
	for (size_t i = 0; i < N_STATES; i++) {
		CLEANUP(buf_done) struct buf labels = {0};
		metrics_label(&labels, "state", STATES[i]);
		metrics_set(n->op.metrics, NODES_CLAIMS_GAUGE, labels.data, t.counts[i]);
	}
}

/* --- calls to the cloud, timed and counted ------------------------------------------------------------------------- */

struct call { const char *controller, *method; int64_t started_ns; };

static struct call call_begin(const char *controller, const char *method)
{
	return (struct call){controller, method, clock_now_ns()};
}

/* error: what went wrong in one word, NULL or "": nothing. */
static void call_end(const struct nodes *n, const struct call *c, const char *error)
{
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "controller", c->controller);
	metrics_label(&labels, "method", c->method);
	metrics_label(&labels, "provider", n->cloud->ops->name);
	metrics_observe(n->op.metrics, NODES_CLOUD_SECONDS, labels.data, (double)(clock_now_ns() - c->started_ns) / 1e9);
	if (!error || !error[0])
		return;
	metrics_label(&labels, "error", error);
	metrics_add(n->op.metrics, NODES_CLOUD_ERRORS, labels.data, 1);
}

static const char *word_of(int rc, const struct err *err)
{
	return rc < 0 ? err_traits(err->kind)->name : NULL;
}

int nodes_cloud_launch(struct nodes *n, const char *controller, const struct claim_view *claim, struct launch_result *out, struct err *err)
{
	struct call c = call_begin(controller, "Create");
	int rc = n->cloud->ops->launch(n->cloud, claim, out, err);
	call_end(n, &c, rc == 0 && out->step == STEP_FAILED ? out->reason : word_of(rc, err));
	return rc;
}

int nodes_cloud_terminate(struct nodes *n, const char *controller, const struct claim_view *claim, struct terminate_result *out, struct err *err)
{
	struct call c = call_begin(controller, "Delete");
	int rc = n->cloud->ops->terminate(n->cloud, claim, out, err);
	call_end(n, &c, word_of(rc, err));
	return rc;
}

int nodes_cloud_get(struct nodes *n, const char *controller, const char *provider_id, void (*fn)(void *context, const struct instance *i), void *context,
		    struct err *err)
{
	struct call c = call_begin(controller, "Get");
	int rc = n->cloud->ops->get(n->cloud, provider_id, fn, context, err);
	call_end(n, &c, word_of(rc, err));
	return rc;
}

int nodes_cloud_list(struct nodes *n, const char *controller, int64_t max_age_ms, void (*fn)(void *context, const struct instance *i), void *context,
		     struct err *err)
{
	struct call c = call_begin(controller, "List");
	int rc = n->cloud->ops->list(n->cloud, max_age_ms, fn, context, err);
	call_end(n, &c, word_of(rc, err));
	return rc;
}

int nodes_cloud_reap(struct nodes *n, const char *controller, const struct instance *i, struct err *err)
{
	struct call c = call_begin(controller, "Delete");
	int rc = n->cloud->ops->reap(n->cloud, i, err);
	call_end(n, &c, word_of(rc, err));
	return rc;
}
