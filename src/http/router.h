/* router.h: a table of routes, matched by method and path. Immutable; safe for any thread.
 * A path is literal segments and {name} segments; {name...} as the last one takes the rest of the path, slashes included. */
#pragma once
#include "base/err.h"
#include "base/str.h"

struct http_exchange;
/* Answers one request. Runs on a worker thread (or, with HTTP_INLINE, on an I/O thread and must not block).
 * A negative return renders err in the server's error shape, unless a reply was already given. */
typedef int http_handler(struct http_exchange *x, struct err *err);

enum http_route_flag {
	HTTP_INLINE = 1,     /* quick and non-blocking: answered on the I/O thread, also while all workers are busy and while draining */
	HTTP_PUBLIC = 2,     /* the server's guard (API keys) is not asked */
};
struct http_route {
	const char *method, *path;
	http_handler *handler;
	unsigned flags;
	const void *detail;  /* the owner's own columns (summary, fields), not read here */
};

#define ROUTER_PARAMS_MAX 4
struct router_match {
	const struct http_route *route;
	struct { str name, value; } params[ROUTER_PARAMS_MAX];
	size_t n_params;
};

/* HEAD matches GET. Returns 0; -1 with ERR_NOT_FOUND (names the nearest route) or ERR_USAGE when the path exists for
 * other methods, which are then written to allow ("GET, POST"). `out` borrows from routes and path. */
WARN_UNUSED int router_find(const struct http_route *routes, size_t n, str method, str path, struct router_match *out,
			    char allow[64], struct err *err);
