/* test_model.c: the catalogue's rows agree with each other and with upstream's rules; names are found as upstream finds them. */
#include "check_main.h"

#include "base/str.h"
#include "catalog/model.h"
#include <math.h>
#include <strings.h>

enum { UPSTREAM = 60 };

START_TEST(sixty_models_twenty_five_aliases_thirty_one_images)
{
	size_t aliases = 0, tunable = 0, transformers = 0, cpu = 0;
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		cpu += m->cpu;
		if (i >= UPSTREAM)
			continue;
		aliases += m->alias != NULL;
		tunable += m->tunable;
		transformers += m->transformers;
	}
	ck_assert_uint_eq(CATALOG_MODEL_COUNT, UPSTREAM + 8);
	ck_assert_uint_eq(aliases, 25);
	ck_assert_uint_eq(tunable, 10);
	ck_assert_uint_eq(transformers, 20);
	ck_assert_uint_eq(cpu, 12);
	ck_assert_uint_eq(CATALOG_IMAGE_COUNT, 31);
}
END_TEST

static const char *attention(const struct catalog_model *m)
{
	if (m->kv_lora_rank)
		return "MLA";
	return m->kv_heads == 1 ? "MQA" : m->kv_heads == m->heads ? "MHA" : "GQA";
}

START_TEST(derived_columns_follow_from_the_others)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		int elements = m->kv_lora_rank ? m->kv_lora_rank + m->qk_rope_dim : 2 * m->kv_heads * m->head_dim;
		double minutes = ceil(15 + 18.0 / 60 * m->weights_gib);
		ck_assert_msg(m->kv_bytes_per_token == (int64_t)m->layers * elements * 2, "%s: bytes per token", m->id);
		ck_assert_msg(m->disk_gib == (int)(m->weights_gib + 80), "%s: disk", m->id);
		ck_assert_msg(strcmp(m->attention, attention(m)) == 0, "%s: attention", m->id);
		ck_assert_msg(fabs(m->startup_minutes - fmin(fmax(minutes, 30), 180)) <= 1, "%s: startup %d, %f", m->id, m->startup_minutes, minutes);
		ck_assert_msg((strcmp(m->dtype, "bfloat16") == 0) == !m->quantization[0], "%s: dtype", m->id);
	}
}
END_TEST

START_TEST(no_text_is_missing_and_no_name_is_twice)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++) {
		const struct catalog_model *m = &CATALOG_MODELS[i];
		const char *texts[] = {m->id, m->license, m->architecture, m->attention, m->quantization, m->dtype, m->load_format, m->config_format, m->tokenizer_mode,
				       m->tool_parser, m->reasoning_parser, m->chat_template, m->extra_args, m->pipeline, m->base_model, m->revision, m->tuning_image};
		for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
			ck_assert_msg(texts[k] != NULL, "%s: text %zu", m->id, k);
		ck_assert(catalog_model_is_hub_name(m->id));
		ck_assert_ptr_eq(catalog_model_find(m->id), m);
		ck_assert_ptr_eq(m->alias ? catalog_model_find(m->alias) : m, m);
	}
}
END_TEST

START_TEST(names_are_found_in_any_case_and_only_whole)
{
	ck_assert_str_eq(catalog_model_find("Phi-4-MINI-instruct")->id, "microsoft/Phi-4-mini-instruct");
	ck_assert_str_eq(catalog_model_find("QWEN/qwen3.5-2b")->id, "Qwen/Qwen3.5-2B");
	ck_assert_str_eq(catalog_model_find("gemma-3-4b-instruct")->id, "google/gemma-3-4b-it");
	static const char *const UNKNOWN[] = {"falcon-7b", "falcon-7b-instruct", "falcon-40b", "llama-2-7b", "phi-2", "", "qwen3.5-2b", "phi-4-", "mistral-7b-v0.3"};
	for (size_t i = 0; i < sizeof UNKNOWN / sizeof UNKNOWN[0]; i++)
		ck_assert_msg(catalog_model_find(UNKNOWN[i]) == NULL, "%s", UNKNOWN[i]);
	ck_assert(catalog_model_deprecated("PHI-2"));
	ck_assert(!catalog_model_deprecated("falcon-7b"));
	ck_assert_str_eq(catalog_model_nearest("phi-4-mini-instuct"), "phi-4-mini-instruct");
	ck_assert_ptr_null(catalog_model_nearest("something entirely different"));
}
END_TEST

