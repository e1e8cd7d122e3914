/* map.h: string key -> pointer, open addressing. Keys are copied; values are borrowed unless `free_value`
 * is set. Owner: one thread. Zero-initialised struct is an empty map. Iteration is in insertion order. */
#pragma once
#include "base/str.h"

struct map_entry { str key; void *value; };
struct map {
	struct map_entry *entries; /* dense, insertion order; key.data NULL marks a removed entry */
	uint32_t *index;           /* slot -> entry + 1 */
	size_t count, used, cap, slots;
	void (*free_value)(void *);
};

void *map_get(const struct map *m, str key);              /* NULL when absent */
bool map_has(const struct map *m, str key);
void map_put(struct map *m, str key, void *value);        /* replaces; frees the old value if free_value */
bool map_remove(struct map *m, str key);                  /* true if it was there */
void map_done(struct map *m);
/* for (size_t i = 0; map_next(m, &i, &entry);) */
bool map_next(const struct map *m, size_t *i, struct map_entry *out);
uint64_t map_hash(str key);                               /* stable within a process run; not for untrusted persistence */
