/* test_derive.c: rows derived from a hub's answers, compared with the catalogue's, and foreign nonsense. */
#include "check_main.h"

#include "catalog/derive.h"
#include "codec/json.h"
#include <math.h>

static struct err err;

static json_t *parse(const char *text)
{
	json_t *value = NULL;
	ck_assert_msg(json_parse(&value, str_of(text), "test", &err) == 0, "%s", err.message);
	return value;
}

static int derive(const char *name, const char *config_text, const struct derive_files *files, struct arena *arena, struct catalog_model *out)
{
	json_t *config = parse(config_text);
	int rc = derive_model(name, files, config, false, arena, out, &err);
	json_decref(config);
	return rc;
}

static void same_text(const struct catalog_model *m, const char *column, const char *have, const char *want)
{
	ck_assert_msg(strcmp(have, want) == 0, "%s: %s is '%s', the row says '%s'", m->id, column, have, want);
}

static void same_number(const struct catalog_model *m, const char *column, int64_t have, int64_t want)
{
	ck_assert_msg(have == want, "%s: %s is %lld, the row says %lld", m->id, column, (long long)have, (long long)want);
}

/* A config.json as the row's model has it, its numbers inside text_config for multimodal ones. */
static json_t *config_of(const struct catalog_model *m)
{
	json_t *numbers = json_pack("{s:i, s:i, s:i, s:i, s:i, s:I}", "num_hidden_layers", m->layers, "hidden_size", m->hidden, "num_attention_heads", m->heads,
				    "num_key_value_heads", m->kv_heads, "head_dim", m->head_dim, "max_position_embeddings", (json_int_t)m->context_tokens);
	if (m->kv_lora_rank)
		json_object_set_new(numbers, "kv_lora_rank", json_integer(m->kv_lora_rank));
	if (m->qk_rope_dim)
		json_object_set_new(numbers, "qk_rope_head_dim", json_integer(m->qk_rope_dim));
	bool multimodal = strcmp(m->pipeline, "image-text-to-text") == 0;
	json_t *config = multimodal ? json_pack("{s:o}", "text_config", numbers) : numbers;
	json_object_set_new(config, "architectures", json_pack("[s]", m->architecture));
	if (m->quantization[0]) {
		char method[64];
		snprintf(method, sizeof method, "%s", m->quantization);
		char *slash = strchr(method, '/');
		if (slash)
			*slash++ = 0;
		json_t *q = json_pack("{s:s}", "quant_method", method);
		if (slash)
			json_object_set_new(q, "bits", json_integer(strtol(slash, NULL, 10)));
		json_object_set_new(config, "quantization_config", q);
	}
	return config;
}

START_TEST(every_row_of_the_catalogue_is_reproduced)
{
	const struct catalog_model *want = &CATALOG_MODELS[_i];
	struct arena arena = {0};
	struct derive_files files = {.weight_bytes = (uint64_t)(want->weights_gib * 1073741824.0), .mistral_format = strcmp(want->load_format, "mistral") == 0};
	json_t *config = config_of(want);
	struct catalog_model m = {0};
	ck_assert_msg(derive_model(want->id, &files, config, false, &arena, &m, &err) == 0, "%s", err.message);
	same_text(want, "architecture", m.architecture, want->architecture);
	same_text(want, "attention", m.attention, want->attention);
	same_text(want, "quantization", m.quantization, want->quantization);
	same_text(want, "dtype", m.dtype, want->dtype);
	same_text(want, "load format", m.load_format, want->load_format);
	same_text(want, "config format", m.config_format, want->config_format);
	same_text(want, "tokenizer mode", m.tokenizer_mode, want->tokenizer_mode);
	same_text(want, "tool parser", m.tool_parser, want->tool_parser);
	same_text(want, "reasoning parser", m.reasoning_parser, want->reasoning_parser);
	same_text(want, "chat template", m.chat_template, want->chat_template);
	same_text(want, "extra arguments", m.extra_args, want->extra_args);
	same_number(want, "bytes per token", m.kv_bytes_per_token, want->kv_bytes_per_token);
	same_number(want, "context", m.context_tokens, want->context_tokens);
	same_number(want, "disk", m.disk_gib, want->disk_gib);
	same_number(want, "startup", m.startup_minutes, want->startup_minutes);
	ck_assert_double_eq_tol(m.weights_gib, want->weights_gib, 1e-9);
	json_decref(config);
	arena_done(&arena);
}
END_TEST

