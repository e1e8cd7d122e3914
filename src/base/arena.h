/* arena.h: memory that lives as long as one unit of work (request, load, step). Owner: one thread.
 * Nothing is freed singly; arena_done frees all. Zero-initialised struct is an empty arena. */
#pragma once
#include "base/mem.h"
#include "base/str.h"

struct arena { struct arena_block *head; size_t used_bytes, limit_bytes; }; /* limit 0: none */

void *arena_alloc(struct arena *a, size_t bytes);        /* zeroed, 16-byte aligned; aborts past limit_bytes */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strndup(struct arena *a, const char *data, size_t len);
static inline char *arena_strdup(struct arena *a, str s) { return arena_strndup(a, s.data, s.len); }
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *a);
