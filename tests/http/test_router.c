/* test_router.c: matching, parameters, 405's Allow and the near miss. */
#include "http/router.h"

#include <check.h>
#include <stdlib.h>

static int handler(struct http_exchange *x, struct err *err)
{
	(void)x, (void)err;
	return 0;
}

static const struct http_route ROUTES[] = {
	{"GET", "/", handler, 0, NULL},
	{"POST", "/chat", handler, 0, NULL},
	{"GET", "/v1/models", handler, 0, NULL},
	{"GET", "/v1/models/{model...}", handler, 0, NULL},
	{"GET", "/items/{id}", handler, 0, NULL},
	{"DELETE", "/items/{id}", handler, 0, NULL},
};
enum { N = sizeof ROUTES / sizeof ROUTES[0] };

static const struct http_route *find(const char *method, const char *path, struct router_match *m, char allow[64], struct err *err)
{
	return router_find(ROUTES, N, str_of(method), str_of(path), m, allow, err) < 0 ? NULL : m->route;
}

START_TEST(router_matches_literals_parameters_and_rests)
{
	static const struct { const char *method, *path; int row; const char *param; } CASES[] = {
		{"GET", "/", 0, NULL}, {"POST", "/chat", 1, NULL}, {"GET", "/v1/models", 2, NULL}, {"HEAD", "/v1/models", 2, NULL},
		{"GET", "/v1/models/org/name", 3, "org/name"}, {"GET", "/items/7", 4, "7"}, {"DELETE", "/items/a b", 5, "a b"},
	};
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct router_match m;
		char allow[64];
		struct err err = ERR_INIT;
		ck_assert_ptr_eq(find(CASES[i].method, CASES[i].path, &m, allow, &err), &ROUTES[CASES[i].row]);
		ck_assert_uint_eq(m.n_params, CASES[i].param ? 1 : 0);
		if (CASES[i].param)
			ck_assert(str_eqz(m.params[0].value, CASES[i].param));
	}
}
END_TEST

START_TEST(router_refuses_other_paths)
{
	static const char *const PATHS[] = {"/chat/", "/chat/x", "/items", "/items/", "/items/1/2", "", "//", "/v1"};
	for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
		struct router_match m;
		char allow[64];
		struct err err = ERR_INIT;
		ck_assert_ptr_null(find("GET", PATHS[i], &m, allow, &err));
		ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	}
}
END_TEST

START_TEST(router_names_the_nearest_route_and_the_allowed_methods)
{
	struct router_match m;
	char allow[64];
	struct err err = ERR_INIT;
	ck_assert_ptr_null(find("POST", "/v1/model", &m, allow, &err));
	ck_assert_ptr_nonnull(strstr(err.message, "/v1/models"));
	ck_assert_str_eq(allow, "");
	ck_assert_ptr_null(find("PUT", "/items/1", &m, allow, &err));
	ck_assert_str_eq(allow, "GET, DELETE");
	ck_assert_int_eq(err.kind, ERR_USAGE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("router");
	TCase *t = tcase_create("all");
	tcase_add_test(t, router_matches_literals_parameters_and_rests);
	tcase_add_test(t, router_refuses_other_paths);
	tcase_add_test(t, router_names_the_nearest_route_and_the_allowed_methods);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