static const struct derive_files FILES = {.weight_bytes = 1 << 30};

START_TEST(older_spellings_and_defaults)
{
	struct arena arena = {0};
	struct catalog_model m = {0};
	ck_assert_int_eq(derive("a/gpt2", "{\"n_layer\": 12, \"n_head\": 12, \"n_embd\": 768, \"n_ctx\": 1024, \"architectures\": [\"GPT2LMHeadModel\"]}", &FILES, &arena, &m), 0);
	ck_assert(m.layers == 12 && m.kv_heads == 12 && m.head_dim == 64 && m.context_tokens == 1024);
	ck_assert_str_eq(m.attention, "MHA");
	ck_assert_int_eq(derive("a/falcon", "{\"num_hidden_layers\": 32, \"num_attention_heads\": 71, \"hidden_size\": 4544, \"multi_query\": true}", &FILES, &arena, &m), 0);
	ck_assert(m.kv_heads == 1 && m.context_tokens == 2048);
	ck_assert_str_eq(m.attention, "MQA");
	ck_assert_str_eq(m.architecture, "");
	struct derive_files mistral = {.weight_bytes = 1 << 30, .mistral_format = true};
	ck_assert_int_eq(derive("a/m", "{\"dim\": 4096, \"n_layers\": 32, \"head_dim\": 128, \"n_heads\": 32, \"n_kv_heads\": 8}", &mistral, &arena, &m), 0);
	ck_assert_str_eq(m.architecture, "MistralForCausalLM");
	ck_assert_str_eq(m.tool_parser, "mistral");
	ck_assert_str_eq(m.load_format, "mistral");
	arena_done(&arena);
}
END_TEST

START_TEST(generic_quantization_methods_say_more)
{
	struct arena arena = {0};
	struct catalog_model m = {0};
#define SIZES "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"hidden_size\": 8"
	ck_assert_int_eq(derive("a/b", "{" SIZES ", \"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\"}}", &FILES, &arena, &m), 0);
	ck_assert_str_eq(m.quantization, "pack-quantized");
	ck_assert_str_eq(m.dtype, "auto");
	ck_assert_int_eq(derive("a/b", "{" SIZES ", \"quantization_config\": {\"quant_method\": \"modelopt\", \"quant_algo\": \"MIXED_PRECISION\"}}", &FILES, &arena, &m), 0);
	ck_assert_str_eq(m.quantization, "MIXED_PRECISION");
	ck_assert_int_eq(derive("a/b", "{\"llm_config\": {" SIZES ", \"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4}}}", &FILES, &arena, &m), 0);
	ck_assert_str_eq(m.quantization, "awq/4");
	arena_done(&arena);
}
END_TEST

static const struct { const char *config; enum err_kind kind; const char *say; } BAD[] = {
	{"{" SIZES ", \"architectures\": [\"T5ForConditionalGeneration\"]}", ERR_UNSUPPORTED, "unsupported model architecture for org/m"},
	{"[]", ERR_PROTOCOL, "not an object"},
	{"{}", ERR_MODEL, "no usable layers"},
	{"{\"num_hidden_layers\": \"2\", \"num_attention_heads\": 2, \"hidden_size\": 8}", ERR_MODEL, "no usable layers"},
	{"{\"num_hidden_layers\": 2, \"num_attention_heads\": 0, \"hidden_size\": 8}", ERR_MODEL, "no usable layers"},
	{"{\"num_hidden_layers\": 1e300, \"num_attention_heads\": 2, \"hidden_size\": 8}", ERR_MODEL, "no usable layers"},
	{"{\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"hidden_size\": 8, \"num_key_value_heads\": -1}", ERR_MODEL, "out of range"},
	{"{" SIZES ", \"kv_lora_rank\": 1e12}", ERR_MODEL, "out of range"},
	{"{" SIZES ", \"max_position_embeddings\": -5}", ERR_MODEL, "out of range"},
};

