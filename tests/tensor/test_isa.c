/* The choice of an instruction set. Each test is its own process, so each sees the first question. */
#include "tensor/isa.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(the_environment_lowers_the_set)
{
	setenv("KAITO_ISA", "ref", 1);
	ck_assert_str_eq(isa_kernels()->name, "ref");
	ck_assert_ptr_null(isa_kernels()->bf16[0]);
}
END_TEST

START_TEST(an_unknown_name_means_the_best)
{
	setenv("KAITO_ISA", "avx9000", 1);
	const char *name = isa_kernels()->name;
	ck_assert(!isa_force("avx9000"));
	ck_assert_str_eq(isa_kernels()->name, name);
	unsetenv("KAITO_ISA");
}
END_TEST

START_TEST(every_set_is_complete)
{
	static const char *const SETS[] = {"ref", "avx2", "avx512-vnni", "avx512", "neon", "neon-plain"};
	for (size_t s = 0; s < sizeof SETS / sizeof *SETS; s++) {
		if (!isa_force(SETS[s]))
			continue;
		const struct kernels *k = isa_kernels();
		ck_assert_int_ge(k->columns, 1);
		ck_assert_int_le(k->columns, COLUMNS_MAX);
		for (int c = 0; c < k->columns; c++) {
			ck_assert(k->f32[c] != NULL && (k->bf16[c] != NULL) == (k->bf16[0] != NULL));
			for (int form = 0; form < FORM_INT8_COUNT; form++)
				ck_assert(k->int8[form][c] != NULL);
		}
		for (int type = 0; type < DT_COUNT; type++)
			ck_assert((k->to_f32[type] != NULL) == (dtype_traits((enum dtype)type)->to_f32 != NULL));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tensor/isa");
	TCase *all = tcase_create("isa");
	tcase_add_test(all, the_environment_lowers_the_set);
	tcase_add_test(all, an_unknown_name_means_the_best);
	tcase_add_test(all, every_set_is_complete);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
