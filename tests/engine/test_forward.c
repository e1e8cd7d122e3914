/* test_forward.c: the forward pass against transformers: the eight tiny models, every recorded prompt (some longer than the
 * sliding window or the original context), whole and in pieces, on one and on several threads. */
#include "golden.h"

#include <math.h>

static const char *const MODELS[] = {"llama-gqa", "llama3-rope", "mistral-swa", "phi3-4k", "phi3-longrope", "phi4mini-partial", "qwen2-bias", "qwen3-qknorm"};
enum { MODEL_COUNT = sizeof MODELS / sizeof MODELS[0], ROWS_MAX = 256 };

static int32_t all_rows[ROWS_MAX];

/* Feeds ids from position `first` in batches of `step` rows; logits of the last row are at sample 0 afterwards. */
static void feed(struct golden_rig *r, const int32_t *ids, int32_t first, int32_t n, int32_t step, bool long_rope)
{
	for (int32_t at = first; at < n; at += step) {
		int32_t rows = n - at < step ? n - at : step;
		struct segment s = {.slot = 1, .rows = rows, .first = at, .adapter = -1, .long_rope = long_rope};
		struct batch b = {.rows = rows, .n_segments = 1, .ids = ids + at, .segments = &s};
		struct forward_job job = {.batch = &b, .sample_rows = &all_rows[rows - 1], .n_samples = 1};
		forward_run(r->forward, &job);
	}
}

static void check_logits(const struct golden_rig *r, const json_t *want, const char *what)
{
	const float *got = forward_logits(r->forward, 0);
	for (size_t i = 0; i < json_array_size(want); i++) {
		double w = json_number_value(json_array_get(want, i));
		ck_assert_msg(fabs(got[i] - w) < 1e-3, "%s: logit %zu is %.6f, the reference has %.6f", what, i, (double)got[i], w);
	}
}

static double log_softmax(const float *logits, int32_t n, int32_t pick)
{
	double top = -INFINITY, sum = 0;
	for (int32_t i = 0; i < n; i++)
		top = fmax(top, logits[i]);
	for (int32_t i = 0; i < n; i++)
		sum += exp(logits[i] - top);
	return logits[pick] - top - log(sum);
}

static void check_nll(struct golden_rig *r, const struct golden_ids *g, double want, const char *what)
{
	double sum = 0;
	for (int32_t at = 0; at + 1 < g->n; at += 16) {
		int32_t n = g->n - 1 - at < 16 ? g->n - 1 - at : 16;
		forward_more_logits(r->forward, all_rows + at, n);
		for (int32_t i = 0; i < n; i++)
			sum -= log_softmax(forward_logits(r->forward, i), r->model->config.vocab, g->ids[at + i + 1]);
	}
	ck_assert_msg(fabs(sum / (g->n - 1) - want) < 1e-3, "%s: mean nll %.6f, the reference has %.6f", what, sum / (g->n - 1), want);
}

static int32_t argmax(const float *x, int32_t n)
{
	int32_t best = 0;
	for (int32_t i = 1; i < n; i++)
		best = x[i] > x[best] ? i : best;
	return best;
}

/* Steps whose margin is smaller than the tolerance may go either way; the comparison ends there. */
static void check_greedy(struct golden_rig *r, struct golden_ids *g, const json_t *want, const json_t *margins, const char *what)
{
	const struct model_config *c = &r->model->config;
	for (size_t i = 0; i < json_array_size(want); i++) {
		if (json_number_value(json_array_get(margins, i)) < 2e-3)
			return;
		int32_t id = argmax(forward_logits(r->forward, 0), c->vocab);
		ck_assert_msg(id == json_integer_value(json_array_get(want, i)), "%s: greedy token %zu is %d", what, i, id);
		bool was_long = model_rope_is_long(c, g->n);
		g->ids[g->n++] = id;
		bool is_long = model_rope_is_long(c, g->n);
		feed(r, g->ids, is_long == was_long ? g->n - 1 : 0, g->n, ROWS_MAX, is_long);
	}
}

static void check_case(struct golden_rig *r, const json_t *c, const char *what)
{
	struct golden_ids g = golden_ids(json_object_get(c, "ids"));
	bool is_long = model_rope_is_long(&r->model->config, g.n);
	for (int step = g.n < 40 ? 1 : 7; step <= 9; step += 2) { /* on both sides of the switch between few and many rows */
		feed(r, g.ids, 0, g.n, step, is_long);
		check_logits(r, json_object_get(c, "last_logits"), what);
	}
	feed(r, g.ids, 0, g.n, ROWS_MAX, is_long);
	check_logits(r, json_object_get(c, "last_logits"), what);
	check_nll(r, &g, json_number_value(json_object_get(c, "mean_nll")), what);
	feed(r, g.ids, 0, g.n, ROWS_MAX, is_long);
	check_greedy(r, &g, json_object_get(c, "greedy"), json_object_get(c, "greedy_margin"), what);
	free(g.ids);
}

START_TEST(tiny_model_gives_the_reference_logits_nll_and_greedy_text)
{
	char rest[64], what[96];
	snprintf(rest, sizeof rest, "tests/golden/tiny/%s", MODELS[_i]);
	char *path CLEANUP(mem_freep) = mem_strdup(source_path(rest));
	snprintf(rest, sizeof rest, "tiny/%s/golden.json", MODELS[_i]);
	json_t *golden = golden_json(rest), *c;
	struct golden_rig r;
	size_t i;
	int threads = 1 + _i % 2;
	golden_rig_open(&r, path, COMPUTE_F32, threads, 2, ROWS_MAX, ROWS_MAX);
	json_array_foreach(json_object_get(golden, "cases"), i, c)
	{
		snprintf(what, sizeof what, "%s case %zu, %d threads", MODELS[_i], i, threads);
		check_case(&r, c, what);
	}
	golden_rig_close(&r);
	json_decref(golden);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("golden");
	Suite *s = suite_create("forward");
	for (int32_t i = 0; i < ROWS_MAX; i++)
		all_rows[i] = i;
	tcase_set_timeout(t, 100);
	tcase_add_loop_test(t, tiny_model_gives_the_reference_logits_nll_and_greedy_text, 0, MODEL_COUNT);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
