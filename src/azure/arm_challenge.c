/* arm_challenge.c: see arm_challenge.h. RFC 9110 section 11.6.1: a comma separates both parameters and challenges; a word that no '='
 * follows begins a challenge. */
#include "azure/arm_challenge.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"
#include <strings.h>

#define HEADER_MAX 16384
#define CLAIMS_MAX 8192

struct cursor { str text; size_t at; };

static bool more(const struct cursor *c) { return c->at < c->text.len; }

static void skip(struct cursor *c, const char *chars)
{
	while (more(c) && c->text.data[c->at] && strchr(chars, c->text.data[c->at]))
		c->at++;
}

static str word(struct cursor *c)
{
	size_t from = c->at;
	while (more(c) && (unsigned char)c->text.data[c->at] > ' ' && !strchr(",=\"", c->text.data[c->at]))
		c->at++;
	return str_sub(c->text, from, c->at);
}

/* What stands between quotes, or a bare word with its padding. Base64 needs no escapes, so none are undone. */
static str value(struct cursor *c)
{
	if (more(c) && c->text.data[c->at] != '"') {
		size_t from = c->at;
		while (more(c) && (unsigned char)c->text.data[c->at] > ' ' && c->text.data[c->at] != ',')
			c->at++;
		return str_sub(c->text, from, c->at);
	}
	size_t from = ++c->at;
	while (more(c) && c->text.data[c->at] != '"')
		c->at += c->text.data[c->at] == '\\' ? 2 : 1;
	size_t to = c->at < c->text.len ? c->at : c->text.len;
	c->at = to + 1;
	return from <= to ? str_sub(c->text, from, to) : (str){"", 0};
}

static bool is(str word, const char *name) { return word.len == strlen(name) && strncasecmp(word.data, name, word.len) == 0; }

static char *claims_of(str text)
{
	char *decoded = NULL;
	size_t len = 0;
	json_t *parsed = NULL;
	bool ok = text.len <= CLAIMS_MAX && base64_decode(BASE64_ANY, text, &decoded, &len, NULL) == 0 && json_parse_with(&parsed, (str){decoded, len}, "claims", &(struct json_rules){.max_depth = 16}, &(struct err){0}) == 0 &&
		  json_is_object(parsed);
	json_decref(parsed);
	if (ok)
		return decoded;
	free(decoded);
	return NULL;
}

char *arm_challenge_claims(str header)
{
	struct cursor c = {.text = str_sub(header, 0, header.len < HEADER_MAX ? header.len : HEADER_MAX)};
	bool bearer = false;
	while (more(&c)) {
		size_t before = c.at;
		skip(&c, " \t,");
		str name = word(&c);
		skip(&c, " \t");
		if (more(&c) && c.text.data[c.at] == '=') {
			c.at++;
			skip(&c, " \t");
			str v = more(&c) ? value(&c) : (str){"", 0};
			char *claims = bearer && is(name, "claims") ? claims_of(v) : NULL;
			if (claims)
				return claims;
		} else if (name.len) {
			bearer = is(name, "Bearer");
		}
		if (c.at == before)
			c.at++;
	}
	return NULL;
}
