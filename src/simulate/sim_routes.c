/* sim_routes.c: from a request to Azure's answer: the table of ARM's routes (compared without regard to case, as ARM does), what happens to
 * every request in the service's order (scripts, token, api-version, throttling, subscription, group, cluster), and the headers of every
 * answer. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "codec/json.h"
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

struct route { const char *method, *pattern; enum sim_class class; sim_handler *handler; bool cluster; /* names subscription, group, cluster */ };
#define CLUSTER "subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}"
#define LOCATION "subscriptions/{}/providers/Microsoft.ContainerService/locations/{}"
/* To add one: a row and its handler. {} takes one segment. */
static const struct route ROUTES[] = {
	{"PUT", CLUSTER "/agentPools/{}", SIM_POOL_PUT, sim_pool_api_put, true},
	{"GET", CLUSTER "/agentPools/{}", SIM_POOL_GET, sim_pool_api_get, true},
	{"DELETE", CLUSTER "/agentPools/{}", SIM_POOL_DELETE, sim_pool_api_delete, true},
	{"POST", CLUSTER "/agentPools/{}/abort", SIM_POOL_ABORT, sim_pool_api_abort, true},
	{"GET", CLUSTER "/agentPools", SIM_POOL_LIST, sim_pool_api_list, true},
	{"PUT", CLUSTER "/agentPools/{}/machines/{}", SIM_MACHINE_PUT, sim_machine_api_put, true},
	{"GET", CLUSTER "/agentPools/{}/machines/{}", SIM_MACHINE_GET, sim_machine_api_get, true},
	{"GET", CLUSTER "/agentPools/{}/machines", SIM_MACHINE_LIST, sim_machine_api_list, true},
	{"POST", CLUSTER "/agentPools/{}/deleteMachines", SIM_MACHINE_DELETE, sim_machine_api_delete, true},
	{"GET", CLUSTER, SIM_CLUSTER_GET, sim_cluster_get, true},
	{"GET", LOCATION "/operations/{}", SIM_OPERATION_GET, sim_operations_get, false},
	{"GET", LOCATION "/operationresults/{}", SIM_OPERATION_GET, sim_operations_result, false},
	{"GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/usages", SIM_USAGES, sim_usages_get, false},
	{"GET", "subscriptions/{}/providers/Microsoft.ContainerService", SIM_ARM_OTHER, sim_cluster_register, false},
	{"POST", "subscriptions/{}/providers/Microsoft.ContainerService/register", SIM_REGISTER, sim_cluster_register, false},
};
enum { ROUTE_COUNT = sizeof ROUTES / sizeof ROUTES[0] };

void sim_routes_guid(char out[SIM_GUID])
{
	unsigned char b[16] = {0};
	(void)!getrandom(b, sizeof b, 0);
	snprintf(out, SIM_GUID, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-a%01x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15u, b[7],
		 b[8] & 15u, b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* --- finding the route ------------------------------------------------------------------------------------------------------- */

static str next_segment(str *rest)
{
	size_t at = str_find(*rest, '/', 0);
	str s = str_sub(*rest, 0, at);
	*rest = str_sub(*rest, at < rest->len ? at + 1 : at, rest->len);
	return s;
}

static bool matches(const struct route *t, struct sim_request *q)
{
	str path = str_sub(q->path, 1, q->path.len), pattern = str_of(t->pattern);
	size_t n = 0;
	if (!str_eqz(q->method, t->method))
		return false;
	while (path.len && pattern.len) {
		str have = next_segment(&path), want = next_segment(&pattern);
		if (str_eqz(want, "{}") && have.len && n < SIM_PATH_PARTS)
			q->parts[n++] = arena_strdup(http_arena(q->x), have);
		else if (have.len != want.len || strncasecmp(have.data, want.data, want.len) != 0)
			return false;
	}
	return path.len == 0 && pattern.len == 0;
}

static const struct route *find_route(struct sim_request *q)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (!matches(&ROUTES[i], q))
			continue;
		q->class = ROUTES[i].class;
		q->pool = ROUTES[i].cluster ? q->parts[3] : NULL;
		return &ROUTES[i];
	}
	memset(q->parts, 0, sizeof q->parts);
	return NULL;
}

/* --- what every request of ARM passes --------------------------------------------------------------------------------------- */

/* "2024-01-01" or "2024-01-02-preview" */
static bool is_version(const char *v)
{
	static const char SHAPE[] = "0000-00-00";
	size_t i = 0;
	for (; SHAPE[i]; i++)
		if (SHAPE[i] == '0' ? v[i] < '0' || v[i] > '9' : v[i] != SHAPE[i])
			return false;
	return v[i] == 0 || strcmp(v + i, "-preview") == 0;
}

