/* test_rows.c: the kernels of generation against plain computations, at every level this CPU has: attention over the cache and
 * LoRA rows, at sizes that are no multiples of anything and with rubbish where nothing has been stored. */
#include "base/mem.h"
#include "base/random.h"
#include "check_main.h"
#include "ops/kv_attention.h"
#include "ops/lora_rows.h"

#include <math.h>
#include <string.h>

static float noise(uint64_t i) { return random_normal(7, RANDOM_TEST, 0, i); }

struct shape { enum kv_type type; int32_t d, group, window; int64_t first, rows; };

struct cache { void *keys, *values; size_t key_bytes, value_bytes; };

/* Unstored places hold NaN in every format. */
static struct cache cache_new(const struct shape *s)
{
	int64_t tokens = s->first + s->rows + 70;
	struct cache c = {.key_bytes = kv_key_bytes(s->type, s->d, tokens), .value_bytes = kv_value_bytes(s->type, s->d, tokens)};
	c.keys = aligned_alloc(64, (c.key_bytes + 63) / 64 * 64);
	c.values = aligned_alloc(64, (c.value_bytes + 63) / 64 * 64);
	memset(c.keys, 0xff, c.key_bytes);
	memset(c.values, 0xff, c.value_bytes);
	return c;
}

static void cache_free(struct cache *c)
{
	free(c->keys);
	free(c->values);
}

static void run(const struct kv_kernels *k, const struct shape *s, const float *x, const float *q, struct cache *c, float *out)
{
	int64_t tokens = s->first + s->rows;
	float *scratch CLEANUP(mem_freep) = mem_array(kv_scratch_floats(s->d), sizeof *scratch);
	k->store_keys(s->type, s->d, c->keys, 0, tokens, x, s->d);
	k->store_values(s->type, s->d, c->values, 0, tokens, x + 3, s->d);
	struct kv_attention a = {.type = s->type, .d = s->d, .group = s->group, .window = s->window, .scale = 0.2f, .keys = c->keys, .values = c->values,
				 .first = s->first, .rows = s->rows, .q = q, .ldq = (int64_t)s->group * s->d, .out = out, .ldo = (int64_t)s->group * s->d, .scratch = scratch};
	k->attention(&a);
}

static void compare(const struct shape *s)
{
	int64_t n = (s->first + s->rows) * s->d + 3, m = s->rows * s->group * s->d;
	float *x = mem_array((size_t)n, sizeof *x), *q = mem_array((size_t)m, sizeof *q), *want = mem_array((size_t)m, sizeof *want), *got = mem_array((size_t)m, sizeof *got);
	for (int64_t i = 0; i < n; i++)
		x[i] = noise((uint64_t)i);
	for (int64_t i = 0; i < m; i++)
		q[i] = noise((uint64_t)i + 100000);
	struct cache c = cache_new(s), stored = cache_new(s);
	run(kv_kernels_level(KV_REFERENCE), s, x, q, &c, want);
	for (int level = KV_BASE; level < KV_LEVELS; level++) {
		const struct kv_kernels *k = kv_kernels_level((enum kv_level)level);
		if (k == NULL)
			continue;
		run(k, s, x, q, &stored, got);
		ck_assert_msg(memcmp(c.keys, stored.keys, c.key_bytes) == 0 && memcmp(c.values, stored.values, c.value_bytes) == 0, "%s: stored otherwise (d %d)", k->name, s->d);
		for (int64_t i = 0; i < m; i++)
			ck_assert_msg(fabsf(got[i] - want[i]) < 2e-5f, "%s: d %d group %d window %d first %lld rows %lld: %lld is %g, not %g", k->name, s->d, s->group, s->window,
				      (long long)s->first, (long long)s->rows, (long long)i, (double)got[i], (double)want[i]);
	}
	cache_free(&c);
	cache_free(&stored);
	free(x), free(q), free(want), free(got);
}

