/* watch_reader.h: the lines of a watch, {"type": …, "object": …}, read as they arrive. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>

struct watch_reader {
	void (*on_event)(void *context, const char *type, json_t *object); /* object is borrowed */
	void *context;
	struct buf line;  /* the incomplete one */
};

/* ERR_GONE and its like for an ERROR event, ERR_PROTOCOL for a line that is none, ERR_LIMIT past LIMIT_KUBE_OBJECT_BYTES. */
WARN_UNUSED int watch_reader_feed(struct watch_reader *r, str data, struct err *err);
void watch_reader_done(struct watch_reader *r);
