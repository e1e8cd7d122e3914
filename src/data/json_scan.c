/* json_scan.c: one pass, no recursion: a depth counter is enough to find the end of a value. */
#include "data/json_scan.h"

#include "base/limits.h"

size_t json_scan_space(str text, size_t at)
{
	while (at < text.len && (text.data[at] == ' ' || (text.data[at] >= '\t' && text.data[at] <= '\r')))
		at++;
	return at;
}

/* Past the closing quote, or text.len. */
static size_t skip_string(str text, size_t at)
{
	for (at++; at < text.len && text.data[at] != '"'; at++)
		at += text.data[at] == '\\';
	return at < text.len ? at + 1 : text.len + 1;
}

static bool ends_scalar(char c) { return c == ',' || c == ']' || c == '}' || c == ' ' || (c >= '\t' && c <= '\r'); }

int json_scan_value(str text, size_t *at, struct err *err)
{
	size_t i = *at, depth = 0;
	do {
		if (i >= text.len)
			return err_set(err, ERR_DATA, "the text ends inside the value that starts at byte %zu", *at);
		char c = text.data[i];
		if (c == '"') {
			i = skip_string(text, i);
			if (i > text.len)
				return err_set(err, ERR_DATA, "the text ends inside a string of the value that starts at byte %zu", *at);
		} else if (c == '{' || c == '[') {
			i++;
			if (++depth > LIMIT_JSON_DEPTH)
				return err_set(err, ERR_DATA, "nested deeper than %d at byte %zu", LIMIT_JSON_DEPTH, i);
		} else if (c == '}' || c == ']') {
			i++;
			depth -= depth > 0;
		} else if (depth > 0) {
			i++;
		} else {
			while (i < text.len && !ends_scalar(text.data[i]))
				i++;
			i += i == *at; /* a stray comma: move on, the parser will name it */
		}
	} while (depth > 0);
	*at = i;
	return 0;
}
