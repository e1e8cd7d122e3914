/* router.c: linear match over a table of a few dozen rows: one comparison per segment, no state. */
#include "http/router.h"

#include <stdio.h>
#include <strings.h>

static str next_segment(str *rest)
{
	size_t end = str_find(*rest, '/', 0);
	str segment = {rest->data, end};
	*rest = end < rest->len ? str_sub(*rest, end + 1, rest->len) : (str){rest->data + rest->len, 0};
	return segment;
}

static bool is_param(str s) { return s.len > 2 && s.data[0] == '{' && s.data[s.len - 1] == '}'; }

static bool bind(struct router_match *m, str pattern, str value)
{
	if (value.len == 0 || m->n_params == ROUTER_PARAMS_MAX)
		return false;
	m->params[m->n_params].name = str_sub(pattern, 1, pattern.len - 1);
	m->params[m->n_params++].value = value;
	return true;
}

static bool match_path(const char *pattern, str path, struct router_match *m)
{
	str rest = str_of(pattern);
	m->n_params = 0;
	while (rest.len > 0 && path.len > 0) {
		bool last = str_find(rest, '/', 0) == rest.len, path_last = str_find(path, '/', 0) == path.len;
		str want = next_segment(&rest);
		if (last && is_param(want) && want.len > 5 && memcmp(want.data + want.len - 4, "...}", 4) == 0)
			return bind(m, (str){want.data, want.len - 3}, path);
		str got = next_segment(&path);
		if (is_param(want) ? !bind(m, want, got) : !str_eq(want, got))
			return false;
		if (last || path_last)
			return last && path_last;
	}
	return rest.len == path.len;
}

static bool same_method(const char *want, str got)
{
	return str_eqz(got, want) || (str_eqz(got, "HEAD") && strcmp(want, "GET") == 0);
}

static void add_method(char allow[64], const char *method)
{
	size_t len = strlen(allow);
	snprintf(allow + len, 64 - len, "%s%s", len ? ", " : "", method);
}

static int no_route(const struct http_route *routes, size_t n, str method, str path, struct err *err)
{
	const char *names[128];
	size_t count = 0;
	for (size_t i = 0; i < n && count < 127; i++)
		names[count++] = routes[i].path;
	names[count] = NULL;
	const char *near = str_nearest(path, names);
	if (near)
		return err_set(err, ERR_NOT_FOUND, "no route for %.*s %.*s; did you mean %s?", STR_FMT(method), STR_FMT(path), near);
	return err_set(err, ERR_NOT_FOUND, "no route for %.*s %.*s", STR_FMT(method), STR_FMT(path));
}

int router_find(const struct http_route *routes, size_t n, str method, str path, struct router_match *out, char allow[64], struct err *err)
{
	allow[0] = 0;
	for (size_t i = 0; i < n; i++) {
		struct router_match m = {.route = &routes[i]};
		if (!match_path(routes[i].path, path, &m))
			continue;
		if (same_method(routes[i].method, method)) {
			*out = m;
			return 0;
		}
		add_method(allow, routes[i].method);
	}
	if (allow[0])
		return err_set(err, ERR_USAGE, "%.*s does not take %.*s; it takes %s", STR_FMT(path), STR_FMT(method), allow);
	return no_route(routes, n, method, path, err);
}
