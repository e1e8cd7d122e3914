/* encode.c: text -> ids. Added tokens cut the text into fragments; each fragment is normalised, searched again for the
 * tokens that are matched in normalised text, cut into pieces, and each piece goes through the merges. */
#include "token/tokenizer_impl.h"

#include "token/byte_level.h"
#include "token/unicode.h"

struct encoder {
	const struct tokenizer *t;
	struct token_vec *out;
	struct err *err;
	bool parse_special;
	struct regex_state *state;
	struct buf text;             /* a fragment while it is normalised */
	struct pieces pieces, spare; /* its pieces */
	struct buf mapped;           /* a piece as the characters of byte_level.h */
	struct bpe_scratch bpe;
};

static void emit(struct encoder *e, int32_t id) { vec_push(e->out, id); }

/* The piece as symbols: one per byte. */
static void push_bytes(struct encoder *e, str piece)
{
	for (size_t i = 0; i < piece.len; i++)
		bpe_push(&e->bpe, e->t->byte_ids[(unsigned char)piece.data[i]], i, 1);
}

/* A character that is no token: its bytes, if all of them are tokens; else one symbol that stays unknown, or nothing when
 * there is no unknown token: its neighbours may merge then, as in the reference. */
static void push_unknown(struct encoder *e, str piece, size_t from, size_t len)
{
	bool all = e->t->byte_fallback;
	for (size_t i = 0; all && i < len; i++)
		all = e->t->byte_ids[(unsigned char)piece.data[from + i]] >= 0;
	if (!all && e->t->unknown >= 0)
		bpe_push(&e->bpe, -1, from, len);
	if (!all)
		return;
	for (size_t i = 0; i < len; i++)
		bpe_push(&e->bpe, e->t->byte_ids[(unsigned char)piece.data[from + i]], from + i, 1);
}

static void push_characters(struct encoder *e, str piece)
{
	for (size_t i = 0, len; i < piece.len; i += len) {
		len = unicode_length(piece, i);
		int32_t id = vocab_find(&e->t->vocab, str_sub(piece, i, i + len));
		if (id >= 0 || e->t->bpe.scores)
			bpe_push(&e->bpe, id, i, len);
		else
			push_unknown(e, piece, i, len);
	}
}

/* By score a character outside the vocabulary falls back to bytes only after merging: "é" may be part of a token
 * without being one. */
static void emit_symbol(struct encoder *e, str piece, const struct bpe_symbol *s, bool *unknown_before)
{
	bool unknown = s->id < 0;
	if (!unknown) {
		emit(e, s->id);
	} else if (e->t->bpe.scores && e->t->byte_fallback && e->t->byte_ids[(unsigned char)piece.data[s->from]] >= 0) {
		for (size_t i = 0; i < s->len; i++) {
			int32_t id = e->t->byte_ids[(unsigned char)piece.data[s->from + i]];
			emit(e, id >= 0 ? id : e->t->unknown);
		}
	} else if (e->t->unknown >= 0 && !(e->t->fuse_unknown && *unknown_before)) {
		emit(e, e->t->unknown);
	}
	*unknown_before = unknown;
}

static bool emit_whole(struct encoder *e, str piece)
{
	str content = piece;
	if (e->t->pretokenizer.byte_level) {
		buf_clear(&e->mapped);
		for (size_t i = 0; i < piece.len; i++)
			byte_level_put(&e->mapped, (unsigned char)piece.data[i]);
		content = buf_str(&e->mapped);
	}
	int32_t id = vocab_find(&e->t->vocab, content);
	if (id < 0 || e->t->vocab.flags[id] & TOKEN_UNMERGED)
		return false;
	emit(e, id);
	return true;
}

static void encode_piece(struct encoder *e, str piece)
{
	if (piece.len == 0 || (e->t->ignore_merges && emit_whole(e, piece)))
		return;
	e->bpe.symbols.len = 0;
	if (e->t->pretokenizer.byte_level)
		push_bytes(e, piece);
	else
		push_characters(e, piece);
	bpe_run(&e->t->bpe, piece, &e->bpe);
	bool unknown_before = false;
	for (uint32_t i = 0; e->bpe.symbols.len && i != UINT32_MAX; i = e->bpe.symbols.data[i].next)
		emit_symbol(e, piece, &e->bpe.symbols.data[i], &unknown_before);
}

