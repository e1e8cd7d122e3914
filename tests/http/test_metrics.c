/* test_metrics.c: the exposition text, escapes, histogram buckets and the ceiling on series. */
#include "http/metrics.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const double BOUNDS[] = {0.5, 1, 2.5};
enum { REQUESTS, RUNNING, SECONDS };
static const struct metric_row ROWS[] = {
	[REQUESTS] = {"app:requests_total", "Requests.\nAll \\ of them.", METRIC_COUNTER, NULL, 0},
	[RUNNING] = {"app:running", "Now.", METRIC_GAUGE, NULL, 0},
	[SECONDS] = {"app:seconds", "Time.", METRIC_HISTOGRAM, BOUNDS, 3},
};

START_TEST(metrics_render_as_prometheus_text)
{
	struct buf label = {0}, out = {0};
	metrics_label(&label, "model", "a\"b\\c\nd");
	struct metrics *m = metrics_new(ROWS, 3, label.data);
	metrics_add(m, REQUESTS, "reason=\"stop\"", 2);
	metrics_add(m, REQUESTS, "reason=\"length\"", 1);
	metrics_add(m, REQUESTS, "reason=\"stop\"", 1);
	metrics_set(m, RUNNING, NULL, 0.25);
	metrics_observe(m, SECONDS, NULL, 0.5);
	metrics_observe(m, SECONDS, NULL, 2);
	metrics_observe(m, SECONDS, NULL, 9);
	metrics_render(m, &out);
	ck_assert_str_eq(out.data,
		"# HELP app:requests_total Requests.\\nAll \\\\ of them.\n# TYPE app:requests_total counter\n"
		"app:requests_total{model=\"a\\\"b\\\\c\\nd\",reason=\"stop\"} 3.0\n"
		"app:requests_total{model=\"a\\\"b\\\\c\\nd\",reason=\"length\"} 1.0\n"
		"# HELP app:running Now.\n# TYPE app:running gauge\napp:running{model=\"a\\\"b\\\\c\\nd\"} 0.25\n"
		"# HELP app:seconds Time.\n# TYPE app:seconds histogram\n"
		"app:seconds_bucket{model=\"a\\\"b\\\\c\\nd\",le=\"0.5\"} 1\n"
		"app:seconds_bucket{model=\"a\\\"b\\\\c\\nd\",le=\"1.0\"} 1\n"
		"app:seconds_bucket{model=\"a\\\"b\\\\c\\nd\",le=\"2.5\"} 2\n"
		"app:seconds_bucket{model=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 3\n"
		"app:seconds_sum{model=\"a\\\"b\\\\c\\nd\"} 11.5\napp:seconds_count{model=\"a\\\"b\\\\c\\nd\"} 3\n");
	ck_assert_double_eq(metrics_value(m, REQUESTS, "reason=\"stop\""), 3);
	ck_assert_double_eq(metrics_value(m, SECONDS, NULL), 3);
	metrics_free(m);
	buf_done(&label);
	buf_done(&out);
}
END_TEST

START_TEST(metrics_fold_label_sets_past_the_ceiling)
{
	struct metrics *m = metrics_new(ROWS, 3, NULL);
	for (int i = 0; i < METRICS_SERIES_MAX + 40; i++) {
		char label[32];
		snprintf(label, sizeof label, "i=\"%d\"", i);
		metrics_add(m, REQUESTS, label, 1);
	}
	ck_assert_double_eq(metrics_value(m, REQUESTS, "i=\"255\""), 1);
	ck_assert_double_eq(metrics_value(m, REQUESTS, "i=\"256\""), 0);
	ck_assert_double_eq(metrics_value(m, REQUESTS, "overflow=\"true\""), 40);
	metrics_free(m);
}
END_TEST

START_TEST(metrics_forget_a_cleared_row)
{
	struct metrics *m = metrics_new(ROWS, 3, NULL);
	metrics_add(m, REQUESTS, "a=\"1\"", 5);
	metrics_clear(m, REQUESTS);
	struct buf out = {0};
	metrics_render(m, &out);
	ck_assert_uint_eq(out.len, 0);
	metrics_add(m, REQUESTS, "a=\"1\"", 1);
	ck_assert_double_eq(metrics_value(m, REQUESTS, "a=\"1\""), 1);
	buf_done(&out);
	metrics_free(m);
}
END_TEST

static void *add_many(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		metrics_add(arg, REQUESTS, NULL, 1);
		metrics_observe(arg, SECONDS, NULL, 1);
	}
	return NULL;
}

START_TEST(metrics_lose_no_update_between_threads)
{
	struct metrics *m = metrics_new(ROWS, 3, NULL);
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, add_many, m);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_double_eq(metrics_value(m, REQUESTS, NULL), 4000);
	ck_assert_double_eq(metrics_value(m, SECONDS, NULL), 4000);
	metrics_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("all");
	tcase_add_test(t, metrics_render_as_prometheus_text);
	tcase_add_test(t, metrics_fold_label_sets_past_the_ceiling);
	tcase_add_test(t, metrics_forget_a_cleared_row);
	tcase_add_test(t, metrics_lose_no_update_between_threads);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
