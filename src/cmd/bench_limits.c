/* bench_limits.c: two short loops on all threads, best of several rounds: a limit is what the machine can do undisturbed.
 * Memory is read from huge pages, as the packed weights are. */
#include "cmd/bench_limits.h"

#include "base/clock.h"
#include "tensor/pages.h"
#include "tensor/pool.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { ROUNDS = 5, PRODUCTS = 4000000 };
static const size_t READ_BYTES = (size_t)384 << 20;

struct job { const uint64_t *words; uint64_t sink[256]; double best_s; };

static void read_all(void *arg, struct worker w)
{
	struct job *j = arg;
	int64_t from, to;
	uint64_t sum[8] = {0};
	worker_range(w, (int64_t)(READ_BYTES / sizeof(uint64_t)), 8, &from, &to);
	for (int64_t i = from; i < to; i += 8)
		for (int k = 0; k < 8; k++)
			sum[k] += j->words[i + k];
	for (int k = 0; k < 8; k++)
		j->sink[w.index] += sum[k];
}

#ifdef __x86_64__
__attribute__((target("avx512f,avx512vnni"))) static void multiply_int8(void *arg, struct worker w)
{
	struct job *j = arg;
	__m512i acc[16], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8((char)(w.index + 1));
	for (int k = 0; k < 16; k++)
		acc[k] = _mm512_setzero_si512();
	for (int i = 0; i < PRODUCTS; i += 16)
		for (int k = 0; k < 16; k++)
			acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
	for (int k = 1; k < 16; k++)
		acc[0] = _mm512_add_epi32(acc[0], acc[k]);
	j->sink[w.index] += (uint64_t)_mm512_reduce_add_epi32(acc[0]);
}
#endif

static double best_seconds(struct pool *pool, struct job *j, void (*fn)(void *, struct worker))
{
	double best = 1e9;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = clock_now_ns();
		pool_run(pool, fn, j);
		double s = (double)(clock_now_ns() - start) / 1e9;
		best = s < best ? s : best;
	}
	return best;
}

static double int8_tops(struct pool *pool, struct job *j)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512vnni"))
		return 128.0 * PRODUCTS * pool_threads(pool) / best_seconds(pool, j, multiply_int8) / 1e12;
#endif
	(void)pool, (void)j;
	return 0;
}

int bench_limits_measure(int threads, struct bench_limits *out, struct err *err)
{
	struct pool *pool;
	struct job j = {0};
	if (pool_new(&pool, threads, err) < 0)
		return -1;
	uint64_t *words = pages_alloc(READ_BYTES, err);
	if (words == NULL) {
		pool_free(pool);
		return -1;
	}
	for (size_t i = 0; i < READ_BYTES / sizeof *words; i += 512)
		words[i] = i;
	j.words = words;
	out->read_gb_s = (double)READ_BYTES / best_seconds(pool, &j, read_all) / 1e9;
	out->int8_tops = int8_tops(pool, &j);
	pages_free(words);
	pool_free(pool);
	return 0;
}
