/* pools_listing.h: one complete listing of the cluster's agent pools, page by page. */
#pragma once
#include "azure/arm.h"
#include "base/map.h"

/* Fills out: pool name -> json_t (a reference of the map's; set pools_listing_drop as free_value). 0; 1: the gate is closed for *wait_ms, out
 * is not complete; -1: err carries ARM's code and text. */
WARN_UNUSED int pools_listing(struct arm *arm, const struct azure_environment *e, struct map *out, int64_t *wait_ms, struct err *err);
void pools_listing_drop(void *pool);
