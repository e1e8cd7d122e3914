/* test_config_file.c: inference_config.yaml, and the words that name models and adapters. */
#include "base/fd.h"
#include "serve/config_file.h"
#include "serve/source.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static int read_text(const char *text, struct serve_settings *s, struct buf *ignored, struct err *err)
{
	snprintf(path, sizeof path, "/tmp/kaito-config-%d.yaml", (int)getpid());
	struct err write_err = ERR_INIT;
	ck_assert_int_eq(fd_write_file(path, text, strlen(text), 0600, &write_err), 0);
	int rc = serve_config_read(path, s, ignored, err);
	unlink(path);
	return rc;
}

START_TEST(known_keys_win_and_others_are_named)
{
	struct serve_settings s = {.port = 5000, .max_num_seqs = 8, .dtype = "auto"};
	struct buf ignored = {0};
	struct err err = ERR_INIT;
	ck_assert_int_eq(read_text("max_probe_steps: 6\nvllm:\n  max-model-len: 2048\n  max_num_seqs: '4'\n  served-model-name: phi\n"
				   "  gpu-memory-utilization: 0.9\n  enable-chunked-prefill: false\n  port: 6000\n  kaito-disable-rate-limit: true\n",
				   &s, &ignored, &err), 0);
	ck_assert_int_eq(s.max_model_len, 2048);
	ck_assert_int_eq(s.max_num_seqs, 4);
	ck_assert_int_eq(s.port, 6000);
	ck_assert(s.no_rate_limit);
	ck_assert_str_eq(s.served_model_name, "phi");
	ck_assert_str_eq(s.dtype, "auto");
	ck_assert_str_eq(ignored.data, "max_probe_steps, vllm.gpu-memory-utilization, vllm.enable-chunked-prefill");
	free((char *)(uintptr_t)s.served_model_name);
	buf_done(&ignored);
}
END_TEST

START_TEST(auto_is_zero_and_an_empty_file_changes_nothing)
{
	struct serve_settings s = {.max_model_len = 7};
	struct buf ignored = {0};
	struct err err = ERR_INIT;
	ck_assert_int_eq(read_text("", &s, &ignored, &err), 0);
	ck_assert_int_eq(read_text("vllm:\n", &s, &ignored, &err), 0);
	ck_assert_int_eq(s.max_model_len, 7);
	ck_assert_int_eq(read_text("vllm: {max-model-len: auto}", &s, &ignored, &err), 0);
	ck_assert_int_eq(s.max_model_len, 0);
	buf_done(&ignored);
}
END_TEST

START_TEST(mistakes_are_named_with_line_and_key)
{
	static const struct { const char *text, *words; } CASES[] = {
		{"vllm:\n  port: yes\n", "line 2: vllm.port must be a number"},
		{"vllm:\n  dtype: 3\n", "line 2: vllm.dtype must be text"},
		{"vllm:\n  max-num-seqs: 0\n", "line 2: vllm.max-num-seqs must be between 1 and 256"},
		{"vllm:\n  port: 70000\n", "between 0 and 65535"},
		{"vllm: [1]\n", "line 1: vllm must be a mapping"},
		{"- 1\n", "must be a mapping"},
		{"vllm: {\n", "line 2"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct serve_settings s = {.port = 1};
		struct buf ignored = {0};
		struct err err = ERR_INIT;
		ck_assert_int_lt(read_text(CASES[i].text, &s, &ignored, &err), 0);
		ck_assert_msg(strstr(err.message, CASES[i].words) != NULL, "%s", err.message);
		ck_assert_int_eq(s.port, 1);
		buf_done(&ignored);
	}
}
END_TEST

START_TEST(adapter_words_have_name_source_and_strength)
{
	static const struct { const char *word, *name, *source; double strength; } CASES[] = {
		{"tuned=/a/b", "tuned", "/a/b", 1}, {"tuned=/a/b@0.5", "tuned", "/a/b", 0.5}, {"/a/b", "b", "/a/b", 1},
		{"t=localhost:5000/x/y:1", "t", "localhost:5000/x/y:1", 1}, {"localhost:5000/x/y:1", "y", "localhost:5000/x/y:1", 1},
		{"t=reg.io/x@sha256:00", "t", "reg.io/x@sha256:00", 1}, {"t=reg.io/x@sha256:00@2", "t", "reg.io/x@sha256:00", 2},
		{"/a=b/c", "c", "/a=b/c", 1},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct source_adapter a;
		struct err err = ERR_INIT;
		ck_assert_int_eq(source_adapter_parse(CASES[i].word, &a, &err), 0);
		ck_assert_str_eq(a.name, CASES[i].name);
		ck_assert_str_eq(a.source, CASES[i].source);
		ck_assert_double_eq(a.strength, CASES[i].strength);
		source_adapter_done(&a);
	}
	static const char *const BAD[] = {"=x", "a=", "a=x@99", ""};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct source_adapter a;
		struct err err = ERR_INIT;
		ck_assert_int_lt(source_adapter_parse(BAD[i], &a, &err), 0);
		ck_assert_int_eq(err.kind, ERR_USAGE);
	}
}
END_TEST

START_TEST(sources_are_paths_or_images)
{
	char *out = NULL;
	struct err err = ERR_INIT;
	ck_assert_int_eq(source_resolve("/tmp", NULL, &out, &err), 0);
	ck_assert_str_eq(out, "/tmp");
	free(out);
	ck_assert_int_lt(source_resolve("/no/such/Folder", NULL, &out, &err), 0);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	char *name = source_name("/models/SmolLM2.Q4_1.gguf");
	ck_assert_str_eq(name, "SmolLM2.Q4_1");
	free(name);
	name = source_name("/tmp/");
	ck_assert_str_eq(name, "tmp");
	free(name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_file");
	TCase *t = tcase_create("all");
	tcase_add_test(t, known_keys_win_and_others_are_named);
	tcase_add_test(t, auto_is_zero_and_an_empty_file_changes_nothing);
	tcase_add_test(t, mistakes_are_named_with_line_and_key);
	tcase_add_test(t, adapter_words_have_name_source_and_strength);
	tcase_add_test(t, sources_are_paths_or_images);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
