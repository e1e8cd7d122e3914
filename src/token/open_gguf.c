/* open_gguf.c: a tokenizer from GGUF metadata (tokenizer.ggml.*): "gpt2", byte-level BPE by merges, and "llama",
 * SentencePiece BPE by score. Strings stay in the file's mapping. Where a key is missing, llama.cpp's default holds. */
#include "token/tokenizer_impl.h"

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE }; /* tokenizer.ggml.token_type */

static const uint8_t TYPE_FLAGS[] = {
	[TYPE_UNKNOWN] = TOKEN_SPECIAL | TOKEN_UNMERGED,
	[TYPE_CONTROL] = TOKEN_SPECIAL | TOKEN_UNMERGED,
	[TYPE_USER] = TOKEN_USER,
	[TYPE_UNUSED] = TOKEN_UNMERGED,
	[TYPE_BYTE] = TOKEN_BYTE | TOKEN_UNMERGED,
};

static bool visit_token(void *arg, uint64_t i, str s)
{
	vocab_put(arg, (int32_t)i, s);
	return true;
}

static int read_vocab(struct tokenizer *t, const struct weights *w, struct err *err)
{
	const struct weights_meta *tokens = weights_meta(w, "tokenizer.ggml.tokens");
	const struct weights_meta *types = weights_meta(w, "tokenizer.ggml.token_type");
	if (!tokens || tokens->kind != META_ARRAY || tokens->array.of != META_STRING || tokens->array.len == 0)
		return err_set(err, ERR_MODEL, "the file has no tokenizer: 'tokenizer.ggml.tokens' is missing or no array of strings");
	if (types && (types->kind != META_ARRAY || types->array.len != tokens->array.len))
		return err_set(err, ERR_MODEL, "'tokenizer.ggml.token_type' does not have one entry per token");
	if (vocab_init(&t->vocab, (int64_t)tokens->array.len, err) < 0)
		return -1;
	weights_meta_strings(tokens, visit_token, &t->vocab);
	for (int32_t i = 0; types && i < t->vocab.count; i++) {
		double type;
		if (!weights_meta_number(types, (uint64_t)i, &type) || type < 0 || type > TYPE_BYTE)
			return err_set(err, ERR_MODEL, "'tokenizer.ggml.token_type' entry %d is not a token type", i);
		t->vocab.flags[i] = TYPE_FLAGS[(int)type];
	}
	return 0;
}

struct merge_visit { struct bpe *bpe; struct err *err; bool failed; };

static bool visit_merge(void *arg, uint64_t i, str s)
{
	struct merge_visit *v = arg;
	size_t space = str_find(s, ' ', 1);
	if (space >= s.len)
		err_set(v->err, ERR_MODEL, "'tokenizer.ggml.merges' entry %llu has no space between two tokens", (unsigned long long)i);
	v->failed = space >= s.len || bpe_add(v->bpe, s.data, space, s.len - space - 1, v->err) < 0;
	return !v->failed;
}

static int read_merges(struct tokenizer *t, const struct weights *w, struct err *err)
{
	const struct weights_meta *merges = weights_meta(w, "tokenizer.ggml.merges");
	if (!merges || merges->kind != META_ARRAY || merges->array.of != META_STRING)
		return err_set(err, ERR_MODEL, "'tokenizer.ggml.merges' is missing or no array of strings");
	if (bpe_init(&t->bpe, &t->vocab, (int64_t)merges->array.len, 1, err) < 0)
		return -1;
	struct merge_visit v = {&t->bpe, err, false};
	weights_meta_strings(merges, visit_merge, &v);
	return v.failed ? -1 : 0;
}

static int open_gpt2(struct tokenizer *t, const struct weights *w, bool *add_bos, struct err *err)
{
	str pre = STR("");
	weights_meta_str(w, "tokenizer.ggml.pre", &pre);
	const struct pretoken_preset *preset = pretoken_preset(pre);
	if (!preset)
		return err_set(err, ERR_UNSUPPORTED, "tokenizer.ggml.pre '%.*s' is not a known pre-tokenizer", STR_FMT(pre));
	for (const char *const *pattern = preset->patterns; *pattern; pattern++)
		if (pretokenizer_add_split(&t->pretokenizer, str_of(*pattern), err) < 0)
			return -1;
	if (preset->nfc)
		normalizer_add_nfc(&t->normalizer);
	t->pretokenizer.byte_level = true;
	t->ignore_merges = preset->ignore_merges;
	*add_bos = preset->add_bos;
	decoder_add_byte_level(&t->decoder);
	return read_merges(t, w, err);
}

static int read_scores(struct tokenizer *t, const struct weights *w, struct err *err)
{
	const struct weights_meta *scores = weights_meta(w, "tokenizer.ggml.scores");
	if (!scores || scores->kind != META_ARRAY || scores->array.len != (uint64_t)t->vocab.count)
		return err_set(err, ERR_MODEL, "'tokenizer.ggml.scores' does not have one entry per token");
	t->scores = mem_array((size_t)t->vocab.count, sizeof *t->scores);
	for (int32_t i = 0; i < t->vocab.count; i++) {
		double score;
		if (!weights_meta_number(scores, (uint64_t)i, &score))
			return err_set(err, ERR_MODEL, "'tokenizer.ggml.scores' is no array of numbers");
		t->scores[i] = (float)score;
	}
	return 0;
}

