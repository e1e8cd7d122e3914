/* sim_machine.c: the machines of agent pools in mode Machines. A machine is kept as a pool of one, named "POOL/MACHINE", so that operations,
 * Nodes and quotas serve both; what clients see of it is a document of its own, with the same facts in other places. */
#include "simulate/sim.h"

#include "kube/meta.h"
#include <stdio.h>
#include <strings.h>

/* Where a pool's property is in a machine's properties. To add one: a row. */
static const struct { const char *pool, *group, *machine; } PLACES[] = {
	{"gpuInstanceProfile", "hardware", "gpuInstanceProfile"},
	{"kubeletDiskType", "kubernetes", "kubeletDiskType"},
	{"maxPods", "kubernetes", "maxPods"},
	{"mode", NULL, "mode"},
	{"nodeLabels", "kubernetes", "nodeLabels"},
	{"nodeTaints", "kubernetes", "nodeTaints"},
	{"orchestratorVersion", "kubernetes", "orchestratorVersion"},
	{"osDiskSizeGB", "operatingSystem", "osDiskSizeGB"},
	{"osDiskType", "operatingSystem", "osDiskType"},
	{"osSKU", "operatingSystem", "osSKU"},
	{"osType", "operatingSystem", "osType"},
	{"scaleSetEvictionPolicy", NULL, "evictionPolicy"},
	{"scaleSetPriority", NULL, "priority"},
	{"tags", NULL, "tags"},
	{"vmSize", "hardware", "vmSize"},
};
enum { PLACE_COUNT = sizeof PLACES / sizeof PLACES[0] };

bool sim_machine_holder(const struct sim_pool *p) { return !p->machine && strcasecmp(json_text_at(p->body, "", "properties", "mode", NULL), "Machines") == 0; }

bool sim_machine_name_valid(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= SIM_MACHINE_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' && name[n - 1] != '-' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void add_all(json_t *to, const json_t *from)
{
	size_t i;
	json_t *value;
	json_array_foreach((json_t *)(uintptr_t)from, i, value)
		json_array_append(to, value);
}

json_t *sim_machine_as_pool(const json_t *request)
{
	json_t *props = json_pack("{s:i, s:s}", "count", 1, "type", "VirtualMachines");
	const json_t *theirs = json_object_get(request, "properties");
	json_t *first = json_at(theirs, "kubernetes", "nodeInitializationTaints", NULL), *zones = json_object_get(request, "zones");
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		json_t *value = json_object_get(PLACES[i].group ? json_object_get(theirs, PLACES[i].group) : theirs, PLACES[i].machine);
		if (value)
			json_object_set(props, PLACES[i].pool, value);
	}
	if (json_array_size(first) > 0) {
		CLEANUP(json_decrefp) json_t *taints = json_array();
		add_all(taints, json_object_get(props, "nodeTaints"));
		add_all(taints, first);
		json_object_set(props, "nodeTaints", taints);
	}
	if (zones)
		json_object_set(props, "availabilityZones", zones);
	return json_pack("{s:o}", "properties", props);
}

void sim_machine_show(const struct simulator *s, struct sim_pool *p, const json_t *request)
{
	char vm[SIM_NODE_NAME];
	const char *slash = strchr(p->name, '/');
	json_decref(p->machine);
	p->machine = json_deep_copy(request);
	sim_node_name(s, p->name, 0, vm);
	json_object_set_new(p->machine, "id", json_sprintf("/subscriptions/%s/resourcegroups/%s/providers/Microsoft.ContainerService/managedClusters/%s/agentPools/%.*s/machines/%s",
		s->subscription, s->resource_group, s->cluster, (int)(slash - p->name), p->name, slash + 1));
	json_object_set_new(p->machine, "name", json_string(slash + 1));
	json_object_set_new(p->machine, "type", json_string("Microsoft.ContainerService/managedClusters/agentPools/machines"));
	json_object_set_new(json_object_get(p->machine, "properties"), "resourceId",
		json_sprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachines/%s", s->subscription, s->node_group, vm));
}

/* What the service says of it, from the pool of one. */
void sim_machine_refresh(struct sim_pool *p)
{
	static const char *const SAME[] = {"eTag", "nodeImageVersion", "provisioningState", NULL};
	const json_t *props = json_object_get(p->body, "properties");
	json_t *shown = json_object_get(p->machine, "properties"), *status = json_object();
	for (size_t i = 0; SAME[i]; i++)
		if (json_object_get(props, SAME[i]))
			json_object_set(shown, SAME[i], json_object_get(props, SAME[i]));
	json_object_update(status, json_object_get(props, "status"));
	json_object_set_new(status, "creationTimestamp", json_string(p->created));
	json_object_set_new(shown, "status", status);
}

void sim_machine_leave_all(struct simulator *s, const struct sim_pool *holder)
{
	struct map_entry e;
	for (size_t i = 0; sim_machine_holder(holder) && map_next(&s->pools, &i, &e);) {
		struct sim_pool *p = e.value;
		if (!sim_machine_of(p, holder->name))
			continue;
		sim_joiner_leave(s, p);
		sim_pools_remove(s, p);
	}
}

bool sim_machine_of(const struct sim_pool *p, const char *pool)
{
	size_t n = strlen(pool);
	return p->machine && strncasecmp(p->name, pool, n) == 0 && p->name[n] == '/';
}
