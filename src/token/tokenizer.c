/* tokenizer.c: life cycle, questions about tokens, and decoding. Encoding is in encode.c. */
#include "token/tokenizer_impl.h"

#include "token/byte_level.h"
#include "token/unicode.h"
#include <stdio.h>

#define DEEPSEEK_END "<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"

/* Contents that end an assistant's turn in published models, whatever else a file says. */
static const char *const TURN_ENDS[] = {
	"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>", "<|eot|>", "<|return|>",
	"<|call|>", "<|end_of_turn|>", "<EOT>", DEEPSEEK_END,
	"<|end|>", /* last: ends only a message where <|return|> ends the turn */
};

struct tokenizer *tokenizer_new(void)
{
	struct tokenizer *t = mem_alloc(sizeof *t);
	t->bos = t->eos = t->pad = t->unknown = -1;
	t->chat_template = STR("");
	return t;
}

void tokenizer_free(struct tokenizer *t)
{
	if (!t)
		return;
	bpe_done(&t->bpe);
	added_done(&t->added);
	added_done(&t->added_normalized);
	normalizer_done(&t->normalizer);
	pretokenizer_done(&t->pretokenizer);
	decoder_done(&t->decoder);
	vocab_done(&t->vocab);
	vec_done(&t->prefix);
	vec_done(&t->suffix);
	free(t->scores);
	arena_done(&t->arena);
	free(t);
}

void tokenizer_mark_eog(struct tokenizer *t, int64_t id)
{
	if (id >= 0 && id < t->vocab.count)
		t->vocab.flags[id] |= TOKEN_EOG;
}

static void fill_byte_ids(struct tokenizer *t)
{
	for (int b = 0; b < 256; b++) {
		char name[8];
		struct buf text = {0};
		snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
		if (t->pretokenizer.byte_level)
			byte_level_put(&text, (unsigned char)b);
		else
			buf_puts(&text, name);
		t->byte_ids[b] = vocab_find(&t->vocab, buf_str(&text));
		buf_done(&text);
	}
}

/* Whether U+2581 only ever leads a token (after other marks, perhaps), and is a token itself. */
static bool spaces_only_lead(const struct vocab *v)
{
	str mark = STR("\xE2\x96\x81");
	for (int32_t id = 0; id < v->count; id++) {
		str s = vocab_at(v, id);
		while (str_starts(s, mark))
			s = str_sub(s, mark.len, s.len);
		if (s.len && memmem(s.data, s.len, mark.data, mark.len))
			return false;
	}
	return vocab_find(v, mark) >= 0;
}

static void mark_turn_ends(struct tokenizer *t)
{
	bool messages = vocab_find(&t->vocab, STR("<|return|>")) >= 0;
	for (size_t i = 0; i < sizeof TURN_ENDS / sizeof *TURN_ENDS; i++) {
		int32_t id = vocab_find(&t->vocab, str_of(TURN_ENDS[i]));
		bool only_message = messages && strcmp(TURN_ENDS[i], "<|end|>") == 0;
		if (id >= 0 && !only_message && t->vocab.flags[id] & (TOKEN_SPECIAL | TOKEN_USER))
			tokenizer_mark_eog(t, id);
	}
}

int tokenizer_finish(struct tokenizer *t, struct err *err)
{
	fill_byte_ids(t);
	t->spaces_lead = !t->pretokenizer.byte_level && !t->ignore_merges && spaces_only_lead(&t->vocab);
	mark_turn_ends(t);
	tokenizer_mark_eog(t, t->eos);
	return added_build(&t->added, err) < 0 || added_build(&t->added_normalized, err) < 0 ? -1 : 0;
}

int tokenizer_open(struct tokenizer **out, const struct weights *w, struct err *err)
{
	if (weights_format(w) == WEIGHTS_GGUF)
		return tokenizer_open_gguf(out, w, err);
	return tokenizer_open_folder(out, weights_folder(w), err);
}

int32_t tokenizer_vocab_size(const struct tokenizer *t) { return t->vocab.count; }
int32_t tokenizer_bos(const struct tokenizer *t) { return t->bos; }
int32_t tokenizer_eos(const struct tokenizer *t) { return t->eos; }
int32_t tokenizer_pad(const struct tokenizer *t) { return t->pad >= 0 ? t->pad : t->eos; }
str tokenizer_chat_template(const struct tokenizer *t) { return t->chat_template; }
int32_t tokenizer_id(const struct tokenizer *t, str content) { return vocab_find(&t->vocab, content); }

static bool known(const struct tokenizer *t, int32_t id) { return id >= 0 && id < t->vocab.count && t->vocab.tokens[id].data; }

bool tokenizer_is_eog(const struct tokenizer *t, int32_t id) { return known(t, id) && t->vocab.flags[id] & TOKEN_EOG; }
bool tokenizer_is_special(const struct tokenizer *t, int32_t id) { return known(t, id) && t->vocab.flags[id] & TOKEN_SPECIAL; }
str tokenizer_token(const struct tokenizer *t, int32_t id) { return known(t, id) ? vocab_at(&t->vocab, id) : STR(""); }

/* What the decoder gets for a token. */
static str decoded_content(const struct tokenizer *t, int32_t id)
{
	for (size_t i = 0; t->vocab.flags[id] & TOKEN_NORMALIZED && i < t->added_normalized.list.len; i++)
		if (t->added_normalized.list.data[i].id == id)
			return t->added_normalized.list.data[i].content;
	return vocab_at(&t->vocab, id);
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *err)
{
	struct pieces in = {.text.max = 4 * LIMIT_TOKENIZE_BYTES}, spare = {.text.max = 4 * LIMIT_TOKENIZE_BYTES};
	struct buf bytes = {.max = 4 * LIMIT_TOKENIZE_BYTES};
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (ids[i] < 0 || ids[i] >= t->vocab.count)
			rc = err_set(err, ERR_INVALID, "token id %d at position %zu is outside the vocabulary of %d", ids[i], i, t->vocab.count);
		else if (known(t, ids[i]) && !(skip_special && t->vocab.flags[ids[i]] & TOKEN_SPECIAL))
			pieces_add(&in, decoded_content(t, ids[i]));
	}
	if (rc == 0)
		rc = decoder_run(&t->decoder, DECODER_WHOLE, &in, &spare, &bytes, err);
	if (rc == 0)
		unicode_put_lossy(out, buf_str(&bytes), false);
	pieces_done(&in);
	pieces_done(&spare);
	buf_done(&bytes);
	return rc;
}

void tokenizer_piece(const struct tokenizer *t, int32_t id, bool first, struct buf *out)
{
	if (!known(t, id))
		return;
	struct pieces in = {0}, spare = {0};
	struct err err = ERR_INIT;
	size_t before = out->len;
	pieces_add(&in, decoded_content(t, id));
	if (decoder_run(&t->decoder, first ? DECODER_FIRST : DECODER_MIDDLE, &in, &spare, out, &err) < 0)
		out->len = before; /* a pattern of the file backtracks without end: this token has no text */
	pieces_done(&in);
	pieces_done(&spare);
}
