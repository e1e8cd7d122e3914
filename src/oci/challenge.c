/* challenge.c: see challenge.h. A comma separates both parameters and challenges; a word followed by something other
 * than '=' starts a new challenge. */
#include "oci/challenge.h"

#include "base/mem.h"
#include <strings.h>

#define VALUE_MAX 4096

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

struct cursor { str text; size_t at; };

static void skip(struct cursor *c, const char *chars)
{
	while (c->at < c->text.len && c->text.data[c->at] && strchr(chars, c->text.data[c->at]))
		c->at++;
}

static str word(struct cursor *c)
{
	size_t from = c->at;
	while (c->at < c->text.len && is_token(c->text.data[c->at]))
		c->at++;
	return str_sub(c->text, from, c->at);
}

/* A token or a quoted string, without quotes and escapes; NULL when it is neither. */
static char *value(struct cursor *c)
{
	if (c->at < c->text.len && c->text.data[c->at] != '"') {
		str w = word(c);
		return w.len && w.len <= VALUE_MAX ? mem_strndup(w.data, w.len) : NULL;
	}
	char *out = mem_alloc(c->text.len + 1);
	size_t n = 0;
	for (c->at++; c->at < c->text.len; c->at++) {
		char ch = c->text.data[c->at];
		if (ch == '"') {
			c->at++;
			if (n <= VALUE_MAX)
				return out;
			break;
		}
		if (ch == '\\' && c->at + 1 < c->text.len)
			ch = c->text.data[++c->at];
		if ((unsigned char)ch < 0x20)
			break;
		out[n++] = ch;
	}
	free(out);
	return NULL;
}

static void set(char **field, char *text)
{
	free(*field);
	*field = text;
}

static void put_parameter(struct challenge *c, str name, char *text)
{
	char **const fields[] = {&c->realm, &c->service, &c->scope};
	static const char *const NAMES[] = {"realm", "service", "scope"};
	for (size_t i = 0; i < 3; i++)
		if (name.len == strlen(NAMES[i]) && strncasecmp(name.data, NAMES[i], name.len) == 0) {
			set(fields[i], text);
			return;
		}
	free(text);
}

static enum challenge_scheme scheme_of(str name)
{
	if (name.len == 5 && strncasecmp(name.data, "basic", 5) == 0)
		return CHALLENGE_BASIC;
	return name.len == 6 && strncasecmp(name.data, "bearer", 6) == 0 ? CHALLENGE_BEARER : CHALLENGE_NONE;
}

static void keep_better(struct challenge *best, struct challenge *candidate)
{
	bool usable = candidate->scheme == CHALLENGE_BASIC || (candidate->scheme == CHALLENGE_BEARER && candidate->realm);
	if (usable && candidate->scheme > best->scheme) {
		challenge_done(best);
		*best = *candidate;
	} else {
		challenge_done(candidate);
	}
	*candidate = (struct challenge){0};
}

void challenge_parse(str header, struct challenge *out)
{
	struct cursor c = {.text = header};
	struct challenge best = {0}, current = {0};
	while (c.at < header.len) {
		skip(&c, " \t,");
		str name = word(&c);
		if (name.len == 0)
			break;
		skip(&c, " \t");
		if (c.at < header.len && header.data[c.at] == '=') {
			c.at++;
			skip(&c, " \t");
			char *text = c.at < header.len ? value(&c) : NULL;
			if (!text)
				break;
			put_parameter(&current, name, text);
			continue;
		}
		keep_better(&best, &current);
		current.scheme = scheme_of(name);
	}
	keep_better(&best, &current);
	*out = best;
}

void challenge_done(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	*c = (struct challenge){0};
}
