/* test_sampler.c: each sampling rule against a plain computation over small distributions, then the whole. */
#include "base/mem.h"
#include "check_main.h"
#include "engine/sampler.h"

#include <math.h>

enum { V = 40 };
static float logits[V];
static struct sampler_scratch scratch;

static void fill(uint32_t seed)
{
	for (int i = 0; i < V; i++) {
		seed = seed * 1664525u + 1013904223u;
		logits[i] = (float)(seed >> 8) / 1e6f - 8.0f;
	}
}

static void probabilities(const float *x, const bool *kept, double *p)
{
	double sum = 0;
	for (int i = 0; i < V; i++)
		sum += p[i] = kept == NULL || kept[i] ? exp(x[i]) : 0;
	for (int i = 0; i < V; i++)
		p[i] /= sum;
}

static int rank_of(const double *p, int i)
{
	int rank = 0;
	for (int j = 0; j < V; j++)
		rank += p[j] > p[i] || (p[j] == p[i] && j < i);
	return rank;
}

static void collect(void) { sampler_collect(logits, V, 1, &scratch.c); }

static void expect_kept(const bool *want, const char *what)
{
	bool got[V] = {false};
	for (int i = 0; i < scratch.c.n; i++)
		got[scratch.c.ids[i]] = true;
	for (int i = 0; i < V; i++)
		ck_assert_msg(got[i] == want[i], "%s: token %d is %s", what, i, got[i] ? "kept" : "dropped");
}

START_TEST(top_k_keeps_the_k_largest_and_ties)
{
	for (int k = 1; k < V; k++) {
		double p[V];
		bool want[V];
		fill((uint32_t)k);
		probabilities(logits, NULL, p);
		for (int i = 0; i < V; i++)
			want[i] = rank_of(p, i) < k;
		collect();
		sampler_top_k(&scratch.c, k);
		expect_kept(want, "top_k");
	}
	for (int i = 0; i < V; i++)
		logits[i] = i < 5 ? 1.0f : 0.0f;
	collect();
	sampler_top_k(&scratch.c, 3);
	ck_assert_int_eq(scratch.c.n, 5);
}
END_TEST

START_TEST(top_p_keeps_the_smallest_head_that_reaches_the_mass)
{
	for (int step = 1; step < 20; step++) {
		double p[V], before[V] = {0}, mass = step / 20.0;
		bool want[V];
		fill((uint32_t)step);
		probabilities(logits, NULL, p);
		for (int i = 0; i < V; i++)
			for (int j = 0; j < V; j++)
				before[i] += rank_of(p, j) < rank_of(p, i) ? p[j] : 0;
		for (int i = 0; i < V; i++)
			want[i] = before[i] < mass;
		collect();
		sampler_top_p(&scratch.c, (float)mass);
		expect_kept(want, "top_p");
	}
}
END_TEST

START_TEST(min_p_keeps_what_is_near_enough_to_the_best)
{
	for (int step = 1; step < 20; step++) {
		double p[V], best = 0, min_p = step / 20.0;
		bool want[V];
		fill((uint32_t)step + 77);
		probabilities(logits, NULL, p);
		for (int i = 0; i < V; i++)
			best = fmax(best, p[i]);
		for (int i = 0; i < V; i++)
			want[i] = p[i] >= min_p * best;
		collect();
		sampler_min_p(&scratch.c, (float)min_p);
		expect_kept(want, "min_p");
	}
}
END_TEST

START_TEST(typical_p_keeps_the_tokens_nearest_to_the_entropy)
{
	for (int step = 1; step < 20; step++) {
		double p[V], entropy = 0, mass = step / 20.0;
		bool want[V];
		fill((uint32_t)step + 991);
		probabilities(logits, NULL, p);
		for (int i = 0; i < V; i++)
			entropy -= p[i] * log(p[i]);
		for (int i = 0; i < V; i++) {
			double nearer = 0;
			for (int j = 0; j < V; j++)
				nearer += fabs(-log(p[j]) - entropy) < fabs(-log(p[i]) - entropy) ? p[j] : 0;
			want[i] = nearer < mass;
		}
		collect();
		sampler_typical(&scratch.c, (float)mass);
		expect_kept(want, "typical_p");
	}
}
END_TEST

START_TEST(temperature_scales_and_masked_tokens_are_no_candidates)
{
	fill(5);
	logits[7] = -INFINITY;
	sampler_collect(logits, V, 0.5f, &scratch.c);
	ck_assert_int_eq(scratch.c.n, V - 1);
	for (int i = 0; i < scratch.c.n; i++)
		ck_assert_float_eq_tol(scratch.c.logits[i], logits[scratch.c.ids[i]] * 2, 1e-5f);
}
END_TEST

START_TEST(draw_follows_the_distribution)
{
	double p[V];
	int count[V] = {0};
	fill(3);
	probabilities(logits, NULL, p);
	for (int i = 0; i < 20000; i++) {
		collect();
		count[sampler_draw(&scratch.c, ((float)i + 0.5f) / 20000)]++;
	}
	for (int i = 0; i < V; i++)
		ck_assert_msg(fabs(count[i] / 20000.0 - p[i]) < 3e-4, "token %d drawn %d times, expected %.1f", i, count[i], p[i] * 20000);
}
END_TEST

