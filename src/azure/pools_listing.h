/* pools_listing.h: one complete listing of the cluster's agent pools, page by page, and of the machines in those that hold ours. */
#pragma once
#include "azure/arm.h"
#include "base/map.h"

/* Requests of a list: as many as the last one took pass the gate together. The caller keeps it; zero at first. */
struct pools_pages { int expected, sent; };
/* Sends one of them. url: the page's, from ARM. As arm_send. */
WARN_UNUSED int pools_listing_send(struct arm *arm, struct pools_pages *pages, const char *url, const char *api_version, struct arm_answer *a, int64_t *wait_ms, struct err *err);
/* Fills out: unit -> its JSON as text (the map's; set free as free_value): a tree of each would be several times as large. 0; 1: the gate is closed for *wait_ms, out
 * is not complete; -1: err carries ARM's code and text. */
WARN_UNUSED int pools_listing(struct arm *arm, const struct azure_environment *e, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err);
char *pools_listing_text(const json_t *pool); /* caller frees */
