/* decoder.c: see decoder.h. Without any step the tokens are joined by spaces, as tokenizers does. */
#include "token/decoder.h"

#include "codec/json.h"
#include "token/byte_level.h"
#include "token/normalize.h"
#include "token/unicode.h"

#define SPACE_MARK "\xE2\x96\x81" /* U+2581, SentencePiece's space */

static int parse_byte_level(struct decoder_step *s, const json_t *json, struct err *err)
{
	(void)json, (void)err;
	s->kind = DECODE_BYTE_LEVEL;
	return 0;
}

static int parse_replace(struct decoder_step *s, const json_t *json, struct err *err)
{
	s->kind = DECODE_REPLACE;
	if (normalizer_text(&s->text, &s->text_len, json, "content", "decoder Replace", err) < 0)
		return -1;
	return normalizer_pattern(&s->pattern, json, "decoder Replace", err);
}

static int parse_byte_fallback(struct decoder_step *s, const json_t *json, struct err *err)
{
	(void)json, (void)err;
	s->kind = DECODE_BYTE_FALLBACK;
	return 0;
}

static int parse_fuse(struct decoder_step *s, const json_t *json, struct err *err)
{
	(void)json, (void)err;
	s->kind = DECODE_FUSE;
	return 0;
}

static int parse_strip(struct decoder_step *s, const json_t *json, struct err *err)
{
	s->kind = DECODE_STRIP;
	if (json_get_int_in(json, "start", "decoder Strip", 0, INT32_MAX, &s->start, err) < 0 ||
	    json_get_int_in(json, "stop", "decoder Strip", 0, INT32_MAX, &s->stop, err) < 0)
		return -1;
	return normalizer_text(&s->text, &s->text_len, json, "content", "decoder Strip", err);
}

static int parse_metaspace(struct decoder_step *s, const json_t *json, struct err *err)
{
	s->kind = DECODE_METASPACE;
	str mark = STR(SPACE_MARK), scheme = STR("always");
	bool legacy = true;
	if (json_get_str(json, "replacement", "decoder Metaspace", &mark, err) < 0 || json_get_str(json, "prepend_scheme", "decoder Metaspace", &scheme, err) < 0 ||
	    json_get_bool(json, "add_prefix_space", "decoder Metaspace", &legacy, err) < 0)
		return -1;
	if (mark.len == 0)
		return err_set(err, ERR_MODEL, "tokenizer.json: decoder Metaspace: 'replacement' is empty");
	s->text = mem_strndup(mark.data, mark.len);
	s->text_len = mark.len;
	s->drop_first = legacy && !str_eqz(scheme, "never");
	return regex_new(&s->pattern, mark, true, err);
}

/* To add a decoder: a row here, a kind, a row in RUN. Sorted by type. */
static const struct { const char *type; int (*parse)(struct decoder_step *, const json_t *, struct err *); } STEPS[] = {
	{"ByteFallback", parse_byte_fallback},
	{"ByteLevel", parse_byte_level},
	{"Fuse", parse_fuse},
	{"Metaspace", parse_metaspace},
	{"Replace", parse_replace},
	{"Strip", parse_strip},
};

static struct decoder_step *add_step(struct decoder *d)
{
	vec_push(d, (struct decoder_step){0});
	return &d->data[d->len - 1];
}

int decoder_parse(struct decoder *d, const json_t *json, struct err *err)
{
	if (!json || json_is_null(json))
		return 0;
	const char *type = json_string_value(json_object_get(json, "type"));
	if (!type)
		return err_set(err, ERR_MODEL, "tokenizer.json: a decoder without 'type'");
	if (strcmp(type, "Sequence") == 0) {
		size_t i;
		const json_t *item;
		json_array_foreach(json_object_get(json, "decoders"), i, item)
			if (decoder_parse(d, item, err) < 0)
				return -1;
		return 0;
	}
	for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
		if (strcmp(type, STEPS[i].type) == 0)
			return STEPS[i].parse(add_step(d), json, err);
	return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the decoder '%.60s' is not supported", type);
}

void decoder_add_byte_level(struct decoder *d) { add_step(d)->kind = DECODE_BYTE_LEVEL; }

int decoder_add_sentencepiece(struct decoder *d, bool strip_prefix, struct err *err)
{
	struct decoder_step *replace = add_step(d);
	replace->kind = DECODE_REPLACE;
	replace->text = mem_strdup(" ");
	replace->text_len = 1;
	if (regex_new(&replace->pattern, STR(SPACE_MARK), true, err) < 0)
		return -1;
	add_step(d)->kind = DECODE_BYTE_FALLBACK;
	add_step(d)->kind = DECODE_FUSE;
	if (strip_prefix)
		*add_step(d) = (struct decoder_step){.kind = DECODE_STRIP, .text = mem_strdup(" "), .text_len = 1, .start = 1};
	return 0;
}

void decoder_done(struct decoder *d)
{
	for (size_t i = 0; i < d->len; i++) {
		free(d->data[i].text);
		regex_free(d->data[i].pattern);
	}
	vec_done(d);
}

struct run {
	enum decoder_mode mode;
	struct regex_state *state;
	const struct pieces *in;
	struct pieces *out;
};

