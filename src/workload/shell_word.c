/* shell_word.c: see shell_word.h. */
#include "workload/shell_word.h"

#include "base/vec.h"
#include <stdlib.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_@%+=:,./-", c));
}

void shell_word_put(struct buf *out, str text)
{
	size_t plain = 0;
	while (plain < text.len && is_plain(text.data[plain]))
		plain++;
	if (plain == text.len && plain > 0) {
		buf_put_str(out, text);
		return;
	}
	buf_putc(out, '\'');
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, text.data[i]);
	buf_putc(out, '\'');
}

typedef VEC(str) words;

/* A word ends at white space outside quotes; ; is a word of its own, as it follows whichever flag is last. */
static void split(words *out, str text)
{
	size_t start = 0;
	char quote = 0;
	for (size_t i = 0; i <= text.len; i++) {
		char c = i < text.len ? text.data[i] : ' ';
		if (quote) {
			quote = c == quote ? 0 : quote;
			continue;
		}
		if (c == '\'' || c == '"')
			quote = c;
		if (c != ' ' && c != '\t' && c != '\n' && c != ';')
			continue;
		if (i > start)
			vec_push(out, str_sub(text, start, i));
		if (c == ';')
			vec_push(out, STR(";"));
		start = i + 1;
	}
	if (quote && start < text.len)
		vec_push(out, str_sub(text, start, text.len));
}

static int by_text(const void *a, const void *b) { return str_cmp(*(const str *)a, *(const str *)b); }

static bool same(const words *a, const words *b)
{
	for (size_t i = 0; i < a->len; i++)
		if (!str_eq(a->data[i], b->data[i]))
			return false;
	return true;
}

bool shell_words_equal(str a, str b)
{
	words left = {0}, right = {0};
	split(&left, a);
	split(&right, b);
	bool equal = left.len == right.len;
	if (equal && left.len > 0) {
		qsort(left.data, left.len, sizeof left.data[0], by_text);
		qsort(right.data, right.len, sizeof right.data[0], by_text);
		equal = same(&left, &right);
	}
	vec_done(&left);
	vec_done(&right);
	return equal;
}

void shell_script_put(struct buf *out, str script)
{
	while (script.len > 0) {
		size_t end = str_find(script, '\n', 0), next = end < script.len ? end + 1 : end;
		if (!str_starts(str_trim(str_sub(script, 0, end)), STR("#")))
			buf_put_str(out, str_sub(script, 0, next));
		script = str_sub(script, next, script.len);
	}
}
