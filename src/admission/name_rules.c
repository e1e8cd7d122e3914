/* name_rules.c: names of objects and the placeholders that examples carry. */
#include "admission/rules.h"

#include <ctype.h>

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253

const char NAME_SUBDOMAIN_WORDS[] =
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
	"alphanumeric character (e.g. 'example.com', regex used for validation is "
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
static const char LABEL_WORDS[] =
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
	"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* Without the limit on the length. */
static bool label_shape(str s)
{
	if (s.len == 0 || !is_alnum(s.data[0]) || !is_alnum(s.data[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.data[i]) && s.data[i] != '-')
			return false;
	return true;
}

static bool subdomain_shape(str s)
{
	for (size_t at = 0; at <= s.len;) {
		size_t dot = str_find(s, '.', at);
		if (!label_shape(str_sub(s, at, dot)))
			return false;
		at = dot + 1;
	}
	return true;
}

bool name_is_label(const char *name) { return strlen(name) <= LABEL_MAX && label_shape(str_of(name)); }
bool name_is_subdomain(const char *name) { return strlen(name) <= SUBDOMAIN_MAX && subdomain_shape(str_of(name)); }

void name_rules_check(struct admission *a)
{
	str name = str_of(meta_name(a->object));
	if (name.len == 0) {
		if (!json_text_at(a->object, "", "metadata", "generateName", NULL)[0])
			field_errors_invalid(&a->errors, "name", "%s", LABEL_WORDS);
		return;
	}
	const char *shape = label_shape(name) ? NULL : subdomain_shape(name) && name.len <= SUBDOMAIN_MAX ? "must not contain dots" : LABEL_WORDS;
	const char *length = name.len > LABEL_MAX ? "must be no more than 63 characters" : NULL;
	if (shape || length)
		field_errors_invalid(&a->errors, "name", "%s%s%s", length ? length : "", length && shape ? ", " : "", shape ? shape : "");
}

/* --- placeholders -------------------------------------------------------------------------------------------- */

static bool is_placeholder_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/* The run of capitals that begins at `at`. */
static str capitals(str s, size_t at)
{
	size_t end = at;
	while (end < s.len && is_placeholder_char(s.data[end]))
		end++;
	return str_sub(s, at, end);
}

/* The placeholder that begins at `at`, or an empty string. */
static str placeholder_at(str text, size_t at)
{
	if (text.data[at] == '<' || text.data[at] == '{') {
		size_t end = str_find(text, text.data[at] == '<' ? '>' : '}', at);
		return str_sub(text, at, end < text.len ? end + 1 : end);
	}
	str word = capitals(text, at);
	bool is = str_ends(word, STR("_HERE")) || (word.len > 5 && str_starts(word, STR("YOUR_")));
	return is ? word : (str){0};
}

void name_placeholders(str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		str found = placeholder_at(text, i);
		if (found.len)
			buf_printf(out, "%s%.*s", out->len ? ", " : "", STR_FMT(found));
		size_t skip = found.len ? found.len : capitals(text, i).len;
		i += skip ? skip - 1 : 0;
	}
}
