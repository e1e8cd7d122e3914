/* bench_kernels: what the matrix products reach on this machine, beside the machine's own limits measured in the same run.
 *
 *   bench_kernels [TYPE...]     q4_1 q4_0 q8_0 bf16 f32 ...; without, q4_1
 *
 * The products are those of SmolLM2-135M (30 layers of C 576, kv 192, F 1536; head 49152 x 576) over all layers, so that weights
 * come from memory as they do in decoding. Best of a few repetitions; integer products count as two operations each. */
#include "base/clock.h"
#include "base/mem.h"
#include "tensor/kernels.h"
#include "tensor/isa.h"
#include "tensor/mat.h"
#include "tensor/pages.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LAYERS = 30, PER_LAYER = 7, PEAK_LOOPS = 500000, CHAINS = 12 };
static const int SHAPES[PER_LAYER][2] = {{576, 576}, {192, 576}, {192, 576}, {576, 576}, {1536, 576}, {1536, 576}, {576, 1536}};

static double seconds(void) { return (double)clock_now_ns() * 1e-9; }

/* ---- limits: independent chains of one instruction ---- */

struct peak {
	const char *name, *unit;
	double per_loop;
	void (*loop)(void);
};

#if defined(__x86_64__)
#define CHAIN_LOOP(name, isa, type, first, step)                                                                                           \
	__attribute__((target(isa))) static void name(void)                                                                                \
	{                                                                                                                                  \
		type a[CHAINS], one = first;                                                                                               \
		for (int i = 0; i < CHAINS; i++)                                                                                           \
			a[i] = first;                                                                                                      \
		for (int n = 0; n < PEAK_LOOPS; n++)                                                                                       \
			_Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)                                                          \
			{                                                                                                                  \
				a[i] = step;                                                                                               \
				__asm__ volatile("" : : "v"(a[i]));                                                                        \
			}                                                                                                                  \
	}
CHAIN_LOOP(fma_512, "avx512f", __m512, _mm512_set1_ps(1e-9f), _mm512_fmadd_ps(one, one, a[i]))
CHAIN_LOOP(int8_512, "avx512f,avx512vnni", __m512i, _mm512_set1_epi32(0x01010101), _mm512_dpbusd_epi32(a[i], one, one))
CHAIN_LOOP(bf16_512, "avx512f,avx512bf16", __m512, _mm512_set1_ps(1e-9f), _mm512_dpbf16_ps(a[i], (__m512bh)one, (__m512bh)one))
CHAIN_LOOP(fma_256, "avx2,fma", __m256, _mm256_set1_ps(1e-9f), _mm256_fmadd_ps(one, one, a[i]))
static const struct peak PEAKS_512[] = {
	{"f32 fma", "GFLOP/s", 32, fma_512}, {"int8 vpdpbusd", "GOP/s", 128, int8_512}, {"bf16 vdpbf16ps", "GFLOP/s", 64, bf16_512}};
static const struct peak PEAKS_256[] = {{"f32 fma", "GFLOP/s", 16, fma_256}};
#endif

static void run_loop(void *arg, struct worker w)
{
	(void)w;
	((const struct peak *)arg)->loop();
}

static void print_peak(struct pool *pool, const struct peak *p)
{
	double best = 1e30;
	for (int i = 0; i < 15; i++) {
		double from = seconds();
		pool_run(pool, run_loop, (void *)(uintptr_t)p);
		best = fmin(best, seconds() - from);
	}
	printf("limit   %-22s %8.1f %s\n", p->name, p->per_loop * CHAINS * PEAK_LOOPS * pool_threads(pool) / best * 1e-9, p->unit);
}

enum { READ_BYTES = 96 << 20 };
struct read_job {
	const uint64_t *data;
	uint64_t sum[64];
};

static void read_share(void *arg, struct worker w)
{
	struct read_job *job = arg;
	int64_t from, to;
	worker_range(w, READ_BYTES / 8, 64, &from, &to);
	uint64_t sum[8] = {0};
	for (int64_t i = from; i < to; i += 8)
		for (int j = 0; j < 8; j++)
			sum[j] ^= job->data[i + j];
	for (int j = 0; j < 8; j++)
		job->sum[w.index] += sum[j];
}

