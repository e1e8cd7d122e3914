/* added.c: see added.h. At each byte that some token begins with, the lengths such tokens have are tried, longest first, with one
 * hash look-up each: cheap for the thousands of reserved tokens some models have, as they share a few lengths. */
#include "token/added.h"

#include "token/unicode.h"

void added_put(struct added *a, struct added_token token)
{
	if (token.content.len > 0)
		vec_push(&a->list, token);
}

static int by_first_byte_and_length(const void *x, const void *y)
{
	const struct added_token *a = x, *b = y;
	unsigned char p = (unsigned char)a->content.data[0], q = (unsigned char)b->content.data[0];
	if (p != q)
		return p < q ? -1 : 1;
	return a->content.len < b->content.len ? 1 : a->content.len > b->content.len ? -1 : a->id - b->id;
}

int added_build(struct added *a, struct err *err)
{
	if (vocab_init(&a->index, (int64_t)a->list.len, err) < 0)
		return -1;
	if (a->list.len)
		qsort(a->list.data, a->list.len, sizeof *a->list.data, by_first_byte_and_length);
	unsigned next = 0;
	for (size_t i = 0; i < a->list.len; i++) {
		str content = a->list.data[i].content;
		vocab_put(&a->index, (int32_t)i, content);
		unsigned first = (unsigned char)content.data[0];
		bool fresh = first >= next;
		while (next <= first)
			a->from[next++] = (uint32_t)a->lengths.len;
		if (fresh || a->lengths.data[a->lengths.len - 1] != content.len)
			vec_push(&a->lengths, (uint32_t)content.len);
	}
	while (next <= 256)
		a->from[next++] = (uint32_t)a->lengths.len;
	return 0;
}

void added_done(struct added *a)
{
	vec_done(&a->list);
	vec_done(&a->lengths);
	vocab_done(&a->index);
}

static const struct added_token *longest_at(const struct added *a, str text, size_t at)
{
	unsigned first = (unsigned char)text.data[at];
	for (uint32_t i = a->from[first]; i < a->from[first + 1]; i++) {
		size_t len = a->lengths.data[i];
		if (len > text.len - at)
			continue;
		int32_t found = vocab_find(&a->index, (str){text.data + at, len});
		if (found >= 0)
			return &a->list.data[found];
	}
	return NULL;
}

static bool word_ends_at(str text, size_t at)
{
	if (at == 0)
		return false;
	size_t before = at - 1;
	while (before > 0 && ((unsigned char)text.data[before] & 0xC0) == 0x80)
		before--;
	int32_t c;
	unicode_next(text, before, &c);
	return unicode_is_word(c);
}

static bool word_begins_at(str text, size_t at)
{
	int32_t c;
	if (at == text.len)
		return false;
	unicode_next(text, at, &c);
	return unicode_is_word(c);
}

int added_find(const struct added *a, str text, size_t from, bool parse_special, struct added_match *out)
{
	for (size_t at = from; a->list.len && at < text.len;) {
		const struct added_token *t = longest_at(a, text, at);
		if (!t) {
			at++;
			continue;
		}
		size_t end = at + t->content.len;
		if ((t->special && !parse_special) || (t->single_word && (word_ends_at(text, at) || word_begins_at(text, end)))) {
			at = end;
			continue;
		}
		*out = (struct added_match){t->id, at, end};
		if (t->lstrip)
			out->from = from + unicode_strip(str_sub(text, from, at), false, true).len;
		if (t->rstrip)
			out->to = text.len - unicode_strip(str_sub(text, end, text.len), true, false).len;
		return 1;
	}
	return 0;
}
