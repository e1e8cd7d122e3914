/* normalize.c: see normalize.h. A step is a row of STEPS (its parser) and a row of RUN (what it does). */
#include "token/normalize.h"

#include "base/vec.h"
#include "codec/json.h"
#include "token/unicode.h"
#include <utf8proc.h>

int normalizer_text(char **out, size_t *len, const json_t *owner, const char *key, const char *where, struct err *err)
{
	const json_t *value = json_object_get(owner, key);
	if (!json_is_string(value))
		return err_set(err, ERR_MODEL, "tokenizer.json: %s needs a text '%s'", where, key);
	*len = json_string_length(value);
	*out = mem_strndup(json_string_value(value), *len);
	return 0;
}

int normalizer_pattern(struct regex **out, const json_t *owner, const char *where, struct err *err)
{
	const json_t *pattern = json_object_get(owner, "pattern");
	const json_t *literal = json_object_get(pattern, "String"), *regex = json_object_get(pattern, "Regex");
	const json_t *text = literal ? literal : regex;
	if (!json_is_string(text) || json_string_length(text) == 0)
		return err_set(err, ERR_MODEL, "tokenizer.json: %s needs a 'pattern' with a 'String' or a 'Regex'", where);
	return regex_new(out, (str){json_string_value(text), json_string_length(text)}, literal != NULL, err);
}

int normalizer_replace(const struct regex *pattern, struct regex_state *state, str text, str with, struct buf *to, struct err *err)
{
	size_t done = 0, at = 0, from, end;
	while (at <= text.len) {
		int found = regex_find(pattern, state, text, at, &from, &end, err);
		if (found < 0)
			return -1;
		if (!found)
			break;
		buf_put(to, text.data + done, from - done);
		buf_put_str(to, with);
		done = end;
		at = end > from ? end : end + unicode_length(text, end);
	}
	buf_put(to, text.data + done, text.len - done);
	return 0;
}

static int parse_prepend(struct normalize_step *s, const json_t *json, struct err *err)
{
	s->kind = NORMALIZE_PREPEND;
	return normalizer_text(&s->text, &s->text_len, json, "prepend", "normalizer Prepend", err);
}

static int parse_replace(struct normalize_step *s, const json_t *json, struct err *err)
{
	s->kind = NORMALIZE_REPLACE;
	if (normalizer_text(&s->text, &s->text_len, json, "content", "normalizer Replace", err) < 0)
		return -1;
	return normalizer_pattern(&s->pattern, json, "normalizer Replace", err);
}

