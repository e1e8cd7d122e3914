/* open_json.c: tokenizer.json's BPE model, added tokens and post-processor (its other parts are parsed by their own files).
 * All strings are copied into one block, so that the parsed JSON can go. */
#include "token/tokenizer_impl.h"

#include "codec/json.h"

static str text_of(const json_t *value) { return (str){json_string_value(value), json_string_length(value)}; }

/* A bump pointer over the block of strings. */
struct block { char *at; };

static str block_copy(struct block *b, str s)
{
	str copy = {b->at, s.len};
	if (s.len)
		memcpy(b->at, s.data, s.len);
	b->at += s.len;
	return copy;
}

static int check_id(const json_t *id, const char *where, int64_t *max, struct err *err)
{
	if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= LIMIT_VOCAB)
		return err_set(err, ERR_MODEL, "tokenizer.json: %s: an id is no whole number from 0 to %d", where, LIMIT_VOCAB - 1);
	if (json_integer_value(id) > *max)
		*max = json_integer_value(id);
	return 0;
}

/* Bytes of all strings, and the largest id. */
static int measure(const json_t *vocab, const json_t *added, const json_t *merges, size_t *bytes, int64_t *max_id, struct err *err)
{
	const char *key;
	size_t key_len, i;
	json_t *value;
	json_object_keylen_foreach((json_t *)vocab, key, key_len, value) {
		*bytes += key_len;
		if (check_id(value, "model.vocab", max_id, err) < 0)
			return -1;
	}
	json_array_foreach(added, i, value) {
		*bytes += json_string_length(json_object_get(value, "content"));
		if (check_id(json_object_get(value, "id"), "added_tokens", max_id, err) < 0)
			return -1;
	}
	json_array_foreach(merges, i, value)
		*bytes += json_is_array(value) ? json_string_length(json_array_get(value, 0)) + json_string_length(json_array_get(value, 1))
					       : json_string_length(value);
	return 0;
}

static int put_token(struct tokenizer *t, struct block *b, int32_t id, str content, struct err *err)
{
	if (t->vocab.tokens[id].data)
		return err_set(err, ERR_MODEL, "tokenizer.json: '%.*s' and '%.*s' both have the id %d", STR_FMT(vocab_at(&t->vocab, id)), STR_FMT(content), id);
	if (!vocab_put(&t->vocab, id, block_copy(b, content)))
		return err_set(err, ERR_MODEL, "tokenizer.json: the token '%.*s' has two ids", STR_FMT(content));
	return 0;
}

static int read_vocab(struct tokenizer *t, struct block *b, const json_t *vocab, struct err *err)
{
	const char *key;
	size_t key_len;
	json_t *value;
	json_object_keylen_foreach((json_t *)vocab, key, key_len, value)
		if (put_token(t, b, (int32_t)json_integer_value(value), (str){key, key_len}, err) < 0)
			return -1;
	return 0;
}

/* "left right" or ["left", "right"]. */
static int read_merge(struct tokenizer *t, struct block *b, const json_t *merge, size_t i, struct err *err)
{
	str left, right;
	if (json_is_array(merge) && json_array_size(merge) == 2 && json_is_string(json_array_get(merge, 0)) && json_is_string(json_array_get(merge, 1))) {
		left = text_of(json_array_get(merge, 0));
		right = text_of(json_array_get(merge, 1));
	} else if (json_is_string(merge)) {
		str both = text_of(merge);
		size_t space = str_find(both, ' ', 0);
		if (space == both.len || str_find(both, ' ', space + 1) != both.len)
			return err_set(err, ERR_MODEL, "tokenizer.json: merge %zu is not two tokens with a space between them", i);
		left = str_sub(both, 0, space);
		right = str_sub(both, space + 1, both.len);
	} else {
		return err_set(err, ERR_MODEL, "tokenizer.json: merge %zu is neither a text nor a pair of texts", i);
	}
	str copy = block_copy(b, left);
	block_copy(b, right);
	return bpe_add(&t->bpe, copy.data, left.len, right.len, err);
}

static int read_merges(struct tokenizer *t, struct block *b, const json_t *merges, struct err *err)
{
	size_t i;
	json_t *merge;
	if (bpe_init(&t->bpe, &t->vocab, (int64_t)json_array_size(merges), 0, err) < 0)
		return -1;
	json_array_foreach(merges, i, merge)
		if (read_merge(t, b, merge, i, err) < 0)
			return -1;
	return bpe_check(&t->bpe, err);
}

/* Tokens that are matched after normalisation are looked for in their own normal form. */
static int put_normalized(struct tokenizer *t, struct added_token token, struct err *err)
{
	struct buf text = {0};
	struct regex_state *state = regex_state_new();
	buf_put_str(&text, token.content);
	int rc = normalizer_run(&t->normalizer, state, &text, err);
	token.content = (str){arena_strdup(&t->arena, buf_str(&text)), text.len};
	if (rc == 0)
		added_put(&t->added_normalized, token);
	t->vocab.flags[token.id] |= TOKEN_NORMALIZED;
	regex_state_free(state);
	buf_done(&text);
	return rc;
}

