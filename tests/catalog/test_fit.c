/* test_fit.c: the parts of a GPU's memory add up; the smallest machines are the smallest. */
#include "check_main.h"

#include "catalog/fit.h"
#include <string.h>

static struct err err;

START_TEST(parts_add_up_and_nothing_is_overdrawn)
{
	for (size_t i = 0; i < CATALOG_MODEL_COUNT; i++)
		for (size_t k = 0; k < SKU_COUNT; k++) {
			const struct gpu_config gpu = sku_gpu_config(&SKUS[k]);
			struct fit f = {0};
			if (gpu.gpus == 0 || fit_gpu(&CATALOG_MODELS[i], &gpu, 4096, &f, &err) < 0)
				continue;
			const char *id = CATALOG_MODELS[i].id, *sku = SKUS[k].name;
			ck_assert_msg(f.spare_gib >= 0, "%s on %s: %f", id, sku, f.spare_gib);
			ck_assert_double_eq_tol(f.weights_gib + f.kv_gib + f.overhead_gib + f.spare_gib, f.usable_gib, 1e-9);
			ck_assert_msg(f.tokens >= 4095, "%s on %s: %lld tokens", id, sku, (long long)f.tokens);
		}
}
END_TEST

START_TEST(the_smallest_machines_come_first)
{
	struct fit_choice c[3] = {0};
	ck_assert_uint_eq(fit_smallest_gpu("azure", catalog_model_find("phi-4"), 0, c, 3), 3);
	ck_assert_str_eq(c[0].sku->name, "Standard_NV72ads_A10_v5");
	ck_assert_str_eq(c[1].sku->name, "Standard_NC24ads_A100_v4");
	for (size_t i = 0; i < 3; i++)
		ck_assert(c[i].nodes == 1 && !c[i].sku->legacy && c[i].sku->compute_capability >= 80);
	ck_assert_uint_eq(fit_smallest_gpu("azure", catalog_model_find("llama-3.3-70b-instruct"), 0, c, 1), 1);
	ck_assert_str_eq(c[0].sku->name, "Standard_NC80adis_H100_v5");
	ck_assert_uint_eq(fit_smallest_gpu("moon", catalog_model_find("phi-4"), 0, c, 3), 0);
}
END_TEST

START_TEST(cpu_machines_keep_room_for_the_system)
{
	struct fit_choice c[2] = {0};
	ck_assert_uint_eq(fit_smallest_cpu("azure", 7.5, c, 2), 2);
	ck_assert(c[0].sku->memory_gib <= 8 && c[0].sku->gpus == 0);
	ck_assert_uint_eq(fit_smallest_cpu("azure", 7.9, c, 2), 2);
	ck_assert(c[0].sku->memory_gib > 8);
	ck_assert_uint_eq(fit_smallest_cpu("azure", 1e6, c, 2), 0);
	ck_assert(!fit_machine(sku_find("azure", "Standard_D2s_v3"), 8));
}
END_TEST

START_TEST(both_spellings_are_one_instance_type)
{
	const struct sku *s = sku_find("azure", "Standard_ND96asr_A100_v4");
	ck_assert_ptr_nonnull(s);
	ck_assert_ptr_eq(s, sku_find("azure", "standard_nd96asr_v4"));
	ck_assert_str_eq(sku_cloud_name(s->name), "Standard_ND96asr_v4");
	ck_assert(sku_same(s->name, "Standard_nd96asr_v4") && !sku_same(s->name, "Standard_ND96amsr_A100_v4"));
	ck_assert_str_eq(sku_cloud_name("Standard_NC6s_v3"), "Standard_NC6s_v3");
}
END_TEST

START_TEST(only_new_nvidia_gpus_are_served)
{
	ck_assert(fit_gpu_supported(sku_find("azure", "Standard_NC24ads_A100_v4")));
	ck_assert(!fit_gpu_supported(sku_find("azure", "Standard_NC6s_v3")));
	ck_assert(!fit_gpu_supported(sku_find("azure", "Standard_NG32ads_V620_v1")));
	ck_assert(!fit_gpu_supported(sku_find("azure", "Standard_D8s_v3")));
}
END_TEST

int main(void)
{
	CHECK_RUN("fit", 10, parts_add_up_and_nothing_is_overdrawn, the_smallest_machines_come_first, cpu_machines_keep_room_for_the_system,
		  both_spellings_are_one_instance_type, only_new_nvidia_gpus_are_served);
}
