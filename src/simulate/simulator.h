/* simulator.h: ARM, token endpoint and IMDS over HTTP, with agent pools in memory and, when a cluster is given, Nodes that join and
 * leave it. For tests, and for trying the system without a cloud: `kaito simulate azure`. docs/simulator.md describes its control
 * interface under /_sim/. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct simulator_options {
	const char *cloud;             /* "azure" (also NULL), "aws" */
	const char *host;              /* "127.0.0.1" */
	int port;                      /* 0: any */
	const char *kubeconfig;        /* where Nodes join; NULL: nowhere */
	int64_t create_ms, delete_ms, join_ms; /* how long operations take; the Node joins join_ms before creation ends (or at its end) */
	const char *lro;               /* "async" | "location" | "body" */
	int64_t heartbeat_ms;          /* how often a Node renews its lease; 0: never, for clusters without a node lifecycle controller */
	int max_pools;                 /* 0: 100, as AKS */
	bool throttle;                 /* answer 429 past the services' budgets */
	const char *script;            /* file of scripted replies, as POST /_sim/script takes them */
	bool tls;                      /* a certificate of its own, whose CA is written to ca_file */
	const char *ca_file;
	const char *subscription, *resource_group, *cluster, *location; /* defaults: those of a made-up cluster */
};
struct simulator;
WARN_UNUSED int simulator_start(struct simulator **out, const struct simulator_options *o, struct err *err);
int simulator_port(const struct simulator *s);
/* One line of JSON: {"port", "endpoint", "env": {the environment variables that a provisioner needs}}. Caller frees. */
char *simulator_describe(struct simulator *s);
void simulator_stop(struct simulator *s);
