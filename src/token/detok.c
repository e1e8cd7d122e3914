/* detok.c: see detok.h. What a token gives is appended to the bytes held back, and all but an unfinished character at the end goes out. */
#include "token/detok.h"

#include "token/unicode.h"

void detok_push(struct detok *d, int32_t id, struct buf *out)
{
	if (d->skip_special && tokenizer_is_special(d->tokenizer, id))
		return;
	struct buf bytes = {0};
	buf_put(&bytes, d->held, d->held_len);
	tokenizer_piece(d->tokenizer, id, !d->started, &bytes);
	d->started = true;
	size_t tail = unicode_put_lossy(out, buf_str(&bytes), true);
	if (tail)
		memcpy(d->held, bytes.data + bytes.len - tail, tail);
	d->held_len = (unsigned)tail;
	buf_done(&bytes);
}

void detok_finish(struct detok *d, struct buf *out)
{
	if (d->held_len)
		buf_puts(out, "\xEF\xBF\xBD");
	d->held_len = 0;
}