static int parse_unicode(struct normalize_step *s, const json_t *json, struct err *err)
{
	static const struct { const char *type; int options; } FORMS[] = {
		{"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
		{"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
		{"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
		{"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
	};
	(void)err;
	s->kind = NORMALIZE_UNICODE;
	for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++)
		if (strcmp(json_string_value(json_object_get(json, "type")), FORMS[i].type) == 0)
			s->form = FORMS[i].options;
	return 0;
}

static int parse_strip(struct normalize_step *s, const json_t *json, struct err *err)
{
	s->kind = NORMALIZE_STRIP;
	s->left = s->right = true;
	return json_get_bool(json, "strip_left", "normalizer", &s->left, err) < 0 || json_get_bool(json, "strip_right", "normalizer", &s->right, err) < 0
		       ? -1
		       : 0;
}

static int parse_lowercase(struct normalize_step *s, const json_t *json, struct err *err)
{
	(void)json, (void)err;
	s->kind = NORMALIZE_LOWERCASE;
	return 0;
}

static int parse_strip_accents(struct normalize_step *s, const json_t *json, struct err *err)
{
	(void)json, (void)err;
	s->kind = NORMALIZE_STRIP_ACCENTS;
	return 0;
}

/* To add a normaliser: a row here, a kind, a row in RUN. */
static const struct { const char *type; int (*parse)(struct normalize_step *, const json_t *, struct err *); } STEPS[] = {
	{"Lowercase", parse_lowercase},
	{"NFC", parse_unicode},
	{"NFD", parse_unicode},
	{"NFKC", parse_unicode},
	{"NFKD", parse_unicode},
	{"Prepend", parse_prepend},
	{"Replace", parse_replace},
	{"Strip", parse_strip},
	{"StripAccents", parse_strip_accents},
};

static int parse_step(struct normalizer *n, const json_t *json, const char *type, struct err *err)
{
	for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
		if (strcmp(type, STEPS[i].type) == 0) {
			vec_push(n, (struct normalize_step){0}); /* in the list before parsing, so that done frees a half-built one */
			return STEPS[i].parse(&n->data[n->len - 1], json, err);
		}
	return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the normalizer '%.60s' is not supported", type);
}

int normalizer_parse(struct normalizer *n, const json_t *json, struct err *err)
{
	if (!json || json_is_null(json))
		return 0;
	const char *type = json_string_value(json_object_get(json, "type"));
	if (!type)
		return err_set(err, ERR_MODEL, "tokenizer.json: a normalizer without 'type'");
	if (strcmp(type, "Sequence") != 0)
		return parse_step(n, json, type, err);
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(json, "normalizers"), i, item)
		if (normalizer_parse(n, item, err) < 0)
			return -1;
	return 0;
}

void normalizer_add_nfc(struct normalizer *n)
{
	vec_push(n, (struct normalize_step){.kind = NORMALIZE_UNICODE, .form = UTF8PROC_STABLE | UTF8PROC_COMPOSE});
}

int normalizer_add_replace(struct normalizer *n, str text, str with, struct err *err)
{
	vec_push(n, (struct normalize_step){.kind = NORMALIZE_REPLACE, .text = mem_strndup(with.data, with.len), .text_len = with.len});
	return regex_new(&n->data[n->len - 1].pattern, text, true, err);
}

void normalizer_done(struct normalizer *n)
{
	for (size_t i = 0; i < n->len; i++) {
		free(n->data[i].text);
		regex_free(n->data[i].pattern);
	}
	vec_done(n);
}

static int run_prepend(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	(void)state, (void)err;
	if (in.len)
		buf_put(out, s->text, s->text_len);
	buf_put_str(out, in);
	return 0;
}

static int run_replace(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	return normalizer_replace(s->pattern, state, in, (str){s->text, s->text_len}, out, err);
}

static int run_unicode(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	(void)state;
	if (unicode_is_ascii(in)) {
		buf_put_str(out, in);
		return 0;
	}
	utf8proc_uint8_t *mapped = NULL;
	utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)in.data, (utf8proc_ssize_t)in.len, &mapped, (utf8proc_option_t)s->form);
	if (len < 0)
		return err_set(err, ERR_INVALID, "cannot normalise the text: %s", utf8proc_errmsg(len));
	buf_put(out, mapped, (size_t)len);
	free(mapped);
	return 0;
}

static int run_lowercase(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	(void)s, (void)state, (void)err;
	unicode_lower(in, out);
	return 0;
}

static int run_strip(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	(void)state, (void)err;
	buf_put_str(out, unicode_strip(in, s->left, s->right));
	return 0;
}

static int run_strip_accents(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err)
{
	(void)s, (void)state, (void)err;
	for (size_t i = 0, n; i < in.len; i += n) {
		int32_t c;
		n = unicode_next(in, i, &c);
		if (utf8proc_category(c) != UTF8PROC_CATEGORY_MN)
			buf_put(out, in.data + i, n);
	}
	return 0;
}

typedef int run_step(const struct normalize_step *s, struct regex_state *state, str in, struct buf *out, struct err *err);
static run_step *const RUN[] = {
	[NORMALIZE_PREPEND] = run_prepend,
	[NORMALIZE_REPLACE] = run_replace,
	[NORMALIZE_UNICODE] = run_unicode,
	[NORMALIZE_LOWERCASE] = run_lowercase,
	[NORMALIZE_STRIP] = run_strip,
	[NORMALIZE_STRIP_ACCENTS] = run_strip_accents,
};

int normalizer_run(const struct normalizer *n, struct regex_state *state, struct buf *text, struct err *err)
{
	for (size_t i = 0; i < n->len; i++) {
		struct buf next = {.max = text->max};
		int rc = RUN[n->data[i].kind](&n->data[i], state, buf_str(text), &next, err);
		buf_done(text);
		*text = next;
		if (rc < 0)
			return -1;
		if (next.overflow)
			return err_set(err, ERR_LIMIT, "the normalised text is larger than the limit of %zu bytes", next.max);
	}
	return 0;
}
