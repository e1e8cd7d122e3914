/* Both products of every type on every instruction set this CPU has, at sizes on both sides of every tile and switch,
 * against double-precision sums over what the path multiplies: dequantised weights times x (float32 mode), times x
 * quantised to int8 (quantised types in fast mode), or both rounded to bf16. */
#include "matrices.h"
#include "tensor/isa.h"
#include "tensor/pack.h"
#include <check.h>

enum { ROWS = 100, BATCH = 130, DISTINCT = 11 }; /* x repeats every 11 rows, a period no tile has: the oracle needs no more */
static const char *const SETS[] = {"ref", "avx2", "avx512-vnni", "avx512", "neon", "neon-plain"};
static const int COLS[] = {32, 33, 64, 256, 576, 992, 1000, 1536};
static const int NS[] = {1, 15, 16, 17, 48, 100};
static const int TS[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 130};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* Largest error over |x| |w|. The first is f32 rounding; q4_k, q5_k and q6_k round d * scale to half floats when packed;
 * nf4 multiplies 8-bit levels: within 0.0038 of the block's largest weight. */
enum { EXACT, SUPER_SCALE, LEVELS };
static const double TOLERANCE[] = {2e-6, 3e-4, 4e-3};

static int kind_of_error(const struct mat *m, enum form form)
{
	if (!form_is_int8(form))
		return EXACT;
	return m->type == DT_NF4 ? LEVELS : m->type == DT_Q4_K || m->type == DT_Q5_K || m->type == DT_Q6_K ? SUPER_SCALE : EXACT;
}

static float *random_floats(int64_t n, uint64_t seed)
{
	float *x = mem_array((size_t)n, sizeof *x);
	for (int64_t i = 0; i < n; i++)
		x[i] = sample_float(&seed) * (i % 37 == 0 ? 8 : 1);
	return x;
}

static float *dequantised(const struct mat *m)
{
	float *w = mem_array((size_t)(m->rows * m->cols), sizeof *w);
	for (int64_t r = 0; r < m->rows; r++)
		mat_row_f32(m, r, w + r * m->cols);
	return w;
}

struct oracle {
	double *y, *scale;
};

/* y[t][n] = x[t] . w[n], with x and w already as the path sees them. */
static struct oracle forward_oracle(const struct mat *m, const float *x, enum form form)
{
	struct oracle o = {mem_array(DISTINCT * ROWS, sizeof(double)), mem_array(DISTINCT * ROWS, sizeof(double))};
	CLEANUP(mem_freep) float *w = dequantised(m);
	CLEANUP(mem_freep) float *seen = mem_array((size_t)(DISTINCT * m->cols), sizeof *seen);
	memcpy(seen, x, (size_t)(DISTINCT * m->cols) * sizeof *x);
	for (int t = 0; t < DISTINCT && form_is_int8(form); t++)
		sample_quantise(x + t * m->cols, m->cols, seen + t * m->cols);
	if (form == FORM_BF16) {
		sample_round_bf16(seen, DISTINCT * m->cols);
		sample_round_bf16(w, m->rows * m->cols);
	}
	for (int t = 0; t < DISTINCT; t++)
		for (int n = 0; n < ROWS; n++)
			sample_dot(seen + t * m->cols, 1, w + n * m->cols, 1, m->cols, &o.y[t * ROWS + n], &o.scale[t * ROWS + n]);
	return o;
}

static void oracle_done(struct oracle *o)
{
	free(o->y);
	free(o->scale);
}

static void assert_close(float got, const struct oracle *o, int64_t at, double tolerance, const struct mat *m, int64_t t, int64_t n,
			 int rows)
{
	double error = fabs((double)got - o->y[at]);
	if (!(error <= tolerance * o->scale[at])) /* an assertion for each element would take longer than the products */
		ck_abort_msg("%s %s K %d of %d rows: y[%d][%d] = %.9g, want %.9g, error %.3g of |x||w|", isa_kernels()->name,
			     dtype_traits(m->type)->name, (int)m->cols, rows, (int)t, (int)n, (double)got, o->y[at], error / o->scale[at]);
}

/* Plain C, instrumented, takes most of a sanitizer run: it gets fewer of the larger shapes. */
static bool is_slow(void) { return strcmp(isa_kernels()->name, "ref") == 0; }

