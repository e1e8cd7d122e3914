/* test_traits.c: the rules for unknown models give what the catalogue says of the known ones. */
#include "check_main.h"

#include "catalog/model.h"
#include "catalog/traits.h"
#include <string.h>

START_TEST(every_row_follows_from_name_and_architecture)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		char name[128];
		catalog_model_short_name(m, name, sizeof name);
		struct traits t = traits_of(name, m->architecture, strcmp(m->load_format, "mistral") == 0);
		const char *pairs[][2] = {{t.tool_parser, m->tool_parser}, {t.reasoning_parser, m->reasoning_parser}, {t.chat_template, m->chat_template},
					  {t.tokenizer_mode, m->tokenizer_mode}, {t.extra_args, m->extra_args}};
		for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++)
			ck_assert_msg(strcmp(pairs[k][0], pairs[k][1]) == 0, "%s: trait %zu is '%s', the row says '%s'", m->id, k, pairs[k][0], pairs[k][1]);
	}
}
END_TEST

static const struct { const char *name, *architecture, *tool, *reasoning, *template; } NEW[] = {
	{"qwen3-coder-480b-a35b-instruct", "Qwen3MoeForCausalLM", "qwen3_coder", "", ""},
	{"qwen2.5-7b-instruct", "Qwen2ForCausalLM", "hermes", "", "tool-chat-hermes.jinja"},
	{"llama-3.2-1b-instruct", "LlamaForCausalLM", "llama3_json", "", "tool-chat-llama3.1-json.jinja"},
	{"somebodys-finetune", "Qwen3ForCausalLM", "hermes", "qwen3", ""},
	{"deepseek-v3.1", "DeepseekV3ForCausalLM", "deepseek_v31", "deepseek_v3", "tool-chat-deepseekv3.jinja"},
	{"opt-125m", "OPTForCausalLM", "", "", ""},
	{"", "", "", "", ""},
};

START_TEST(models_outside_the_catalogue)
{
	struct traits t = traits_of(NEW[_i].name, NEW[_i].architecture, false);
	ck_assert_str_eq(t.tool_parser, NEW[_i].tool);
	ck_assert_str_eq(t.reasoning_parser, NEW[_i].reasoning);
	ck_assert_str_eq(t.chat_template, NEW[_i].template);
}
END_TEST

START_TEST(architectures_of_the_catalogue_are_served)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++)
		ck_assert_msg(catalog_architecture_supported(CATALOG_MODELS[i].architecture), "%s: %s", CATALOG_MODELS[i].id, CATALOG_MODELS[i].architecture);
	static const char *const OTHERS[] = {"Zamba2ForCausalLM", "AfmoeForCausalLM", "Ovis2_5", "GPT2LMHeadModel"};
	for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
		ck_assert_msg(catalog_architecture_supported(OTHERS[i]), "%s", OTHERS[i]);
	ck_assert(!catalog_architecture_supported("T5ForConditionalGeneration"));
	ck_assert(!catalog_architecture_supported("llamaforcausallm"));
	ck_assert(!catalog_architecture_supported(""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("traits");
	TCase *tcase = tcase_create("traits");
	tcase_add_test(tcase, every_row_follows_from_name_and_architecture);
	tcase_add_loop_test(tcase, models_outside_the_catalogue, 0, sizeof NEW / sizeof NEW[0]);
	tcase_add_test(tcase, architectures_of_the_catalogue_are_served);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
