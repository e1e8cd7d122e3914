/* cmd_gateway.c: `kaito gateway`: POST /chat and a pass-through for /v1 in front of one OpenAI server, until SIGTERM. */
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/flags.h"

#include "base/log.h"
#include "gateway/gateway.h"
#include <stdlib.h>

static int serve_until_signal(const struct gateway_options *o, double drain_timeout_s, struct err *err)
{
	sigset_t signals;
	struct gateway *g = NULL;
	daemon_block_signals(&signals);
	setenv("no_proxy", "*", 1); /* there is one peer, and it is this pod's own */
	if (gateway_start(&g, o, err) < 0)
		return -1;
	log_info("POST /chat on port %d for %s", gateway_port(g), o->upstream);
	(void)daemon_wait(&signals);
	gateway_drain(g, (int64_t)(drain_timeout_s * 1000));
	gateway_free(g);
	return 0;
}

int cmd_gateway(int argc, char **argv, struct err *err)
{
	struct gateway_options o = {0};
	int64_t port = 5080, max_requests = 128;
	double timeout_s = 600, drain_timeout_s = 25;
	bool log_json = false;
	const struct flag flags[] = {
		{"upstream", "URL", FLAG_STRING, &o.upstream, "the model server, http://HOST:PORT", true, 0, 0},
		{"model", "NAME", FLAG_STRING, &o.model, "model or adapter that /chat asks for (the first that the server lists)", false, 0, 0},
		{"host", "ADDRESS", FLAG_STRING, &o.host, "numeric address to listen on (all)", false, 0, 0},
		{"port", "PORT", FLAG_INT, &port, "port to listen on, 0: any free one (5080)", false, 0, 65535},
		{"max-requests", "N", FLAG_INT, &max_requests, "requests handled at once; four times as many wait, then 503 (128)", false, 1, 4096},
		{"timeout", "SECONDS", FLAG_FLOAT, &timeout_s, "longest silence of the model server in an answer, then 504 (600)", false, 1, 86400},
		{"drain-timeout", "SECONDS", FLAG_FLOAT, &drain_timeout_s, "patience with running requests after SIGTERM (25)", false, 0, 1e6},
		{"log-json", NULL, FLAG_BOOL, &log_json, "log lines as JSON", false, 0, 0},
	};
	size_t n = sizeof flags / sizeof flags[0];
	int rc = flags_parse("gateway --upstream http://HOST:PORT [--model NAME] [flags]", flags, n, argc, argv, NULL, 0, NULL, err);
	if (rc == 0) {
		log_setup(LOG_INFO, log_json);
		o.port = (int)port;
		o.max_requests = (int)max_requests;
		o.timeout_s = (int64_t)timeout_s;
		rc = serve_until_signal(&o, drain_timeout_s, err);
	}
	flags_done(flags, n);
	return rc < 0 ? -1 : 0;
}
