/* buf.c: growth by doubling, bounded by max. */
#include "base/buf.h"

#include <stdio.h>

char *buf_reserve(struct buf *b, size_t len)
{
	size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
	if (b->overflow || len > max || b->len > max - len) {
		b->overflow = true;
		return NULL;
	}
	if (b->len + len + 1 > b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		if (cap < b->len + len + 1)
			cap = b->len + len + 1;
		b->data = mem_realloc(b->data, cap);
		b->cap = cap;
	}
	return b->data + b->len;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
	char *p = buf_reserve(b, len);
	if (!p)
		return;
	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->data[b->len] = 0;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = n >= 0 ? buf_reserve(b, (size_t)n) : NULL;
	if (p) {
		vsnprintf(p, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

char *buf_take(struct buf *b)
{
	char *p = b->data ? b->data : mem_strdup("");
	*b = (struct buf){.max = b->max};
	return p;
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}
