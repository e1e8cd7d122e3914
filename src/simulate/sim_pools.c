/* sim_pools.c: the agent pools of the simulated cluster: their bodies with what the service adds, their states and power. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "codec/json.h"
#include "kube/meta.h"
#include <stdio.h>
#include <strings.h>

static const char *const STATES[] = {
	[SIM_POOL_CREATING] = "Creating", [SIM_POOL_UPDATING] = "Updating", [SIM_POOL_DELETING] = "Deleting",
	[SIM_POOL_SUCCEEDED] = "Succeeded", [SIM_POOL_FAILED] = "Failed", [SIM_POOL_CANCELED] = "Canceled",
};
const char *sim_pools_state_name(enum sim_pool_state state) { return STATES[state]; }

/* Pool names are lower case in the map: ARM compares ids without regard to case. */
static str key_of(const char *name, char lower[SIM_UNIT_NAME_MAX + 1])
{
	size_t n = 0;
	for (; name[n] && n < SIM_UNIT_NAME_MAX; n++)
		lower[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] + 32 : name[n]);
	lower[n] = 0;
	return (str){lower, n};
}

struct sim_pool *sim_pools_find(struct simulator *s, const char *name)
{
	char lower[SIM_UNIT_NAME_MAX + 1];
	return strlen(name) <= SIM_UNIT_NAME_MAX ? map_get(&s->pools, key_of(name, lower)) : NULL;
}

struct sim_pool *sim_pools_find_generation(struct simulator *s, const char *name, uint64_t generation)
{
	struct sim_pool *p = sim_pools_find(s, name);
	return p && p->generation == generation ? p : NULL;
}

static void touch(struct sim_pool *p)
{
	free(p->text);
	p->text = NULL;
}

static json_t *properties(struct sim_pool *p) { return json_object_get(p->body, "properties"); }

static void set_default(json_t *props, const char *key, json_t *value)
{
	json_t *there = json_object_get(props, key);
	if (!there || json_is_null(there))
		json_object_set(props, key, value);
	json_decref(value);
}

static const char *image_version(const char *sku)
{
	return strcasecmp(sku, "AzureLinux") == 0 ? "AKSAzureLinux-V2gen2-202511.07.0" : strcasecmp(sku, "Windows2022") == 0 ? "AKSWindows-2022-containerd-20348.4405.251112" :
		"AKSUbuntu-2204gen2containerd-202511.07.0";
}

/* What AKS fills in when the request leaves it open, and what only it can set. */
static void complete(json_t *props)
{
	set_default(props, "count", json_integer(strcasecmp(json_text_at(props, "", "mode", NULL), "Machines") == 0 ? 0 : 1));
	set_default(props, "enableAutoScaling", json_false());
	set_default(props, "enableFIPS", json_false());
	set_default(props, "kubeletDiskType", json_string("OS"));
	set_default(props, "maxPods", json_integer(110));
	set_default(props, "mode", json_string("User"));
	set_default(props, "orchestratorVersion", json_string("1.33.5"));
	set_default(props, "osDiskSizeGB", json_integer(128));
	set_default(props, "osDiskType", json_string("Managed"));
	set_default(props, "osSKU", json_string("Ubuntu"));
	set_default(props, "osType", json_string("Linux"));
	set_default(props, "scaleDownMode", json_string("Delete"));
	set_default(props, "type", json_string("VirtualMachineScaleSets"));
	set_default(props, "upgradeSettings", json_pack("{s:s}", "maxSurge", "10%"));
	json_object_set_new(props, "currentOrchestratorVersion", json_string(json_text_at(props, "", "orchestratorVersion", NULL)));
	json_object_set_new(props, "nodeImageVersion", json_string(image_version(json_text_at(props, "", "osSKU", NULL))));
	if (strcmp(json_text_at(props, "", "scaleSetPriority", NULL), "Spot") == 0) {
		set_default(props, "scaleSetEvictionPolicy", json_string("Delete"));
		set_default(props, "spotMaxPrice", json_integer(-1));
	}
	if (json_integer_value(json_object_get(props, "osDiskSizeGB")) == 0)
		json_object_set_new(props, "osDiskSizeGB", json_integer(128));
}

static void identify(const struct simulator *s, struct sim_pool *p)
{
	json_object_set_new(p->body, "id", json_sprintf("/subscriptions/%s/resourcegroups/%s/providers/Microsoft.ContainerService/managedClusters/%s/agentPools/%s",
		s->subscription, s->resource_group, s->cluster, p->name));
	json_object_set_new(p->body, "name", json_string(p->name));
	json_object_set_new(p->body, "type", json_string("Microsoft.ContainerService/managedClusters/agentPools"));
}

