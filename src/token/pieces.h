/* pieces.h: a text cut into pieces: what normalisers, pre-tokenisers and decoders hand from one to the next. Each piece is a
 * byte range of `text`; ranges are in order and do not overlap. Owner: one thread. */
#pragma once
#include "base/buf.h"
#include "base/vec.h"

struct piece { size_t from, to; };
struct pieces {
	struct buf text;
	VEC(struct piece) list;
};
static inline str pieces_at(const struct pieces *p, size_t i)
{
	return str_sub(buf_str(&p->text), p->list.data[i].from, p->list.data[i].to);
}
static inline void pieces_clear(struct pieces *p)
{
	buf_clear(&p->text);
	p->list.len = 0;
}
static inline void pieces_done(struct pieces *p)
{
	buf_done(&p->text);
	vec_done(&p->list);
}
/* Append a piece with its own text. */
static inline void pieces_add(struct pieces *p, str s)
{
	size_t from = p->text.len;
	buf_put_str(&p->text, s);
	vec_push(&p->list, (struct piece){from, p->text.len});
}
