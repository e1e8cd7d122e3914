/* cmd_provisioner.c: `kaito provisioner`, the node provisioner: gpu-provisioner's flags and environment variables, and ours for what it
 * hard-codes. The cloud is a row of CLOUDS. */
#include "cmd/clouds.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/flags.h"

#include "base/log.h"
#include "base/str.h"
#include "nodes/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words { /* flags that need a second look */
	const char *node_api, *gates, *level, *encoding, *outputs, *errors, *preference, *min_values, *service;
	bool no_election, no_observability, ignore_dra, version;
	int64_t metrics_port, health_port, burst, memory_limit, cpu_requests, batch_max_ms, batch_idle_ms, workers, guard;
	char metrics[16], health[16];
};

/* Karpenter's gates and which of ours each switches; NULL: accepted, it concerns what a node provisioner for claims does not do. */
struct gate { const char *name; size_t offset; bool used; };
#define SWITCH(name, member) {name, offsetof(struct nodes_options, member), true}
static const struct gate GATES[] = {
	SWITCH("Drift", drift), SWITCH("NodeRepair", repair), SWITCH("StaticCapacity", pools),
	{"ReservedCapacity", 0, false}, {"SpotToSpotConsolidation", 0, false}, {"NodeOverlay", 0, false},
};

static int set_gate(struct nodes_options *o, str pair, struct err *err)
{
	size_t eq = str_find(pair, '=', 0);
	str name = str_trim(str_sub(pair, 0, eq)), value = eq < pair.len ? str_trim(str_sub(pair, eq + 1, pair.len)) : STR("");
	if (!str_eqz(value, "true") && !str_eqz(value, "false"))
		return err_set(err, ERR_USAGE, "feature gate '%.*s' needs =true or =false", STR_FMT(name));
	for (size_t i = 0; i < sizeof GATES / sizeof GATES[0]; i++)
		if (str_eqz(name, GATES[i].name)) {
			if (GATES[i].used)
				*(bool *)((char *)o + GATES[i].offset) = str_eqz(value, "true");
			return 0;
		}
	return err_set(err, ERR_USAGE, "unknown feature gate '%.*s'; docs/provisioner.md lists them", STR_FMT(name));
}

static int set_gates(struct nodes_options *o, const char *list, struct err *err)
{
	str rest = str_of(list);
	while (rest.len) {
		size_t comma = str_find(rest, ',', 0);
		str pair = str_trim(str_sub(rest, 0, comma));
		if (pair.len && set_gate(o, pair, err) < 0)
			return -1;
		rest = comma < rest.len ? str_sub(rest, comma + 1, rest.len) : STR("");
	}
	return 0;
}

static int set_node_api(struct nodes_options *o, const char *name, struct err *err)
{
	o->claims = strcmp(name, "machine") != 0;
	o->machines = strcmp(name, "nodeclaim") != 0;
	if (o->claims && o->machines && strcmp(name, "both") != 0)
		return err_set(err, ERR_USAGE, "unknown --node-api '%s'; use nodeclaim, machine or both", name);
	return 0;
}

static int check_outputs(const char *flag, const char *value, struct err *err)
{
	if (strcmp(value, "stdout") != 0 && strcmp(value, "stderr") != 0)
		return err_set(err, ERR_USAGE, "--%s takes stdout or stderr, not '%s'; the log goes to standard error", flag, value);
	return 0;
}

static int apply(struct nodes_run_options *o, struct words *w, struct err *err)
{
	if (set_gates(&o->nodes, w->gates, err) < 0 || set_node_api(&o->nodes, w->node_api, err) < 0 || check_outputs("log-output-paths", w->outputs, err) < 0 ||
	    check_outputs("log-error-output-paths", w->errors, err) < 0)
		return -1;
	if (strcmp(w->encoding, "json") != 0 && strcmp(w->encoding, "console") != 0)
		return err_set(err, ERR_USAGE, "unknown --log-encoding '%s'; use json or console", w->encoding);
	snprintf(w->metrics, sizeof w->metrics, ":%d", (int)w->metrics_port);
	snprintf(w->health, sizeof w->health, ":%d", (int)w->health_port);
	o->metrics_address = w->metrics_port ? w->metrics : "0";
	o->health_address = w->health_port ? w->health : "0";
	o->burst = (int)w->burst;
	o->leader_elect = !w->no_election;
	o->nodes.workers = (int)w->workers;
	o->nodes.repair_guard_percent = (int)w->guard;
	return 0;
}