START_TEST(attention_matches_the_plain_version)
{
	static const int32_t dims[] = {24, 64}, groups[] = {1, 3}, windows[] = {0, 16};
	static const struct { int64_t first, rows; } places[] = {{0, 1}, {5, 1}, {63, 2}, {64, 1}, {130, 1}, {0, 40}, {30, 37}};
	for (size_t d = 0; d < 2; d++)
		for (size_t g = 0; g < 2; g++)
			for (size_t w = 0; w < 2; w++)
				for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
					struct shape s = {(enum kv_type)_i, dims[d], groups[g], windows[w], places[p].first, places[p].rows};
					compare(&s);
				}
}
END_TEST

START_TEST(half_precision_stores_saturate_and_keep_small_numbers)
{
	const float x[16] = {1e9f, -1e9f, 65504, 6e-8f, -3e-6f, 0, 1, 0.1f};
	for (int level = KV_REFERENCE; level < KV_LEVELS; level++) {
		const struct kv_kernels *k = kv_kernels_level((enum kv_level)level);
		uint16_t half[16] = {0};
		if (k == NULL)
			continue;
		k->store_values(KV_F16, 16, half, 0, 1, x, 16);
		ck_assert_uint_eq(half[0], 0x7bff);
		ck_assert_uint_eq(half[1], 0xfbff);
		ck_assert_uint_eq(half[2], 0x7bff);
		ck_assert_uint_eq(half[3], 1);
		ck_assert_uint_eq(half[5], 0);
		ck_assert_uint_eq(half[6], 0x3c00);
	}
}
END_TEST

/* y += 0.5 (x aᵀ) bᵀ, columns [from, to) only. */
static void check_lora(enum lora_type type, int64_t rows, int64_t k, int64_t n, int32_t rank, int64_t from, int64_t to)
{
	float *x = mem_array((size_t)(rows * k), 4), *a = mem_array((size_t)(rank * k), 4), *b = mem_array((size_t)(rank * n), 4), *y = mem_array((size_t)(rows * n), 4);
	float *u = mem_array((size_t)(rows * rank), 4);
	void *sa = mem_alloc(lora_bytes(type, k, rank)), *sb = mem_alloc(lora_bytes(type, n, rank));
	for (int64_t i = 0; i < rows * k; i++)
		x[i] = noise((uint64_t)i);
	for (int64_t i = 0; i < rank * k; i++)
		a[i] = noise((uint64_t)i + 5000);
	for (int64_t i = 0; i < rank * n; i++)
		b[i] = noise((uint64_t)i + 9000);
	lora_store_a(type, a, k, rank, sa);
	lora_store_b(type, b, n, rank, sb);
	lora_down(type, x, k, rows, sa, k, rank, u);
	lora_up(type, u, rows, rank, sb, from, to, 0.5f, y, n);
	double tolerance = type == LORA_F16 ? 0.05 * sqrt((double)rank) : 1e-3;
	for (int64_t t = 0; t < rows; t++)
		for (int64_t j = 0; j < n; j++) {
			double want = 0;
			for (int32_t r = 0; r < rank; r++) {
				double dot = 0;
				for (int64_t i = 0; i < k; i++)
					dot += (double)x[t * k + i] * a[r * k + i];
				want += j >= from && j < to ? 0.5 * dot * b[j * rank + r] : 0;
			}
			ck_assert_msg(fabs(y[t * n + j] - want) < tolerance, "rows %lld: y[%lld, %lld] is %g, not %g", (long long)rows, (long long)t, (long long)j, (double)y[t * n + j], want);
		}
	free(x), free(a), free(b), free(y), free(u), free(sa), free(sb);
}

START_TEST(lora_rows_match_a_plain_product)
{
	for (int64_t rows = 1; rows <= 9; rows++)
		for (int32_t rank = 1; rank <= 8; rank += 7) {
			check_lora((enum lora_type)_i, rows, 33, 50, rank, 0, 50);
			check_lora((enum lora_type)_i, rows, 64, 96, rank, 16, 48);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rows");
	TCase *tcase = tcase_create("rows");
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, attention_matches_the_plain_version, 0, 2);
	tcase_add_test(tcase, half_precision_stores_saturate_and_keep_small_numbers);
	tcase_add_loop_test(tcase, lora_rows_match_a_plain_product, 0, 2);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
