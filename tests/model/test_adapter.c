/* test_adapter.c: PEFT adapter folders: the recorded one, what we write, and everything that must be refused by name. */
#include "base/fd.h"
#include "base/mem.h"
#include "check_main.h"
#include "model/adapter.h"

static char folder[64];
static struct model *model;

static void setup(void)
{
	struct err err = ERR_INIT;
	snprintf(folder, sizeof folder, "/tmp/kaito-test-adapter-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_msg(model_open(&model, source_path("tests/golden/tiny/llama-gqa"), &err) == 0, "%s", err.message);
}

static void teardown(void)
{
	struct err err = ERR_INIT;
	model_close(model);
	ck_assert_int_eq(fd_remove_tree(folder, &err), 0);
}

static struct adapter *recorded(void)
{
	struct adapter *a;
	struct err err = ERR_INIT;
	ck_assert_msg(adapter_open(&a, source_path("tests/golden/tiny/llama-gqa/adapter_init"), model, &err) == 0, "%s", err.message);
	return a;
}

static void save(const struct adapter *a, const char *where)
{
	static const char *const targets[] = {"v_proj", "q_proj"};
	struct adapter_meta meta = {.base_model = "tiny", .rank = 4, .alpha = 8, .dropout = 0.05, .target_modules = targets, .n_targets = 2};
	struct err err = ERR_INIT;
	ck_assert_msg(adapter_save(a, where, &meta, &err) == 0, "%s", err.message);
}

static struct buf content(const char *dir, const char *name)
{
	struct buf b = {0};
	struct err err = ERR_INIT;
	char *path CLEANUP(mem_freep) = fd_join(dir, name);
	ck_assert_msg(fd_read_file(path, 1 << 24, &b, &err) == 0, "%s", err.message);
	return b;
}

/* Replaces `from` by `to` (of any length) in a file of the test's folder. */
static void bend(const char *name, const char *from, const char *to)
{
	struct buf was CLEANUP(buf_done) = content(folder, name), now CLEANUP(buf_done) = {0};
	struct err err = ERR_INIT;
	char *path CLEANUP(mem_freep) = fd_join(folder, name), *at = memmem(was.data, was.len, from, strlen(from));
	ck_assert_msg(at != NULL, "no '%s' in %s", from, name);
	buf_put(&now, was.data, (size_t)(at - was.data));
	buf_puts(&now, to);
	buf_put(&now, at + strlen(from), was.len - (size_t)(at - was.data) - strlen(from));
	ck_assert_int_eq(fd_write_file(path, now.data, now.len, 0600, &err), 0);
}

static void expect_refused(const char *word)
{
	struct adapter *a;
	struct err err = ERR_INIT;
	ck_assert_int_eq(adapter_open(&a, folder, model, &err), -1);
	ck_assert_msg(strstr(err.message, word) != NULL, "'%s' does not name '%s'", err.message, word);
}

START_TEST(recorded_adapter_has_every_pair)
{
	struct adapter *a = recorded();
	for (int32_t layer = 0; layer < model->config.layers; layer++)
		for (int slot = 0; slot < LIN_COUNT; slot++) {
			const struct mat *w = &model->layers[layer].linear[slot];
			const struct lora_pair *p = adapter_pair(a, layer, (enum linear_slot)slot);
			ck_assert_int_eq(p->rank, w->rows ? 4 : 0);
			if (w->rows == 0)
				continue;
			ck_assert_int_eq(p->n, w->rows);
			ck_assert_int_eq(p->k, w->cols);
			ck_assert_float_eq(p->scale, 2);
		}
	ck_assert_str_eq(a->base_model, "llama-gqa");
	adapter_close(a);
}
END_TEST

START_TEST(what_is_written_reads_back_bit_for_bit)
{
	struct adapter *a = recorded(), *b;
	struct err err = ERR_INIT;
	save(a, folder);
	ck_assert_msg(adapter_open(&b, folder, model, &err) == 0, "%s", err.message);
	for (int32_t i = 0; i < a->layers * LIN_COUNT; i++) {
		const struct lora_pair *p = &a->pairs[i], *q = &b->pairs[i];
		ck_assert_int_eq(p->rank, q->rank);
		if (p->rank == 0)
			continue;
		ck_assert_mem_eq(p->a, q->a, (size_t)p->rank * (size_t)p->k * sizeof(float));
		ck_assert_mem_eq(p->b, q->b, (size_t)p->rank * (size_t)p->n * sizeof(float));
	}
	adapter_close(a);
	adapter_close(b);
}
END_TEST

START_TEST(equal_adapters_give_equal_files)
{
	struct adapter *a = recorded();
	static const char *const names[] = {"adapter_model.safetensors", "adapter_config.json"};
	char *second CLEANUP(mem_freep) = fd_join(folder, "again");
	save(a, folder);
	save(a, second);
	for (size_t i = 0; i < 2; i++) {
		struct buf x CLEANUP(buf_done) = content(folder, names[i]), y CLEANUP(buf_done) = content(second, names[i]);
		ck_assert_uint_eq(x.len, y.len);
		ck_assert_mem_eq(x.data, y.data, x.len);
	}
	adapter_close(a);
}
END_TEST

START_TEST(other_peft_methods_are_refused_by_name)
{
	static const struct { const char *from, *to, *word; } bends[] = {
		{"\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"", "peft_type"},
		{"\"bias\": \"none\"", "\"bias\": \"all\"", "bias"},
		{"\"use_dora\": false", "\"use_dora\": true", "use_dora"},
		{"\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "modules_to_save"},
		{"\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true", "fan_in_fan_out"},
		{"\"r\": 4", "\"r\": 0", "'r'"},
		{"\"r\": 4", "\"r\": 8", "lora_A"},
		{"\"rank_pattern\": {}", "\"rank_pattern\": {\".*q_proj\": 2}", "rank_pattern"},
		{"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": \"x\"}", "alpha_pattern"},
		{"{", "", "adapter_config.json"},
	};
	for (size_t i = 0; i < sizeof bends / sizeof bends[0]; i++) {
		struct adapter *a = recorded();
		save(a, folder);
		adapter_close(a);
		bend("adapter_config.json", bends[i].from, bends[i].to);
		expect_refused(bends[i].word);
	}
}
END_TEST

START_TEST(tensors_that_fit_no_linear_are_refused_by_name)
{
	static const struct { const char *from, *to, *word; } bends[] = {
		{"layers.0.self_attn.q_proj.lora_A", "layers.9.self_attn.q_proj.lora_A", "layers.9"},
		{"layers.0.self_attn.q_proj.lora_A", "layers.0.self_attn.x_proj.lora_A", "x_proj"},
		{"model.layers.0.self_attn.q_proj.lora_A", "model.layerz.0.self_attn.q_proj.lora_A", "layerz"},
		{"\"shape\":[64,4]", "\"shape\":[4,64]", "lora_B"},
	};
	for (size_t i = 0; i < sizeof bends / sizeof bends[0]; i++) {
		struct adapter *a = recorded();
		save(a, folder);
		adapter_close(a);
		bend("adapter_model.safetensors", bends[i].from, bends[i].to);
		expect_refused(bends[i].word);
	}
}
END_TEST

START_TEST(an_adapter_of_another_base_is_refused)
{
	struct adapter *a;
	struct err err = ERR_INIT;
	ck_assert_int_eq(adapter_open(&a, source_path("tests/golden/tiny/phi3-4k/adapter_init"), model, &err), -1);
	ck_assert_int_eq(err.kind, ERR_MODEL);
	ck_assert_msg(strstr(err.message, "another base") != NULL, "%s", err.message);
}
END_TEST

START_TEST(a_missing_folder_or_file_says_so)
{
	struct adapter *a;
	struct err err = ERR_INIT;
	ck_assert_int_eq(adapter_open(&a, "/nonexistent", model, &err), -1);
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	struct adapter *r = recorded();
	save(r, folder);
	adapter_close(r);
	char *path CLEANUP(mem_freep) = fd_join(folder, "adapter_model.safetensors");
	ck_assert_int_eq(unlink(path), 0);
	expect_refused("adapter_model.safetensors");
}
END_TEST

START_TEST(patterns_set_rank_and_alpha_of_single_modules)
{
	struct adapter *a = recorded();
	struct err err = ERR_INIT;
	save(a, folder);
	adapter_close(a);
	bend("adapter_config.json", "\"alpha_pattern\": {}", "\"alpha_pattern\": {\"layers.1.self_attn.q_proj\": 40, \"down_proj\": 4}");
	ck_assert_msg(adapter_open(&a, folder, model, &err) == 0, "%s", err.message);
	ck_assert_float_eq(adapter_pair(a, 0, LIN_Q)->scale, 2);
	ck_assert_float_eq(adapter_pair(a, 1, LIN_Q)->scale, 10);
	ck_assert_float_eq(adapter_pair(a, 2, LIN_DOWN)->scale, 1);
	adapter_close(a);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {recorded_adapter_has_every_pair, what_is_written_reads_back_bit_for_bit, equal_adapters_give_equal_files,
				      other_peft_methods_are_refused_by_name, tensors_that_fit_no_linear_are_refused_by_name, an_adapter_of_another_base_is_refused,
				      a_missing_folder_or_file_says_so, patterns_set_rank_and_alpha_of_single_modules};
	Suite *suite = suite_create("adapter");
	TCase *tcase = tcase_create("adapter");
	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
