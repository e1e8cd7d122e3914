/* mem.h: allocation that cannot fail quietly, and scope-exit clean-up.
 * Small allocations abort on exhaustion (there is nothing sensible to do); anything whose size comes
 * from outside goes through mem_try_alloc after its limit was checked. */
#pragma once
#include "base/err.h"
#include <stddef.h>
#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

void *mem_alloc(size_t bytes) __attribute__((malloc));            /* zeroed; bytes may be 0 */
void *mem_realloc(void *old, size_t bytes);                       /* new tail is not zeroed */
void *mem_array(size_t count, size_t size) __attribute__((malloc)); /* zeroed; overflow aborts */
char *mem_strdup(const char *z);
char *mem_strndup(const char *data, size_t len);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* NULL with err set (ERR_NO_MEMORY) instead of an abort; zeroed. */
void *mem_try_alloc(size_t count, size_t size, struct err *err);
static inline void mem_freep(void *pointer) { free(*(void **)pointer); } /* for CLEANUP(mem_freep) */

/* Page-aligned zeroed pages, touched lazily (MAP_NORESERVE). NULL with err on failure. */
void *mem_map_pages(size_t bytes, struct err *err);
void mem_unmap_pages(void *pages, size_t bytes);
