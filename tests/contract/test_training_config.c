/* training_config.yaml as users write it: templates, defaults, errors with line and nearest name, checks across keys. */
#include "contract/training_config.h"

#include <check.h>

static struct err err;
static struct training_config config;

static void load(const char *text)
{
	err = ERR_INIT;
	ck_assert_msg(training_config_parse(&config, str_of(text), "training_config.yaml", NULL, &err) == 0, "%s", err.message);
}

static void refuse(const char *text, const char *message)
{
	struct training_config c = {0};
	err = ERR_INIT;
	ck_assert_int_eq(training_config_parse(&c, str_of(text), "c.yaml", NULL, &err), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	ck_assert_str_eq(err.message, message);
}

START_TEST(templates_are_upstreams)
{
	err = ERR_INIT;
	ck_assert_int_eq(training_config_parse(&config, training_config_template(METHOD_QLORA), "t", NULL, &err), 0);
	ck_assert_int_eq(training_config_method(&config), METHOD_QLORA);
	ck_assert_str_eq(config.model.torch_dtype, "bfloat16");
	ck_assert(config.quantization.bnb_4bit_use_double_quant && config.lora.r == 8 && config.lora.lora_alpha == 8);
	ck_assert_str_eq(config.training.output_dir, "/mnt/results");
	ck_assert_str_eq(config.training.save_strategy, "no");
	ck_assert_int_eq(config.training.per_device_train_batch_size, 1);
	ck_assert(config.dataset.shuffle_dataset && config.dataset.train_test_split == 1);
	ck_assert_uint_eq(config.n_ignored, 2);
	ck_assert_str_eq(config.ignored[0], "ModelConfig.device_map");
	ck_assert_str_eq(config.ignored[1], "TrainingArguments.ddp_find_unused_parameters");
	training_config_done(&config);
	ck_assert_int_eq(training_config_parse(&config, training_config_template(METHOD_LORA), "t", NULL, &err), 0);
	ck_assert_int_eq(training_config_method(&config), METHOD_LORA);
	training_config_done(&config);
}
END_TEST

START_TEST(absent_sections_give_the_python_defaults)
{
	load("training_config: {}");
	ck_assert(config.training.num_train_epochs == 3 && config.training.learning_rate == 2e-5 && config.training.max_length == 1024);
	ck_assert(config.training.logging_steps == 10 && config.training.max_grad_norm == 1 && config.training.seed == 42);
	ck_assert(config.training.completion_only_loss == -1 && config.training.max_steps == -1 && config.training.data_seed == -1);
	ck_assert_str_eq(config.training.lr_scheduler_type, "linear");
	ck_assert(config.dataset.train_test_split == 0.8 && config.dataset.shuffle_seed == 42 && config.dataset.shuffle_dataset);
	ck_assert_str_eq(config.dataset.response_column, "text");
	ck_assert_str_eq(config.model.pretrained_model_name_or_path, "/workspace/tfs/weights");
	ck_assert(!config.model.torch_dtype && !config.lora.target_modules.len && !config.quantization.load_in_4bit);
	training_config_done(&config);
}
END_TEST

START_TEST(numbers_written_as_text_or_in_scientific_notation_count)
{
	load("training_config:\n  TrainingArguments:\n    learning_rate: 2e-4\n    weight_decay: \"1e-2\"\n    max_steps: -1\n    warmup_steps: '5'\n    save_strategy: no\n");
	ck_assert(config.training.learning_rate == 2e-4 && config.training.weight_decay == 1e-2 && config.training.warmup_steps == 5);
	ck_assert_str_eq(config.training.save_strategy, "no");
	training_config_done(&config);
}
END_TEST

START_TEST(keys_of_gpu_set_ups_are_accepted_and_listed)
{
	load("training_config:\n  TrainingArguments: {fp16: true, deepspeed: {a: 1}, report_to: none, neftune_noise_alpha: ~, label_smoothing_factor: 0}\n");
	ck_assert_uint_eq(config.n_ignored, 3);
	ck_assert_str_eq(config.ignored[1], "TrainingArguments.deepspeed");
	training_config_done(&config);
}
END_TEST

START_TEST(old_names_set_the_same_member)
{
	load("training_config:\n  TrainingArguments: {max_seq_length: 77, evaluation_strategy: epoch}\n");
	ck_assert_int_eq(config.training.max_length, 77);
	ck_assert_str_eq(config.training.eval_strategy, "epoch");
	training_config_done(&config);
}
END_TEST

START_TEST(mistakes_name_line_key_and_nearest_name)
{
	refuse("training_config:\n  LoraConfig:\n    rank: 8\n    lora_alfa: 16\n",
	       "'c.yaml' line 3: training_config.LoraConfig.rank: unknown key (and 1 more)");
	refuse("training_config:\n  LoraConfig:\n    dropout: 0.1\n", "'c.yaml' line 3: training_config.LoraConfig.dropout: unknown key; did you mean 'lora_dropout'?");
	refuse("training_config:\n  LoraConfig:\n    lora_alfa: 16\n", "'c.yaml' line 3: training_config.LoraConfig.lora_alfa: unknown key; did you mean 'lora_alpha'?");
	refuse("training_config:\n  LoraConfig:\n    learning_rate: 1\n", "'c.yaml' line 3: training_config.LoraConfig.learning_rate: unknown key; it belongs to TrainingArguments");
	refuse("training_config:\n  LoraConf: {}\n", "'c.yaml' line 2: training_config.LoraConf: unknown section; did you mean 'LoraConfig'?");
	refuse("training_config:\n  LoraConfig: {r: 0}\n", "'c.yaml' line 2: training_config.LoraConfig.r: is 0, must be between 1 and 1024");
	refuse("training_config:\n  LoraConfig: {use_dora: true}\n",
	       "'c.yaml' line 2: training_config.LoraConfig.use_dora: is not supported by this build; remove it or set it to false");
	refuse("a: 1\n", "'c.yaml' line 1: a: unknown key; everything goes below 'training_config'");
	refuse("", "'c.yaml' line 1: training_config: is missing: the document must be a mapping with this key");
	refuse("training_config:\n  - x\n", "'c.yaml' line 1: training_config: must be a mapping, not array");
	refuse("training_config: [", "'c.yaml' line 2 column 1: did not find expected node content");
}
END_TEST

START_TEST(checks_across_keys_name_the_line)
{
	refuse("training_config:\n  QuantizationConfig:\n    load_in_4bit: true\n    load_in_8bit: true\n",
	       "'c.yaml' line 4: training_config.QuantizationConfig.load_in_8bit: load_in_4bit and load_in_8bit cannot both be true");
	refuse("training_config:\n  TrainingArguments:\n    eval_strategy: steps\n  DatasetConfig: {train_test_split: 1}\n",
	       "'c.yaml' line 3: training_config.TrainingArguments.eval_strategy: needs rows to evaluate on: set DatasetConfig.train_test_split below 1");
	refuse("training_config:\n  TrainingArguments: {packing: true,\n    max_length: 0}\n",
	       "'c.yaml' line 2: training_config.TrainingArguments.packing: needs max_length");
	refuse("training_config:\n  DatasetConfig: {train_test_split: 0}\n",
	       "'c.yaml' line 2: training_config.DatasetConfig.train_test_split: is 0, must be between 1e-09 and 1");
	refuse("training_config:\n  QuantizationConfig: {bnb_4bit_quant_type: fp4}\n",
	       "'c.yaml' line 2: training_config.QuantizationConfig.bnb_4bit_quant_type: fp4 is not supported by this build; use nf4");
}
END_TEST

START_TEST(all_mistakes_can_be_listed)
{
	struct training_config c = {0};
	struct buf all = {0};
	ck_assert_int_eq(training_config_parse(&c, STR("training_config:\n  LoraConfig: {q: 1}\n  X: 2\n"), "c.yaml", &all, &err), -1);
	ck_assert_ptr_nonnull(strstr(all.data, "line 2: training_config.LoraConfig.q: unknown key"));
	ck_assert_ptr_nonnull(strstr(all.data, "line 3: training_config.X: unknown section"));
	buf_done(&all);
}
END_TEST

START_TEST(every_row_of_the_tables_is_sorted_and_explained)
{
	size_t n;
	const struct field_section *sections = training_config_sections(&n);
	ck_assert_uint_eq(n, 6);
	for (size_t s = 0; s < n; s++)
		for (size_t i = 0; i < sections[s].n; i++) {
			ck_assert_msg(sections[s].rows[i].help && sections[s].rows[i].help[0], "%s", sections[s].rows[i].name);
			ck_assert_msg(i == 0 || strcmp(sections[s].rows[i - 1].name, sections[s].rows[i].name) < 0, "%s", sections[s].rows[i].name);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("contract/training_config");
	TCase *tc = tcase_create("training_config");
	tcase_add_test(tc, templates_are_upstreams);
	tcase_add_test(tc, absent_sections_give_the_python_defaults);
	tcase_add_test(tc, numbers_written_as_text_or_in_scientific_notation_count);
	tcase_add_test(tc, keys_of_gpu_set_ups_are_accepted_and_listed);
	tcase_add_test(tc, old_names_set_the_same_member);
	tcase_add_test(tc, mistakes_name_line_key_and_nearest_name);
	tcase_add_test(tc, checks_across_keys_name_the_line);
	tcase_add_test(tc, all_mistakes_can_be_listed);
	tcase_add_test(tc, every_row_of_the_tables_is_sorted_and_explained);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