START_TEST(hub_names_have_two_halves)
{
	ck_assert(catalog_model_is_hub_name("a/b"));
	ck_assert(catalog_model_is_hub_name("org/name.with-marks_1"));
	ck_assert(!catalog_model_is_hub_name("a/"));
	ck_assert(!catalog_model_is_hub_name("/b"));
	ck_assert(!catalog_model_is_hub_name("ab"));
	ck_assert(!catalog_model_is_hub_name(""));
}
END_TEST

/* As recorded: --model=microsoft/phi-4-mini-instruct --served-model-name=phi-4-mini-instruct for alias and id alike. */
START_TEST(names_in_commands_are_lower_case)
{
	char id[128], name[128], cut[6];
	const struct catalog_model *m = catalog_model_find("phi-4-mini-instruct");
	catalog_model_hub_id(m, id, sizeof id);
	catalog_model_short_name(m, name, sizeof name);
	catalog_model_short_name(m, cut, sizeof cut);
	ck_assert_str_eq(id, "microsoft/phi-4-mini-instruct");
	ck_assert_str_eq(name, "phi-4-mini-instruct");
	ck_assert_str_eq(cut, "phi-4");
}
END_TEST

START_TEST(tuning_columns)
{
	const struct catalog_model *m = catalog_model_find("mistral-7b");
	ck_assert(m->tunable);
	ck_assert_str_eq(m->tuning_image, "kaito-mistral-7b:0.2.0");
	ck_assert_int_eq(m->tuning_disk_gib, 90);
	ck_assert_double_eq(m->tuning_gib, 16);
	ck_assert(!catalog_model_find("llama-3.3-70b-instruct")->tunable);
	for (size_t i = 0; i < UPSTREAM; i++) {
		const struct catalog_model *row = &CATALOG_MODELS[i];
		char want[160];
		bool listed = !row->tunable;
		for (size_t k = 0; k < CATALOG_IMAGE_COUNT && row->tunable; k++) {
			snprintf(want, sizeof want, "kaito-%s:%s", CATALOG_IMAGES[k].name, CATALOG_IMAGES[k].tag);
			listed |= strcmp(want, row->tuning_image) == 0;
		}
		ck_assert_msg(listed, "%s: %s is not among the images", row->id, row->tuning_image);
	}
}
END_TEST

START_TEST(cpu_models_are_small_and_the_quick_starts_is_one)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++)
		ck_assert_msg(!CATALOG_MODELS[i].cpu || CATALOG_MODELS[i].weights_gib < 8, "%s", CATALOG_MODELS[i].id);
	const struct catalog_model *m = catalog_model_find("phi-3-mini-128k-instruct");
	ck_assert(m->cpu && m->tunable);
	ck_assert(catalog_model_find("llama-3.1-8b-instruct")->gated);
	ck_assert(catalog_model_find("gemma-3-1b-it")->gated);
	ck_assert(!m->gated);
}
END_TEST

int main(void)
{
	CHECK_RUN("model", 10, sixty_models_twenty_five_aliases_thirty_one_images, derived_columns_follow_from_the_others, no_text_is_missing_and_no_name_is_twice,
		  names_are_found_in_any_case_and_only_whole, hub_names_have_two_halves, names_in_commands_are_lower_case, tuning_columns,
		  cpu_models_are_small_and_the_quick_starts_is_one);
}
