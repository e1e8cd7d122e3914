/* endpoints.h: /healthz, /readyz and /metrics; on request what the process's memory looks like. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "http/server.h"
#include <stdbool.h>

struct endpoints;
struct endpoints_options {
	const char *health_address, *metrics_address;    /* ":8081"; "0" or "" : none */
	bool profiling;                                  /* /debug/pprof/heap (glibc's malloc_info) and /debug/pprof/cmdline with the metrics */
	int (*ready)(void *context, struct err *err);    /* 0: yes; else err says what is missing */
	void (*collect)(void *context, struct buf *out); /* appends the exposition text */
	void *context;
};
WARN_UNUSED int endpoints_start(struct endpoints **out, const struct endpoints_options *o, struct err *err);
void endpoints_stop(struct endpoints *e);
