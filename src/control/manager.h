/* manager.h: runs the enabled controllers: caches, queues, workers, leader election, health and metrics endpoints. */
#pragma once
#include "control/control.h"

struct manager_options {
	struct control_options control;
	const char *kubeconfig;            /* NULL: $KUBECONFIG, in-cluster, ~/.kube/config */
	const char *metrics_address, *health_address; /* ":8080"; "0" or "": off */
	double qps;
	int burst;
	bool leader_elect, webhook;
	const char *webhook_service, *system_namespace, *hub_cache;
	int webhook_port;
	const char *version;
};
/* Blocks until *stop becomes true (0) or something essential fails: the lease is lost, a port is taken, the API server is not reached in
 * time at start. */
WARN_UNUSED int manager_run(const struct manager_options *o, atomic_bool *stop, struct err *err);
