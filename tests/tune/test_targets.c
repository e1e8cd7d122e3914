/* target_modules: lists, endings, patterns, all-linear, the environment, defaults, and layers chosen one by one. */
#include "tune/targets.h"

#include "base/fd.h"
#include "contract/paths.h"
#include <check.h>

static struct err err;
static struct training_config config;
static struct targets targets;

static struct model *open_tiny(const char *name)
{
	struct model *m = NULL;
	char *path = mem_printf("%s/tests/golden/tiny/%s", getenv("KAITO_SOURCE_ROOT"), name);
	ck_assert_msg(model_open(&m, path, &err) == 0, "%s", err.message);
	free(path);
	return m;
}

static int choose(const char *model, const char *lora)
{
	struct model *m = open_tiny(model);
	char *text = mem_printf("training_config: {LoraConfig: {%s}}", lora);
	err = ERR_INIT;
	ck_assert_msg(training_config_parse(&config, str_of(text), "t", NULL, &err) == 0, "%s", err.message);
	int rc = targets_choose(&targets, m, &config.lora, &err);
	free(text);
	model_close(m);
	return rc;
}

static void gives(const char *model, const char *lora, uint32_t slots, bool uniform)
{
	ck_assert_msg(choose(model, lora) == 0, "%s: %s", lora, err.message);
	ck_assert_msg(targets.slots == slots, "%s: %x", lora, targets.slots);
	ck_assert_int_eq(targets.uniform, uniform);
	targets_done(&targets);
	training_config_done(&config);
}

#define BIT(slot) (1u << (slot))
static const uint32_t ALL_LLAMA = BIT(LIN_Q) | BIT(LIN_K) | BIT(LIN_V) | BIT(LIN_O) | BIT(LIN_GATE) | BIT(LIN_UP) | BIT(LIN_DOWN);

START_TEST(names_choose_by_dotted_ending)
{
	gives("llama-gqa", "target_modules: [q_proj, mlp.down_proj]", BIT(LIN_Q) | BIT(LIN_DOWN), true);
	gives("llama-gqa", "target_modules: o_proj", BIT(LIN_O), true);
	gives("llama-gqa", "target_modules: [q_proj, no_such]", BIT(LIN_Q), true);
	gives("phi3-4k", "target_modules: [q_proj, k_proj, v_proj, o_proj, gate_proj, down_proj]", BIT(LIN_O) | BIT(LIN_DOWN), true);
}
END_TEST

START_TEST(all_linear_and_patterns_choose)
{
	gives("llama-gqa", "target_modules: all-linear", ALL_LLAMA, true);
	gives("phi3-4k", "target_modules: all-linear", BIT(LIN_QKV) | BIT(LIN_O) | BIT(LIN_GATE_UP) | BIT(LIN_DOWN), true);
	gives("llama-gqa", "target_modules: '.*self_attn\\.(q|v)_proj'", BIT(LIN_Q) | BIT(LIN_V), true);
	gives("llama-gqa", "target_modules: 'model\\.layers\\.0\\..*q_proj'", BIT(LIN_Q), false);
}
END_TEST

START_TEST(defaults_are_peft_s_and_the_environment_comes_first)
{
	gives("llama-gqa", "r: 8", BIT(LIN_Q) | BIT(LIN_V), true);
	gives("phi3-4k", "r: 8", BIT(LIN_QKV), true);
	setenv(ENV_TARGET_MODULES, "k_proj,o_proj", 1);
	gives("llama-gqa", "r: 8", BIT(LIN_K) | BIT(LIN_O), true);
	gives("llama-gqa", "target_modules: [q_proj]", BIT(LIN_Q), true);
	unsetenv(ENV_TARGET_MODULES);
}
END_TEST

START_TEST(layers_ranks_and_alphas_can_differ)
{
	ck_assert_int_eq(choose("llama-gqa", "r: 4, target_modules: [q_proj, v_proj], layers_to_transform: [0, 2], rank_pattern: {v_proj: 2}, alpha_pattern: {layers.2.self_attn.q_proj: 32}"), 0);
	ck_assert(!targets.uniform);
	ck_assert_int_eq(targets.ranks[LIN_Q], 4);
	ck_assert_int_eq(targets.ranks[LIN_V], 2);
	ck_assert_int_eq(targets.ranks[LIN_COUNT + LIN_Q], 0);
	ck_assert(targets.alphas[LIN_Q] == 8 && targets.alphas[2 * LIN_COUNT + LIN_Q] == 32);
	ck_assert_uint_eq(targets.n_modules, 2);
	targets_done(&targets);
	training_config_done(&config);
}
END_TEST

static void refuse(const char *lora, const char *part)
{
	ck_assert_int_eq(choose("llama-gqa", lora), -1);
	ck_assert_int_eq(err.kind, ERR_CONFIG);
	ck_assert_msg(strstr(err.message, part), "%s", err.message);
	training_config_done(&config);
}

START_TEST(what_matches_nothing_is_an_error_that_lists_the_modules)
{
	refuse("target_modules: [query_key_value]", "no module of this model matches query_key_value; it has q_proj, k_proj, v_proj, o_proj");
	refuse("target_modules: '(('", "is not a regular expression");
	refuse("layers_to_transform: 99", "layers_to_transform: must be layer numbers from 0 to 2");
	refuse("rank_pattern: {q_proj: 0}", "rank_pattern.q_proj: must be a number from 1 to 1024");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tune/targets");
	TCase *tc = tcase_create("targets");
	tcase_add_test(tc, names_choose_by_dotted_ending);
	tcase_add_test(tc, all_linear_and_patterns_choose);
	tcase_add_test(tc, defaults_are_peft_s_and_the_environment_comes_first);
	tcase_add_test(tc, layers_ranks_and_alphas_can_differ);
	tcase_add_test(tc, what_matches_nothing_is_an_error_that_lists_the_modules);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
