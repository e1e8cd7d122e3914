/* cmd_simulate.c: `kaito simulate azure` and `kaito simulate aws`: a simulated cloud until SIGTERM. The first line of stdout says where it listens and which
 * environment variables make a provisioner use it. */
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/flags.h"

#include "base/limits.h"
#include "base/str.h"
#include "simulate/simulator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000 };

static int run(const struct simulator_options *o, struct err *err)
{
	sigset_t signals;
	struct simulator *s = NULL;
	daemon_block_signals(&signals);
	if (simulator_start(&s, o, err) < 0)
		return -1;
	char *line = simulator_describe(s);
	puts(line);
	fflush(stdout);
	free(line);
	(void)daemon_wait(&signals);
	simulator_stop(s);
	return 0;
}

/* To add a flag: a row, with the clouds it is for; a line in docs/simulator.md. */
enum { AZURE = 1, AWS = 2, ALL = 3, FLAGS_MAX = 32 };

int cmd_simulate(int argc, char **argv, struct err *err)
{
	struct simulator_options o = {.host = "127.0.0.1"};
	int64_t port = 0, max_pools = 100;
	const char *word = NULL;
	size_t n_words = 0, n = 0;
	const struct { unsigned clouds; struct flag flag; } rows[] = {
		{ALL, {"host", "ADDRESS", FLAG_STRING, &o.host, "numeric address to listen on; whoever reaches it controls the simulated cloud (127.0.0.1)", false, 0, 0}},
		{ALL, {"port", "PORT", FLAG_INT, &port, "port to listen on, 0: any free one (0)", false, 0, 65535}},
		{ALL, {"kubeconfig", "FILE", FLAG_STRING, &o.kubeconfig, "cluster that the simulated machines join as Nodes (none)", false, 0, 0}},
		{AZURE, {"create-time", "DURATION", FLAG_DURATION, &o.create_ms, "how long the creation of a pool takes (0s)", false, 0, DAY_MS}},
		{AWS, {"create-time", "DURATION", FLAG_DURATION, &o.create_ms, "how long an instance is pending (0s)", false, 0, DAY_MS}},
		{AZURE, {"delete-time", "DURATION", FLAG_DURATION, &o.delete_ms, "how long its deletion takes (0s)", false, 0, DAY_MS}},
		{AWS, {"delete-time", "DURATION", FLAG_DURATION, &o.delete_ms, "how long it is shutting down (0s)", false, 0, DAY_MS}},
		{AZURE, {"join-time", "DURATION", FLAG_DURATION, &o.join_ms, "how long before the end of the creation its Nodes join; negative: after it (0s)", false, -DAY_MS, DAY_MS}},
		{AWS, {"join-time", "DURATION", FLAG_DURATION, &o.join_ms, "how long before it runs its Node joins; negative: after it (0s)", false, -DAY_MS, DAY_MS}},
		{ALL, {"heartbeat", "DURATION", FLAG_DURATION, &o.heartbeat_ms, "how often Nodes renew their lease, 0s: never; 10s for a cluster with a node lifecycle controller (0s)", false, 0, DAY_MS}},
		{AZURE, {"lro", "STYLE", FLAG_STRING, &o.lro, "how operations are followed: async, operation_location, location or body (async)", false, 0, 0}},
		{AZURE, {"max-pools", "N", FLAG_INT, &max_pools, "agent pools that the cluster can have (100)", false, 1, LIMIT_SIMULATOR_POOLS}},
		{AZURE, {"throttle", NULL, FLAG_BOOL, &o.throttle, "answer 429 past the services' budgets", false, 0, 0}},
		{AWS, {"throttle", NULL, FLAG_BOOL, &o.throttle, "answer RequestLimitExceeded past the budgets of EC2's actions", false, 0, 0}},
		{ALL, {"script", "FILE", FLAG_STRING, &o.script, "JSON file of scripted replies, as POST /_sim/script takes them", false, 0, 0}},
		{ALL, {"tls", NULL, FLAG_BOOL, &o.tls, "HTTPS with a certificate of its own", false, 0, 0}},
		{ALL, {"ca-file", "FILE", FLAG_STRING, &o.ca_file, "where the CA of that certificate is written", false, 0, 0}},
		{AZURE, {"subscription", "ID", FLAG_STRING, &o.subscription, "of the simulated cluster (a made-up one)", false, 0, 0}},
		{AZURE, {"resource-group", "NAME", FLAG_STRING, &o.resource_group, "of the simulated cluster (kaito-rg)", false, 0, 0}},
		{ALL, {"cluster", "NAME", FLAG_STRING, &o.cluster, "name of the simulated cluster (kaito)", false, 0, 0}},
		{AZURE, {"location", "NAME", FLAG_STRING, &o.location, "region of the simulated cluster (eastus)", false, 0, 0}},
		{AWS, {"region", "NAME", FLAG_STRING, &o.location, "region of the simulated cluster (us-east-1)", false, 0, 0}},
	};
	struct flag flags[FLAGS_MAX];
	bool aws = argc > 1 && strcmp(argv[1], "aws") == 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].clouds & (aws ? AWS : AZURE))
			flags[n++] = rows[i].flag;
	int rc = flags_parse(aws ? "simulate aws [flags]" : "simulate azure|aws [flags]", flags, n, argc, argv, &word, 1, &n_words, err);
	if (rc == 0 && (n_words != 1 || strcmp(word, aws ? "aws" : "azure") != 0))
		rc = err_set(err, ERR_USAGE, "say which cloud, before the flags: kaito simulate azure, or kaito simulate aws");
	if (rc == 0 && o.tls && !o.ca_file)
		rc = err_set(err, ERR_USAGE, "--tls needs --ca-file, else nobody can trust the certificate");
	if (rc == 0) {
		o.cloud = word;
		o.port = (int)port;
		o.max_pools = (int)max_pools;
		rc = run(&o, err);
	}
	flags_done(flags, n);
	return rc < 0 ? -1 : 0;
}