static int read_added_token(struct tokenizer *t, struct block *b, const json_t *json, struct err *err)
{
	const json_t *content = json_object_get(json, "content");
	if (!json_is_string(content) || json_string_length(content) == 0)
		return err_set(err, ERR_MODEL, "tokenizer.json: an added token has no 'content'");
	int32_t id = (int32_t)json_integer_value(json_object_get(json, "id"));
	bool normalized = false;
	struct added_token token = {.id = id};
	if (json_get_bool(json, "special", "added_tokens", &token.special, err) < 0 || json_get_bool(json, "lstrip", "added_tokens", &token.lstrip, err) < 0 ||
	    json_get_bool(json, "rstrip", "added_tokens", &token.rstrip, err) < 0 || json_get_bool(json, "normalized", "added_tokens", &normalized, err) < 0 ||
	    json_get_bool(json, "single_word", "added_tokens", &token.single_word, err) < 0)
		return -1;
	bool same = t->vocab.tokens[id].data && str_eq(vocab_at(&t->vocab, id), text_of(content));
	if (!same && put_token(t, b, id, text_of(content), err) < 0)
		return -1;
	t->vocab.flags[id] |= token.special ? TOKEN_SPECIAL | TOKEN_UNMERGED : TOKEN_USER;
	token.content = vocab_at(&t->vocab, id);
	if (normalized)
		return put_normalized(t, token, err);
	added_put(&t->added, token);
	return 0;
}

static int read_flags(struct tokenizer *t, const json_t *model, struct err *err)
{
	str unknown = STR(""), prefix = STR(""), suffix = STR("");
	double dropout = 0;
	if (json_get_bool(model, "fuse_unk", "model", &t->fuse_unknown, err) < 0 || json_get_bool(model, "byte_fallback", "model", &t->byte_fallback, err) < 0 ||
	    json_get_bool(model, "ignore_merges", "model", &t->ignore_merges, err) < 0 || json_get_str(model, "unk_token", "model", &unknown, err) < 0 ||
	    json_get_str(model, "continuing_subword_prefix", "model", &prefix, err) < 0 || json_get_str(model, "end_of_word_suffix", "model", &suffix, err) < 0 ||
	    json_get_double(model, "dropout", "model", &dropout, err) < 0)
		return -1;
	if (prefix.len || suffix.len)
		return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: model.%s is not supported", prefix.len ? "continuing_subword_prefix" : "end_of_word_suffix");
	if (dropout > 0)
		return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: model.dropout is not supported");
	if (unknown.len)
		t->unknown = vocab_find(&t->vocab, unknown);
	return 0;
}

static int read_model(struct tokenizer *t, const json_t *json, struct err *err)
{
	const json_t *model = json_object_get(json, "model"), *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
	const json_t *added = json_object_get(json, "added_tokens");
	const char *type = "BPE";
	if (json_get_string(model, "type", "model", &type, err) < 0)
		return -1;
	if (strcmp(type, "BPE") != 0)
		return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the model '%.40s' is not supported; 'BPE' is", type);
	if (!json_is_object(vocab) || json_object_size(vocab) == 0 || !json_is_array(merges))
		return err_set(err, ERR_MODEL, "tokenizer.json: model.vocab or model.merges is missing");
	size_t bytes = 0;
	int64_t max_id = 0;
	if (measure(vocab, added, merges, &bytes, &max_id, err) < 0 || vocab_init(&t->vocab, max_id + 1, err) < 0)
		return -1;
	struct block b = {.at = arena_alloc(&t->arena, bytes + 1)};
	if (read_vocab(t, &b, vocab, err) < 0 || read_merges(t, &b, merges, err) < 0 || read_flags(t, model, err) < 0)
		return -1;
	size_t i;
	json_t *token;
	json_array_foreach(added, i, token)
		if (read_added_token(t, &b, token, err) < 0)
			return -1;
	return 0;
}

/* Later processors wrap what earlier ones made. */
static void wrap(struct tokenizer *t, const int32_t *before, size_t n_before, const int32_t *after, size_t n_after)
{
	struct token_vec prefix = {0};
	vec_append(&prefix, before, n_before);
	vec_append(&prefix, t->prefix.data, t->prefix.len);
	vec_done(&t->prefix);
	t->prefix.data = prefix.data;
	t->prefix.len = prefix.len;
	t->prefix.cap = prefix.cap;
	vec_append(&t->suffix, after, n_after);
}

