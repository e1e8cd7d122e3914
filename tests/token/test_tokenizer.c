/* test_tokenizer.c: what a broken or hostile tokenizer.json gives, limits of a text, streaming, and the files beside
 * tokenizer.json. */
#include "golden.h"

#include "base/fd.h"
#include "base/vec.h"
#include "token/detok.h"
#include "token/tokenizer_impl.h"

#include <unistd.h>

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}"

/* The error of opening, "" when it opens. */
static const char *open_error(const char *json)
{
	static struct err err;
	struct tokenizer *t = NULL;
	err = ERR_INIT;
	if (tokenizer_open_json(&t, str_of(json), &err) == 0)
		err.message[0] = 0;
	tokenizer_free(t);
	return err.message;
}

START_TEST(broken_files_are_refused_with_the_reason)
{
	static const struct { const char *json, *message; } CASES[] = {
		{"[]", "'model' is missing"},
		{"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "the model 'WordPiece' is not supported"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "model.vocab or model.merges is missing"},
		{"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "both have the id 0"},
		{"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "an id is no whole number"},
		{"{\"model\":{\"vocab\":{\"a\":1000000},\"merges\":[]}}", "an id is no whole number"},
		{"{\"model\":{\"vocab\":{\"a\":\"x\"},\"merges\":[]}}", "an id is no whole number"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}}", "merge 0 is not two tokens"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b c\"]}}", "merge 0 is not two tokens"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[1]}}", "merge 0 is neither"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"\",\"a\"]]}}", "merge 0 joins an empty token"},
		{"{\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\",\"b\"]]}}", "merge 0 ('a' 'b') makes a token that is not in the vocabulary"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}", "model.dropout"},
		{"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}}", "model.end_of_word_suffix"},
		{"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\"}}", "the normalizer 'Precompiled' is not supported"},
		{"{" MODEL ",\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"(\"}}}", "does not compile"},
		{"{" MODEL ",\"normalizer\":{\"type\":\"Replace\",\"content\":\"\"}}", "needs a 'pattern'"},
		{"{" MODEL ",\"normalizer\":{}}", "a normalizer without 'type'"},
		{"{" MODEL ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", "the pre-tokenizer 'UnicodeScripts' is not supported"},
		{"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"Odd\"}}", "the behavior 'Odd' is not supported"},
		{"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}]}}", "'Digits' after ByteLevel"},
		{"{" MODEL ",\"decoder\":{\"type\":\"CTC\"}}", "the decoder 'CTC' is not supported"},
		{"{" MODEL ",\"post_processor\":{\"type\":\"Odd\"}}", "the post-processor 'Odd' is not supported"},
		{"{" MODEL ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}}],\"special_tokens\":{}}}", "no ids for '<s>'"},
		{"{" MODEL ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],\"special_tokens\":{\"x\":{\"ids\":[9]}}}}", "outside the vocabulary"},
		{"{" MODEL ",\"added_tokens\":[{\"id\":3}]}", "an added token has no 'content'"},
		{"{" MODEL ",\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]}", "both have the id 0"},
		{"{" MODEL ",\"added_tokens\":[{\"id\":9,\"content\":\"a\"}]}", "the token 'a' has two ids"},
		{"{" MODEL ",\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"special\":1}]}", "special"},
		{"{" MODEL "}", ""},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		const char *got = open_error(CASES[i].json);
		ck_assert_msg(CASES[i].message[0] ? strstr(got, CASES[i].message) != NULL : got[0] == 0, "%s: '%s'", CASES[i].json, got);
	}
}
END_TEST

START_TEST(every_prefix_of_a_file_is_refused)
{
	static const char WHOLE[] = "{" MODEL ",\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],\"normalizer\":{\"type\":\"NFC\"},"
				    "\"pre_tokenizer\":{\"type\":\"Digits\"},\"decoder\":{\"type\":\"Fuse\"}}";
	for (size_t n = 0; n + 1 < sizeof WHOLE - 1; n++) {
		char *copy = mem_strndup(WHOLE, n);
		struct tokenizer *t = NULL;
		struct err err = ERR_INIT;
		ck_assert_int_lt(tokenizer_open_json(&t, (str){copy, n}, &err), 0);
		free(copy);
	}
	ck_assert_str_eq(open_error(WHOLE), "");
}
END_TEST

/* "ab" merges to a token of the same content as one of its sides would need a cycle; the nearest a file can get: tokens that
 * merge with themselves for ever. Each merge still removes a symbol. */