static int open_llama(struct tokenizer *t, const struct weights *w, bool *add_bos, struct err *err)
{
	*add_bos = true;
	t->bos = 1;
	t->eos = 2;
	t->unknown = 0;
	t->byte_fallback = t->fuse_unknown = t->space_prefix = true;
	weights_meta_bool(w, "tokenizer.ggml.add_space_prefix", &t->space_prefix);
	if (read_scores(t, w, err) < 0 || bpe_init(&t->bpe, &t->vocab, 0, 0, err) < 0)
		return -1;
	t->bpe.scores = t->scores;
	if (normalizer_add_replace(&t->normalizer, STR(" "), STR("\xE2\x96\x81"), err) < 0)
		return -1;
	return decoder_add_sentencepiece(&t->decoder, t->space_prefix, err);
}

/* An id past the vocabulary is ignored, as such files are in use. */
static void read_id(const struct tokenizer *t, const struct weights *w, const char *key, int32_t *out)
{
	uint64_t id;
	if (weights_meta_u64(w, key, &id) && id < (uint64_t)t->vocab.count)
		*out = (int32_t)id;
	else if (*out >= t->vocab.count)
		*out = -1;
}

static void read_special(struct tokenizer *t, const struct weights *w, bool add_bos)
{
	int32_t eot = -1, eom = -1;
	bool add_eos = false;
	read_id(t, w, "tokenizer.ggml.bos_token_id", &t->bos);
	read_id(t, w, "tokenizer.ggml.eos_token_id", &t->eos);
	read_id(t, w, "tokenizer.ggml.padding_token_id", &t->pad);
	read_id(t, w, "tokenizer.ggml.eot_token_id", &eot);
	read_id(t, w, "tokenizer.ggml.eom_token_id", &eom);
	tokenizer_mark_eog(t, eot);
	tokenizer_mark_eog(t, eom);
	if (t->scores)
		read_id(t, w, "tokenizer.ggml.unknown_token_id", &t->unknown);
	weights_meta_bool(w, "tokenizer.ggml.add_bos_token", &add_bos);
	weights_meta_bool(w, "tokenizer.ggml.add_eos_token", &add_eos);
	if (add_bos && t->bos >= 0)
		vec_push(&t->prefix, t->bos);
	if (add_eos && t->eos >= 0)
		vec_push(&t->suffix, t->eos);
}

/* GGUF does not say which control tokens swallow the white space after them; Phi-3 has such, but for these. */
static bool swallows_space(str name, str content)
{
	static const char *const NOT[] = {"<unk>", "<s>", "<|endoftext|>"};
	if (!memmem(name.data, name.len, "phi-3", 5) && !memmem(name.data, name.len, "Phi-3", 5) && !memmem(name.data, name.len, "Phi 3", 5) &&
	    !memmem(name.data, name.len, "phi3", 4) && !memmem(name.data, name.len, "Phi3", 4))
		return false;
	for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++)
		if (str_eqz(content, NOT[i]))
			return false;
	return true;
}

static void read_added(struct tokenizer *t, const struct weights *w)
{
	str name = STR("");
	weights_meta_str(w, "general.name", &name);
	for (int32_t id = 0; id < t->vocab.count; id++) {
		uint8_t flags = t->vocab.flags[id];
		if (!(flags & (TOKEN_SPECIAL | TOKEN_USER)))
			continue;
		str content = vocab_at(&t->vocab, id);
		bool special = flags & TOKEN_SPECIAL;
		added_put(&t->added, (struct added_token){.content = content, .id = id, .special = special, .rstrip = special && swallows_space(name, content)});
	}
}

static int open_kind(struct tokenizer *t, const struct weights *w, struct err *err)
{
	str model = STR("");
	bool add_bos = false;
	if (!weights_meta_str(w, "tokenizer.ggml.model", &model))
		return err_set(err, ERR_MODEL, "the file has no tokenizer: 'tokenizer.ggml.model' is missing");
	if (read_vocab(t, w, err) < 0)
		return -1;
	int rc;
	if (str_eqz(model, "gpt2"))
		rc = open_gpt2(t, w, &add_bos, err);
	else if (str_eqz(model, "llama"))
		rc = open_llama(t, w, &add_bos, err);
	else
		rc = err_set(err, ERR_UNSUPPORTED, "tokenizer.ggml.model '%.*s' is not supported; 'gpt2' and 'llama' are", STR_FMT(model));
	if (rc < 0)
		return -1;
	read_special(t, w, add_bos);
	read_added(t, w);
	weights_meta_str(w, "tokenizer.chat_template", &t->chat_template);
	return tokenizer_finish(t, err);
}

int tokenizer_open_gguf(struct tokenizer **out, const struct weights *w, struct err *err)
{
	struct tokenizer *t = tokenizer_new();
	if (open_kind(t, w, err) < 0) {
		tokenizer_free(t);
		return err_wrap(err, "tokenizer of '%s'", weights_path(w));
	}
	*out = t;
	return 0;
}
