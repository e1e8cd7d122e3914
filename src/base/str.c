/* str.c: operations on borrowed byte strings. All are pure: no allocation, no locale. */
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

size_t str_find(str s, char c, size_t from)
{
	if (from >= s.len)
		return s.len;
	const char *p = memchr(s.data + from, c, s.len - from);
	return p ? (size_t)(p - s.data) : s.len;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

str str_trim(str s)
{
	while (s.len && is_space(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

int str_cmp(str a, str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;
	if (c)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool str_to_i64(str s, int64_t *out)
{
	char text[32];
	if (s.len == 0 || s.len >= sizeof text || is_space(s.data[0]))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = 0;
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end != text + s.len)
		return false;
	*out = v;
	return true;
}

bool str_to_f64(str s, double *out)
{
	char text[64];
	if (s.len == 0 || s.len >= sizeof text || is_space(s.data[0]))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = 0;
	char *end;
	double v = strtod(text, &end);
	if (end != text + s.len)
		return false;
	*out = v;
	return true;
}

size_t str_distance(str a, str b)
{
	enum { MAX = 64 };
	if (a.len > MAX || b.len > MAX)
		return MAX;
	size_t row[MAX + 1];
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.len];
}

const char *str_nearest(str s, const char *const *names)
{
	const char *best = NULL;
	size_t best_distance = s.len / 3 + 2;
	for (; *names; names++) {
		size_t d = str_distance(s, str_of(*names));
		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}

/* Length of the well-formed sequence at p (n bytes left), or 0. Ranges: Unicode table 3-7. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xC2 && p[0] <= 0xDF)
		return n >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	unsigned char low = 0x80, high = 0xBF;
	if (p[0] >= 0xE0 && p[0] <= 0xEF) {
		if (p[0] == 0xE0)
			low = 0xA0;
		if (p[0] == 0xED)
			high = 0x9F;
		return n >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xC0) == 0x80 ? 3 : 0;
	}
	if (p[0] >= 0xF0 && p[0] <= 0xF4) {
		if (p[0] == 0xF0)
			low = 0x90;
		if (p[0] == 0xF4)
			high = 0x8F;
		return n >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xC0) == 0x80 && (p[3] & 0xC0) == 0x80 ? 4 : 0;
	}
	return 0;
}

bool str_is_utf8(str s, size_t *bad)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = utf8_sequence((const unsigned char *)s.data + i, s.len - i);
		if (!n) {
			if (bad)
				*bad = i;
			return false;
		}
		i += n;
	}
	return true;
}
