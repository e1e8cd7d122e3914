/* azure.c: see azure.h: how the parts are put together, and the smaller operations of the table. */
#include "azure/azure.h"

#include "azure/fulfilment.h"
#include "base/clock.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

enum { FIGURE_REQUESTS, FIGURE_THROTTLED, FIGURE_LIST_AGE, FIGURES };
static const struct metric_row FIGURE_ROWS[FIGURES] = {
	[FIGURE_REQUESTS] = {"kaito_arm_requests_total", "Requests to Azure Resource Manager by class and HTTP status (0: no answer)", METRIC_COUNTER, NULL, 0},
	[FIGURE_THROTTLED] = {"kaito_arm_throttled_total", "Requests that Azure Resource Manager answered with 429", METRIC_COUNTER, NULL, 0},
	[FIGURE_LIST_AGE] = {"kaito_arm_list_age_seconds", "Age of the last complete list of agent pools", METRIC_GAUGE, NULL, 0},
};
static const char *const CLASS_NAMES[ARM_CLASSES] = {"list", "get", "delete", "put", "post", "put_machine", "operation", "other"};

static void on_call(void *context, enum arm_class class, const char *method, int status, double seconds)
{
	struct azure *a = context;
	char labels[64];
	(void)method;
	(void)seconds;
	snprintf(labels, sizeof labels, "class=\"%s\",code=\"%d\"", CLASS_NAMES[class], status);
	metrics_add(a->metrics, FIGURE_REQUESTS, labels, 1);
	metrics_add(a->metrics, FIGURE_THROTTLED, NULL, status == 429 ? 1 : 0);
}

static void collect(struct cloud *c, struct buf *out)
{
	struct azure *a = (struct azure *)c;
	int64_t age = a->pools ? pools_age_ms(a->pools) : -1;
	if (age >= 0)
		metrics_set(a->metrics, FIGURE_LIST_AGE, NULL, (double)age / 1000);
	metrics_render(a->metrics, out);
}

static int ready(struct cloud *c, struct err *err)
{
	struct azure *a = (struct azure *)c;
	return a->pools ? pools_ready(a->pools, err) : 0;
}

static char *claim_of_node(struct cloud *c, const json_t *node)
{
	static const char *const LABELS[] = {LABEL_CLAIM_NAME, "agentpool", "kubernetes.azure.com/agentpool"};
	(void)c;
	for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
		const char *name = meta_label(node, LABELS[i]);
		if (name && name[0])
			return mem_strdup(name);
	}
	return NULL;
}

/* Takes the object or its spec alone. */
static int check_class(struct cloud *c, const json_t *node_class, struct err *err)
{
	const struct azure *a = (const struct azure *)c;
	const json_t *spec = json_object_get(node_class, "spec");
	const char *kind = json_text_at(node_class, KUBE_NODE_CLASSES.kind, "kind", NULL);
	bool whole = json_object_get(node_class, "metadata") != NULL;
	return agent_pool_check_class(whole ? spec : node_class, kind, a->options.api_version, err) < 0 ? 1 : 0;
}

static void azure_free(struct cloud *c)
{
	struct azure *a = (struct azure *)c;
	pools_free(a->pools);
	arm_free(a->arm);
	throttle_free(a->throttle);
	token_cache_free(a->tokens);
	offerings_free(a->offerings);
	claim_slots_free(a->flights);
	quota_free(a->quota);
	aks_machine_deletions_free(a->deletions);
	metrics_free(a->metrics);
	free(a);
}

/* Node conditions that mean a broken machine: those of the original, and those that Azure's own agents set. */
static const struct repair_policy REPAIR[] = {
	{"Ready", "False", 600},
	{"Ready", "Unknown", 600},
	{"kubernetes.azure.com/NodeHealthy", "False", 0},
	{"PreemptionScheduled", "True", 0},
	{NULL, NULL, 0},
};
static const struct cloud_ops OPS = {
	.name = "azure",
	.launch = azure_launch,
	.terminate = azure_terminate,
	.get = azure_get,
	.list = azure_list,
	.reap = azure_reap,
	.claim_of_node = claim_of_node,
	.check_class = check_class,
	.explain = azure_explain,
	.ready = ready,
	.repair = REPAIR,
	.collect = collect,
	.free = azure_free,
};

static void connect_arm(struct azure *a)
{
	const struct azure_options *o = &a->options; /* with the api-version that was chosen */
	a->tokens = token_cache_new(o->environment, o->cancel);
	a->throttle = throttle_new(NULL);
	a->arm = arm_new(&(struct arm_options){
		.environment = o->environment, .tokens = a->tokens, .throttle = a->throttle, .api_version = o->api_version, .user_agent = o->user_agent,
		.cancel = o->cancel, .until_ms = o->hooks.until_ms, .on_call = on_call, .context = a,
	});
	a->pools = pools_new(a->arm, o->environment, &o->hooks, o->list_ms, o->cancel);
}

struct cloud *azure_new(const struct azure_options *o)
{
	struct azure *a = mem_alloc(sizeof *a);
	uint64_t random = 0;
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		random = (uint64_t)clock_now_ns();
	snprintf(a->incarnation, sizeof a->incarnation, "%016" PRIx64, random);
	a->cloud.ops = &OPS;
	a->options = *o;
	a->environment = o->environment;
	if (o->machines) /* everything in one version: lists too must know the mode */
		a->options.api_version = aks_machine_version(o->api_version);
	a->offerings = offerings_new();
	a->flights = claim_slots_new(sizeof(struct flight));
	a->quota = quota_new();
	a->deletions = aks_machine_deletions_new();
	a->metrics = metrics_new(FIGURE_ROWS, FIGURES, NULL);
	a->started_ms = clock_now_ms();
	a->started_s = clock_wall_s();
	if (!o->offline)
		connect_arm(a);
	return &a->cloud;
}