static int template_ids(const struct tokenizer *t, const json_t *json, const json_t *item, struct token_vec *out, struct err *err)
{
	const char *name = "";
	if (json_get_string(item, "id", "TemplateProcessing", &name, err) < 0)
		return -1;
	const json_t *ids = json_object_get(json_object_get(json_object_get(json, "special_tokens"), name), "ids");
	if (!json_is_array(ids) || json_array_size(ids) > 64)
		return err_set(err, ERR_MODEL, "tokenizer.json: post-processor TemplateProcessing: no ids for '%.60s'", name);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		json_int_t id = json_integer_value(json_array_get(ids, i));
		if (!json_is_integer(json_array_get(ids, i)) || id < 0 || id >= t->vocab.count)
			return err_set(err, ERR_MODEL, "tokenizer.json: post-processor TemplateProcessing: '%.60s' has an id outside the vocabulary", name);
		vec_push(out, (int32_t)id);
	}
	return 0;
}

static int read_template(struct tokenizer *t, const json_t *json, struct err *err)
{
	const json_t *single = json_object_get(json, "single");
	struct token_vec before = {0}, after = {0};
	bool seen = false;
	int rc = 0;
	if (!json_is_array(single) || json_array_size(single) > 64)
		return err_set(err, ERR_MODEL, "tokenizer.json: post-processor TemplateProcessing needs a list 'single'");
	for (size_t i = 0; i < json_array_size(single) && rc == 0; i++) {
		const json_t *item = json_array_get(single, i), *token = json_object_get(item, "SpecialToken");
		if (token)
			rc = template_ids(t, json, token, seen ? &after : &before, err);
		else
			seen = true;
	}
	if (rc == 0)
		wrap(t, before.data, before.len, after.data, after.len);
	vec_done(&before);
	vec_done(&after);
	return rc;
}

/* BertProcessing, RobertaProcessing: [content, id] of what goes before and after. */
static int read_cls_sep(struct tokenizer *t, const json_t *json, struct err *err)
{
	json_int_t cls = json_integer_value(json_array_get(json_object_get(json, "cls"), 1));
	json_int_t sep = json_integer_value(json_array_get(json_object_get(json, "sep"), 1));
	if (cls < 0 || cls >= t->vocab.count || sep < 0 || sep >= t->vocab.count)
		return err_set(err, ERR_MODEL, "tokenizer.json: the post-processor's 'cls' or 'sep' is outside the vocabulary");
	int32_t before = (int32_t)cls, after = (int32_t)sep;
	wrap(t, &before, 1, &after, 1);
	return 0;
}

static int read_nothing(struct tokenizer *t, const json_t *json, struct err *err) /* ByteLevel only trims offsets */
{
	(void)t, (void)json, (void)err;
	return 0;
}

static int read_post_processor(struct tokenizer *t, const json_t *json, struct err *err);

static int read_sequence(struct tokenizer *t, const json_t *json, struct err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(json, "processors"), i, item)
		if (read_post_processor(t, item, err) < 0)
			return -1;
	return 0;
}

static int read_post_processor(struct tokenizer *t, const json_t *json, struct err *err)
{
	static const struct { const char *type; int (*read)(struct tokenizer *, const json_t *, struct err *); } KINDS[] = {
		{"BertProcessing", read_cls_sep},
		{"ByteLevel", read_nothing},
		{"RobertaProcessing", read_cls_sep},
		{"TemplateProcessing", read_template},
	};
	if (!json || json_is_null(json))
		return 0;
	const char *type = json_string_value(json_object_get(json, "type"));
	if (!type)
		return err_set(err, ERR_MODEL, "tokenizer.json: a post_processor without 'type'");
	if (strcmp(type, "Sequence") == 0)
		return read_sequence(t, json, err);
	for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
		if (strcmp(type, KINDS[i].type) == 0)
			return KINDS[i].read(t, json, err);
	return err_set(err, ERR_UNSUPPORTED, "tokenizer.json: the post-processor '%.60s' is not supported", type);
}

int tokenizer_read_json(struct tokenizer *t, const json_t *json, struct err *err)
{
	if (!json_is_object(json) || !json_is_object(json_object_get(json, "model")))
		return err_set(err, ERR_MODEL, "tokenizer.json: 'model' is missing");
	if (normalizer_parse(&t->normalizer, json_object_get(json, "normalizer"), err) < 0 ||
	    pretokenizer_parse(&t->pretokenizer, json_object_get(json, "pre_tokenizer"), err) < 0 ||
	    decoder_parse(&t->decoder, json_object_get(json, "decoder"), err) < 0 || read_model(t, json, err) < 0)
		return -1;
	return read_post_processor(t, json_object_get(json, "post_processor"), err);
}

int tokenizer_open_json(struct tokenizer **out, str text, struct err *err)
{
	CLEANUP(json_decrefp) json_t *json = NULL;
	if (json_parse_with(&json, text, "tokenizer.json", &(struct json_rules){.allow_nul = true}, err) < 0)
		return -1;
	struct tokenizer *t = tokenizer_new();
	if (tokenizer_read_json(t, json, err) < 0 || tokenizer_finish(t, err) < 0) {
		tokenizer_free(t);
		return -1;
	}
	*out = t;
	return 0;
}
