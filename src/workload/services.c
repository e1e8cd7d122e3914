/* services.c: the two Services of an inference Workspace: one that clients use, which leads to pod 0, and a headless one by which the
 * workers of a multi-node model find their leader. */
#include "workload/services.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "workload/inference_workload.h"
#include <string.h>

json_t *service_new(const struct workload_plan *p, const char *name, const char *type, json_t *ports, json_t *selector)
{
	json_t *service = meta_new(&KUBE_SERVICES, p->w->namespace_, name);
	meta_own(service, &KUBE_WORKSPACES, p->w->object);
	json_t *spec = json_pack("{s:s, s:o, s:b}", "type", type, "selector", selector, "publishNotReadyAddresses", 1);
	if (ports)
		json_object_set_new(spec, "ports", ports);
	json_object_set_new(service, "spec", spec);
	return service;
}

json_t *service_port(const char *name, int port, int target)
{
	return json_pack("{s:s, s:i, s:i, s:s}", "name", name, "port", port, "targetPort", target, "protocol", "TCP");
}

json_t *service_leader_selector(const struct workload_plan *p)
{
	char *pod = mem_printf("%s-0", p->w->name);
	json_t *selector = json_pack("{s:s, s:s}", LABEL_WORKSPACE, p->w->name, "statefulset.kubernetes.io/pod-name", pod);
	free(pod);
	return selector;
}

/* Cache events of vLLM are for routers inside the cluster: they are not shown to the world. */
int inference_service(const struct workload_plan *p, json_t **out, struct err *err)
{
	(void)err;
	json_t *ports = json_array();
	json_array_append_new(ports, service_port("http", 80, PORT_SERVE));
	json_array_append_new(ports, service_port("ray", PORT_RAY, PORT_RAY));
	json_array_append_new(ports, service_port("dashboard", PORT_RAY_DASHBOARD, PORT_RAY_DASHBOARD));
	if (!p->w->load_balancer && p->runtime == RUNTIME_VLLM)
		json_array_append_new(ports, service_port("kv-events", PORT_KV_EVENTS, PORT_KV_EVENTS));
	*out = service_new(p, p->w->name, p->w->load_balancer ? "LoadBalancer" : "ClusterIP", ports, service_leader_selector(p));
	return 0;
}

int inference_headless_service(const struct workload_plan *p, json_t **out, struct err *err)
{
	(void)err;
	char *name = mem_printf("%s-headless", p->w->name);
	*out = service_new(p, name, "ClusterIP", NULL, json_pack("{s:s}", LABEL_WORKSPACE, p->w->name));
	json_object_set_new(json_object_get(*out, "spec"), "clusterIP", json_string("None"));
	free(name);
	return 0;
}

static const json_t *port_named(const json_t *ports, const char *name)
{
	const json_t *port;
	size_t i;
	json_array_foreach((json_t *)ports, i, port)
		if (strcmp(json_text_at(port, "", "name", NULL), name) == 0)
			return port;
	return NULL;
}

/* Ports that only some Workspaces have; an own one is taken away when it is not wanted any more. */
static bool is_ours(const json_t *port)
{
	return strcmp(json_text_at(port, "", "name", NULL), "kv-events") == 0 && json_int_at(port, 0, "port", NULL) == PORT_KV_EVENTS;
}

/* The port as wanted, with the node port that it has. */
static json_t *merged_port(const json_t *wanted, const json_t *current, bool keep_node_port)
{
	json_t *port = json_copy((json_t *)wanted), *node_port = json_object_get(current, "nodePort");
	if (keep_node_port && node_port)
		json_object_set(port, "nodePort", node_port);
	return port;
}

static bool same_port(const json_t *a, const json_t *b)
{
	static const char *const KEYS[] = {"port", "targetPort", "protocol"};
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
		if (!json_equal(json_object_get(a, KEYS[i]), json_object_get(b, KEYS[i])))
			return false;
	return true;
}

/* The wanted ports, then those that somebody added. *changed: the list is not what current has. */
static json_t *merged_ports(const json_t *wanted, const json_t *current, bool keep_node_ports, bool *changed)
{
	json_t *ports = json_array();
	const json_t *port;
	size_t i;
	json_array_foreach((json_t *)wanted, i, port) {
		const json_t *there = port_named(current, json_text_at(port, "", "name", NULL));
		*changed |= !there || !same_port(port, there);
		json_array_append_new(ports, merged_port(port, there, keep_node_ports));
	}
	json_array_foreach((json_t *)current, i, port) {
		if (port_named(wanted, json_text_at(port, "", "name", NULL)))
			continue;
		if (is_ours(port))
			*changed = true;
		else
			json_array_append(ports, (json_t *)port);
	}
	return ports;
}

json_t *service_patch(const json_t *wanted, const json_t *current)
{
	const char *type = json_text_at(wanted, "ClusterIP", "spec", "type", NULL), *now = json_text_at(current, "ClusterIP", "spec", "type", NULL);
	bool balanced = strcmp(type, "LoadBalancer") == 0, is_balanced = strcmp(now, "LoadBalancer") == 0;
	bool changed = balanced != is_balanced;
	bool node_ports = balanced || (!changed && strcmp(now, "ClusterIP") != 0);
	json_t *ports = merged_ports(json_at(wanted, "spec", "ports", NULL), json_at(current, "spec", "ports", NULL), node_ports, &changed);
	if (!changed) {
		json_decref(ports);
		return NULL;
	}
	return json_pack("{s:{s:s, s:o}}", "spec", "type", balanced != is_balanced ? type : now, "ports", ports);
}

int inference_service_update(const struct workload_plan *p, const json_t *current, json_t **out, struct err *err)
{
	json_t *wanted = NULL;
	if (inference_service(p, &wanted, err) < 0)
		return -1;
	*out = service_patch(wanted, current);
	json_decref(wanted);
	return 0;
}
