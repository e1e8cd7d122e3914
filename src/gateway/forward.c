/* forward.c: everything under /v1, passed through byte for byte: a 2xx answer piece by piece as it comes, any other whole. */
#include "gateway/state.h"

#include <stdio.h>

/* The server hands paths over decoded; what a URL cannot hold is encoded again. Dot segments would lead out of /v1. */
static int url_path(struct http_exchange *x, const char **out, struct err *err)
{
	static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~!$&'()*+,;=:@";
	str path = http_path(x);
	char *text = arena_array(http_arena(x), path.len + 1, 3), *to = text;
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.data[i];
		if (c && strchr(PLAIN, c))
			*to++ = (char)c;
		else
			to += snprintf(to, 4, "%%%02X", c);
	}
	for (const char *p = text; (p = strstr(p, "/.")) != NULL; p++) {
		size_t dots = strspn(p + 1, ".");
		if (dots <= 2 && (p[1 + dots] == '/' || p[1 + dots] == 0))
			return err_set(err, ERR_INVALID, "the path holds a '.' or '..' segment");
	}
	*out = text;
	return 0;
}

struct passage { struct http_exchange *x; bool begun; };

/* The reply keeps the pointer. */
static const char *type_of(struct http_exchange *x, const struct http_response *r)
{
	const char *type = http_response_header(r, "content-type");
	return type ? arena_strdup(http_arena(x), str_of(type)) : "application/octet-stream";
}

static void copy_headers(struct http_exchange *x, const struct http_response *r)
{
	static const char *const NAMES[][2] = {{"cache-control", "Cache-Control"}, {"retry-after", "Retry-After"}, {"www-authenticate", "WWW-Authenticate"}};
	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
		const char *value = http_response_header(r, NAMES[i][0]);
		if (value)
			http_reply_header(x, NAMES[i][1], value);
	}
}

static int on_piece(void *context, const struct http_response *head, const void *data, size_t len, struct err *err)
{
	struct passage *p = context;
	if (!p->begun) {
		copy_headers(p->x, head);
		http_stream_begin(p->x, head->status, type_of(p->x, head));
		p->begun = true;
	}
	return http_stream_write(p->x, (str){data, len}, err);
}

int gateway_forward(struct http_exchange *x, struct err *err)
{
	struct passage p = {.x = x};
	struct http_response r = {0};
	str body = http_body(x), method = http_method(x);
	const char *path;
	if (url_path(x, &path, err) < 0)
		return -1;
	struct http_request request = {.method = arena_strdup(http_arena(x), method), .body = {.data = body.data, .len = body.len}, .sink = on_piece, .context = &p};
	request.headers = upstream_headers(x, &request.authorization);
	int rc = upstream_send(x, &request, path, &r, err);
	if (rc == 0 && p.begun) {
		http_stream_end(x);
	} else if (rc == 0) {
		copy_headers(x, &r);
		http_reply(x, r.status, type_of(x, &r), buf_str(&r.body));
	}
	http_response_done(&r);
	return rc;
}
