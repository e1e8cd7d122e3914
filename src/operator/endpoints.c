/* endpoints.c: see endpoints.h. /healthz is answered on the I/O thread, so that a probe never waits behind a scrape. */
#include "operator/endpoints.h"

#include "base/fd.h"
#include "base/mem.h"
#include "http/metrics.h"
#include <malloc.h>
#include <stdio.h>
#include <string.h>

struct endpoints {
	struct endpoints_options o;
	struct http_server *health, *metrics;
};

static int get_healthz(struct http_exchange *x, struct err *err)
{
	(void)err;
	return http_reply(x, 200, "text/plain", STR("ok"));
}

static int get_readyz(struct http_exchange *x, struct err *err)
{
	struct endpoints *e = http_context(x);
	struct err why = ERR_INIT;
	(void)err;
	return e->o.ready(e->o.context, &why) == 0 ? http_reply(x, 200, "text/plain", STR("ok")) : http_reply(x, 503, "text/plain", str_of(why.message));
}

static int get_metrics(struct http_exchange *x, struct err *err)
{
	(void)err;
	struct endpoints *e = http_context(x);
	struct buf out = {0};
	e->o.collect(e->o.context, &out);
	int rc = http_reply(x, 200, METRICS_CONTENT_TYPE, buf_str(&out));
	buf_done(&out);
	return rc;
}

static const struct http_route HEALTH_ROUTES[] = {
	{"GET", "/healthz", get_healthz, HTTP_INLINE | HTTP_PUBLIC, NULL},
	{"GET", "/readyz", get_readyz, HTTP_PUBLIC, NULL},
};
static int get_heap(struct http_exchange *x, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out || malloc_info(0, out) != 0 || fclose(out) != 0) {
		free(text);
		return err_set(err, ERR_INTERNAL, "no figures of the heap");
	}
	int rc = http_reply(x, 200, "application/xml", (str){text, len});
	free(text);
	return rc;
}

static int get_cmdline(struct http_exchange *x, struct err *err)
{
	CLEANUP(buf_done) struct buf text = {0};
	if (fd_read_file("/proc/self/cmdline", 64 << 10, &text, err) < 0)
		return -1;
	return http_reply(x, 200, "text/plain", buf_str(&text));
}

/* The last two only with options.profiling. */
static const struct http_route METRICS_ROUTES[] = {
	{"GET", "/metrics", get_metrics, HTTP_PUBLIC, NULL},
	{"GET", "/debug/pprof/heap", get_heap, HTTP_PUBLIC, NULL},
	{"GET", "/debug/pprof/cmdline", get_cmdline, HTTP_PUBLIC, NULL},
};

/* "host:port", ":port" for all addresses. */
static int listen_on(struct endpoints *e, const char *address, const struct http_route *routes, size_t n, struct http_server **out, struct err *err)
{
	if (!address || !address[0] || strcmp(address, "0") == 0)
		return 0;
	const char *colon = strrchr(address, ':');
	int64_t port;
	if (!colon || !str_to_i64(str_of(colon + 1), &port) || port < 0 || port > 65535)
		return err_set(err, ERR_USAGE, "'%s' is not an address; use host:port or :port, 0 switches it off", address);
	CLEANUP(mem_freep) char *host = mem_strndup(address, (size_t)(colon - address));
	struct http_server_options o = {.host = host[0] ? host : NULL, .port = (int)port, .routes = routes, .n_routes = n, .context = e, .max_workers = 2, .io_threads = 1};
	return http_server_start(out, &o, err);
}

int endpoints_start(struct endpoints **out, const struct endpoints_options *o, struct err *err)
{
	struct endpoints *e = mem_alloc(sizeof *e);
	e->o = *o;
	if (listen_on(e, o->health_address, HEALTH_ROUTES, sizeof HEALTH_ROUTES / sizeof HEALTH_ROUTES[0], &e->health, err) < 0 ||
	    listen_on(e, o->metrics_address, METRICS_ROUTES, o->profiling ? 3 : 1, &e->metrics, err) < 0) {
		endpoints_stop(e);
		return -1;
	}
	*out = e;
	return 0;
}

void endpoints_stop(struct endpoints *e)
{
	if (!e)
		return;
	http_server_free(e->health);
	http_server_free(e->metrics);
	free(e);
}
