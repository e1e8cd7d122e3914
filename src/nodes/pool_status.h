/* pool_status.h: what a static pool's status says: whether it can make nodes and why not, and what its nodes are together. */
#pragma once
#include "nodes/nodes.h"

struct pool_view { /* borrowed */
	const json_t *pool, *claims /* the pool's own, those being deleted included */, *node_class /* NULL: there is none */;
};
/* Edits status in place; now: RFC 3339. true: the pool is Ready. */
bool pool_status_fill(const struct pool_view *v, json_t *status, const char *now);
