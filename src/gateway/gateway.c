/* gateway.c: the routes, the server, its health and figures. To add a route: its handler in the file of its kind and a row in ROUTES. */
#include "gateway/state.h"

#include <stdio.h>

#define PROBE_S 3

static const struct http_route ROUTES[] = {
	{"GET", "/", gateway_root, HTTP_INLINE, NULL},
	{"POST", "/chat", gateway_chat, 0, NULL},
	{"GET", "/health", gateway_health, 0, NULL},
	{"GET", "/metrics", gateway_metrics, HTTP_INLINE, NULL},
	{"DELETE", "/v1/{path...}", gateway_forward, 0, NULL},
	{"GET", "/v1/{path...}", gateway_forward, 0, NULL},
	{"POST", "/v1/{path...}", gateway_forward, 0, NULL},
	{"GET", "/version", gateway_version, HTTP_INLINE, NULL},
};

static const double SECONDS[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
static const struct metric_row METRICS[GATEWAY_METRIC_COUNT] = {
	[GATEWAY_REQUESTS] = {"kaito_gateway_requests_total", "Requests answered, by route and class of status.", METRIC_COUNTER},
	[GATEWAY_SECONDS] = {"kaito_gateway_request_seconds", "Time to the last byte of an answer.", METRIC_HISTOGRAM, SECONDS, sizeof SECONDS / sizeof SECONDS[0]},
	[GATEWAY_UPSTREAM_ERRORS] = {"kaito_gateway_upstream_errors_total", "Requests that the model server did not answer, by kind.", METRIC_COUNTER},
	[GATEWAY_UPSTREAM_UP] = {"kaito_gateway_upstream_up", "1 when the model server answered the last health check.", METRIC_GAUGE},
};

int gateway_root(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, json_pack("{s:s}", "message", "Server is running"));
}

int gateway_version(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply_json(x, 200, json_pack("{s:s}", "version", KAITO_VERSION));
}

int gateway_metrics(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct gateway *g = http_context(x);
	CLEANUP(buf_done) struct buf text = {0};
	metrics_render(g->metrics, &text);
	return http_reply(x, 200, METRICS_CONTENT_TYPE, buf_str(&text));
}

/* As healthy as the server behind: a Service must not send anybody here before that one can answer. */
int gateway_health(struct http_exchange *x, struct err *err)
{
	struct gateway *g = http_context(x);
	struct http_response r = {0};
	struct http_request request = {.method = "GET"};
	bool up = upstream_send_with(g->prober, x, &request, "/health", &r, err) == 0 && r.status >= 200 && r.status < 300;
	http_response_done(&r);
	metrics_set(g->metrics, GATEWAY_UPSTREAM_UP, NULL, up);
	if (up)
		return http_reply_json(x, 200, json_pack("{s:s}", "status", "Healthy"));
	return http_reply_json(x, 503, json_pack("{s:s}", "status", "the model server is not ready"));
}

static void count(void *context, const struct http_exchange *x, int status, int64_t elapsed_ms)
{
	struct gateway *g = context;
	const struct http_route *route = http_route(x);
	char class[16];
	CLEANUP(buf_done) struct buf labels = {0};
	snprintf(class, sizeof class, "%dxx", status / 100);
	metrics_label(&labels, "handler", route ? route->path : "none");
	metrics_observe(g->metrics, GATEWAY_SECONDS, labels.data, (double)elapsed_ms / 1000);
	metrics_label(&labels, "status", class);
	metrics_add(g->metrics, GATEWAY_REQUESTS, labels.data, 1);
}

/* "http://HOST[:PORT]", a slash at the end is dropped. */
static int read_upstream(const char *url, char **out, struct err *err)
{
	CLEANUP(mem_freep) char *scheme = NULL;
	CLEANUP(mem_freep) char *host = NULL;
	size_t len = url ? strlen(url) : 0;
	while (len > 0 && url[len - 1] == '/')
		len--;
	char *text = mem_strndup(url ? url : "", len);
	bool good = http_url_parts(text, &scheme, &host) && strcmp(scheme, "http") == 0 && host[0] && strlen(text) > 7 && !strpbrk(text + 7, "/?#@");
	if (good) {
		*out = text;
		return 0;
	}
	free(text);
	return err_set(err, ERR_USAGE, "--upstream must be http://HOST:PORT of the model server, not '%.100s'", url ? url : "");
}

static struct gateway *gateway_new(const struct gateway_options *o, char *upstream)
{
	struct gateway *g = mem_alloc(sizeof *g);
	g->upstream = upstream;
	g->model = o->model ? mem_strdup(o->model) : NULL;
	g->host = o->host ? mem_strdup(o->host) : NULL;
	pthread_mutex_init(&g->mu, NULL);
	g->client = http_client_new(&(struct http_options){.connect_ms = 5000, .stall_s = o->timeout_s > 0 ? o->timeout_s : 600, .retry = {.attempts = 1}});
	g->prober = http_client_new(&(struct http_options){.connect_ms = PROBE_S * 1000, .stall_s = PROBE_S, .retry = {.attempts = 1}});
	g->metrics = metrics_new(METRICS, GATEWAY_METRIC_COUNT, NULL);
	return g;
}

int gateway_start(struct gateway **out, const struct gateway_options *options, struct err *err)
{
	char *upstream = NULL;
	if (read_upstream(options->upstream, &upstream, err) < 0)
		return -1;
	struct gateway *g = gateway_new(options, upstream);
	struct http_server_options o = {.host = g->host, .port = options->port, .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .context = g,
					.max_workers = options->max_requests, .on_done = count};
	if (http_server_start(&g->server, &o, err) < 0) {
		gateway_free(g);
		return -1;
	}
	*out = g;
	return 0;
}

int gateway_port(const struct gateway *g) { return http_server_port(g->server); }
void gateway_drain(struct gateway *g, int64_t grace_ms) { http_server_drain(g->server, grace_ms); }

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	http_server_free(g->server);
	http_client_free(g->client);
	http_client_free(g->prober);
	metrics_free(g->metrics);
	pthread_mutex_destroy(&g->mu);
	free(g->upstream), free(g->model), free(g->host), free(g->first_model);
	free(g);
}
