/* sim_azure.c: Azure as one of the clouds of the simulator: what the options leave open, and what a client must know of it. */
#include "simulate/sim.h"

#include <stdio.h>

#define SUBSCRIPTION "00000000-0000-4000-8000-000000000001"
#define TENANT "00000000-0000-4000-8000-000000000002"
#define CLIENT "00000000-0000-4000-8000-000000000003"

static char *or_default(const char *given, const char *fallback) { return mem_strdup(given && given[0] ? given : fallback); }

static void name_everything(struct simulator *s, const struct simulator_options *o)
{
	uint64_t h = 1469598103934665603u;
	s->subscription = or_default(o->subscription, SUBSCRIPTION);
	s->resource_group = or_default(o->resource_group, "kaito-rg");
	s->location = or_default(o->location, "eastus");
	s->tenant = mem_strdup(TENANT);
	s->client_id = mem_strdup(CLIENT);
	s->node_group = mem_printf("MC_%s_%s_%s", s->resource_group, s->cluster, s->location);
	for (const char *p = s->node_group; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	snprintf(s->digits, sizeof s->digits, "%08u", (unsigned)(h % 100000000u));
}

static int begin(struct simulator *s, const struct simulator_options *o, struct err *err)
{
	CLEANUP(json_decrefp) json_t *given = json_pack("{s:s, s:I}", "lro", o->lro ? o->lro : "async", "max_pools", (json_int_t)(o->max_pools ? o->max_pools : 100));
	s->pools.free_value = sim_pools_free;
	s->operations.free_value = sim_operations_free;
	s->tokens.by_text.free_value = free;
	name_everything(s, o);
	return sim_settings_apply(&s->settings, given, err);
}

static void end(struct simulator *s)
{
	char *const names[] = {s->subscription, s->resource_group, s->node_group, s->tenant, s->client_id};
	map_done(&s->pools);
	map_done(&s->operations);
	vec_done(&s->operations_by_id);
	map_done(&s->tokens.by_text);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		free(names[i]);
}

static void due(struct simulator *s, uint64_t id) { sim_operations_finish(s, id, SIM_OPERATION_SUCCEEDED); }

static json_t *environment(const struct simulator *s, const char *endpoint)
{
	json_t *env = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ARM_SUBSCRIPTION_ID", s->subscription, "ARM_RESOURCE_GROUP", s->resource_group, "AZURE_CLUSTER_NAME", s->cluster,
		"LOCATION", s->location, "AZURE_TENANT_ID", s->tenant, "AZURE_CLIENT_ID", s->client_id, "AZURE_CLIENT_SECRET", s->settings.client_secret, "DEPLOYMENT_MODE", "managed",
		"AZURE_RESOURCE_MANAGER_ENDPOINT", endpoint);
	json_object_set_new(env, "AZURE_AUTHORITY_HOST", json_sprintf("%s/", endpoint));
	json_object_set_new(env, "AZURE_IMDS_ENDPOINT", json_string(endpoint));
	if (!s->tls)
		json_object_set_new(env, "AZURE_ALLOW_HTTP", json_string("true"));
	return env;
}

const struct sim_cloud SIM_AZURE = {
	.name = "azure", .bit = SIM_ON_AZURE, .open = begin, .close = end, .answer = sim_routes_answer, .due = due, .environment = environment, .state = sim_control_azure_state,
	.nodes = &SIM_POOL_NODES,
};
