/* test_model.c: recognising and checking models: the tiny ones as they are, then with one thing bent each; rope formulas. */
#include "base/fd.h"
#include "base/mem.h"
#include "check_main.h"
#include "model/model.h"

#include <math.h>

static char folder[64];

static void setup(void)
{
	snprintf(folder, sizeof folder, "/tmp/kaito-test-model-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

/* Copies a file of a tiny model into the test's folder with `from` replaced by `to` (from NULL: unchanged). */
static void copy(const char *tiny, const char *name, const char *from, const char *to)
{
	struct buf was CLEANUP(buf_done) = {0}, now CLEANUP(buf_done) = {0};
	struct err err = ERR_INIT;
	char *source CLEANUP(mem_freep) = mem_printf("tests/golden/tiny/%s/%s", tiny, name), *path CLEANUP(mem_freep) = fd_join(folder, name);
	ck_assert_msg(fd_read_file(source_path(source), 1 << 24, &was, &err) == 0, "%s", err.message);
	char *at = from ? memmem(was.data, was.len, from, strlen(from)) : was.data + was.len;
	ck_assert_msg(at != NULL, "the text to change is not in %s", name);
	size_t head = (size_t)(at - was.data), cut = from ? strlen(from) : 0;
	buf_put(&now, was.data, head);
	buf_puts(&now, to ? to : "");
	buf_put(&now, was.data + head + cut, was.len - head - cut);
	ck_assert_int_eq(fd_write_file(path, now.data, now.len, 0600, &err), 0);
}

static void expect_refused(const char *word)
{
	struct model *m;
	struct err err = ERR_INIT;
	ck_assert_int_eq(model_open(&m, folder, &err), -1);
	ck_assert_msg(strstr(err.message, word) != NULL, "'%s' does not name '%s'", err.message, word);
}

START_TEST(every_architecture_opens_and_is_named)
{
	static const struct { const char *tiny, *arch; } rows[] = {
		{"llama-gqa", "llama"}, {"llama3-rope", "llama"},   {"mistral-swa", "mistral"}, {"phi3-4k", "phi3"},
		{"phi3-longrope", "phi3"}, {"phi4mini-partial", "phi3"}, {"qwen2-bias", "qwen2"}, {"qwen3-qknorm", "qwen3"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct model *m;
		struct err err = ERR_INIT;
		char *path CLEANUP(mem_freep) = mem_printf("tests/golden/tiny/%s", rows[i].tiny);
		ck_assert_msg(model_open(&m, source_path(path), &err) == 0, "%s", err.message);
		ck_assert_str_eq(m->arch->name, rows[i].arch);
		ck_assert_int_eq(m->config.layers, 3);
		ck_assert_int_eq(m->program.widths[m->program.result], m->config.hidden);
		ck_assert_ptr_eq(m->config.tied_embeddings ? m->token_embd.src : NULL, m->config.tied_embeddings ? m->head.src : NULL);
		model_close(m);
	}
}
END_TEST

START_TEST(a_configuration_that_does_not_fit_is_refused_by_name)
{
	static const struct { const char *tiny, *from, *to, *word; } bends[] = {
		{"llama-gqa", "\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "mamba"},
		{"llama-gqa", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", "model.layers.3.input_layernorm.weight"},
		{"llama-gqa", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 100000", "num_hidden_layers"},
		{"llama-gqa", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": \"three\"", "num_hidden_layers"},
		{"llama-gqa", "\"intermediate_size\": 128", "\"intermediate_size\": 120", "mlp.gate_proj.weight"},
		{"llama-gqa", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "share"},
		{"llama-gqa", "\"head_dim\": 16", "\"head_dim\": 15", "head size"},
		{"llama-gqa", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": -1", "rms_norm_eps"},
		{"llama-gqa", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"", "relu"},
		{"llama-gqa", "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias"},
		{"llama-gqa", "\"attention_bias\": false", "\"attention_bias\": true", "q_proj.bias"},
		{"llama-gqa", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "yarn"},
		{"llama-gqa", "\"rope_theta\": 10000.0", "\"rope_theta\": 0", "theta"},
		{"llama3-rope", "\"low_freq_factor\": 1.0", "\"low_freq_factor\": 9.0", "low_freq_factor"},
		{"phi3-longrope", "\"short_factor\"", "\"short_factors\"", "short_factor"},
		{"phi4mini-partial", "\"partial_rotary_factor\": 0.75", "\"partial_rotary_factor\": 1.5", "partial_rotary_factor"},
		{"qwen2-bias", "\"use_sliding_window\": false", "\"use_sliding_window\": true", "use_sliding_window"},
	};
	for (size_t i = 0; i < sizeof bends / sizeof bends[0]; i++) {
		copy(bends[i].tiny, "model.safetensors", NULL, NULL);
		copy(bends[i].tiny, "config.json", bends[i].from, bends[i].to);
		expect_refused(bends[i].word);
	}
}
END_TEST

START_TEST(a_missing_or_misshapen_tensor_is_named_with_its_shapes)
{
	copy("llama-gqa", "config.json", NULL, NULL);
	copy("llama-gqa", "model.safetensors", "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.xx_proj.weight");
	expect_refused("model.layers.1.mlp.up_proj.weight");
	copy("llama-gqa", "model.safetensors", "model.norm.weight", "model.nerm.weight");
	expect_refused("model.norm.weight");
	copy("llama-gqa", "model.safetensors", NULL, NULL);
	copy("llama-gqa", "config.json", "\"hidden_size\": 64", "\"hidden_size\": 32");
	expect_refused("[32]");
}
END_TEST

START_TEST(rope_follows_the_formulas)
{
	float f[8], magnitude, short_factors[8], long_factors[8];
	struct model_config c = {.rope_dims = 16, .rope_theta = 10000, .context = 512, .rope_attention_factor = 1};
	model_rope(&c, 1, f, &magnitude);
	for (int i = 0; i < 8; i++)
		ck_assert_double_eq_tol(f[i], pow(10000, -i / 8.0), 1e-6);
	c.scaling = ROPE_LINEAR;
	c.rope_factor = 4;
	model_rope(&c, 1, f, &magnitude);
	ck_assert_double_eq_tol(f[3], pow(10000, -3 / 8.0) / 4, 1e-7);
	for (int i = 0; i < 8; i++) {
		short_factors[i] = 1;
		long_factors[i] = 2;
	}
	c = (struct model_config){.rope_dims = 16, .rope_theta = 10000, .context = 512, .scaling = ROPE_LONGROPE, .rope_attention_factor = 1.19, .rope_original_context = 32,
				  .rope_short = short_factors, .rope_long = long_factors};
	ck_assert(!model_rope_is_long(&c, 32));
	ck_assert(model_rope_is_long(&c, 33));
	model_rope(&c, 33, f, &magnitude);
	ck_assert_double_eq_tol(f[1], pow(10000, -1 / 8.0) / 2, 1e-7);
	ck_assert_float_eq(magnitude, 1.19f);
	model_rope(&c, 32, f, &magnitude);
	ck_assert_double_eq_tol(f[1], pow(10000, -1 / 8.0), 1e-7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tcase = tcase_create("model");
	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_architecture_opens_and_is_named);
	tcase_add_test(tcase, a_configuration_that_does_not_fit_is_refused_by_name);
	tcase_add_test(tcase, a_missing_or_misshapen_tensor_is_named_with_its_shapes);
	tcase_add_test(tcase, rope_follows_the_formulas);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
