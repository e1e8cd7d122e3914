/* pretoken.c: see pretoken.h. The behaviours are defined by tokenizers' normalizer `split`: a list of spans, each a match
 * or not, that covers the piece; empty pieces vanish. */
#include "token/pretoken.h"

#include "codec/json.h"
#include "token/normalize.h"
#include "token/unicode.h"

static struct pretoken_step *add_step(struct pretokenizer *p)
{
	vec_push(p, (struct pretoken_step){.behavior = SPLIT_ISOLATED});
	return &p->data[p->len - 1];
}

static int add_pattern(struct pretokenizer *p, str pattern, enum pretoken_behavior behavior, struct err *err)
{
	struct pretoken_step *s = add_step(p);
	s->behavior = behavior;
	return regex_new(&s->pattern, pattern, false, err);
}

int pretokenizer_add_split(struct pretokenizer *p, str pattern, struct err *err) { return add_pattern(p, pattern, SPLIT_ISOLATED, err); }

static int parse_behavior(enum pretoken_behavior *out, const json_t *json, const char *type, struct err *err)
{
	static const struct { const char *name; enum pretoken_behavior behavior; } NAMES[] = {
		{"Removed", SPLIT_REMOVED}, {"Isolated", SPLIT_ISOLATED}, {"MergedWithPrevious", SPLIT_WITH_PREVIOUS},
		{"MergedWithNext", SPLIT_WITH_NEXT}, {"Contiguous", SPLIT_CONTIGUOUS},
	};
	const char *name = "Isolated";
	if (json_get_string(json, "behavior", type, &name, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
		if (strcmp(name, NAMES[i].name) == 0) {
			*out = NAMES[i].behavior;
			return 0;
		}
	return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: pre-tokenizer %s: the behavior '%.40s' is not supported", type, name);
}

static int parse_byte_level(struct pretokenizer *p, const json_t *json, struct err *err)
{
	bool prefix = true, use_regex = true;
	if (json_get_bool(json, "add_prefix_space", "ByteLevel", &prefix, err) < 0 || json_get_bool(json, "use_regex", "ByteLevel", &use_regex, err) < 0)
		return -1;
	if (prefix) {
		struct pretoken_step *s = add_step(p);
		memcpy(s->prefix, " ", 2);
		s->prepend = PREPEND_ALWAYS;
	}
	p->byte_level = true;
	return use_regex ? add_pattern(p, str_of(PRETOKEN_GPT2), SPLIT_ISOLATED, err) : 0;
}

static int parse_split(struct pretokenizer *p, const json_t *json, struct err *err)
{
	struct pretoken_step *s = add_step(p);
	if (parse_behavior(&s->behavior, json, "Split", err) < 0 || json_get_bool(json, "invert", "Split", &s->invert, err) < 0)
		return -1;
	return normalizer_pattern(&s->pattern, json, "pre-tokenizer Split", err);
}

static int parse_digits(struct pretokenizer *p, const json_t *json, struct err *err)
{
	bool individual = false;
	if (json_get_bool(json, "individual_digits", "Digits", &individual, err) < 0)
		return -1;
	return add_pattern(p, STR("\\p{N}"), individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, err);
}

static int parse_metaspace(struct pretokenizer *p, const json_t *json, struct err *err)
{
	str replacement = STR("\xE2\x96\x81"), scheme = STR("always");
	bool legacy = true, split = true;
	if (json_get_str(json, "replacement", "Metaspace", &replacement, err) < 0 || json_get_str(json, "prepend_scheme", "Metaspace", &scheme, err) < 0 ||
	    json_get_bool(json, "add_prefix_space", "Metaspace", &legacy, err) < 0 || json_get_bool(json, "split", "Metaspace", &split, err) < 0)
		return -1;
	struct pretoken_step *s = add_step(p);
	if (replacement.len == 0 || replacement.len >= sizeof s->prefix)
		return err_set(err, ERR_MODEL, "tokenizer.json: pre-tokenizer Metaspace: 'replacement' is not one character");
	s->replacement = mem_strndup(replacement.data, replacement.len);
	memcpy(s->prefix, replacement.data, replacement.len);
	s->prepend = str_eqz(scheme, "never") || !legacy ? PREPEND_NEVER : str_eqz(scheme, "first") ? PREPEND_FIRST : PREPEND_ALWAYS;
	s->behavior = SPLIT_WITH_NEXT;
	return split ? regex_new(&s->pattern, replacement, true, err) : 0;
}

static int parse_whitespace(struct pretokenizer *p, const json_t *json, struct err *err)
{
	(void)json;
	if (add_pattern(p, STR("[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}]+|"
			       "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}\\s]+"), SPLIT_REMOVED, err) < 0)
		return -1;
	p->data[p->len - 1].invert = true;
	return 0;
}

static int parse_whitespace_split(struct pretokenizer *p, const json_t *json, struct err *err)
{
	(void)json;
	return add_pattern(p, STR("\\s"), SPLIT_REMOVED, err);
}

static int parse_punctuation(struct pretokenizer *p, const json_t *json, struct err *err)
{
	enum pretoken_behavior behavior = SPLIT_ISOLATED;
	if (parse_behavior(&behavior, json, "Punctuation", err) < 0)
		return -1;
	return add_pattern(p, STR("[!-/:-@\\[-`{-~\\p{P}]"), behavior, err);
}

static int parse_delimiter(struct pretokenizer *p, const json_t *json, struct err *err)
{
	str delimiter = {"", 0};
	if (json_get_str(json, "delimiter", "CharDelimiterSplit", &delimiter, err) < 0)
		return -1;
	if (delimiter.len == 0)
		return err_set(err, ERR_MODEL, "tokenizer.json: pre-tokenizer CharDelimiterSplit without 'delimiter'");
	struct pretoken_step *s = add_step(p);
	s->behavior = SPLIT_REMOVED;
	return regex_new(&s->pattern, delimiter, true, err);
}

/* To add a pre-tokenizer: a row here. Sorted by type. */
static const struct { const char *type; int (*parse)(struct pretokenizer *, const json_t *, struct err *); } STEPS[] = {
	{"ByteLevel", parse_byte_level},
	{"CharDelimiterSplit", parse_delimiter},
	{"Digits", parse_digits},
	{"Metaspace", parse_metaspace},
	{"Punctuation", parse_punctuation},
	{"Split", parse_split},
	{"Whitespace", parse_whitespace},
	{"WhitespaceSplit", parse_whitespace_split},
};

int pretokenizer_parse(struct pretokenizer *p, const json_t *json, struct err *err)
{
	if (!json || json_is_null(json))
		return 0;
	const char *type = json_string_value(json_object_get(json, "type"));
	if (!type)
		return err_set(err, ERR_MODEL, "tokenizer.json: a pre_tokenizer without 'type'");
	if (p->byte_level)
		return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the pre-tokenizer '%.60s' after ByteLevel is not supported", type);
	if (strcmp(type, "Sequence") == 0) {
		size_t i;
		const json_t *item;
		json_array_foreach(json_object_get(json, "pretokenizers"), i, item)
			if (pretokenizer_parse(p, item, err) < 0)
				return -1;
		return 0;
	}
	for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
		if (strcmp(type, STEPS[i].type) == 0)
			return STEPS[i].parse(p, json, err);
	return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the pre-tokenizer '%.60s' is not supported", type);
}

void pretokenizer_done(struct pretokenizer *p)
{
	for (size_t i = 0; i < p->len; i++) {
		free(p->data[i].replacement);
		regex_free(p->data[i].pattern);
	}
	vec_done(p);
}

/* One span of a piece: pushed as a piece of its own, joined to the last one, or dropped. */
struct splitter {
	struct pieces *p;
	size_t first;      /* index of the first piece that came from the current one */
	enum pretoken_behavior behavior;
	bool before;       /* the span before was a match */
};

static void put_span(struct splitter *s, size_t from, size_t to, bool match)
{
	if (from == to)
		return;
	bool join = false, has_last = s->p->list.len > s->first;
	switch (s->behavior) {
	case SPLIT_REMOVED:
		if (match)
			return;
		break;
	case SPLIT_ISOLATED: break;
	case SPLIT_CONTIGUOUS: join = has_last && match == s->before; break;
	case SPLIT_WITH_PREVIOUS: join = has_last && match && !s->before; break;
	case SPLIT_WITH_NEXT: join = has_last && s->before && !match; break;
	}
	s->before = match;
	if (join)
		s->p->list.data[s->p->list.len - 1].to = to;
	else
		vec_push(&s->p->list, (struct piece){from, to});
}

/* Cut the piece [from, to) of out->text. */
static int split_piece(const struct pretoken_step *step, struct regex_state *state, struct pieces *out, size_t from, size_t to, struct err *err)
{
	struct splitter s = {out, out->list.len, step->behavior, false};
	str text = str_sub(buf_str(&out->text), from, to);
	size_t done = 0, at = 0, match_from, match_to;
	while (at < text.len) {
		int found = regex_find(step->pattern, state, text, at, &match_from, &match_to, err);
		if (found < 0)
			return -1;
		if (!found)
			break;
		put_span(&s, from + done, from + match_from, step->invert);
		put_span(&s, from + match_from, from + match_to, !step->invert);
		done = match_to;
		at = match_to > match_from ? match_to : match_to + unicode_length(text, match_to);
	}
	put_span(&s, from + done, to, step->invert);
	return 0;
}

/* Replace spaces and put the prefix; needs a new text. */
static void edit_pieces(const struct pretoken_step *step, bool first, const struct pieces *in, struct pieces *out)
{
	pieces_clear(out);
	size_t prefix_len = strlen(step->prefix);
	for (size_t i = 0; i < in->list.len; i++) {
		str s = pieces_at(in, i);
		size_t from = out->text.len;
		bool has = str_starts(s, (str){step->prefix, prefix_len}) || (step->replacement && s.len && s.data[0] == ' ');
		if (!has && s.len && (step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && first && i == 0)))
			buf_put(&out->text, step->prefix, prefix_len);
		for (size_t at = 0, space; step->replacement && at < s.len; at = space + 1) {
			space = str_find(s, ' ', at);
			buf_put(&out->text, s.data + at, space - at);
			if (space < s.len)
				buf_puts(&out->text, step->replacement);
		}
		if (!step->replacement)
			buf_put_str(&out->text, s);
		vec_push(&out->list, (struct piece){from, out->text.len});
	}
}

static void swap_lists(struct pieces *a, struct pieces *b)
{
	struct pieces t = *a;
	*a = *b;
	*b = t;
}

int pretokenizer_run(const struct pretokenizer *p, struct regex_state *state, bool first, struct pieces *in, struct pieces *spare, struct err *err)
{
	for (size_t i = 0; i < p->len; i++) {
		const struct pretoken_step *step = &p->data[i];
		if (step->prefix[0]) {
			edit_pieces(step, first, in, spare);
			swap_lists(in, spare);
			if (in->text.overflow)
				return err_set(err, ERR_LIMIT, "the text grows past the limit of %zu bytes while it is cut", in->text.max);
		}
		if (!step->pattern)
			continue;
		/* The ranges are cut again over the same text: it moves over to the other list of ranges. */
		struct buf text = in->text;
		in->text = spare->text;
		spare->text = text;
		spare->list.len = 0;
		for (size_t j = 0; j < in->list.len; j++)
			if (split_piece(step, state, spare, in->list.data[j].from, in->list.data[j].to, err) < 0)
				return -1;
		swap_lists(in, spare);
	}
	return 0;
}