static void on_every_set(void (*check)(void))
{
	for (int i = 0; i < COUNT(SETS); i++)
		if (isa_force(SETS[i]))
			check();
}

struct forward_job {
	const struct mat *m;
	struct mat_input in;
	enum compute compute;
	float *y;
	int64_t ldy, from, to;
	bool accumulate;
};

static void forward_all(void *arg, struct worker w)
{
	struct forward_job *j = arg;
	mat_input_prepare(&j->in, j->m, j->compute, w);
	pool_barrier(w);
	mat_forward_rows(j->m, j->from, j->to, &j->in, j->compute, j->y, j->ldy, j->accumulate, w);
}

/* y[t][n] for T rows of x and outputs [from, to), in a new [T][ldy] array with the fill value around. */
static float *forward(struct pool *pool, const struct mat *m, const float *x, int rows, enum compute compute, int64_t from, int64_t to,
		      float fill)
{
	CLEANUP(mem_freep) void *scratch = aligned_alloc(64, (mat_input_bytes(rows, m->cols) + 63) / 64 * 64);
	int64_t ldy = to - from + 3;
	float *y = mem_array((size_t)(rows * ldy), sizeof *y);
	for (int64_t i = 0; i < rows * ldy; i++)
		y[i] = fill;
	struct forward_job job = {m, {x, rows, m->cols, scratch}, compute, y, ldy, from, to, fill != 0};
	pool_run(pool, forward_all, &job);
	return y;
}

static struct pool *one, *two;

static void check_forward(const struct mat *whole, const float *x, const struct oracle *o, enum compute compute, int n, int t)
{
	struct mat m = *whole;
	enum form form = pack_form(&m, compute);
	CLEANUP(mem_freep) float *y = forward(one, &m, x, t, compute, 0, n, 0);
	if (t == 3 || t == 33) {
		CLEANUP(mem_freep) float *again = forward(two, &m, x, t, compute, 0, n, 0);
		ck_assert_mem_eq(y, again, sizeof *y * (size_t)(t * (n + 3)));
	}
	for (int i = 0; i < t; i++) {
		for (int j = 0; j < n; j++)
			assert_close(y[i * (n + 3) + j], o, i % DISTINCT * ROWS + j, TOLERANCE[kind_of_error(&m, form)], &m, i, j, t);
		ck_assert(y[i * (n + 3) + n] == 0 && y[i * (n + 3) + n + 2] == 0); /* nothing past the row */
	}
}

static void forward_shapes(const struct mat *m, const float *x, const struct oracle *o, enum compute compute)
{
	bool packed = compute == COMPUTE_F32 || m->pack != NULL;
	bool slow = is_slow(), all = packed && (m->cols < 100 || m->cols == 576);
	for (int n = 0; n < COUNT(NS); n++)
		for (int t = 0; t < COUNT(TS); t++)
			if (((NS[n] == 17 && all) || (TS[t] == 3 && packed) || TS[t] == 9) && (TS[t] < 17 || !slow))
				check_forward(m, x, o, compute, NS[n], TS[t]);
}

static float *repeating_rows(int64_t cols)
{
	float *x = random_floats(BATCH * cols, 99);
	for (int t = DISTINCT; t < BATCH; t++)
		memcpy(x + t * cols, x + t % DISTINCT * cols, (size_t)cols * sizeof *x);
	return x;
}

static void forward_modes(struct sample *s)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) float *x = repeating_rows(s->m.cols);
	struct oracle exact = forward_oracle(&s->m, x, FORM_F32), fast = forward_oracle(&s->m, x, pack_form(&s->m, COMPUTE_FAST));
	forward_shapes(&s->m, x, &exact, COMPUTE_F32);
	forward_shapes(&s->m, x, &fast, COMPUTE_FAST); /* packed on the spot */
	ck_assert_int_eq(mat_pack(&s->m, COMPUTE_FAST, two, &err), 0);
	forward_shapes(&s->m, x, &fast, COMPUTE_FAST);
	oracle_done(&exact);
	oracle_done(&fast);
}

