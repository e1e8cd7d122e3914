/* cmd_simulate.c: `kaito simulate azure`: the simulated cloud until SIGTERM. The first line of stdout says where it listens and which
 * environment variables make a provisioner use it. */
#include "cmd/command.h"
#include "cmd/flags.h"

#include "base/limits.h"
#include "base/str.h"
#include "simulate/simulator.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000 };

static int run(const struct simulator_options *o, struct err *err)
{
	sigset_t signals;
	struct simulator *s = NULL;
	int number;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
	signal(SIGPIPE, SIG_IGN);
	if (simulator_start(&s, o, err) < 0)
		return -1;
	char *line = simulator_describe(s);
	puts(line);
	fflush(stdout);
	free(line);
	sigwait(&signals, &number);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL); /* a second signal ends at once */
	simulator_stop(s);
	return 0;
}

int cmd_simulate(int argc, char **argv, struct err *err)
{
	struct simulator_options o = {.host = "127.0.0.1"};
	int64_t port = 0, max_pools = 100;
	const char *cloud = NULL;
	size_t n_words = 0;
	const struct flag flags[] = {
		{"host", "ADDRESS", FLAG_STRING, &o.host, "numeric address to listen on; whoever reaches it controls the simulated cloud (127.0.0.1)", false, 0, 0},
		{"port", "PORT", FLAG_INT, &port, "port to listen on, 0: any free one (0)", false, 0, 65535},
		{"kubeconfig", "FILE", FLAG_STRING, &o.kubeconfig, "cluster that the simulated machines join as Nodes (none)", false, 0, 0},
		{"create-time", "DURATION", FLAG_DURATION, &o.create_ms, "how long the creation of a pool takes (0s)", false, 0, DAY_MS},
		{"delete-time", "DURATION", FLAG_DURATION, &o.delete_ms, "how long its deletion takes (0s)", false, 0, DAY_MS},
		{"join-time", "DURATION", FLAG_DURATION, &o.join_ms, "how long before the end of the creation its Nodes join; negative: after it (0s)", false, -DAY_MS, DAY_MS},
		{"heartbeat", "DURATION", FLAG_DURATION, &o.heartbeat_ms, "how often Nodes renew their lease, 0s: never; 10s for a cluster with a node lifecycle controller (0s)", false, 0, DAY_MS},
		{"lro", "STYLE", FLAG_STRING, &o.lro, "how operations are followed: async, operation_location, location or body (async)", false, 0, 0},
		{"max-pools", "N", FLAG_INT, &max_pools, "agent pools that the cluster can have (100)", false, 1, LIMIT_SIMULATOR_POOLS},
		{"throttle", NULL, FLAG_BOOL, &o.throttle, "answer 429 past the services' budgets", false, 0, 0},
		{"script", "FILE", FLAG_STRING, &o.script, "JSON file of scripted replies, as POST /_sim/script takes them", false, 0, 0},
		{"tls", NULL, FLAG_BOOL, &o.tls, "HTTPS with a certificate of its own", false, 0, 0},
		{"ca-file", "FILE", FLAG_STRING, &o.ca_file, "where the CA of that certificate is written", false, 0, 0},
		{"subscription", "ID", FLAG_STRING, &o.subscription, "of the simulated cluster (a made-up one)", false, 0, 0},
		{"resource-group", "NAME", FLAG_STRING, &o.resource_group, "of the simulated cluster (kaito-rg)", false, 0, 0},
		{"cluster", "NAME", FLAG_STRING, &o.cluster, "name of the simulated cluster (kaito)", false, 0, 0},
		{"location", "NAME", FLAG_STRING, &o.location, "region of the simulated cluster (eastus)", false, 0, 0},
	};
	size_t n = sizeof flags / sizeof flags[0];
	int rc = flags_parse("simulate azure [flags]", flags, n, argc, argv, &cloud, 1, &n_words, err);
	if (rc == 0 && (n_words != 1 || strcmp(cloud, "azure") != 0))
		rc = err_set(err, ERR_USAGE, "say which cloud: kaito simulate azure");
	if (rc == 0 && o.tls && !o.ca_file)
		rc = err_set(err, ERR_USAGE, "--tls needs --ca-file, else nobody can trust the certificate");
	if (rc == 0) {
		o.port = (int)port;
		o.max_pools = (int)max_pools;
		rc = run(&o, err);
	}
	flags_done(flags, n);
	return rc < 0 ? -1 : 0;
}
