/* arena.c: a chain of growing blocks, bump allocation. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

struct arena_block { struct arena_block *next; size_t used, size; _Alignas(16) unsigned char data[]; };

static struct arena_block *grow(struct arena *a, size_t bytes)
{
	size_t size = a->head ? a->head->size * 2 : 4096;
	if (size > ((size_t)1 << 20))
		size = (size_t)1 << 20;
	if (size < bytes)
		size = bytes;
	struct arena_block *block = mem_alloc(sizeof *block + size);
	block->size = size;
	block->next = a->head;
	a->head = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	bytes = (bytes + 15) & ~(size_t)15;
	a->used_bytes += bytes;
	if (a->limit_bytes && a->used_bytes > a->limit_bytes) {
		fprintf(stderr, "kaito: arena limit of %zu bytes exceeded\n", a->limit_bytes);
		abort();
	}
	struct arena_block *block = a->head;
	if (!block || block->size - block->used < bytes)
		block = grow(a, bytes);
	void *p = block->data + block->used;
	block->used += bytes;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return arena_alloc(a, bytes);
}

char *arena_strndup(struct arena *a, const char *data, size_t len)
{
	char *p = arena_alloc(a, len + 1);
	if (len)
		memcpy(p, data, len);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	if (n > 0)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void arena_done(struct arena *a)
{
	for (struct arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	a->head = NULL;
	a->used_bytes = 0;
}
