/* The few words of the Check library that the tensor tests use, for targets that have no Check (run_neon.sh): tests run at
 * once, in this process, and the first failure ends it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	int unused;
} Suite;
typedef struct {
	void (*setup)(void), (*teardown)(void);
} TCase;
typedef struct {
	int unused;
} SRunner;
enum { CK_ENV };

static Suite plain_suite;
static TCase plain_case;
static SRunner plain_runner;

#define START_TEST(name) static void name(int _i __attribute__((unused)))
#define END_TEST
#define ck_abort_msg(...) (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())
#define ck_assert_msg(condition, ...) ((condition) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define ck_assert(condition) ck_assert_msg(condition, "not so: %s", #condition)
#define ck_assert_int_eq(a, b) ck_assert((a) == (b))
#define ck_assert_int_lt(a, b) ck_assert((a) < (b))
#define ck_assert_int_ge(a, b) ck_assert((a) >= (b))
#define ck_assert_uint_eq(a, b) ck_assert((uintmax_t)(a) == (uintmax_t)(b))
#define ck_assert_uint_gt(a, b) ck_assert((uintmax_t)(a) > (uintmax_t)(b))
#define ck_assert_uint_le(a, b) ck_assert((uintmax_t)(a) <= (uintmax_t)(b))
#define ck_assert_float_le(a, b) ck_assert((a) <= (b))
#define ck_assert_ptr_nonnull(p) ck_assert((p) != NULL)
#define ck_assert_ptr_null(p) ck_assert((p) == NULL)
#define ck_assert_mem_eq(a, b, n) ck_assert(memcmp(a, b, n) == 0)

static inline void plain_run(const char *name, void (*test)(int), int from, int to)
{
	for (int i = from; i < to; i++) {
		if (plain_case.setup)
			plain_case.setup();
		test(i);
		if (plain_case.teardown)
			plain_case.teardown();
	}
	printf("ok %s\n", name);
}

static inline void plain_fixture(void (*setup)(void), void (*teardown)(void)) { plain_case = (TCase){setup, teardown}; }

#define suite_create(name) (printf("%s\n", name), &plain_suite)
#define tcase_create(name) (&plain_case)
#define tcase_set_timeout(c, seconds) ((void)(c))
#define tcase_add_checked_fixture(c, setup, teardown) ((void)(c), plain_fixture(setup, teardown))
#define tcase_add_unchecked_fixture(c, setup, teardown) ((void)(c), plain_fixture(setup, teardown))
#define tcase_add_test(c, test) ((void)(c), plain_run(#test, test, 0, 1))
#define tcase_add_loop_test(c, test, from, to) ((void)(c), plain_run(#test, test, from, to))
#define suite_add_tcase(s, c) ((void)(s), (void)(c))
#define srunner_create(s) ((void)(s), &plain_runner)
#define srunner_run_all(r, mode) ((void)(r))
#define srunner_ntests_failed(r) ((void)(r), 0)
#define srunner_free(r) ((void)(r))