/* Where no merge can cross (before a U+2581 that does not follow another), a long piece is cut, so that merging needs memory for a word and not
 * for a book. */
static void encode_by_words(struct encoder *e, str piece)
{
	static const str MARK = {"\xE2\x96\x81", 3};
	size_t start = 0, at = 0;
	bool lead = true; /* only marks so far in this word */
	while (e->t->spaces_lead && at < piece.len) {
		bool mark = str_starts(str_sub(piece, at, piece.len), MARK);
		if (mark && !lead) {
			encode_piece(e, str_sub(piece, start, at));
			start = at;
		}
		lead = mark;
		at += unicode_length(piece, at);
	}
	encode_piece(e, str_sub(piece, start, piece.len));
}

static int encode_pieces(struct encoder *e, str text, bool first)
{
	if (text.len == 0)
		return 0;
	pieces_clear(&e->pieces);
	pieces_add(&e->pieces, text);
	if (pretokenizer_run(&e->t->pretokenizer, e->state, first, &e->pieces, &e->spare, e->err) < 0)
		return -1;
	for (size_t i = 0; i < e->pieces.list.len; i++)
		encode_by_words(e, pieces_at(&e->pieces, i));
	return 0;
}

static int encode_fragment(struct encoder *e, str fragment, bool first)
{
	if (fragment.len == 0)
		return 0;
	buf_clear(&e->text);
	if (e->t->space_prefix)
		buf_putc(&e->text, ' ');
	buf_put_str(&e->text, fragment);
	if (normalizer_run(&e->t->normalizer, e->state, &e->text, e->err) < 0)
		return -1;
	str text = buf_str(&e->text);
	size_t at = 0;
	for (struct added_match m; added_find(&e->t->added_normalized, text, at, e->parse_special, &m); at = m.to) {
		if (encode_pieces(e, str_sub(text, at, m.from), first && at == 0) < 0)
			return -1;
		emit(e, m.id);
	}
	return encode_pieces(e, str_sub(text, at, text.len), first && at == 0);
}

static int encode_text(struct encoder *e, str text)
{
	size_t at = 0;
	for (struct added_match m; added_find(&e->t->added, text, at, e->parse_special, &m); at = m.to) {
		if (encode_fragment(e, str_sub(text, at, m.from), at == 0) < 0)
			return -1;
		emit(e, m.id);
	}
	return encode_fragment(e, str_sub(text, at, text.len), at == 0);
}

int tokenizer_encode(const struct tokenizer *t, str text, bool add_special, bool parse_special, struct token_vec *out, struct err *err)
{
	size_t bad = 0, before = out->len;
	if (text.len > LIMIT_TOKENIZE_BYTES)
		return err_set(err, ERR_LIMIT, "the text has %zu bytes, more than the limit of %zu", text.len, LIMIT_TOKENIZE_BYTES);
	if (!str_is_utf8(text, &bad))
		return err_set(err, ERR_INVALID, "the text is not UTF-8 at byte %zu", bad);
	size_t max = 4 * LIMIT_TOKENIZE_BYTES;
	struct encoder e = {.t = t, .out = out, .err = err, .parse_special = parse_special, .state = regex_state_new(),
			    .text.max = max, .pieces.text.max = max, .spare.text.max = max};
	if (add_special)
		vec_append(out, t->prefix.data, t->prefix.len);
	int rc = encode_text(&e, text);
	if (rc == 0 && add_special)
		vec_append(out, t->suffix.data, t->suffix.len);
	if (rc < 0)
		out->len = before;
	regex_state_free(e.state);
	buf_done(&e.text);
	pieces_done(&e.pieces);
	pieces_done(&e.spare);
	buf_done(&e.mapped);
	bpe_scratch_done(&e.bpe);
	return rc;
}