START_TEST(bad_configurations_are_refused)
{
	struct arena arena = {0};
	struct catalog_model m = {.id = "untouched"};
	ck_assert_int_lt(derive("org/m", BAD[_i].config, &FILES, &arena, &m), 0);
	ck_assert_int_eq(err.kind, BAD[_i].kind);
	ck_assert_msg(strstr(err.message, BAD[_i].say) != NULL, "%s", err.message);
	ck_assert_str_eq(m.id, "untouched");
	arena_done(&arena);
}
END_TEST

static const struct { const char *tree; uint64_t bytes; bool mistral; } TREES[] = {
	{"[{\"type\":\"file\",\"path\":\"model-1.safetensors\",\"size\":10},{\"type\":\"file\",\"path\":\"model-2.safetensors\",\"size\":5},{\"type\":\"file\",\"path\":\"pytorch_model.bin\",\"size\":99}]", 15, false},
	{"[{\"type\":\"file\",\"path\":\"consolidated.safetensors\",\"size\":7},{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":8}]", 7, true},
	{"[{\"type\":\"file\",\"path\":\"pytorch_model-1.bin\",\"size\":3},{\"type\":\"directory\",\"path\":\"x.bin\",\"size\":9}]", 3, false},
	{"[{\"type\":\"file\",\"path\":\"README.md\",\"size\":3},{\"path\":7},{\"type\":\"file\",\"path\":\"a.safetensors\",\"size\":-4},4]", 0, false},
	{"[]", 0, false},
};

START_TEST(weights_are_chosen_by_kind)
{
	struct derive_tree tree = {0};
	struct derive_files files = {0};
	json_t *page = parse(TREES[_i].tree);
	ck_assert_int_eq(derive_tree_add(&tree, page, &err), 0);
	json_decref(page);
	int rc = derive_tree_files(&tree, "org/m", &files, &err);
	ck_assert_int_eq(rc < 0, TREES[_i].bytes == 0);
	if (rc < 0)
		ck_assert(err.kind == ERR_NOT_FOUND && strstr(err.message, "no .safetensors or .bin files found"));
	ck_assert_uint_eq(files.weight_bytes, TREES[_i].bytes);
	ck_assert(files.mistral_format == TREES[_i].mistral);
}
END_TEST

START_TEST(a_tree_that_is_no_array_is_refused)
{
	struct derive_tree tree = {0};
	json_t *page = parse("{\"error\": \"x\"}");
	ck_assert_int_lt(derive_tree_add(&tree, page, &err), 0);
	ck_assert_int_eq(err.kind, ERR_PROTOCOL);
	json_decref(page);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("derive");
	TCase *tcase = tcase_create("derive");
	tcase_add_loop_test(tcase, every_row_of_the_catalogue_is_reproduced, 0, (int)CATALOG_MODEL_COUNT);
	tcase_add_test(tcase, older_spellings_and_defaults);
	tcase_add_test(tcase, generic_quantization_methods_say_more);
	tcase_add_loop_test(tcase, bad_configurations_are_refused, 0, sizeof BAD / sizeof BAD[0]);
	tcase_add_loop_test(tcase, weights_are_chosen_by_kind, 0, sizeof TREES / sizeof TREES[0]);
	tcase_add_test(tcase, a_tree_that_is_no_array_is_refused);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
