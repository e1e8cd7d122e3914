/* aws_sim_node.c: the Node of an EC2 instance as its kubelet and AWS's cloud controller register it: its name is its address, its taints those
 * of the user data; and what the joiner asks about it. */
#include "simulate/aws_sim.h"

#include "kube/meta.h"
#include <inttypes.h>
#include <stdio.h>

static struct aws_sim_instance *instance_of(struct simulator *s, const struct sim_node_job *job)
{
	struct aws_sim_instance *i = aws_sim_instances_find(s, job->owner);
	return i && i->number == job->generation ? i : NULL;
}

static uint8_t *flags_of(struct simulator *s, const struct sim_node_job *job)
{
	struct aws_sim_instance *i = instance_of(s, job);
	return i ? &i->node : NULL;
}

static void address_of(uint64_t number, char separator, char out[20])
{
	snprintf(out, 20, "10%c%d%c%d%c%d", separator, (int)(number >> 16 & 255), separator, (int)(number >> 8 & 255), separator, (int)(number & 255));
}

/* us-east-1 has names of its own. */
static void name_of(struct simulator *s, const struct sim_node_job *job, char out[SIM_NODE_NAME])
{
	char address[20];
	address_of(job->generation, '-', address);
	if (strcmp(s->location, "us-east-1") == 0)
		snprintf(out, SIM_NODE_NAME, "ip-%s.ec2.internal", address);
	else
		snprintf(out, SIM_NODE_NAME, "ip-%s.%.22s.compute.internal", address, s->location);
}

static bool find(struct simulator *s, const char *node, struct sim_node_job *out)
{
	unsigned a, b, c;
	char id[AWS_SIM_ID], name[SIM_NODE_NAME];
	if (sscanf(node, "ip-10-%3u-%3u-%3u.", &a, &b, &c) != 3 || a > 255 || b > 255 || c > 255)
		return false;
	out->generation = (uint64_t)a << 16 | b << 8 | c;
	aws_sim_instances_id(out->generation, id);
	snprintf(out->owner, sizeof out->owner, "%s", id);
	name_of(s, out, name);
	return strcmp(name, node) == 0 && instance_of(s, out);
}

static bool leaving(struct simulator *s, const struct sim_node_job *job) { return !aws_sim_instances_is_alive(instance_of(s, job)); }
static int gpus(struct simulator *s, const struct sim_node_job *job) { return sim_node_gpus_of(sku_find("aws", instance_of(s, job)->type)); }

static json_t *labels(const struct simulator *s, const struct aws_sim_instance *i, const char *name)
{
	const struct { const char *key, *value; } rows[] = {
		{"beta.kubernetes.io/arch", "amd64"},
		{"beta.kubernetes.io/instance-type", i->type},
		{"beta.kubernetes.io/os", "linux"},
		{"failure-domain.beta.kubernetes.io/region", s->location},
		{"failure-domain.beta.kubernetes.io/zone", i->zone},
		{"k8s.io/cloud-provider-aws", "simulated"},
		{"kubernetes.io/arch", "amd64"},
		{"kubernetes.io/hostname", name},
		{"kubernetes.io/os", "linux"},
		{"node.kubernetes.io/instance-type", i->type},
		{"topology.kubernetes.io/region", s->location},
		{"topology.kubernetes.io/zone", i->zone},
	};
	json_t *out = json_object();
	for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++)
		json_object_set_new(out, rows[n].key, json_string(rows[n].value));
	return out;
}

static json_t *resources(const struct aws_sim_instance *i, bool devices, bool allocatable)
{
	const struct sku *sku = sku_find("aws", i->type);
	return sim_node_resources(sku, i->disk_gib, 110, devices ? sim_node_gpus_of(sku) : 0, allocatable);
}

static json_t *status(const struct simulator *s, const struct aws_sim_instance *i, const char *name, bool ready, bool devices)
{
	json_t *addresses = json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address", "127.0.0.1", "type", "Hostname", "address", name);
	json_t *info = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "architecture", "amd64", "operatingSystem", "linux", "kubeletVersion", "v1.33.5-eks-0000000",
		"kubeProxyVersion", "", "containerRuntimeVersion", "containerd://1.7.28", "kernelVersion", "6.1.0", "osImage", "Amazon Linux 2023", "bootID", "", "machineID", "", "systemUUID", i->id);
	json_t *out = json_pack("{s:o, s:o, s:o, s:o, s:o}", "capacity", resources(i, devices, false), "allocatable", resources(i, devices, true), "conditions",
		sim_node_conditions(s, ready), "addresses", addresses, "nodeInfo", info);
	if (s->settings.kubelet_port)
		json_object_set_new(out, "daemonEndpoints", json_pack("{s:{s:I}}", "kubeletEndpoint", "Port", (json_int_t)s->settings.kubelet_port));
	return out;
}

static json_t *make(struct simulator *s, const struct sim_node_job *job, bool ready, bool devices)
{
	const struct aws_sim_instance *i = instance_of(s, job);
	char name[SIM_NODE_NAME];
	name_of(s, job, name);
	json_t *node = meta_new(&KUBE_NODES, NULL, name);
	json_object_set_new(json_object_get(node, "metadata"), "labels", labels(s, i, name));
	json_object_set_new(node, "spec", json_pack("{s:o, s:o}", "taints", json_deep_copy(i->taints), "providerID", json_sprintf("aws:///%s/%s", i->zone, i->id)));
	json_object_set_new(node, "status", status(s, i, name, ready, devices));
	return node;
}

static json_t *devices_patch(struct simulator *s, const struct sim_node_job *job)
{
	const struct aws_sim_instance *i = instance_of(s, job);
	return json_pack("{s:{s:o, s:o}}", "status", "capacity", resources(i, true, false), "allocatable", resources(i, true, true));
}

const struct sim_nodes AWS_SIM_NODES = {
	.flags = flags_of, .leaving = leaving, .name = name_of, .find = find, .make = make, .devices_patch = devices_patch, .gpus = gpus,
};
