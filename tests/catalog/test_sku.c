/* test_sku.c: instance types and MIG profiles. */
#include "check_main.h"

#include "catalog/sku.h"
#include <stdbool.h>
#include <string.h>

static size_t count(const char *cloud, bool legacy, bool cpu)
{
	size_t n = 0;
	for (size_t i = 0; i < SKU_COUNT; i++)
		n += strcmp(SKUS[i].cloud, cloud) == 0 && SKUS[i].legacy == legacy && (SKUS[i].gpus == 0) == cpu;
	return n;
}

START_TEST(upstreams_fifty_seven_are_there)
{
	ck_assert_uint_eq(count("azure", false, false), 14);
	ck_assert_uint_eq(count("aws", false, false), 35);
	ck_assert_uint_eq(count("arc", false, false), 8);
	ck_assert_uint_eq(MIG_PROFILE_COUNT, 35);
}
END_TEST

START_TEST(rows_are_complete_and_unique)
{
	for (size_t i = 0; i < SKU_COUNT; i++) {
		const struct sku *s = &SKUS[i];
		ck_assert_msg(sku_find(s->cloud, s->name) == s, "%s twice", s->name);
		ck_assert_msg(s->cpus > 0, "%s: CPUs", s->name);
		ck_assert_msg(s->gpus ? s->gpu_gib >= 8.0 * s->gpus : s->gpu_gib <= 0, "%s: GPU memory", s->name);
		ck_assert_msg(s->gpus || s->memory_gib >= 4, "%s: memory", s->name);
		bool nvidia = strncmp(s->gpu_model, "NVIDIA", 6) == 0;
		ck_assert_msg(nvidia == (s->compute_capability > 0), "%s: compute capability", s->name);
		ck_assert_msg(!nvidia || s->legacy == (s->compute_capability < 80), "%s: legacy", s->name);
	}
}
END_TEST

START_TEST(names_are_found_in_any_case_within_a_cloud)
{
	const struct sku *s = sku_find("azure", "standard_nc6S_v3");
	ck_assert(s && s->legacy && s->gpus == 1 && s->compute_capability == 70 && s->cpus == 6);
	ck_assert_str_eq(s->gpu_model, "NVIDIA V100");
	ck_assert_ptr_null(sku_find("aws", "Standard_NC6s_v3"));
	ck_assert_ptr_eq(sku_find(NULL, "Standard_NC6s_v3"), s);
	ck_assert_ptr_null(sku_find("azure", "Standard_Bogus_v9"));
	ck_assert_str_eq(sku_nearest("azure", "Standard_NC24ads_A100"), "Standard_NC24ads_A100_v4");
	ck_assert_ptr_null(sku_nearest("azure", "x"));
	s = sku_find("azure", "Standard_D8s_v3");
	ck_assert(s && s->gpus == 0 && s->cpus == 8 && !sku_gpu_config(s).gpus);
}
END_TEST

START_TEST(a_node_offers_what_its_row_says)
{
	struct gpu_config g = sku_gpu_config(sku_find("azure", "Standard_NC96ads_A100_v4"));
	ck_assert(g.gpus == 4 && g.nvme && !g.mig && g.compute_capability == 80);
	ck_assert_double_eq(g.gib, 320);
	g = mig_profile_gpu_config(mig_profile_find("3g.71gb"));
	ck_assert(g.gpus == 1 && g.mig);
	ck_assert_double_eq(g.gib, 71);
	ck_assert_ptr_null(mig_profile_find("1G.10GB"));
	ck_assert_ptr_null(mig_profile_find("9g.10gb"));
}
END_TEST

int main(void)
{
	CHECK_RUN("sku", 10, upstreams_fifty_seven_are_there, rows_are_complete_and_unique, names_are_found_in_any_case_within_a_cloud, a_node_offers_what_its_row_says);
}
