/* stop_match.c: the held text is at most one byte shorter than the longest stop string, so plain search is cheap. */
#include "engine/stop_match.h"

static bool found_at(str text, size_t at, str stop)
{
	return stop.len > 0 && text.len - at >= stop.len && memcmp(text.data + at, stop.data, stop.len) == 0;
}

/* The earliest occurrence of any stop string; among those that start together the shortest, which completes first. */
static bool search(const struct stop_match *m, size_t *at, size_t *len)
{
	str text = buf_str(&m->held);
	for (size_t i = 0; i < text.len; i++) {
		*len = 0;
		for (size_t s = 0; s < m->n; s++)
			if (found_at(text, i, m->stops[s]) && (*len == 0 || m->stops[s].len < *len))
				*len = m->stops[s].len;
		if (*len > 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

/* Length of the longest tail of the held text that begins a stop string. */
static size_t doubtful(const struct stop_match *m)
{
	str text = buf_str(&m->held);
	size_t longest = 0;
	for (size_t s = 0; s < m->n; s++) {
		size_t most = m->stops[s].len ? m->stops[s].len - 1 : 0;
		for (size_t len = most < text.len ? most : text.len; len > longest; len--)
			if (memcmp(text.data + text.len - len, m->stops[s].data, len) == 0)
				longest = len;
	}
	return longest;
}

static void release(struct stop_match *m, size_t len, struct buf *out)
{
	buf_put(out, m->held.data, len);
	memmove(m->held.data, m->held.data + len, m->held.len - len);
	m->held.len -= len;
}

bool stop_match_push(struct stop_match *m, str text, struct buf *out)
{
	size_t at, len;
	if (m->n == 0) {
		buf_put_str(out, text);
		return false;
	}
	buf_put_str(&m->held, text);
	if (m->held.len == 0)
		return false;
	if (search(m, &at, &len)) {
		buf_put(out, m->held.data, m->include ? at + len : at);
		m->held.len = 0;
		return true;
	}
	release(m, m->held.len - doubtful(m), out);
	return false;
}

void stop_match_finish(struct stop_match *m, struct buf *out)
{
	if (m->held.len)
		release(m, m->held.len, out);
}

void stop_match_done(struct stop_match *m)
{
	buf_done(&m->held);
}
