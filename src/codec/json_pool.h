/* json_pool.h: memory for the many small, short-lived pieces of JSON trees. A controller parses and frees some hundred nodes for every event;
 * from a general heap that is a third of its time. Pieces up to JSON_POOL_MAX bytes come from pages of one size each, over a small
 * stock that every thread keeps; larger ones from malloc. Pages are never given back: what a burst needed stays for the next one. */
#pragma once
#include <stddef.h>

#define JSON_POOL_MAX 256

/* Makes Jansson use the pool; once, before the first value of the process is made and before any other thread is started. Under a
 * sanitizer nothing changes, so that it sees each piece. */
void json_pool_use(void);

/* For tests. */
void *json_pool_alloc(size_t bytes);
void json_pool_free(void *piece);
