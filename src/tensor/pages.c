/* Bump allocation in huge-page chunks; a chunk counts its live allocations. */
#include "tensor/pages.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, CHUNK = 64 << 20, ALIGN = 64 };

struct chunk {
	struct chunk *next;
	char *map, *base; /* base: the first huge page in map */
	size_t map_bytes, bytes, used;
	int live;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards chunks */
static struct chunk *chunks;                             /* newest first; only the newest is filled */

static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/* Pages are touched as they are filled, so a chunk's unused rest costs address space only. */
static struct chunk *add_chunk(size_t bytes, struct err *err)
{
	struct chunk *c = mem_alloc(sizeof *c);
	c->bytes = round_up(bytes < CHUNK ? CHUNK : bytes, HUGE_PAGE);
	c->map_bytes = c->bytes + HUGE_PAGE;
	c->map = mem_map_pages(c->map_bytes, err);
	if (!c->map) {
		free(c);
		return NULL;
	}
	c->base = c->map + (round_up((uintptr_t)c->map, HUGE_PAGE) - (uintptr_t)c->map);
	madvise(c->base, c->bytes, MADV_HUGEPAGE); /* a wish: without it the same memory is slower */
	c->next = chunks;
	chunks = c;
	return c;
}

void *pages_alloc(size_t bytes, struct err *err)
{
	bytes = round_up(bytes ? bytes : 1, ALIGN);
	pthread_mutex_lock(&lock);
	struct chunk *c = chunks;
	if (!c || c->bytes - c->used < bytes)
		c = add_chunk(bytes, err);
	char *data = NULL;
	if (c) {
		data = c->base + c->used;
		c->used += bytes;
		c->live++;
	}
	pthread_mutex_unlock(&lock);
	return data;
}

void pages_free(void *data)
{
	if (!data)
		return;
	pthread_mutex_lock(&lock);
	for (struct chunk **at = &chunks; *at; at = &(*at)->next) {
		struct chunk *c = *at;
		if ((char *)data < c->base || (char *)data >= c->base + c->bytes)
			continue;
		if (--c->live == 0) {
			*at = c->next;
			mem_unmap_pages(c->map, c->map_bytes);
			free(c);
		}
		break;
	}
	pthread_mutex_unlock(&lock);
}
