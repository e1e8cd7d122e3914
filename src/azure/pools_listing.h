/* pools_listing.h: one complete listing of the cluster's agent pools, page by page, and of the machines in those that hold ours. */
#pragma once
#include "azure/arm.h"
#include "base/map.h"

/* Requests of a list: as many as the last one took pass the gate together. The caller keeps it; zero at first. */
struct pools_pages { int expected, sent; };
/* One collection of ARM's. */
struct pools_list {
	const char *what;        /* for errors: "the agent pools" */
	const char *api_version; /* NULL: that of all requests */
	bool may_be_gone;        /* 404 is an empty list */
	void (*take)(void *context, const json_t *element);
	void *context;
};
/* Takes all elements of the collection at that path, page by page. 0; 1: the gate is closed for *wait_ms, not all were taken; -1: err carries
 * ARM's code and text. */
WARN_UNUSED int pools_listing_each(struct arm *arm, struct pools_pages *pages, const char *path, const struct pools_list *list, int64_t *wait_ms, struct err *err);
/* Fills out: unit -> its JSON as text (the map's; set free as free_value): a tree of each would be several times as large. 0; 1: the gate is closed for *wait_ms, out
 * is not complete; -1: err carries ARM's code and text. */
WARN_UNUSED int pools_listing(struct arm *arm, const struct azure_environment *e, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err);
char *pools_listing_text(const json_t *pool); /* caller frees */
