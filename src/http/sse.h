/* sse.h: server-sent events (WHATWG HTML, "server-sent events") over a streamed reply. */
#pragma once
#include "http/server.h"

void sse_begin(struct http_exchange *x);
/* "data: <json>\n\n", preceded by "event: <name>\n" when name is not NULL. Takes the reference. */
WARN_UNUSED int sse_send(struct http_exchange *x, const char *name, json_t *value, struct err *err);
/* "data: <text>\n\n"; each line of text becomes a data line. */
WARN_UNUSED int sse_send_text(struct http_exchange *x, const char *name, str text, struct err *err);