static int open_cloud(void *context, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err)
{
	struct clouds_options *o = context;
	return clouds_open(o, kube, hooks, out, err);
}

int cmd_provisioner(int argc, char **argv, struct err *err)
{
	struct nodes_run_options o = {
		.nodes = {.pools = true, .repair = true, .claim_gc_ms = 120000, .instance_gc_ms = 120000, .instance_gc_age_ms = 30000},
		.qps = 200,
		.lease_name = "gpu-provisioner-leader-election",
		.lease_namespace = getenv("SYSTEM_NAMESPACE"),
		.version = KAITO_VERSION,
		.open_cloud = open_cloud,
	};
	struct clouds_options c = clouds_options_default();
	struct nodes_options *n = &o.nodes;
	struct words w = {.node_api = "both", .gates = "", .level = "info", .encoding = "json", .outputs = "stdout", .errors = "stderr", .no_election = true,
			  .metrics_port = 8080, .health_port = 8081, .burst = 300, .workers = 16};
	const struct flag flags[] = {
		{"kubeconfig", "PATH", FLAG_STRING, &o.kubeconfig, "cluster to work on ($KUBECONFIG, else the pod's own, else ~/.kube/config)", false, 0, 0, false},
		{"cloud", "NAME", FLAG_STRING, &c.cloud, "who makes the machines: " CLOUDS_NAMES " ($CLOUD_PROVIDER, else azure)", false, 0, 0, false},
		{"node-api", "NAME", FLAG_STRING, &w.node_api, "claims to serve: nodeclaim (karpenter.sh/v1), machine (karpenter.sh/v1alpha5) or both (both)", false, 0, 0, false},
		{"metrics-port", "PORT", FLAG_INT, &w.metrics_port, "where /metrics listens; 0: nowhere (8080)", false, 0, 65535, true},
		{"health-probe-port", "PORT", FLAG_INT, &w.health_port, "where /healthz and /readyz listen; 0: nowhere (8081)", false, 0, 65535, true},
		{"kube-client-qps", "N", FLAG_FLOAT, &o.qps, "requests a second to the API server, for each resource (200)", false, 0.1, 1e6, true},
		{"kube-client-burst", "N", FLAG_INT, &w.burst, "requests at once above that rate (300)", false, 1, 1e6, true},
		{"workers", "N", FLAG_INT, &w.workers, "reconciles at once, of claims and of Nodes (16)", false, 1, OPERATOR_WORKERS_MAX, false},
		{"disable-leader-election", NULL, FLAG_BOOL, &w.no_election, "work without holding the lease; false for more than one replica (true)", false, 0, 0, true},
		{"leader-election-name", "NAME", FLAG_STRING, &o.lease_name, "of the Lease (gpu-provisioner-leader-election)", false, 0, 0, true},
		{"leader-election-namespace", "NAME", FLAG_STRING, &o.lease_namespace, "of the Lease ($SYSTEM_NAMESPACE, else the pod's)", false, 0, 0, true},
		{"feature-gates", "LIST", FLAG_STRING, &w.gates, "name=true,name=false …: NodeRepair (true), StaticCapacity (true), Drift (false); Karpenter's others are accepted", false, 0, 0, true},
		{"launch-timeout", "TIME", FLAG_DURATION, &n->launch_timeout_ms, "deletes claims that were not launched by then; 0: never (0)", false, 0, 0, false},
		{"registration-timeout", "TIME", FLAG_DURATION, &n->registration_timeout_ms, "deletes claims whose Node did not join by then; 0: never (0)", false, 0, 0, false},
		{"delete-on-insufficient-capacity", NULL, FLAG_BOOL, &n->delete_on_insufficient, "deletes claims that no offering can fulfil, as Karpenter does (false)", false, 0, 0, false},
		{"claim-gc-interval", "TIME", FLAG_DURATION, &n->claim_gc_ms, "how often claims without a machine are looked for; 0: never (2m)", false, 0, 0, false},
		{"instance-gc-interval", "TIME", FLAG_DURATION, &n->instance_gc_ms, "how often machines without a claim are looked for; 0: never (2m)", false, 0, 0, false},
		{"instance-gc-age", "TIME", FLAG_DURATION, &n->instance_gc_age_ms, "younger ones are left alone (30s)", false, 0, 0, false},
		{"instance-gc-delay", "TIME", FLAG_DURATION, &n->instance_gc_delay_ms, "no collection so soon after the start (0)", false, 0, 0, false},
		{"gc-dry-run", NULL, FLAG_BOOL, &n->gc_dry_run, "only tells what would be collected (false)", false, 0, 0, false},
		{"repair-toleration", "TIME", FLAG_DURATION, &n->repair_toleration_ms, "how long a Node may be unhealthy; 0: as the cloud's policies say, 10m for NotReady (0)", false, 0, 0, false},
		{"repair-guard-percent", "N", FLAG_INT, &w.guard, "no repair while more of the Nodes are unhealthy; 0: always (0)", false, 0, 100, false},
		{"quota-preflight", NULL, FLAG_BOOL, &c.quota_preflight, "asks the subscription's quota before a machine is ordered (true)", false, 0, 0, false},
		{"arm-api-version", "DATE", FLAG_STRING, &c.arm_api_version, "of agent pools (2024-01-01)", false, 0, 0, false},
		{"azure-instances", "NAME", FLAG_STRING, &c.azure_instances, "what a claim becomes on Azure: pools, an agent pool each, at most 100; machines, all in one pool, at most 1000 (pools; machines with $PROVISION_MODE=aksmachineapi)", false, 0, 0, false},
		{"aks-machines-pool", "NAME", FLAG_STRING, &c.aks_machines_pool, "with --azure-instances machines: their agent pool, made when it is missing ($AKS_MACHINES_POOL_NAME, else kaitomach)", false, 0, 0, false},
		{"kwok-ready", NULL, FLAG_BOOL, &c.kwok_ready, "with --cloud kwok: its Nodes are made Ready here, no kwok controller runs (true)", false, 0, 0, false},
		{"kwok-join-time", "TIME", FLAG_DURATION, &c.kwok_join_ms, "with --cloud kwok: a Node appears this long after its claim (0)", false, 0, 0, false},
		{"log-level", "LEVEL", FLAG_STRING, &w.level, "debug, info, warn or error (info)", false, 0, 0, true},
		{"log-encoding", "NAME", FLAG_STRING, &w.encoding, "json or console (json)", false, 0, 0, true},
		{"log-output-paths", "PATH", FLAG_STRING, &w.outputs, "accepted; the log goes to standard error (stdout)", false, 0, 0, true},
		{"log-error-output-paths", "PATH", FLAG_STRING, &w.errors, "accepted; the log goes to standard error (stderr)", false, 0, 0, true},
		{"enable-profiling", NULL, FLAG_BOOL, &o.profiling, "adds /debug/pprof/heap and /debug/pprof/cmdline to the metrics port (false)", false, 0, 0, true},
		{"karpenter-service", "NAME", FLAG_STRING, &w.service, "accepted, without effect", false, 0, 0, true},
		{"memory-limit", "BYTES", FLAG_INT, &w.memory_limit, "accepted, without effect", false, 0, 0, true},
		{"cpu-requests", "MILLICORES", FLAG_INT, &w.cpu_requests, "accepted; --workers says how many reconciles run at once", false, 0, 0, true},
		{"batch-max-duration", "TIME", FLAG_DURATION, &w.batch_max_ms, "accepted, without effect", false, 0, 0, true},
		{"batch-idle-duration", "TIME", FLAG_DURATION, &w.batch_idle_ms, "accepted, without effect", false, 0, 0, true},
		{"preference-policy", "NAME", FLAG_STRING, &w.preference, "accepted, without effect", false, 0, 0, true},
		{"min-values-policy", "NAME", FLAG_STRING, &w.min_values, "accepted, without effect", false, 0, 0, true},
		{"ignore-dra-requests", NULL, FLAG_BOOL, &w.ignore_dra, "accepted, without effect", false, 0, 0, true},
		{"disable-cluster-state-observability", NULL, FLAG_BOOL, &w.no_observability, "accepted, without effect", false, 0, 0, true},
		{"version", NULL, FLAG_BOOL, &w.version, "print the version and leave", false, 0, 0, false},
	};
	enum { N = sizeof flags / sizeof flags[0] };
	if (flags_environment(flags, N, err) < 0)
		return -1;
	int rc = flags_parse("provisioner [flags]", flags, N, argc, argv, NULL, 0, NULL, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	if (w.version) {
		puts("kaito " KAITO_VERSION);
		return 0;
	}
	if (apply(&o, &w, err) < 0 || daemon_setup_log("log-level", w.level, strcmp(w.encoding, "json") == 0, err) < 0)
		return -1;
	daemon_tune_memory();
	daemon_catch_signals();
	o.context = &c;
	rc = nodes_run(&o, &daemon_stop, err);
	clouds_done(&c);
	return rc;
}