static void end_piece(struct pieces *out, size_t from) { vec_push(&out->list, (struct piece){from, out->text.len}); }

static int run_byte_level(const struct decoder_step *s, struct run *r, struct err *err)
{
	(void)s, (void)err;
	for (size_t i = 0; i < r->in->list.len; i++)
		byte_level_decode(&r->out->text, pieces_at(r->in, i));
	end_piece(r->out, 0);
	return 0;
}

static int run_replace(const struct decoder_step *s, struct run *r, struct err *err)
{
	for (size_t i = 0; i < r->in->list.len; i++) {
		size_t from = r->out->text.len;
		if (normalizer_replace(s->pattern, r->state, pieces_at(r->in, i), (str){s->text, s->text_len}, &r->out->text, err) < 0)
			return -1;
		end_piece(r->out, from);
	}
	return 0;
}

/* The byte of "<0xXX>", or -1. */
static int byte_of(str token)
{
	if (token.len != 6 || !str_starts(token, STR("<0x")) || token.data[5] != '>')
		return -1;
	int value = 0;
	for (size_t i = 3; i < 5; i++) {
		char c = token.data[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* A run of byte tokens is a text if it is well-formed as a whole; else each byte is unknown. */
static void end_bytes(struct run *r, size_t from)
{
	str bytes = str_sub(buf_str(&r->out->text), from, r->out->text.len);
	size_t bad, count = bytes.len;
	if (r->mode == DECODER_WHOLE && !str_is_utf8(bytes, &bad)) {
		r->out->text.len = from;
		for (size_t i = 0; i < count; i++)
			buf_puts(&r->out->text, "\xEF\xBF\xBD");
	}
	if (count)
		end_piece(r->out, from);
}

static int run_byte_fallback(const struct decoder_step *s, struct run *r, struct err *err)
{
	(void)s, (void)err;
	size_t from = 0;
	for (size_t i = 0; i < r->in->list.len; i++) {
		str token = pieces_at(r->in, i);
		int byte = byte_of(token);
		if (byte >= 0) {
			buf_putc(&r->out->text, (char)byte);
			continue;
		}
		end_bytes(r, from);
		from = r->out->text.len;
		buf_put_str(&r->out->text, token);
		end_piece(r->out, from);
		from = r->out->text.len;
	}
	end_bytes(r, from);
	return 0;
}

static int run_fuse(const struct decoder_step *s, struct run *r, struct err *err)
{
	(void)s, (void)err;
	for (size_t i = 0; i < r->in->list.len; i++)
		buf_put_str(&r->out->text, pieces_at(r->in, i));
	end_piece(r->out, 0);
	return 0;
}

static int run_strip(const struct decoder_step *s, struct run *r, struct err *err)
{
	(void)err;
	str mark = {s->text, s->text_len};
	for (size_t i = 0; i < r->in->list.len; i++) {
		str token = pieces_at(r->in, i);
		for (int64_t k = 0; k < s->start && r->mode != DECODER_MIDDLE && mark.len && str_starts(token, mark); k++)
			token = str_sub(token, mark.len, token.len);
		for (int64_t k = 0; k < s->stop && r->mode == DECODER_WHOLE && mark.len && str_ends(token, mark); k++)
			token.len -= mark.len;
		pieces_add(r->out, token);
	}
	return 0;
}

static int run_metaspace(const struct decoder_step *s, struct run *r, struct err *err)
{
	for (size_t i = 0; i < r->in->list.len; i++) {
		size_t from = r->out->text.len;
		bool drop = s->drop_first && i == 0 && r->mode != DECODER_MIDDLE;
		if (normalizer_replace(s->pattern, r->state, pieces_at(r->in, i), drop ? STR("") : STR(" "), &r->out->text, err) < 0)
			return -1;
		end_piece(r->out, from);
	}
	return 0;
}

static int (*const RUN[])(const struct decoder_step *, struct run *, struct err *) = {
	[DECODE_BYTE_LEVEL] = run_byte_level,
	[DECODE_REPLACE] = run_replace,
	[DECODE_BYTE_FALLBACK] = run_byte_fallback,
	[DECODE_FUSE] = run_fuse,
	[DECODE_STRIP] = run_strip,
	[DECODE_METASPACE] = run_metaspace,
};

int decoder_run(const struct decoder *d, enum decoder_mode mode, struct pieces *in, struct pieces *spare, struct buf *out, struct err *err)
{
	struct run r = {.mode = mode, .state = regex_state_new()};
	int rc = 0;
	for (size_t i = 0; i < d->len && rc == 0; i++) {
		pieces_clear(spare);
		r.in = in;
		r.out = spare;
		rc = RUN[d->data[i].kind](&d->data[i], &r, err);
		struct pieces t = *in;
		*in = *spare;
		*spare = t;
	}
	regex_state_free(r.state);
	if (rc < 0)
		return -1;
	for (size_t i = 0; i < in->list.len; i++) {
		if (i && d->len == 0)
			buf_putc(out, ' ');
		buf_put_str(out, pieces_at(in, i));
	}
	return in->text.overflow || out->overflow ? err_set(err, ERR_LIMIT, "the decoded text is larger than the limit") : 0;
}
