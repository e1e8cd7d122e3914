/* buf.h: a growable byte buffer with a ceiling. Going past the ceiling sets `overflow` and drops the
 * bytes: check once, at the end. Always NUL-terminated one past `len`. Zero-initialise, set `max`. */
#pragma once
#include "base/mem.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdbool.h>

struct buf { char *data; size_t len, cap, max; bool overflow; }; /* max 0: BUF_MAX_DEFAULT */
#define BUF_MAX_DEFAULT ((size_t)64 << 20)

void buf_put(struct buf *b, const void *data, size_t len);
static inline void buf_puts(struct buf *b, const char *z) { buf_put(b, z, strlen(z)); }
static inline void buf_put_str(struct buf *b, str s) { buf_put(b, s.data, s.len); }
static inline void buf_putc(struct buf *b, char c) { buf_put(b, &c, 1); }
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes; NULL and overflow set when past max. Caller then adds to b->len. */
char *buf_reserve(struct buf *b, size_t len);
static inline str buf_str(const struct buf *b) { return (str){b->data ? b->data : "", b->len}; }
static inline void buf_clear(struct buf *b) { b->len = 0; b->overflow = false; if (b->data) b->data[0] = 0; }
char *buf_take(struct buf *b);      /* caller frees; buffer is empty afterwards; never NULL */
void buf_done(struct buf *b);