static const int32_t prompt[] = {1, 2, 2, 39}, output[] = {3, 4, 3, 3, 2};
static struct sampler_input history(const struct sampling *s)
{
	return (struct sampler_input){.sampling = s, .prompt = prompt, .n_prompt = 4, .output = output, .n_output = 5};
}

START_TEST(repetition_penalty_counts_each_token_of_prompt_and_output_once)
{
	float was[V];
	struct sampler_input in = history(NULL);
	fill(9);
	memcpy(was, logits, sizeof was);
	sampler_repetition(logits, &in, 1.5f, &scratch);
	for (int i = 0; i < V; i++) {
		bool seen = i == 1 || i == 2 || i == 3 || i == 4 || i == 39;
		ck_assert_float_eq_tol(logits[i], !seen ? was[i] : was[i] > 0 ? was[i] / 1.5f : was[i] * 1.5f, 1e-5f);
	}
}
END_TEST

START_TEST(presence_and_frequency_count_the_output_only)
{
	float was[V];
	const int count[V] = {[2] = 1, [3] = 3, [4] = 1};
	struct sampler_input in = history(NULL);
	fill(11);
	memcpy(was, logits, sizeof was);
	sampler_presence_frequency(logits, &in, 0.5f, 0.25f, &scratch);
	for (int i = 0; i < V; i++)
		ck_assert_float_eq_tol(logits[i], was[i] - (count[i] ? 0.5f : 0) - 0.25f * (float)count[i], 1e-5f);
}
END_TEST

START_TEST(greedy_takes_the_largest_and_the_lowest_id_among_equals)
{
	for (uint32_t seed = 0; seed < 50; seed++) {
		int32_t best = 0;
		fill(seed);
		for (int i = 0; i < V; i++)
			best = logits[i] > logits[best] ? i : best;
		ck_assert_int_eq(sampler_greedy(logits, V), best);
	}
	for (int i = 0; i < V; i++)
		logits[i] = i == 20 || i == 33 ? 4.0f : 1.0f;
	ck_assert_int_eq(sampler_greedy(logits, V), 20);
}
END_TEST

START_TEST(bias_forces_and_forbids_and_ignores_foreign_ids)
{
	struct sampling s = sampling_default();
	const int32_t ids[] = {17, V + 5, -1};
	const float values[] = {100, 100, 100};
	s.temperature = 0;
	s.bias_ids = ids;
	s.bias_values = values;
	s.n_bias = 3;
	struct sampler_input in = {.sampling = &s};
	fill(2);
	ck_assert_int_eq(sampler_choose(logits, &in, &scratch), 17);
}
END_TEST

START_TEST(end_tokens_are_impossible_before_min_tokens)
{
	struct sampling s = sampling_default();
	const int32_t end[] = {6};
	s.temperature = 0;
	s.min_tokens = 6;
	struct sampler_input in = history(&s);
	in.end_ids = end;
	in.n_end_ids = 1;
	fill(2);
	logits[6] = 50;
	ck_assert_int_ne(sampler_choose(logits, &in, &scratch), 6);
	s.min_tokens = 5;
	fill(2);
	logits[6] = 50;
	ck_assert_int_eq(sampler_choose(logits, &in, &scratch), 6);
}
END_TEST

START_TEST(seed_and_index_alone_decide_the_draw)
{
	struct sampling s = sampling_default();
	struct sampler_input in = {.sampling = &s, .output = output};
	int32_t first[8];
	bool differs = false;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < 8; i++) {
			fill(1);
			for (int v = 0; v < V; v++)
				logits[v] *= 0.01f;
			s.seed = i;
			int32_t id = sampler_choose(logits, &in, &scratch);
			if (pass == 0)
				first[i] = id;
			ck_assert_int_eq(id, first[i]);
			differs = differs || id != first[0];
		}
	ck_assert(differs);
}
END_TEST

START_TEST(log_probabilities_and_the_best_list)
{
	double p[V];
	struct token_logprob top[5];
	fill(21);
	probabilities(logits, NULL, p);
	float norm = sampler_log_norm(logits, V);
	sampler_best(logits, V, norm, top, 5);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(rank_of(p, top[i].id), i);
		ck_assert_float_eq_tol(top[i].logprob, (float)log(p[top[i].id]), 1e-5f);
	}
}
END_TEST

int main(void)
{
	sampler_scratch_init(&scratch, V);
	CHECK_RUN("sampler", 20, top_k_keeps_the_k_largest_and_ties, top_p_keeps_the_smallest_head_that_reaches_the_mass,
		  min_p_keeps_what_is_near_enough_to_the_best, typical_p_keeps_the_tokens_nearest_to_the_entropy,
		  temperature_scales_and_masked_tokens_are_no_candidates, draw_follows_the_distribution,
		  repetition_penalty_counts_each_token_of_prompt_and_output_once, presence_and_frequency_count_the_output_only,
		  greedy_takes_the_largest_and_the_lowest_id_among_equals, bias_forces_and_forbids_and_ignores_foreign_ids,
		  end_tokens_are_impossible_before_min_tokens, seed_and_index_alone_decide_the_draw, log_probabilities_and_the_best_list);
}