static void print_limits(struct pool *pool)
{
#if defined(__x86_64__)
	bool wide = strncmp(isa_kernels()->name, "avx512", 6) == 0;
	int peaks = !wide ? (strcmp(isa_kernels()->name, "avx2") == 0 ? 1 : 0) : isa_kernels()->bf16[0] ? 3 : 2;
	for (int i = 0; i < peaks; i++)
		print_peak(pool, wide ? &PEAKS_512[i] : &PEAKS_256[i]);
#endif
	struct err err = ERR_INIT;
	void *data = pages_alloc(READ_BYTES, &err); /* where packed weights live */
	if (!data)
		return;
	memset(data, 1, READ_BYTES);
	struct read_job job = {.data = data};
	double best = 1e30;
	for (int i = 0; i < 20; i++) {
		double from = seconds();
		pool_run(pool, read_share, &job);
		best = fmin(best, seconds() - from);
	}
	printf("limit   %-22s %8.1f GB/s\n", "read 96 MiB", READ_BYTES / best * 1e-9);
	pages_free(data);
}

/* ---- the model's matrices ---- */

struct model {
	struct mat mats[LAYERS * PER_LAYER + 1];
	int64_t elements;
};

static void fill(struct mat *m, uint64_t *seed)
{
	const struct dtype_traits *t = dtype_traits(m->type);
	size_t bytes = dtype_bytes(m->type, m->cols) * (size_t)m->rows;
	uint8_t *data = mem_alloc(bytes);
	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t bits = *seed ^ *seed >> 29;
		if (m->type == DT_BF16 || m->type == DT_F32) /* near 1, either sign */
			bits = m->type == DT_BF16 ? (bits & 0x807f807f807f807fu) | 0x3f003f003f003f00u
						  : (bits & 0x807fffff807fffffu) | 0x3f0000003f000000u;
		memcpy(data + i, &bits, 8);
	}
	for (size_t b = 0; t->block_elements > 1 && b < bytes; b += (size_t)t->block_bytes)
		memcpy(data + b, m->type == DT_Q4_1 || m->type == DT_Q4_K ? "\x00\x1c\x00\x94" : "\x00\x1c",
		       m->type == DT_Q4_1 || m->type == DT_Q4_K ? 4 : 2);
	m->src = data;
	m->row_bytes = dtype_bytes(m->type, m->cols);
}

static void model_init(struct model *model, enum dtype type)
{
	uint64_t seed = 1;
	model->elements = 0;
	for (int i = 0; i <= LAYERS * PER_LAYER; i++) {
		bool head = i == LAYERS * PER_LAYER;
		model->mats[i] = (struct mat){
			.type = type, .rows = head ? 49152 : SHAPES[i % PER_LAYER][0], .cols = head ? 576 : SHAPES[i % PER_LAYER][1]};
		fill(&model->mats[i], &seed);
		model->elements += model->mats[i].rows * model->mats[i].cols;
	}
}

static void model_done(struct model *model)
{
	for (int i = 0; i <= LAYERS * PER_LAYER; i++) {
		mat_pack_free(&model->mats[i]);
		free((void *)(uintptr_t)model->mats[i].src);
	}
}

struct job {
	struct model *model;
	struct mat_input in;
	float *y, *dx;
	void *scratch;
	enum compute compute;
	int from, to;
	bool backward;
};

static void run_products(void *arg, struct worker w)
{
	struct job *j = arg;
	for (int i = j->from; i < j->to; i++) {
		struct mat *m = &j->model->mats[i];
		struct mat_input in = {j->in.x, j->in.rows, m->cols, j->in.scratch};
		if (j->backward) {
			mat_backward(m, j->y, m->rows, in.rows, j->compute, j->dx, m->cols, false, j->scratch, w);
		} else {
			int place = i % PER_LAYER;
			if (place != 1 && place != 2 && place != 5) { /* q k v share, gate and up share */
				mat_input_prepare(&in, m, j->compute, w);
				pool_barrier(w);
			}
			mat_forward(m, &in, j->compute, j->y, m->rows, false, w);
		}
		pool_barrier(w);
	}
}

