/* run.h: the node provisioner as a process: caches, controllers, leader election, endpoints, around a cloud. */
#pragma once
#include "nodes/nodes.h"

struct nodes_run_options { /* borrowed for the run */
	struct nodes_options nodes;
	const char *kubeconfig;
	double qps;
	int burst;
	const char *health_address, *metrics_address;
	bool leader_elect, profiling;
	const char *lease_namespace, *lease_name;
	const char *version;
	/* Makes the cloud once the client exists; hooks are complete. */
	int (*open_cloud)(void *context, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err);
	void *context;
};
/* Blocks until *stop becomes true (0) or something essential fails. */
WARN_UNUSED int nodes_run(const struct nodes_run_options *o, atomic_bool *stop, struct err *err);
