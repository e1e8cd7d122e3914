/* sim_node.c: the Node of a machine as AKS and its kubelet register it: name, labels, taints, providerID, resources, conditions. */
#include "simulate/sim.h"

#include "base/clock.h"
#include "kube/meta.h"
#include <math.h>
#include <stdio.h>

/* "000000" in base 36, as machine names of scale sets count. */
void sim_node_name(const struct simulator *s, const char *pool, int index, char out[SIM_NODE_NAME])
{
	static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char number[7] = "000000";
	const char *slash = strchr(pool, '/');
	if (slash) {
		snprintf(out, SIM_NODE_NAME, "aks-%.*s-%.34s-%.8s-vm", (int)(slash - pool), pool, slash + 1, s->digits);
		return;
	}
	for (int i = 5; i >= 0; i--, index /= 36)
		number[i] = DIGITS[index % 36];
	snprintf(out, SIM_NODE_NAME, "aks-%.12s-%s-vmss%s", pool, s->digits, number);
}

/* "aks-POOL-MACHINE-12345678-vm" */
static bool parse_vm(const char *name, char unit[SIM_UNIT_NAME_MAX + 1])
{
	char pool[SIM_POOL_NAME_MAX + 1], rest[SIM_NODE_NAME], more;
	size_t n, tail = sizeof "-12345678-vm" - 1;
	if (sscanf(name, "aks-%12[a-z0-9]-%63[a-z0-9-]%c", pool, rest, &more) != 2 || (n = strlen(rest)) <= tail || n - tail > SIM_MACHINE_NAME_MAX ||
	    strcmp(rest + n - 3, "-vm") != 0 || rest[n - tail] != '-' || strspn(rest + n - tail + 1, "0123456789") != 8)
		return false;
	snprintf(unit, SIM_UNIT_NAME_MAX + 1, "%.12s/%.*s", pool, (int)(n - tail), rest);
	return true;
}

bool sim_node_parse(const char *name, char pool[SIM_UNIT_NAME_MAX + 1], int *index)
{
	char digits[9], number[7], more;
	*index = 0;
	if (sscanf(name, "aks-%12[a-z0-9]-%8[0-9]-vmss%6[0-9a-z]%c", pool, digits, number, &more) != 3 || strlen(number) != 6)
		return parse_vm(name, pool);
	long n = strtol(number, NULL, 36);
	*index = (int)n;
	return n < LIMIT_SIMULATOR_NODES;
}

static const struct sku *sku_of(const struct sim_pool *p) { return sku_find("azure", json_text_at(p->body, "", "properties", "vmSize", NULL)); }

int sim_node_gpus_of(const struct sku *sku) { return sku && strstr(sku->gpu_model, "NVIDIA") ? sku->gpus : 0; }
int sim_node_gpus(const struct sim_pool *p) { return sim_node_gpus_of(sku_of(p)); }

static const char *zone_of(const struct simulator *s, const struct sim_pool *p, int index, char out[80])
{
	const json_t *zones = json_at(p->body, "properties", "availabilityZones", NULL);
	size_t n = json_array_size(zones);
	if (n == 0)
		return "0";
	snprintf(out, 80, "%s-%s", s->location, json_string_value(json_array_get(zones, (size_t)index % n)));
	return out;
}

