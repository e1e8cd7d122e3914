/* aks_machine_listing.h: the machines of one pool, page by page, for the shared list (pools_listing.h). */
#pragma once
#include "azure/pools_listing.h"

/* Adds unit -> the machine's JSON in the shape of a pool, as text. 0; 1: the gate is closed for *wait_ms; -1. A pool that is gone has none. */
WARN_UNUSED int aks_machine_listing(struct arm *arm, const struct azure_environment *e, const char *pool, struct pools_pages *pages, struct map *out, int64_t *wait_ms, struct err *err);
