/* list_reader.h: a Kubernetes list read as it arrives: each member of "items" is parsed alone, so that a page of
 * 500 large objects never stands in memory as a whole. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include <jansson.h>

struct list_reader {
	/* Takes the reference. */
	void (*item)(void *context, json_t *object);
	void *context;
	/* mechanism */
	struct buf rest;        /* the document without its items */
	struct buf object;      /* the item under way */
	int depth;              /* of the document; inside an item: of the item */
	bool in_items, in_string, escaped, colon;
	size_t string_start;    /* in rest */
	bool key_is_items;      /* the last thing at depth 1 was the string "items" */
};

WARN_UNUSED int list_reader_feed(struct list_reader *r, str data, struct err *err);
/* The document, items left out; new reference. ERR_PROTOCOL when it is not whole or no object. */
WARN_UNUSED int list_reader_finish(struct list_reader *r, json_t **out, struct err *err);
void list_reader_done(struct list_reader *r);