START_TEST(forward_is_the_product_of_what_it_reads)
{
	enum dtype type = (enum dtype)_i;
	for (int k = 0; k < COUNT(COLS) * COUNT(SETS); k++) {
		int cols = COLS[k / COUNT(SETS)];
		if (!sample_fits(type, cols) || !isa_force(SETS[k % COUNT(SETS)]) || (is_slow() && cols > 600))
			continue;
		struct sample s;
		sample_init(&s, type, ROWS, cols, 7 + (uint64_t)cols);
		forward_modes(&s);
		sample_done(&s);
	}
}
END_TEST

static void a_row_does_not_depend_on_its_batch_here(void)
{
	for (int type = 0; type < DT_COUNT; type++) {
		struct sample s;
		sample_init(&s, (enum dtype)type, 48, 512, 3);
		CLEANUP(mem_freep) float *x = random_floats(40 * 512, 5);
		bool f32 = pack_form(&s.m, COMPUTE_FAST) == FORM_F32;
		CLEANUP(mem_freep) float *all = forward(one, &s.m, x, 40, COMPUTE_FAST, 0, 48, 0);
		for (int t = f32 ? 9 : 1; t < 12; t++) { /* f32: eight rows or fewer add in another order (mat.h) */
			CLEANUP(mem_freep) float *some = forward(one, &s.m, x + 7 * 512, t, COMPUTE_FAST, 0, 48, 0);
			for (int i = 0; i < t; i++)
				ck_assert_mem_eq(some + i * 51, all + (7 + i) * 51, 48 * sizeof *all);
		}
		sample_done(&s);
	}
}

START_TEST(a_row_does_not_depend_on_its_batch) { on_every_set(a_row_does_not_depend_on_its_batch_here); }
END_TEST

static void row_ranges_and_accumulation_fit_the_whole_here(void)
{
	for (int type = 0; type < DT_COUNT; type++) {
		struct sample s;
		sample_init(&s, (enum dtype)type, 90, 256, 3);
		CLEANUP(mem_freep) float *x = random_floats(9 * 256, 5);
		CLEANUP(mem_freep) float *all = forward(two, &s.m, x, 9, COMPUTE_FAST, 0, 90, 0);
		CLEANUP(mem_freep) float *part = forward(two, &s.m, x, 9, COMPUTE_FAST, 32, 81, 0);
		CLEANUP(mem_freep) float *added = forward(two, &s.m, x, 9, COMPUTE_FAST, 32, 81, 1.5f);
		for (int t = 0; t < 9; t++)
			for (int n = 32; n < 81; n++)
				ck_assert(part[t * 52 + n - 32] == all[t * 93 + n] && added[t * 52 + n - 32] == 1.5f + all[t * 93 + n]);
		for (int t = 0; t < 9; t++)
			ck_assert(added[t * 52 + 49] == 1.5f);
		sample_done(&s);
	}
}

START_TEST(row_ranges_and_accumulation_fit_the_whole) { on_every_set(row_ranges_and_accumulation_fit_the_whole_here); }
END_TEST

static void rows_with_nan_here(void)
{
	for (int type = 0; type < DT_COUNT; type++)
		for (int bad = 0; bad < 2; bad++) {
			struct sample s;
			sample_init(&s, (enum dtype)type, 17, 256, 3);
			CLEANUP(mem_freep) float *x = random_floats(9 * 256, 5);
			CLEANUP(mem_freep) float *good = forward(one, &s.m, x, 9, COMPUTE_FAST, 0, 17, 0);
			x[3 * 256 + 200] = bad ? NAN : -INFINITY;
			CLEANUP(mem_freep) float *y = forward(one, &s.m, x, 9, COMPUTE_FAST, 0, 17, 0);
			for (int t = 0; t < 9; t++)
				for (int n = 0; n < 17; n++) /* an infinity may stay one */
					ck_assert(t == 3 ? !isfinite(y[t * 20 + n]) : y[t * 20 + n] == good[t * 20 + n]);
			sample_done(&s);
		}
}

START_TEST(what_is_not_finite_shows_in_its_row_only) { on_every_set(rows_with_nan_here); }
END_TEST

