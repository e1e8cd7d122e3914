/* tune_server.c: see tune_server.h. */
#include "tune/tune_server.h"

#include "base/mem.h"
#include "contract/paths.h"
#include "http/server.h"
#include "tune/machine.h"

struct tune_server {
	struct http_server *http;
	struct metrics *metrics;
	struct machine_load load;
};

static int serve_metrics(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct tune_server *s = http_context(x);
	if (http_accepts(x, "application/json"))
		return http_reply_json(x, 200, machine_info(&s->load));
	CLEANUP(buf_done) struct buf text = {0};
	metrics_set(s->metrics, TUNE_RESIDENT_BYTES, NULL, (double)machine_resident_bytes());
	metrics_render(s->metrics, &text);
	return http_reply(x, 200, METRICS_CONTENT_TYPE, buf_str(&text));
}

static int serve_health(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply(x, 200, "application/json", STR("{\"status\":\"Healthy\"}"));
}

static const struct http_route ROUTES[] = {
	{"GET", "/health", serve_health, HTTP_INLINE | HTTP_PUBLIC, NULL},
	{"GET", "/metrics", serve_metrics, HTTP_INLINE | HTTP_PUBLIC, NULL},
};

int tune_server_start(struct tune_server **out, int port, struct err *err)
{
	struct tune_server *s = mem_alloc(sizeof *s);
	s->metrics = metrics_new(TUNE_METRICS, TUNE_METRIC_COUNT, NULL);
	machine_load_init(&s->load);
	struct http_server_options o = {.port = port, .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .context = s, .max_workers = 1, .io_threads = 1};
	if (port && http_server_start(&s->http, &o, err) < 0) {
		tune_server_stop(s);
		return err_wrap(err, "metrics (--metrics-port)");
	}
	*out = s;
	return 0;
}

struct metrics *tune_server_metrics(struct tune_server *s) { return s->metrics; }

void tune_server_stop(struct tune_server *s)
{
	if (!s)
		return;
	http_server_free(s->http);
	metrics_free(s->metrics);
	machine_load_done(&s->load);
	free(s);
}