START_TEST(merges_that_feed_themselves_end)
{
	struct buf json = {0};
	struct tokenizer *t = NULL;
	struct err err = ERR_INIT;
	struct token_vec ids = {0};
	buf_puts(&json, "{\"model\":{\"vocab\":{");
	for (int n = 1; n <= 64; n++)
		buf_printf(&json, "%s\"%.*s\":%d", n > 1 ? "," : "", n, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", n);
	buf_puts(&json, "},\"merges\":[");
	for (int n = 1; n < 64; n++)
		buf_printf(&json, "%s[\"%.*s\",\"a\"],[\"a\",\"%.*s\"]", n > 1 ? "," : "", n, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", n,
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	buf_puts(&json, "]}}");
	ck_assert_msg(tokenizer_open_json(&t, buf_str(&json), &err) == 0, "%s", err.message);
	golden_encode(t, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false, false, &ids);
	ck_assert_uint_ge(ids.len, 2);
	tokenizer_free(t);
	vec_done(&ids);
	buf_done(&json);
}
END_TEST

static struct tokenizer *open_tiny(const char *folder)
{
	CLEANUP(mem_freep) char *relative = mem_printf("tiny/%s", folder);
	CLEANUP(mem_freep) char *path = golden_path(relative);
	struct tokenizer *t = NULL;
	struct err err = ERR_INIT;
	ck_assert_msg(tokenizer_open_folder(&t, path, &err) == 0, "%s", err.message);
	return t;
}

/* A million characters in one piece: a quadratic algorithm would not come back in time. */
START_TEST(a_long_piece_is_not_quadratic)
{
	static const char *const FOLDERS[] = {"qwen2-bias", "phi3-4k"};
	for (size_t i = 0; i < 2; i++) {
		struct tokenizer *t = open_tiny(FOLDERS[i]);
		struct token_vec ids = {0};
		struct buf out = {0};
		struct err err = ERR_INIT;
		size_t n = 1000000;
		char *text = mem_alloc(n);
		for (size_t k = 0; k < n; k++)
			text[k] = (char)('a' + (k * k + k / 7) % 26);
		golden_encode(t, (str){text, n}, false, false, &ids);
		ck_assert_int_eq(tokenizer_decode(t, ids.data, ids.len, false, &out, &err), 0);
		ck_assert(str_eq(buf_str(&out), (str){text, n}));
		free(text);
		buf_done(&out);
		vec_done(&ids);
		tokenizer_free(t);
	}
}
END_TEST

START_TEST(a_text_past_the_limit_or_ill_formed_is_refused)
{
	struct tokenizer *t = open_tiny("llama-gqa");
	struct token_vec ids = {0};
	struct err err = ERR_INIT;
	char *big = mem_alloc(LIMIT_TOKENIZE_BYTES + 1);
	vec_push(&ids, 7);
	ck_assert_int_lt(tokenizer_encode(t, (str){big, LIMIT_TOKENIZE_BYTES + 1}, true, true, &ids, &err), 0);
	ck_assert_int_eq(err.kind, ERR_LIMIT);
	err = ERR_INIT;
	ck_assert_int_lt(tokenizer_encode(t, STR("ok \xC3("), true, true, &ids, &err), 0);
	ck_assert_int_eq(err.kind, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "at byte 3"));
	ck_assert_uint_eq(ids.len, 1);
	int32_t bad[] = {1, 768};
	struct buf out = {0};
	ck_assert_int_lt(tokenizer_decode(t, bad, 2, false, &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "768 at position 1"));
	bad[1] = -1;
	ck_assert_int_lt(tokenizer_decode(t, bad, 2, false, &out, &err), 0);
	ck_assert_uint_eq(out.len, 0);
	tokenizer_free(t);
	free(big);
	vec_done(&ids);
	buf_done(&out);
}
END_TEST

START_TEST(a_stream_holds_back_unfinished_characters)
{
	static const char *const FOLDERS[] = {"qwen2-bias", "mistral-swa"};
	for (size_t i = 0; i < 2; i++) {
		struct tokenizer *t = open_tiny(FOLDERS[i]);
		struct token_vec ids = {0};
		struct buf out = {0};
		golden_encode(t, STR("x \xF0\x9F\xA6\x84 y"), false, false, &ids);
		struct detok d = {.tokenizer = t};
		for (size_t k = 0; k < ids.len; k++) {
			detok_push(&d, ids.data[k], &out);
			ck_assert(str_is_utf8(buf_str(&out), NULL));
			ck_assert_ptr_null(strstr(buf_str(&out).data, "\xEF\xBF\xBD"));
		}
		ck_assert(str_eq(buf_str(&out), STR("x \xF0\x9F\xA6\x84 y")));
		/* cut in the middle of the character: one mark at the end */
		buf_clear(&out);
		d = (struct detok){.tokenizer = t};
		for (size_t k = 0; k < ids.len; k++)
			if (d.held_len < 3)
				detok_push(&d, ids.data[k], &out);
		ck_assert_uint_eq(d.held_len, 3);
		detok_finish(&d, &out);
		ck_assert(str_ends(buf_str(&out), STR("\xEF\xBF\xBD")));
		buf_done(&out);
		vec_done(&ids);
		tokenizer_free(t);
	}
}
END_TEST

START_TEST(a_stream_skips_control_tokens)
{
	struct tokenizer *t = open_tiny("qwen2-bias");
	struct token_vec ids = {0};
	struct buf out = {0};
	golden_encode(t, STR("<|im_start|>hi<|im_end|>"), false, true, &ids);
	struct detok d = {.tokenizer = t, .skip_special = true};
	for (size_t k = 0; k < ids.len; k++)
		detok_push(&d, ids.data[k], &out);
	detok_push(&d, -1, &out);
	detok_push(&d, 1 << 30, &out);
	detok_finish(&d, &out);
	ck_assert(str_eq(buf_str(&out), STR("hi")));
	buf_done(&out);
	vec_done(&ids);
	tokenizer_free(t);
}
END_TEST

static void put_file(const char *folder, const char *name, const char *text)
{
	CLEANUP(mem_freep) char *path = fd_join(folder, name);
	struct err err = ERR_INIT;
	ck_assert_msg(fd_write_file(path, text, strlen(text), 0600, &err) == 0, "%s", err.message);
}

START_TEST(files_beside_tokenizer_json_are_read)
{
	char folder[] = "/tmp/kaito-test-token-XXXXXX";
	struct tokenizer *t = NULL;
	struct err err = ERR_INIT;
	struct token_vec ids = {0};
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_lt(tokenizer_open_folder(&t, folder, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);

	put_file(folder, "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0,\"<s>\":1,\"</s>\":2,\"<e>\":3,\"<pad>\":4},\"merges\":[]},\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true}]}");
	put_file(folder, "tokenizer_config.json",
		 "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\",\"add_bos_token\":true,\"add_eos_token\":true,\"tokenizer_class\":\"LlamaTokenizerFast\","
		 "\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"default\",\"template\":\"D\"}]}");
	put_file(folder, "special_tokens_map.json", "{\"eos_token\":\"a\",\"pad_token\":\"<pad>\"}");
	put_file(folder, "generation_config.json", "{\"eos_token_id\":[2,3,99]}");
	ck_assert_msg(tokenizer_open_folder(&t, folder, &err) == 0, "%s", err.message);
	ck_assert_int_eq(tokenizer_bos(t), 1);
	ck_assert_int_eq(tokenizer_eos(t), 2);
	ck_assert_int_eq(tokenizer_pad(t), 4);
	ck_assert(tokenizer_is_eog(t, 2) && tokenizer_is_eog(t, 3) && !tokenizer_is_eog(t, 1));
	ck_assert(tokenizer_is_special(t, 2) && !tokenizer_is_special(t, 3));
	ck_assert(str_eq(tokenizer_chat_template(t), STR("D")));
	golden_encode(t, STR("a</s>"), true, true, &ids);
	ck_assert_uint_eq(ids.len, 4);
	ck_assert(ids.data[0] == 1 && ids.data[1] == 0 && ids.data[2] == 2 && ids.data[3] == 2);
	tokenizer_free(t);

	put_file(folder, "chat_template.jinja", "J");
	ck_assert_int_eq(tokenizer_open_folder(&t, folder, &err), 0);
	ck_assert(str_eq(tokenizer_chat_template(t), STR("J")));
	tokenizer_free(t);

	put_file(folder, "generation_config.json", "[]");
	ck_assert_int_lt(tokenizer_open_folder(&t, folder, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "generation_config.json' is not a JSON object"));
	vec_done(&ids);
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("token/tokenizer");
	TCase *c = tcase_create("tokenizer");
	tcase_set_timeout(c, 100);
	tcase_add_test(c, broken_files_are_refused_with_the_reason);
	tcase_add_test(c, every_prefix_of_a_file_is_refused);
	tcase_add_test(c, merges_that_feed_themselves_end);
	tcase_add_test(c, a_long_piece_is_not_quadratic);
	tcase_add_test(c, a_text_past_the_limit_or_ill_formed_is_refused);
	tcase_add_test(c, a_stream_holds_back_unfinished_characters);
	tcase_add_test(c, a_stream_skips_control_tokens);
	tcase_add_test(c, files_beside_tokenizer_json_are_read);
	suite_add_tcase(s, c);
	return golden_run(s);
}