START_TEST(interleaved_heads_are_undone)
{
	enum { D = 8, N = 16, K = 64 };
	struct sample s;
	sample_init(&s, DT_Q4_1, N, K, 11);
	float plain[N][K], row[K];
	for (int r = 0; r < N; r++)
		mat_row_f32(&s.m, r, plain[r]);
	s.m.interleaved_head_dim = D;
	for (int r = 0; r < N; r++) {
		int head = r / D, i = r % D, source = head * D + (i < D / 2 ? 2 * i : 2 * (i - D / 2) + 1);
		mat_row_f32(&s.m, r, row);
		ck_assert_mem_eq(row, plain[source], sizeof row);
	}
	float x[K];
	for (int k = 0; k < K; k++)
		x[k] = k == 5 ? 127.0f : 0; /* exact in int8 */
	struct err err = ERR_INIT;
	CLEANUP(mem_freep) float *spot = forward(one, &s.m, x, 1, COMPUTE_FAST, 0, N, 0);
	ck_assert_int_eq(mat_pack(&s.m, COMPUTE_FAST, NULL, &err), 0);
	ck_assert_uint_gt(mat_pack_bytes(&s.m), 0);
	CLEANUP(mem_freep) float *packed = forward(one, &s.m, x, 1, COMPUTE_FAST, 0, N, 0);
	ck_assert_mem_eq(spot, packed, N * sizeof *spot);
	for (int r = 0; r < N; r++) {
		mat_row_f32(&s.m, r, row);
		ck_assert_float_le(fabsf(packed[r] - row[5] * 127), 1e-3f);
	}
	sample_done(&s);
}
END_TEST

struct backward_job {
	const struct mat *m;
	const float *dy;
	int64_t lddy, rows, from, to;
	enum compute compute;
	float *dx;
	int64_t lddx;
	bool accumulate;
	void *scratch;
};

static void backward_all(void *arg, struct worker w)
{
	struct backward_job *j = arg;
	mat_backward_rows(j->m, j->from, j->to, j->dy, j->lddy, j->rows, j->compute, j->dx, j->lddx, j->accumulate, j->scratch, w);
}

static float *backward(struct pool *pool, const struct mat *m, const float *dy, int64_t lddy, int rows, int64_t from, int64_t to,
		       enum compute compute, float fill)
{
	CLEANUP(mem_freep) void *scratch = aligned_alloc(64, (mat_backward_bytes(m, rows, pool) + 63) / 64 * 64);
	int64_t lddx = m->cols + 3;
	float *dx = mem_array((size_t)(rows * lddx), sizeof *dx);
	for (int64_t i = 0; i < rows * lddx; i++)
		dx[i] = fill;
	struct backward_job job = {m, dy, lddy, rows, from, to, compute, dx, lddx, fill != 0, scratch};
	pool_run(pool, backward_all, &job);
	return dx;
}

/* A sample of the columns is enough for the oracle: every strip's ends and the tail. */
static bool looked_at(int64_t k, int64_t cols) { return k % 16 == 0 || k % 16 == 15 || k >= cols - 2; }

static void check_backward(const struct mat *m, const float *dy, int rows, enum compute compute, float fill)
{
	bool bf16 = compute == COMPUTE_FAST && isa_kernels()->bf16[0] && m->type != DT_F32;
	CLEANUP(mem_freep) float *dx = backward(one, m, dy, m->rows, rows, 0, m->rows, compute, fill);
	CLEANUP(mem_freep) float *again = backward(two, m, dy, m->rows, rows, 0, m->rows, compute, fill);
	ck_assert_mem_eq(dx, again, sizeof *dx * (size_t)(rows * (m->cols + 3)));
	CLEANUP(mem_freep) float *w = dequantised(m);
	CLEANUP(mem_freep) float *seen = mem_array((size_t)(rows * m->rows), sizeof *seen);
	memcpy(seen, dy, (size_t)(rows * m->rows) * sizeof *dy);
	if (bf16) {
		sample_round_bf16(w, m->rows * m->cols);
		sample_round_bf16(seen, rows * m->rows);
	}
	for (int t = 0; t < rows; t++)
		for (int64_t k = 0; k < m->cols; k++) {
			double want, scale;
			if (!looked_at(k, m->cols))
				continue;
			sample_dot(seen + t * m->rows, 1, w + k, m->cols, m->rows, &want, &scale);
			double error = fabs((double)dx[t * (m->cols + 3) + k] - want - (double)fill);
			if (!(error <= 2e-6 * (scale + (double)fabsf(fill))))
				ck_abort_msg("%s %s N %d K %d of %d rows: dx[%d][%d] off by %.3g", isa_kernels()->name,
					     dtype_traits(m->type)->name, (int)m->rows, (int)m->cols, rows, t, (int)k, error / scale);
		}
	ck_assert(dx[m->cols] == fill);
}

