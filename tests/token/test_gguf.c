/* test_gguf.c: tokenizers from GGUF metadata: SentencePiece by score against sentencepiece's own ids, every named
 * pre-tokenizer against the pieces that Python's tokenizers cuts, and what a broken file gives. */
#include "golden.h"

#include "base/fd.h"
#include "base/vec.h"
#include "token/detok.h"
#include "token/pretoken.h"

#include <unistd.h>

START_TEST(sentencepiece_ids_equal_the_reference)
{
	CLEANUP(mem_freep) char *path = golden_path("token/sentencepiece.gguf");
	json_t *all = golden_json("token/sentencepiece.json"), *c;
	struct weights *w = NULL;
	struct tokenizer *t = NULL;
	struct err err = ERR_INIT;
	struct token_vec ids = {0};
	struct buf out = {0};
	size_t i;
	ck_assert_msg(weights_open(&w, path, &err) == 0 && tokenizer_open(&t, w, &err) == 0, "%s", err.message);
	json_array_foreach(all, i, c) {
		str text = golden_str(json_object_get(c, "text"));
		golden_encode(t, text, false, false, &ids);
		golden_expect_ids(&ids, json_object_get(c, "ids"), "sentencepiece", text);
		buf_clear(&out);
		ck_assert_int_eq(tokenizer_decode(t, ids.data, ids.len, true, &out, &err), 0);
		golden_expect_text(&out, json_object_get(c, "decoded"), "sentencepiece");
		struct detok d = {.tokenizer = t};
		buf_clear(&out);
		for (size_t k = 0; k < ids.len; k++)
			detok_push(&d, ids.data[k], &out);
		detok_finish(&d, &out);
		golden_expect_text(&out, json_object_get(c, "decoded"), "sentencepiece, streamed");
		golden_encode(t, text, true, false, &ids);
		golden_expect_ids(&ids, json_object_get(c, "with_special"), "sentencepiece", text);
	}
	vec_done(&ids);
	buf_done(&out);
	tokenizer_free(t);
	weights_close(w);
	json_decref(all);
}
END_TEST

