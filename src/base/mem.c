/* mem.c: thin wrappers over malloc and mmap; see mem.h for the policy. */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void die(size_t bytes)
{
	fprintf(stderr, "kaito: out of memory allocating %zu bytes\n", bytes);
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);
	if (!p)
		die(bytes);
	return p;
}

void *mem_realloc(void *old, size_t bytes)
{
	void *p = realloc(old, bytes ? bytes : 1);
	if (!p)
		die(bytes);
	return p;
}

void *mem_array(size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		die(SIZE_MAX);
	return mem_alloc(bytes);
}

char *mem_strndup(const char *data, size_t len)
{
	char *p = mem_alloc(len + 1);
	if (len)
		memcpy(p, data, len);
	return p;
}

char *mem_strdup(const char *z) { return mem_strndup(z, strlen(z)); }

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *out = NULL;
	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		die(0);
	va_end(ap);
	return out;
}

void *mem_try_alloc(size_t count, size_t size, struct err *err)
{
	size_t bytes;
	void *p = NULL;
	if (!__builtin_mul_overflow(count, size, &bytes))
		p = calloc(1, bytes ? bytes : 1);
	if (!p)
		err_set(err, ERR_NO_MEMORY, "cannot allocate %zu x %zu bytes", count, size);
	return p;
}

void *mem_map_pages(size_t bytes, struct err *err)
{
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		err_set_errno(err, ERR_NO_MEMORY, errno, "cannot map %zu bytes", bytes);
		return NULL;
	}
	return p;
}

void mem_unmap_pages(void *pages, size_t bytes)
{
	if (pages)
		munmap(pages, bytes ? bytes : 1);
}
