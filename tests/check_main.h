/* check_main.h: what every Check program repeats: paths, running the suite, skipping with a reason. */
#pragma once
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Absolute path below the source root; static buffer per call site order (4 kept). */
static inline const char *source_path(const char *relative)
{
	static char paths[4][1024];
	static int next;
	const char *root = getenv("KAITO_SOURCE_ROOT");
	char *out = paths[next++ & 3];
	snprintf(out, sizeof paths[0], "%s/%s", root ? root : ".", relative);
	return out;
}

/* Runs one suite made of the given test functions; returns the process exit code. */
static inline int check_run(const char *name, const TTest *const *tests, size_t n, double timeout_s)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, timeout_s);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

#define CHECK_RUN(name, timeout_s, ...) \
	do { \
		const TTest *const check_tests_[] = {__VA_ARGS__}; \
		return check_run(name, check_tests_, sizeof check_tests_ / sizeof check_tests_[0], timeout_s); \
	} while (0)
#define CHECK_SKIPPED 77
