/* unicode.c: see unicode.h. */
#include "token/unicode.h"

#include <utf8proc.h>

bool unicode_is_ascii(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

size_t unicode_length(str s, size_t at)
{
	if (at >= s.len)
		return 1;
	unsigned char c = (unsigned char)s.data[at];
	size_t n = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
	return n <= s.len - at ? n : s.len - at;
}

size_t unicode_next(str s, size_t at, int32_t *c)
{
	utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.data + at, (utf8proc_ssize_t)(s.len - at), c);
	if (n > 0)
		return (size_t)n;
	*c = 0xFFFD;
	return 1;
}

size_t unicode_count(str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.data[i] & 0xC0) != 0x80;
	return n;
}

size_t unicode_offset(str s, size_t character)
{
	size_t i = 0;
	while (i < s.len && character-- > 0)
		i += unicode_length(s, i);
	return i;
}

void unicode_put(struct buf *out, int32_t c)
{
	utf8proc_uint8_t bytes[4];
	buf_put(out, bytes, (size_t)utf8proc_encode_char(c, bytes));
}

bool unicode_is_space(int32_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	if (c == 0x85)
		return true;
	utf8proc_category_t category = utf8proc_category(c);
	return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool unicode_is_word(int32_t c)
{
	static const unsigned WORD = 1u << UTF8PROC_CATEGORY_LU | 1u << UTF8PROC_CATEGORY_LL | 1u << UTF8PROC_CATEGORY_LT |
				     1u << UTF8PROC_CATEGORY_LM | 1u << UTF8PROC_CATEGORY_LO | 1u << UTF8PROC_CATEGORY_MN |
				     1u << UTF8PROC_CATEGORY_MC | 1u << UTF8PROC_CATEGORY_ME | 1u << UTF8PROC_CATEGORY_ND |
				     1u << UTF8PROC_CATEGORY_PC;
	return WORD >> utf8proc_category(c) & 1;
}

bool unicode_is_letter(int32_t c)
{
	static const unsigned LETTER = 1u << UTF8PROC_CATEGORY_LU | 1u << UTF8PROC_CATEGORY_LL | 1u << UTF8PROC_CATEGORY_LT |
				       1u << UTF8PROC_CATEGORY_LM | 1u << UTF8PROC_CATEGORY_LO;
	return LETTER >> utf8proc_category(c) & 1;
}

bool unicode_is_digit(int32_t c)
{
	return utf8proc_category(c) == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
	       (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}

bool unicode_is_alnum(int32_t c)
{
	static const unsigned NUMBER = 1u << UTF8PROC_CATEGORY_ND | 1u << UTF8PROC_CATEGORY_NL | 1u << UTF8PROC_CATEGORY_NO;
	return unicode_is_letter(c) || NUMBER >> utf8proc_category(c) & 1;
}

str unicode_strip(str s, bool left, bool right)
{
	int32_t c;
	for (size_t n; left && s.len && (n = unicode_next(s, 0, &c), unicode_is_space(c));)
		s = str_sub(s, n, s.len);
	while (right && s.len) {
		size_t at = s.len - 1;
		while (at > 0 && ((unsigned char)s.data[at] & 0xC0) == 0x80)
			at--;
		unicode_next(s, at, &c);
		if (!unicode_is_space(c))
			break;
		s.len = at;
	}
	return s;
}

void unicode_lower(str s, struct buf *out)
{
	for (size_t i = 0; i < s.len;) {
		int32_t c;
		i += unicode_next(s, i, &c);
		unicode_put(out, utf8proc_tolower(c));
		if (c == 0x130) /* the one letter whose lower case is two characters: i and a dot above */
			unicode_put(out, 0x307);
	}
}

void unicode_upper(str s, struct buf *out)
{
	for (size_t i = 0; i < s.len;) {
		int32_t c;
		i += unicode_next(s, i, &c);
		if (c == 0xDF)
			buf_puts(out, "SS");
		else
			unicode_put(out, utf8proc_toupper(c));
	}
}

/* Length of the well-formed character at the front, or 0 with *bad = bytes that together are one error and
 * *open = whether more bytes could still complete it. */
static size_t check_front(str s, size_t *bad, bool *open)
{
	const unsigned char *p = (const unsigned char *)s.data;
	*open = false;
	*bad = 1;
	if (p[0] < 0x80)
		return 1;
	size_t need = p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;
	if (need == 0)
		return 0;
	unsigned low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80, high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
	for (size_t i = 1; i < need; i++) {
		*bad = i;
		if (i == s.len) {
			*open = true;
			return 0;
		}
		if (p[i] < low || p[i] > high)
			return 0;
		low = 0x80;
		high = 0xBF;
	}
	return need;
}

size_t unicode_put_lossy(struct buf *out, str bytes, bool keep_tail)
{
	size_t clean = 0, i = 0;
	while (i < bytes.len) {
		size_t bad;
		bool open;
		size_t n = check_front(str_sub(bytes, i, bytes.len), &bad, &open);
		if (n) {
			i += n;
			continue;
		}
		buf_put(out, bytes.data + clean, i - clean);
		if (open && keep_tail)
			return bytes.len - i;
		buf_puts(out, "\xEF\xBF\xBD");
		i += bad;
		clean = i;
	}
	buf_put(out, bytes.data + clean, i - clean);
	return 0;
}