/* A spot pool's own label and taint appear among those of the pool, as in the service. */
static void mark_spot(json_t *props)
{
	if (strcmp(json_text_at(props, "", "scaleSetPriority", NULL), "Spot") != 0)
		return;
	set_default(props, "nodeLabels", json_object());
	set_default(props, "nodeTaints", json_array());
	json_object_set_new(json_object_get(props, "nodeLabels"), "kubernetes.azure.com/scalesetpriority", json_string("spot"));
	json_t *taints = json_object_get(props, "nodeTaints"), *taint;
	size_t i;
	json_array_foreach(taints, i, taint)
		if (strcmp(json_string_value(taint), "kubernetes.azure.com/scalesetpriority=spot:NoSchedule") == 0)
			return;
	json_array_append_new(taints, json_string("kubernetes.azure.com/scalesetpriority=spot:NoSchedule"));
}

struct sim_pool *sim_pools_put(struct simulator *s, const char *name, const json_t *request, bool foreign)
{
	struct sim_pool *p = sim_pools_find(s, name);
	char lower[SIM_UNIT_NAME_MAX + 1];
	if (!p) {
		p = mem_alloc(sizeof *p);
		snprintf(p->name, sizeof p->name, "%s", name);
		p->generation = ++s->serial;
		p->foreign = foreign;
		s->created++;
		s->pool_count += !strchr(name, '/');
		map_put(&s->pools, key_of(name, lower), p);
	}
	json_decref(p->body);
	p->body = json_deep_copy(request);
	set_default(p->body, "properties", json_object());
	complete(properties(p));
	mark_spot(properties(p));
	identify(s, p);
	s->machines -= p->count;
	p->count = (int)json_int_at(p->body, 1, "properties", "count", NULL);
	s->machines += p->count;
	p->stopped = strcmp(json_text_at(p->body, "", "properties", "powerState", "code", NULL), "Stopped") == 0;
	sim_pools_show_power(s, p);
	return p;
}

static void renew_etag(struct sim_pool *p)
{
	sim_routes_guid(p->etag);
	json_object_set_new(properties(p), "eTag", json_string(p->etag));
	touch(p);
}

void sim_pools_set_state(struct simulator *s, struct sim_pool *p, enum sim_pool_state state)
{
	(void)s;
	p->state = state;
	json_object_set_new(properties(p), "provisioningState", json_string(STATES[state]));
	renew_etag(p);
}

void sim_pools_change(struct simulator *s, struct sim_pool *p, const json_t *change)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)change, key, value) {
		if (json_is_null(value))
			json_object_del(properties(p), key);
		else
			json_object_set_new(properties(p), key, json_deep_copy(value));
	}
	p->stopped = strcmp(json_text_at(change, p->stopped ? "Stopped" : "", "powerState", "code", NULL), "Stopped") == 0;
	sim_pools_show_power(s, p);
	renew_etag(p);
}

void sim_pools_show_error(struct sim_pool *p, json_t *error)
{
	json_object_del(properties(p), "status");
	if (error)
		json_object_set_new(properties(p), "status", json_pack("{s:O}", "provisioningError", error));
	touch(p);
}

bool sim_pools_running(const struct simulator *s, const struct sim_pool *p) { return !p->stopped && !s->cluster_stopped; }

void sim_pools_show_power(struct simulator *s, struct sim_pool *p)
{
	json_object_set_new(properties(p), "powerState", json_pack("{s:s}", "code", sim_pools_running(s, p) ? "Running" : "Stopped"));
	touch(p);
}

str sim_pools_text(struct sim_pool *p)
{
	if (!p->text) {
		struct buf text = {0};
		if (p->machine)
			sim_machine_refresh(p);
		json_print(p->machine ? p->machine : p->body, JSON_PRINT_COMPACT, &text);
		p->text_len = text.len;
		p->text = buf_take(&text);
	}
	return (str){p->text, p->text_len};
}

void sim_pools_remove(struct simulator *s, struct sim_pool *p)
{
	char lower[SIM_UNIT_NAME_MAX + 1];
	s->deleted++;
	s->pool_count -= !p->machine;
	s->machines -= p->count;
	map_remove(&s->pools, key_of(p->name, lower));
}

void sim_pools_free(void *pool)
{
	struct sim_pool *p = pool;
	json_decref(p->body);
	json_decref(p->machine);
	free(p->nodes);
	free(p->text);
	free(p);
}
