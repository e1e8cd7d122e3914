/* sim_cluster.c: the managed cluster itself: GET, start and stop, and the registration of the resource provider. */
#include "simulate/sim.h"

void sim_cluster_get(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	(void)q;
	json_t *props = json_pack("{s:s, s:{s:s}, s:s, s:s, s:s, s:s, s:b}", "provisioningState", "Succeeded", "powerState", "code", s->cluster_stopped ? "Stopped" : "Running",
		"kubernetesVersion", "1.33.5", "nodeResourceGroup", s->node_group, "dnsPrefix", s->cluster, "fqdn", "simulated.hcp.azmk8s.io", "enableRBAC", 1);
	json_t *pools = json_array();
	struct map_entry e;
	for (size_t i = 0; map_next(&s->pools, &i, &e);) {
		struct sim_pool *p = e.value;
		if (p->machine)
			continue;
		json_t *profile = json_copy(json_object_get(p->body, "properties"));
		json_object_set_new(profile, "name", json_string(p->name));
		json_array_append_new(pools, profile);
	}
	json_object_set_new(props, "agentPoolProfiles", pools);
	json_t *out = json_pack("{s:s, s:s, s:s, s:o}", "name", s->cluster, "location", s->location, "type", "Microsoft.ContainerService/ManagedClusters", "properties", props);
	json_object_set_new(out, "id", json_sprintf("/subscriptions/%s/resourcegroups/%s/providers/Microsoft.ContainerService/managedClusters/%s", s->subscription, s->resource_group, s->cluster));
	sim_reply_json(r, 200, out);
}

void sim_cluster_register(struct simulator *s, struct sim_request *q, struct sim_reply *r)
{
	if (str_eqz(q->method, "POST"))
		s->settings.registered = true;
	json_t *out = json_pack("{s:s, s:s}", "namespace", "Microsoft.ContainerService", "registrationState", s->settings.registered ? "Registered" : "NotRegistered");
	json_object_set_new(out, "id", json_sprintf("/subscriptions/%s/providers/Microsoft.ContainerService", s->subscription));
	sim_reply_json(r, 200, out);
}

void sim_cluster_set_power(struct simulator *s, bool running)
{
	struct map_entry e;
	s->cluster_stopped = !running;
	for (size_t i = 0; map_next(&s->pools, &i, &e);) {
		sim_pools_show_power(s, e.value);
		sim_joiner_sync(s, e.value);
	}
}