static bool version_ok(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	if (!q->api_version)
		sim_errors_answer(s, r, 400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.");
	else if (!is_version(q->api_version) || strcmp(q->api_version, "2015-01-01") < 0)
		sim_errors_answer(s, r, 400, "NoRegisteredProviderFound", "No registered resource provider found for location '%s' and API version '%.40s'. "
				  "The supported api-versions are '2023-11-01, 2024-01-01, 2025-05-01, 2025-10-01'.", s->location, q->api_version);
	else
		return true;
	return false;
}

static bool place_ok(struct simulator *s, const struct route *t, const struct sim_request *q, struct sim_reply *r)
{
	if (strcasecmp(q->parts[0], s->subscription) != 0)
		sim_errors_answer(s, r, 404, "SubscriptionNotFound", "The subscription '%.60s' could not be found.", q->parts[0]);
	else if (!t->cluster)
		return true;
	else if (strcasecmp(q->parts[1], s->resource_group) != 0)
		sim_errors_answer(s, r, 404, "ResourceGroupNotFound", "Resource group '%.90s' could not be found.", q->parts[1]);
	else if (strcasecmp(q->parts[2], s->cluster) != 0)
		sim_errors_answer(s, r, 404, "ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/%.63s' under resource group '%.90s' was not found. "
				  "For more details please go to https://aka.ms/ARMResourceNotFoundFix", q->parts[2], s->resource_group);
	else if (!s->settings.registered)
		sim_errors_answer(s, r, 409, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace 'Microsoft.ContainerService'. "
				  "See https://aka.ms/rps-not-found for how to register subscriptions.");
	else
		return true;
	return false;
}

static bool budget_ok(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	int64_t retry_s = 0;
	int over = sim_budget_take(&s->budget, q->class, q->pool, q->now_ms, s->settings.throttle, &retry_s);
	if (!over || !s->settings.throttle)
		return true;
	sim_reply_header(r, "Retry-After", "%lld", (long long)retry_s);
	if (sim_budget_is_arm((enum sim_bucket)(over - 1)))
		sim_errors_answer(s, r, 429, "SubscriptionRequestsThrottled", "Number of requests for subscription '%s' exceeded the limit of its '%s' bucket. Please try again after '%lld' seconds.",
				  s->subscription, sim_budget_bucket_name((enum sim_bucket)(over - 1)), (long long)retry_s);
	else
		sim_errors_answer(s, r, 429, "TooManyRequests", "The request limit of %s has been exceeded for subscription %s, please retry again in %lld seconds.",
				  sim_budget_bucket_name((enum sim_bucket)(over - 1)), s->subscription, (long long)retry_s);
	return false;
}

static void answer_arm(struct simulator *s, const struct route *t, struct sim_request *q, struct sim_reply *r)
{
	if (!sim_tokens_check(s, q, r))
		return;
	if (!t) {
		sim_errors_answer(s, r, 404, "InvalidResourceType", "The simulator knows no resource at '%.200s'.", http_path(q->x).data);
		return;
	}
	if (version_ok(s, q, r) && budget_ok(s, q, r) && place_ok(s, t, q, r))
		t->handler(s, q, r);
}

/* Headers of every answer of ARM. */
static void put_headers(struct simulator *s, const struct sim_request *q, struct sim_reply *r)
{
	char id[SIM_GUID];
	const char *given = http_header(q->x, "x-ms-correlation-request-id"), *client = http_header(q->x, "x-ms-client-request-id"), *word = NULL;
	int left = sim_budget_left(&s->budget, q->class, &word);
	sim_routes_guid(id);
	sim_reply_header(r, "x-ms-request-id", "%s", id);
	sim_reply_header(r, "x-ms-correlation-request-id", "%.64s", given ? given : id);
	if (client && http_header(q->x, "x-ms-return-client-request-id"))
		sim_reply_header(r, "x-ms-client-request-id", "%.64s", client);
	if (word)
		sim_reply_header(r, word, "%d", left);
	sim_reply_header(r, "Cache-Control", "no-cache");
}

/* --- one request --------------------------------------------------------------------------------------------------------------- */

void sim_routes_answer(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	const struct route *t = find_route(q);
	bool token = !t && sim_tokens_is_path(q);
	if (token)
		q->class = SIM_TOKEN;
	if (sim_exchange_scripted(s, q, q->path, token ? 0 : s->settings.delay_ms, r)) {
		int64_t retry_s;
		(void)!sim_budget_take(&s->budget, q->class, q->pool, q->now_ms, false, &retry_s);
		s->calls.throttled += r->status == 429;
	} else if (token) {
		sim_tokens_answer(s, q, r);
		return;
	} else {
		answer_arm(s, t, q, r);
	}
	put_headers(s, q, r);
}
