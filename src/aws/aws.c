/* aws.c: see aws.h: how the parts are put together, and the smaller operations of the table. */
#include "aws/aws.h"

#include "aws/aws_parts.h"
#include "base/clock.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#define SETTLE_MS 15000

enum { FIGURE_REQUESTS, FIGURE_THROTTLED, FIGURE_LIST_AGE, FIGURES };
static const struct metric_row FIGURE_ROWS[FIGURES] = {
	[FIGURE_REQUESTS] = {"kaito_ec2_requests_total", "Requests to AWS by action and HTTP status (0: no answer)", METRIC_COUNTER, NULL, 0},
	[FIGURE_THROTTLED] = {"kaito_ec2_throttled_total", "Requests that AWS answered with RequestLimitExceeded", METRIC_COUNTER, NULL, 0},
	[FIGURE_LIST_AGE] = {"kaito_ec2_list_age_seconds", "Age of the last complete list of instances", METRIC_GAUGE, NULL, 0},
};

static void on_call(void *context, const char *action, int status, const char *code)
{
	struct aws *a = context;
	char labels[100];
	snprintf(labels, sizeof labels, "action=\"%s\",code=\"%d\"", action, status);
	metrics_add(a->metrics, FIGURE_REQUESTS, labels, 1);
	metrics_add(a->metrics, FIGURE_THROTTLED, NULL, ec2_fault_find(code)->handling == EC2_FAULT_THROTTLED ? 1 : 0);
}

static void collect(struct cloud *c, struct buf *out)
{
	struct aws *a = (struct aws *)c;
	int64_t age = a->list ? fleet_list_age_ms(a->list) : -1;
	if (age >= 0)
		metrics_set(a->metrics, FIGURE_LIST_AGE, NULL, (double)age / 1000);
	metrics_render(a->metrics, out);
}

static int ready(struct cloud *c, struct err *err)
{
	struct aws *a = (struct aws *)c;
	return a->list ? fleet_list_ready(a->list, err) : 0;
}

/* Before a Node has its claim's providerID nothing on it names the claim: EC2's names of Nodes are addresses. */
static char *claim_of_node(struct cloud *c, const json_t *node)
{
	const char *name = meta_label(node, LABEL_CLAIM_NAME);
	(void)c;
	return name && name[0] ? mem_strdup(name) : NULL;
}

/* Takes the object or its spec alone. What the class needs is a KaitoNodeClass's own matter: it has no fields for AWS. */
static int check_class(struct cloud *c, const json_t *node_class, struct err *err)
{
	(void)c;
	const json_t *spec = json_object_get(node_class, "metadata") ? json_object_get(node_class, "spec") : node_class;
	bool ours = json_object_get(spec, "amiSelectorTerms") || json_object_get(spec, "subnetSelectorTerms");
	return ours ? plan_check_class(spec, err) : 0;
}

static void aws_free(struct cloud *c)
{
	struct aws *a = (struct aws *)c;
	fleet_list_free(a->list);
	facts_free(a->facts);
	ec2_free(a->ec2);
	aws_credentials_free(a->credentials);
	offerings_free(a->offerings);
	claim_slots_free(a->attempts);
	metrics_free(a->metrics);
	free(a);
}

/* Node conditions that mean a broken machine: those of Karpenter on AWS, whose node monitoring agent sets the second. */
static const struct repair_policy REPAIR[] = {
	{"Ready", "False", 1800},
	{"Ready", "Unknown", 1800},
	{"AcceleratedHardwareReady", "False", 600},
	{"StorageReady", "False", 1800},
	{"NetworkingReady", "False", 1800},
	{"KernelReady", "False", 1800},
	{"ContainerRuntimeReady", "False", 1800},
	{NULL, NULL, 0},
};
static const struct cloud_ops OPS = {
	.name = "aws",
	.launch = aws_launch,
	.terminate = aws_terminate,
	.get = aws_get,
	.list = aws_list,
	.reap = aws_reap,
	.claim_of_node = claim_of_node,
	.check_class = check_class,
	.explain = aws_explain,
	.ready = ready,
	.repair = REPAIR,
	.collect = collect,
	.free = aws_free,
};

static void connect_ec2(struct aws *a)
{
	const struct aws_options *o = &a->options;
	a->credentials = aws_credentials_new(o->settings, o->cancel, NULL);
	a->ec2 = ec2_new(&(struct ec2_options){
		.settings = o->settings, .credentials = a->credentials, .user_agent = o->user_agent, .cancel = o->cancel, .until_ms = o->hooks.until_ms,
		.on_call = on_call, .context = a,
	});
	a->facts = facts_new(a->ec2, o->kube, 0);
	a->list = fleet_list_new(a->ec2, o->settings, &o->hooks, o->list_ms, o->cancel);
}

struct cloud *aws_new(const struct aws_options *o)
{
	struct aws *a = mem_alloc(sizeof *a);
	uint64_t random = 0;
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		random = (uint64_t)clock_now_ns();
	snprintf(a->incarnation, sizeof a->incarnation, "%016" PRIx64, random);
	a->cloud.ops = &OPS;
	a->options = *o;
	a->settings = o->settings;
	a->settle_ms = o->settle_ms ? o->settle_ms : SETTLE_MS;
	a->offerings = offerings_new();
	a->attempts = claim_slots_new(sizeof(struct attempt));
	a->metrics = metrics_new(FIGURE_ROWS, FIGURES, NULL);
	a->started_ms = clock_now_ms();
	a->started_s = clock_wall_s();
	if (!o->offline)
		connect_ec2(a);
	return &a->cloud;
}