static json_t *labels(const struct simulator *s, const struct sim_pool *p, int index, const char *name)
{
	json_t *out = json_object(), *value;
	const json_t *props = json_object_get(p->body, "properties");
	const char *key, *size = json_text_at(props, "", "vmSize", NULL);
	char zone[80];
	const char *at = zone_of(s, p, index, zone);
	char pool[SIM_POOL_NAME_MAX + 1];
	snprintf(pool, sizeof pool, "%.*s", (int)strcspn(p->name, "/"), p->name);
	const struct { const char *key, *value; } rows[] = {
		{"agentpool", pool},
		{"beta.kubernetes.io/arch", "amd64"},
		{"beta.kubernetes.io/instance-type", size},
		{"beta.kubernetes.io/os", "linux"},
		{"failure-domain.beta.kubernetes.io/region", s->location},
		{"failure-domain.beta.kubernetes.io/zone", at},
		{"kubernetes.azure.com/agentpool", pool},
		{"kubernetes.azure.com/cluster", s->node_group},
		{"kubernetes.azure.com/consolidated-additional-properties", "simulated"},
		{"kubernetes.azure.com/mode", strcmp(json_text_at(props, "", "mode", NULL), "System") == 0 ? "system" : "user"},
		{"kubernetes.azure.com/node-image-version", json_text_at(props, "", "nodeImageVersion", NULL)},
		{"kubernetes.azure.com/nodepool-type", p->machine ? "VirtualMachines" : "VirtualMachineScaleSets"},
		{"kubernetes.azure.com/os-sku", json_text_at(props, "", "osSKU", NULL)},
		{"kubernetes.azure.com/role", "agent"},
		{"kubernetes.io/arch", "amd64"},
		{"kubernetes.io/hostname", name},
		{"kubernetes.io/os", "linux"},
		{"kubernetes.io/role", "agent"},
		{"node.kubernetes.io/instance-type", size},
		{"topology.kubernetes.io/region", s->location},
		{"topology.kubernetes.io/zone", at},
	};
	if (sim_node_gpus(p))
		json_object_set_new(out, "kubernetes.azure.com/accelerator", json_string("nvidia"));
	json_object_foreach(json_object_get(props, "nodeLabels"), key, value)
		json_object_set(out, key, value);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		json_object_set_new(out, rows[i].key, json_string(rows[i].value));
	return out;
}

/* "key=value:Effect" or "key:Effect"; the pool's body was checked. */
static json_t *taint_of(str t)
{
	size_t colon = str_find(t, ':', 0), equals = str_find(t, '=', 0);
	str key = str_sub(t, 0, equals < colon ? equals : colon);
	json_t *out = json_pack("{s:s%, s:s}", "key", key.data, key.len, "effect", t.data + colon + 1);
	if (equals < colon)
		json_object_set_new(out, "value", json_stringn(t.data + equals + 1, colon - equals - 1));
	return out;
}

static json_t *taints(const struct sim_pool *p)
{
	json_t *out = json_array(), *taint;
	size_t i;
	json_array_foreach(json_at(p->body, "properties", "nodeTaints", NULL), i, taint)
		json_array_append_new(out, taint_of(str_of(json_string_value(taint))));
	return out;
}

/* Allocatable leaves out what AKS reserves: about 3 % of the memory here, 100 m to 260 m of the cores. */
json_t *sim_node_resources(const struct sku *sku, int64_t disk_gib, int64_t pods, int gpus, bool allocatable)
{
	int cpus = sku && sku->cpus ? sku->cpus : 2, milli = cpus * 1000 - (cpus > 8 ? 260 : 140);
	double kib = (sku && sku->memory_gib > 0 ? sku->memory_gib : 8) * 1024 * 1024;
	json_t *out = json_pack("{s:s, s:s, s:o}", "hugepages-1Gi", "0", "hugepages-2Mi", "0", "pods", json_sprintf("%lld", (long long)pods));
	json_object_set_new(out, "cpu", allocatable ? json_sprintf("%dm", milli) : json_sprintf("%d", cpus));
	json_object_set_new(out, "memory", json_sprintf("%lldKi", (long long)floor(allocatable ? kib * 0.96 - 102400 : kib * 0.98)));
	json_object_set_new(out, "ephemeral-storage", json_sprintf("%lldKi", (long long)(disk_gib * 1024 * 1024 / (allocatable ? 10 : 1) * (allocatable ? 9 : 1))));
	if (gpus)
		json_object_set_new(out, "nvidia.com/gpu", json_sprintf("%d", gpus));
	return out;
}

static json_t *resources(const struct sim_pool *p, bool devices, bool allocatable)
{
	return sim_node_resources(sku_of(p), json_int_at(p->body, 128, "properties", "osDiskSizeGB", NULL), json_int_at(p->body, 110, "properties", "maxPods", NULL),
				  devices ? sim_node_gpus(p) : 0, allocatable);
}

static json_t *condition(const char *type, const char *status, const char *reason, const char *message, const char *now)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "reason", reason, "message", message, "lastHeartbeatTime", now, "lastTransitionTime", now);
}