START_TEST(backward_is_the_product_of_what_it_reads)
{
	static const int NK[][3] = {{1, 33, 3},     {15, 64, 9},    {17, 576, 8},  {48, 256, 1},
				    {100, 1000, 5}, {257, 256, 17}, {300, 96, 33}, {600, 512, 2}};
	enum dtype type = (enum dtype)_i;
	for (int i = 0; i < COUNT(NK) * COUNT(SETS); i++) {
		const int *shape = NK[i / COUNT(SETS)];
		if (!sample_fits(type, shape[1]) || !isa_force(SETS[i % COUNT(SETS)]) || (is_slow() && shape[0] * shape[2] > 2000))
			continue;
		struct sample s;
		sample_init(&s, type, shape[0], shape[1], 7 + (uint64_t)i);
		CLEANUP(mem_freep) float *dy = random_floats(shape[2] * shape[0], 99);
		check_backward(&s.m, dy, shape[2], COMPUTE_F32, 0);
		check_backward(&s.m, dy, shape[2], COMPUTE_FAST, 0);
		check_backward(&s.m, dy, shape[2], COMPUTE_FAST, 0.75f);
		sample_done(&s);
	}
}
END_TEST

static void backward_of_row_ranges_adds_up_here(void)
{
	struct sample s;
	sample_init(&s, DT_Q4_1, 512, 96, 3); /* parts end where slabs end, so even the rounding agrees */
	CLEANUP(mem_freep) float *dy = random_floats(9 * 512, 5);
	CLEANUP(mem_freep) float *all = backward(two, &s.m, dy, 512, 9, 0, 512, COMPUTE_FAST, 0);
	CLEANUP(mem_freep) float *low = backward(two, &s.m, dy, 512, 9, 0, 256, COMPUTE_FAST, 0);
	CLEANUP(mem_freep) float *high = backward(two, &s.m, dy + 256, 512, 9, 256, 512, COMPUTE_FAST, 0);
	for (int t = 0; t < 9; t++)
		for (int k = 0; k < 96; k++)
			ck_assert(all[t * 99 + k] == low[t * 99 + k] + high[t * 99 + k]);
	sample_done(&s);
}

START_TEST(backward_of_row_ranges_adds_up) { on_every_set(backward_of_row_ranges_adds_up_here); }
END_TEST

static void decoders_of_every_set_agree_here(void)
{
	for (int type = 0; type < DT_COUNT; type++) {
		if (!dtype_traits((enum dtype)type)->to_f32)
			continue;
		struct sample s;
		float plain[1024], fast[1024];
		sample_init(&s, (enum dtype)type, 1, 1024, 3);
		dtype_traits((enum dtype)type)->to_f32(s.m.src, plain, 1024);
		mat_row_f32(&s.m, 0, fast);
		ck_assert_mem_eq(plain, fast, sizeof plain);
		sample_done(&s);
	}
}

START_TEST(decoders_of_every_set_agree) { on_every_set(decoders_of_every_set_agree_here); }
END_TEST

static void open_pools(void)
{
	struct err err = ERR_INIT;
	ck_assert_int_eq(pool_new(&one, 1, &err), 0);
	ck_assert_int_eq(pool_new(&two, 2, &err), 0);
}

static void close_pools(void)
{
	pool_free(one);
	pool_free(two);
}

int main(void)
{
	Suite *suite = suite_create("tensor/mat");
	TCase *all = tcase_create("mat");
	tcase_set_timeout(all, 120);
	tcase_add_checked_fixture(all, open_pools, close_pools);
	tcase_add_loop_test(all, forward_is_the_product_of_what_it_reads, 0, DT_COUNT);
	tcase_add_test(all, a_row_does_not_depend_on_its_batch);
	tcase_add_test(all, row_ranges_and_accumulation_fit_the_whole);
	tcase_add_test(all, what_is_not_finite_shows_in_its_row_only);
	tcase_add_test(all, interleaved_heads_are_undone);
	tcase_add_loop_test(all, backward_is_the_product_of_what_it_reads, 0, DT_COUNT);
	tcase_add_test(all, backward_of_row_ranges_adds_up);
	tcase_add_test(all, decoders_of_every_set_agree);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
