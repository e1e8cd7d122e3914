/* json_pool.c: see json_pool.h. One range of addresses is reserved at the start; a piece's page, and with it its size, follows from its
 * address. Full ranges fall back to malloc. */
#include "codec/json_pool.h"

#include <jansson.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	STEP = 16,
	CLASSES = JSON_POOL_MAX / STEP,
	PAGE = 4096,
	PAGES = 16384,       /* 64 MiB of addresses, touched page by page */
	STOCK = 48,          /* pieces of a class that a thread keeps; half of them move at once */
};

struct piece { struct piece *next; };
struct stock { struct piece *first; unsigned count; };

static char *range;                              /* set once, before threads */
static uint8_t page_class[PAGES];                /* of the page with that number */
static struct {
	pthread_mutex_t mu;                      /* guards the rest */
	struct stock free[CLASSES];
	size_t pages;
} shared = {.mu = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local struct stock own[CLASSES];

static void push(struct stock *s, struct piece *p)
{
	p->next = s->first;
	s->first = p;
	s->count++;
}

static struct piece *pop(struct stock *s)
{
	struct piece *p = s->first;
	s->first = p->next;
	s->count--;
	return p;
}

/* Cuts a fresh page into pieces of class c; the lock is held. */
static void cut_page(size_t c)
{
	if (shared.pages == PAGES)
		return;
	page_class[shared.pages] = (uint8_t)c;
	char *page = range + shared.pages++ * PAGE;
	size_t size = (c + 1) * STEP;
	for (size_t at = 0; at + size <= PAGE; at += size)
		push(&shared.free[c], (struct piece *)(void *)(page + at));
}

static void refill(size_t c)
{
	pthread_mutex_lock(&shared.mu);
	if (shared.free[c].count == 0)
		cut_page(c);
	while (shared.free[c].count > 0 && own[c].count < STOCK / 2)
		push(&own[c], pop(&shared.free[c]));
	pthread_mutex_unlock(&shared.mu);
}

static void give_back(size_t c)
{
	pthread_mutex_lock(&shared.mu);
	while (own[c].count > STOCK / 2)
		push(&shared.free[c], pop(&own[c]));
	pthread_mutex_unlock(&shared.mu);
}

void *json_pool_alloc(size_t bytes)
{
	size_t c = bytes ? (bytes - 1) / STEP : 0;
	if (!range || c >= CLASSES)
		return malloc(bytes);
	if (own[c].count == 0)
		refill(c);
	return own[c].count ? pop(&own[c]) : malloc(bytes);
}

void json_pool_free(void *piece)
{
	uintptr_t at = (uintptr_t)piece - (uintptr_t)range;
	if (!range || at >= (uintptr_t)PAGES * PAGE) {
		free(piece);
		return;
	}
	size_t c = page_class[at / PAGE];
	push(&own[c], piece);
	if (own[c].count > STOCK)
		give_back(c);
}

void json_pool_use(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	void *mapped = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped == MAP_FAILED)
		return; /* the general heap does as well, only slower */
	range = mapped;
	json_set_alloc_funcs(json_pool_alloc, json_pool_free);
#endif
}
