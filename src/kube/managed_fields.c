/* managed_fields.c: see managed_fields.h. The scan only tells strings from the rest, so it runs at the speed of memchr over most of the
 * text; the name is looked for at the end of each string that a colon follows. */
#include "kube/managed_fields.h"

#include "codec/json.h"
#include "codec/json_quick.h"

static const char NAME[] = "managedFields";

/* The offset after the string that starts at `at` (a quote), or text.len. */
static size_t after_string(str text, size_t at)
{
	for (size_t i = at + 1; i < text.len; i++) {
		const char *quote = memchr(text.data + i, '"', text.len - i);
		if (!quote)
			return text.len;
		size_t end = (size_t)(quote - text.data), backslashes = 0;
		while (backslashes < end - at - 1 && text.data[end - 1 - backslashes] == '\\')
			backslashes++;
		if (backslashes % 2 == 0)
			return end + 1;
		i = end;
	}
	return text.len;
}

static size_t after_space(str text, size_t at)
{
	while (at < text.len && (text.data[at] == ' ' || text.data[at] == '\n' || text.data[at] == '\t' || text.data[at] == '\r'))
		at++;
	return at;
}

/* The offset after the array that starts at `at`, or 0 when it does not end. */
static size_t after_array(str text, size_t at)
{
	size_t depth = 0;
	for (size_t i = at; i < text.len;) {
		char c = text.data[i];
		if (c == '"') {
			i = after_string(text, i);
			continue;
		}
		i++;
		if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && --depth == 0)
			return i;
	}
	return 0;
}

/* The member named managedFields whose name's quote is at `at`: the offset after it and its comma, or 0. A last member takes the comma
 * before it along: *before. */
static size_t after_member(str text, size_t at, size_t end_of_name, size_t *before)
{
	size_t colon = after_space(text, end_of_name), value = colon < text.len && text.data[colon] == ':' ? after_space(text, colon + 1) : text.len;
	if (value >= text.len || text.data[value] != '[')
		return 0;
	size_t end = after_array(text, value);
	if (!end)
		return 0;
	size_t next = after_space(text, end);
	if (next < text.len && text.data[next] == ',')
		return next + 1;
	size_t comma = at;
	while (comma > 0 && (text.data[comma - 1] == ' ' || text.data[comma - 1] == '\n' || text.data[comma - 1] == '\t' || text.data[comma - 1] == '\r'))
		comma--;
	if (comma > 0 && text.data[comma - 1] == ',')
		*before = comma - 1;
	return end;
}

void managed_fields_drop(str text, struct buf *out)
{
	size_t kept = 0; /* what is before is in out already */
	for (size_t i = 0; i < text.len;) {
		const char *quote = memchr(text.data + i, '"', text.len - i);
		if (!quote)
			break;
		size_t at = (size_t)(quote - text.data), end = after_string(text, at), before = at;
		i = end;
		if (end - at != sizeof NAME + 1 || memcmp(quote + 1, NAME, sizeof NAME - 1) != 0)
			continue;
		size_t after = after_member(text, at, end, &before);
		if (!after || before < kept)
			continue;
		buf_put(out, text.data + kept, before - kept);
		kept = i = after;
	}
	buf_put(out, text.data + kept, text.len - kept);
}

int managed_fields_parse(json_t **out, str text, const char *name, struct err *err)
{
	CLEANUP(buf_done) struct buf less = {.max = text.len + 1};
	managed_fields_drop(text, &less);
	json_t *quick = json_quick(buf_str(&less));
	if (!quick)
		return json_parse(out, buf_str(&less), name, err);
	*out = quick;
	return 0;
}