static void measure(struct pool *pool, const char *name, struct job *job, int64_t rows, int repetitions)
{
	int64_t operations = 0, bytes = 0;
	for (int i = job->from; i < job->to; i++) {
		const struct mat *m = &job->model->mats[i];
		operations += 2 * rows * m->rows * m->cols;
		bytes += m->pack ? (int64_t)mat_pack_bytes(m) : (int64_t)m->row_bytes * m->rows;
	}
	job->in.rows = rows;
	double best = 1e30;
	for (int i = 0; i < repetitions; i++) {
		double from = seconds();
		pool_run(pool, run_products, job);
		best = fmin(best, seconds() - from);
	}
	printf("product %-22s rows %4d %9.2f ms %9.1f Gop/s %7.1f GB/s %9.0f rows/s\n", name, (int)rows, best * 1e3,
	       (double)operations / best * 1e-9, (double)bytes / best * 1e-9, (double)rows / best);
	fflush(stdout);
}

static void bench_type(struct pool *pool, enum dtype type)
{
	struct err err = ERR_INIT;
	struct model *model = mem_alloc(sizeof *model);
	char name[64];
	model_init(model, type);
	struct job job = {.model = model, .compute = COMPUTE_FAST, .to = LAYERS * PER_LAYER + 1};
	float *x = mem_array(512 * 1536, sizeof *x);
	for (int i = 0; i < 512 * 1536; i++)
		x[i] = (float)((int)((unsigned)i * 7919u % 1000u) - 500) * 1e-3f;
	job.in.x = x;
	job.in.scratch = aligned_alloc(64, (mat_input_bytes(512, 1536) + 63) / 64 * 64);
	job.y = mem_array(512 * 1536 > 16 * 49152 ? 512 * 1536 : 16 * 49152, sizeof(float));
	job.dx = mem_array(512 * 1536, sizeof(float));
	job.scratch = aligned_alloc(64, (mat_backward_bytes(&model->mats[6], 512, pool) + 63) / 64 * 64);
	memcpy(job.y, x, 512 * 1536 * sizeof *x);
	int body = LAYERS * PER_LAYER;
	snprintf(name, sizeof name, "%s backward", dtype_traits(type)->name);
	job.backward = true, job.to = body;
	measure(pool, name, &job, 512, 3);
	job.backward = false;
	snprintf(name, sizeof name, "%s source", dtype_traits(type)->name);
	measure(pool, name, &job, 512, 3);
	double from = seconds();
	for (int i = 0; i <= body; i++)
		if (mat_pack(&model->mats[i], COMPUTE_FAST, pool, &err) < 0)
			fprintf(stderr, "%s\n", err.message);
	printf("pack    %-22s %8.1f ms\n", dtype_traits(type)->name, (seconds() - from) * 1e3);
	snprintf(name, sizeof name, "%s packed", dtype_traits(type)->name);
	measure(pool, name, &job, 512, 3);
	job.to = body + 1;
	for (int rows = 1; rows <= 16; rows *= 2)
		measure(pool, name, &job, rows, 20);
	job.compute = COMPUTE_F32, job.to = body;
	snprintf(name, sizeof name, "%s float32", dtype_traits(type)->name);
	measure(pool, name, &job, 512, 1);
	measure(pool, name, &job, 1, 3);
	model_done(model);
	free(model), free(x), free(job.in.scratch), free(job.y), free(job.dx), free(job.scratch);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1 && strcmp(name, "q4_1") == 0;
}

int main(int argc, char **argv)
{
	for (int threads = 1; threads <= 2; threads++) {
		struct pool *pool;
		struct err err = ERR_INIT;
		if (pool_new(&pool, threads, &err) < 0) {
			fprintf(stderr, "bench_kernels: %s\n", err.message);
			return 1;
		}
		printf("-- %s, %d thread%s\n", isa_kernels()->name, threads, threads == 1 ? "" : "s");
		print_limits(pool);
		for (int t = 0; t < DT_NF4; t++)
			if (wanted(dtype_traits((enum dtype)t)->name, argc, argv))
				bench_type(pool, (enum dtype)t);
		pool_free(pool);
	}
	return 0;
}