static json_t *ready_condition(const struct simulator *s, const char *status)
{
	char now[32];
	bool ready = strcmp(status, "True") == 0, unknown = strcmp(status, "Unknown") == 0;
	clock_rfc3339(sim_timers_wall_s(s), now);
	return condition("Ready", status, ready ? "KubeletReady" : unknown ? "NodeStatusUnknown" : "KubeletNotReady",
			 ready ? "kubelet is posting ready status" : unknown ? "Kubelet stopped posting node status." : "container runtime network not ready", now);
}

json_t *sim_node_conditions(const struct simulator *s, bool ready)
{
	char now[32];
	clock_rfc3339(sim_timers_wall_s(s), now);
	json_t *out = json_array();
	json_array_append_new(out, condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", now));
	json_array_append_new(out, condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", now));
	json_array_append_new(out, condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available", now));
	json_array_append_new(out, ready_condition(s, ready ? "True" : "False"));
	return out;
}

static json_t *node_info(const struct sim_pool *p, const char *name)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "architecture", "amd64", "operatingSystem", "linux", "kubeletVersion", "v1.33.5", "kubeProxyVersion", "",
		"containerRuntimeVersion", "containerd://1.7.28-1", "kernelVersion", "5.15.0-1098-azure", "osImage", "Ubuntu 22.04.5 LTS", "bootID", "", "machineID", "", "systemUUID", name);
	if (strcmp(json_text_at(p->body, "", "properties", "osSKU", NULL), "AzureLinux") == 0)
		json_object_set_new(out, "osImage", json_string("CBL-Mariner/Linux"));
	return out;
}

static json_t *status(const struct simulator *s, const struct sim_pool *p, const char *name, bool ready, bool devices)
{
	json_t *addresses = json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address", "127.0.0.1", "type", "Hostname", "address", name);
	json_t *out = json_pack("{s:o, s:o, s:o, s:o, s:o}", "capacity", resources(p, devices, false), "allocatable", resources(p, devices, true), "conditions", sim_node_conditions(s, ready),
		"addresses", addresses, "nodeInfo", node_info(p, name));
	if (s->settings.kubelet_port)
		json_object_set_new(out, "daemonEndpoints", json_pack("{s:{s:I}}", "kubeletEndpoint", "Port", (json_int_t)s->settings.kubelet_port));
	return out;
}

static json_t *provider_id(const struct simulator *s, const struct sim_pool *p, int index, const char *name)
{
	if (p->machine)
		return json_sprintf("azure:///subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachines/%s", s->subscription, s->node_group, name);
	return json_sprintf("azure:///subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachineScaleSets/aks-%s-%s-vmss/virtualMachines/%d", s->subscription, s->node_group,
		p->name, s->digits, index);
}

json_t *sim_node_make(const struct simulator *s, const struct sim_pool *p, int index, bool ready, bool devices)
{
	char name[SIM_NODE_NAME];
	sim_node_name(s, p->name, index, name);
	json_t *node = meta_new(&KUBE_NODES, NULL, name), *spec = json_pack("{s:o}", "taints", taints(p));
	json_object_set_new(json_object_get(node, "metadata"), "labels", labels(s, p, index, name));
	json_object_set_new(spec, "providerID", provider_id(s, p, index, name));
	json_object_set_new(node, "spec", spec);
	json_object_set_new(node, "status", status(s, p, name, ready, devices));
	return node;
}

json_t *sim_node_condition_patch(const struct simulator *s, const char *status)
{
	return json_pack("{s:{s:[o]}}", "status", "conditions", ready_condition(s, status));
}

json_t *sim_node_devices_patch(const struct sim_pool *p)
{
	return json_pack("{s:{s:o, s:o}}", "status", "capacity", resources(p, true, false), "allocatable", resources(p, true, true));
}

json_t *sim_node_lease(const struct simulator *s, const char *name)
{
	char now[32];
	clock_rfc3339(sim_timers_wall_s(s), now);
	json_t *lease = meta_new(&KUBE_LEASES, "kube-node-lease", name);
	now[strlen(now) - 1] = 0; /* a MicroTime has a fraction */
	json_object_set_new(lease, "spec", json_pack("{s:s, s:i, s:o}", "holderIdentity", name, "leaseDurationSeconds", 40, "renewTime", json_sprintf("%s.000000Z", now)));
	return lease;
}