/* As llama.cpp (llama-cpp-python 0.3) gives them: a space goes before the text after each special token too. */
START_TEST(special_tokens_in_sentencepiece_text_are_as_in_llama_cpp)
{
	static const struct { const char *text; int32_t plain[8], special[8]; } CASES[] = {
		{"a<|user|>b", {264, 4, 274}, {264, 4, 274}},
		{"<|user|> x", {4, 500, 302}, {4, 500, 302}},
		{"a <s> b", {264, 500, 65, 507, 67, 274}, {264, 500, 1, 500, 274}},
		{"<s>a", {500, 65, 507, 67, 503}, {1, 264}},
	};
	CLEANUP(mem_freep) char *path = golden_path("token/sentencepiece.gguf");
	struct weights *w = NULL;
	struct tokenizer *t = NULL;
	struct err err = ERR_INIT;
	struct token_vec ids = {0};
	ck_assert_msg(weights_open(&w, path, &err) == 0 && tokenizer_open(&t, w, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
		for (int special = 0; special < 2; special++) {
			const int32_t *want = special ? CASES[i].special : CASES[i].plain;
			golden_encode(t, str_of(CASES[i].text), false, special, &ids);
			for (size_t k = 0; k < ids.len || want[k]; k++)
				ck_assert_msg(k < ids.len && ids.data[k] == want[k], "'%s': id %zu is %d, not %d", CASES[i].text, k, k < ids.len ? ids.data[k] : -1, want[k]);
		}
	vec_done(&ids);
	tokenizer_free(t);
	weights_close(w);
}
END_TEST

static void check_pieces(struct pretokenizer *p, str text, const json_t *want, const char *name)
{
	struct pieces in = {0}, spare = {0};
	struct regex_state *state = regex_state_new();
	struct err err = ERR_INIT;
	pieces_add(&in, text);
	ck_assert_msg(pretokenizer_run(p, state, true, &in, &spare, &err) == 0, "%s", err.message);
	ck_assert_msg(in.list.len == json_array_size(want), "%s: '%.*s': %zu pieces, not %zu", name, STR_FMT(text), in.list.len, json_array_size(want));
	for (size_t i = 0; i < in.list.len; i++)
		ck_assert_msg(str_eq(pieces_at(&in, i), golden_str(json_array_get(want, i))), "%s: '%.*s': piece %zu is '%.*s'", name, STR_FMT(text), i,
			      STR_FMT(pieces_at(&in, i)));
	pieces_done(&in);
	pieces_done(&spare);
	regex_state_free(state);
}

static const json_t *preset_pieces(const json_t *presets, const json_t *preset)
{
	const json_t *pieces = json_object_get(preset, "pieces"), *other;
	size_t i;
	if (!json_is_string(pieces))
		return pieces;
	json_array_foreach(presets, i, other)
		if (strcmp(json_string_value(json_object_get(other, "name")), json_string_value(pieces)) == 0)
			return json_object_get(other, "pieces");
	return NULL;
}

START_TEST(named_pre_tokenizers_cut_as_the_reference)
{
	json_t *all = golden_json("token/presets.json"), *presets = json_object_get(all, "presets"), *preset;
	const json_t *texts = json_object_get(all, "texts");
	size_t i;
	json_array_foreach(presets, i, preset) {
		const char *name = json_string_value(json_object_get(preset, "name"));
		const struct pretoken_preset *row = pretoken_preset(str_of(name));
		struct pretokenizer p = {0};
		struct err err = ERR_INIT;
		ck_assert_msg(row, "%s", name);
		for (const char *const *pattern = row->patterns; *pattern; pattern++)
			ck_assert_msg(pretokenizer_add_split(&p, str_of(*pattern), &err) == 0, "%s", err.message);
		for (size_t k = 0; k < json_array_size(texts); k++)
			check_pieces(&p, golden_str(json_array_get(texts, k)), json_array_get(preset_pieces(presets, preset), k), name);
		pretokenizer_done(&p);
	}
	ck_assert_ptr_null(pretoken_preset(STR("no such name")));
	ck_assert_ptr_eq(pretoken_preset(STR("")), pretoken_preset(STR("default")));
	json_decref(all);
}
END_TEST

/* A GGUF file in memory: a header, then keys; one tensor so that the reader is content. */
struct gguf { struct buf b; uint64_t keys; };

static void put64(struct buf *b, uint64_t v) { buf_put(b, &v, 8); }
static void put32(struct buf *b, uint32_t v) { buf_put(b, &v, 4); }
static void put_text(struct buf *b, const char *s)
{
	put64(b, strlen(s));
	buf_puts(b, s);
}

static void put_string(struct gguf *g, const char *key, const char *value)
{
	put_text(&g->b, key);
	put32(&g->b, 8);
	put_text(&g->b, value);
	g->keys++;
}

static void put_strings(struct gguf *g, const char *key, const char *const *values, uint64_t n)
{
	put_text(&g->b, key);
	put32(&g->b, 9);
	put32(&g->b, 8);
	put64(&g->b, n);
	for (uint64_t i = 0; i < n; i++)
		put_text(&g->b, values[i]);
	g->keys++;
}

static void put_numbers(struct gguf *g, const char *key, const uint32_t *values, uint64_t n)
{
	put_text(&g->b, key);
	put32(&g->b, 9);
	put32(&g->b, 5);
	put64(&g->b, n);
	for (uint64_t i = 0; i < n; i++)
		put32(&g->b, values[i]);
	g->keys++;
}

/* Writes the file, opens its tokenizer, and gives the error ("" when it opened). */
static const char *open_error(struct gguf *g)
{
	static struct err err;
	struct buf file = {0};
	char path[] = "/tmp/kaito-test-gguf-XXXXXX";
	int fd = mkstemp(path);
	struct weights *w = NULL;
	struct tokenizer *t = NULL;
	ck_assert_int_ge(fd, 0);
	buf_puts(&file, "GGUF");
	put32(&file, 3);
	put64(&file, 1);
	put64(&file, g->keys);
	buf_put_str(&file, buf_str(&g->b));
	put_text(&file, "t");
	put32(&file, 1);
	put64(&file, 1);
	put32(&file, 0);
	put64(&file, 0);
	while (file.len % 32)
		buf_putc(&file, 0);
	put32(&file, 0);
	err = ERR_INIT;
	ck_assert_int_eq(fd_write_all(fd, file.data, file.len, path, &err), 0);
	close(fd);
	ck_assert_msg(weights_open(&w, path, &err) == 0, "%s", err.message);
	if (tokenizer_open(&t, w, &err) == 0)
		err.message[0] = 0;
	tokenizer_free(t);
	weights_close(w);
	unlink(path);
	buf_done(&file);
	buf_done(&g->b);
	*g = (struct gguf){0};
	return err.message;
}

static const char *const AB[] = {"a", "b", "ab"};

START_TEST(broken_tokenizers_in_gguf_are_named)
{
	struct gguf g = {0};
	put_string(&g, "general.architecture", "llama");
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'tokenizer.ggml.model' is missing"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'tokenizer.ggml.tokens' is missing"));

	put_string(&g, "tokenizer.ggml.model", "bert");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'bert' is not supported"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'tokenizer.ggml.merges' is missing"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	put_strings(&g, "tokenizer.ggml.merges", (const char *const[]){"a b", "ab"}, 2);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "entry 1 has no space"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_string(&g, "tokenizer.ggml.pre", "newest");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'newest' is not a known pre-tokenizer"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	put_numbers(&g, "tokenizer.ggml.token_type", (const uint32_t[]){1, 1}, 2);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "one entry per token"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	put_numbers(&g, "tokenizer.ggml.token_type", (const uint32_t[]){1, 1, 99}, 3);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "entry 2 is not a token type"));

	put_string(&g, "tokenizer.ggml.model", "llama");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	ck_assert_ptr_nonnull(strstr(open_error(&g), "'tokenizer.ggml.scores'"));

	put_string(&g, "tokenizer.ggml.model", "gpt2");
	put_strings(&g, "tokenizer.ggml.tokens", AB, 3);
	put_strings(&g, "tokenizer.ggml.merges", (const char *const[]){"a b"}, 1);
	ck_assert_str_eq(open_error(&g), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("token/gguf");
	TCase *c = tcase_create("gguf");
	tcase_set_timeout(c, 100);
	tcase_add_test(c, sentencepiece_ids_equal_the_reference);
	tcase_add_test(c, special_tokens_in_sentencepiece_text_are_as_in_llama_cpp);
	tcase_add_test(c, named_pre_tokenizers_cut_as_the_reference);
	tcase_add_test(c, broken_tokenizers_in_gguf_are_named);
	suite_add_tcase(s, c);
	return golden_run(s);
}
