/* golden.h: what the tests of this folder share: golden files, the real model, and comparing ids with useful messages. */
#pragma once
#include "codec/json.h"
#include "token/tokenizer.h"
#include <check.h>
#include <stdio.h>

static inline char *golden_path(const char *relative)
{
	const char *root = getenv("KAITO_SOURCE_ROOT");
	return mem_printf("%s/tests/golden/%s", root ? root : ".", relative);
}

static inline json_t *golden_json(const char *relative)
{
	CLEANUP(mem_freep) char *path = golden_path(relative);
	struct err err = ERR_INIT;
	json_t *json = NULL;
	if (json_parse_file_with(&json, path, &(struct json_rules){.allow_nul = true}, &err) < 0)
		ck_abort_msg("%s", err.message);
	return json;
}

static inline str golden_str(const json_t *value) { return (str){json_string_value(value), json_string_length(value)}; }

/* NULL when there is none: the caller exits with 77. */
static inline char *golden_model(void)
{
	const char *named = getenv("KAITO_TEST_MODEL"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = named ? mem_strdup(named)
		     : cache ? mem_printf("%s/kaito/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", cache)
			     : mem_printf("%s/.cache/kaito/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
	FILE *f = fopen(path, "rb");
	if (!f) {
		free(path);
		return NULL;
	}
	fclose(f);
	return path;
}

static inline void golden_expect_ids(const struct token_vec *got, const json_t *want, const char *what, str text)
{
	size_t n = json_array_size(want);
	for (size_t i = 0; i < n || i < got->len; i++) {
		long long w = i < n ? json_integer_value(json_array_get(want, i)) : -1;
		long long g = i < got->len ? got->data[i] : -1;
		ck_assert_msg(w == g, "%s: '%.*s': id %zu is %lld, not %lld", what, STR_FMT(text), i, g, w);
	}
}

static inline void golden_expect_text(const struct buf *got, const json_t *want, const char *what)
{
	ck_assert_msg(str_eq(buf_str(got), golden_str(want)), "%s: decoded '%.*s', not '%s'", what, STR_FMT(buf_str(got)), json_string_value(want));
}

static inline void golden_encode(const struct tokenizer *t, str text, bool add_special, bool parse_special, struct token_vec *out)
{
	struct err err = ERR_INIT;
	out->len = 0;
	if (tokenizer_encode(t, text, add_special, parse_special, out, &err) < 0)
		ck_abort_msg("'%.*s': %s", STR_FMT(text), err.message);
}

static inline int golden_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
