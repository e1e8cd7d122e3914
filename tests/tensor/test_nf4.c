/* NF4 and int8 against a real matrix that bitsandbytes quantised (tests/golden/numerics/nf4.json). */
#include "golden.h"
#include "tensor/nf4.h"
#include <math.h>

enum { ROWS = 192, COLS = 576, N = ROWS * COLS, BLOCKS = N / NF4_BLOCK };

static struct buf file;

static const void *tensor(const char *name)
{
	size_t bytes;
	return golden_tensor(&file, name, &bytes);
}

static void open_golden(void)
{
	file = (struct buf){.max = 16 << 20};
	golden_read("numerics/nf4.safetensors", &file);
}

static void close_golden(void) { buf_done(&file); }

static void assert_rows_equal(const struct mat *m, const float *want)
{
	float row[COLS];
	for (int r = 0; r < ROWS; r++) {
		mat_row_f32(m, r, row);
		for (int k = 0; k < COLS; k++)
			ck_assert_msg(row[k] == want[r * COLS + k], "row %d col %d: %.9g, want %.9g", r, k, (double)row[k],
				      (double)want[r * COLS + k]);
	}
}

START_TEST(single_quantised_rows_decode_exactly)
{
	struct mat_side side = {.absmax = tensor("nf4_single.absmax")};
	struct mat m = {.type = DT_NF4, .rows = ROWS, .cols = COLS, .src = tensor("nf4_single.packed"), .side = &side};
	assert_rows_equal(&m, tensor("nf4_single.dequantised"));
	ck_assert_mem_eq(NF4_CODE, tensor("nf4.code"), sizeof NF4_CODE);
}
END_TEST

START_TEST(double_quantised_rows_decode_exactly)
{
	struct mat_side side = {.absmax_q = tensor("nf4.absmax_u8"),
				.absmax2 = tensor("nf4.absmax2"),
				.offset = *(const float *)tensor("nf4.offset"),
				.code = tensor("nf4.code2")};
	struct mat m = {.type = DT_NF4, .rows = ROWS, .cols = COLS, .src = tensor("nf4.packed"), .side = &side};
	assert_rows_equal(&m, tensor("nf4.dequantised"));
}
END_TEST

START_TEST(quantised_bytes_equal_bitsandbytes)
{
	static uint8_t packed[N / 2];
	static float absmax[BLOCKS];
	nf4_quantise(tensor("weight"), N, packed, absmax);
	ck_assert_mem_eq(packed, tensor("nf4_single.packed"), sizeof packed);
	ck_assert_mem_eq(absmax, tensor("nf4_single.absmax"), sizeof absmax);
}
END_TEST

START_TEST(double_quantisation_equals_bitsandbytes)
{
	static uint8_t absmax_q[BLOCKS];
	float absmax2[(BLOCKS + 255) / 256], offset;
	nf4_quantise_absmax(tensor("nf4_single.absmax"), N, absmax_q, absmax2, &offset);
	ck_assert_int_eq(nf4_absmax_blocks(N), (BLOCKS + 255) / 256);
	ck_assert_mem_eq(nf4_dynamic_code(), tensor("nf4.code2"), 256 * sizeof(float));
	ck_assert_mem_eq(absmax_q, tensor("nf4.absmax_u8"), sizeof absmax_q);
	/* The mean is summed in another order than torch's: a unit in the last place. */
	const float *want2 = tensor("nf4.absmax2"), *want_offset = tensor("nf4.offset");
	ck_assert_float_le(fabsf(offset - *want_offset), fabsf(*want_offset) * 0x1p-22f);
	for (size_t i = 0; i < sizeof absmax2 / sizeof *absmax2; i++)
		ck_assert_float_le(fabsf(absmax2[i] - want2[i]), fabsf(want2[i]) * 0x1p-20f);
}
END_TEST

START_TEST(int8_rows_equal_bitsandbytes)
{
	const float *weight = tensor("weight"), *want_absmax = tensor("int8.absmax");
	const int8_t *want = tensor("int8.rows");
	int8_t row[COLS];
	float half[COLS];
	for (int r = 0; r < ROWS; r++) {
		float absmax;
		for (int k = 0; k < COLS; k++) /* bitsandbytes takes half floats */
			half[k] = dtype_f16_to_f32(dtype_f32_to_f16(weight[r * COLS + k]));
		i8_quantise_row(half, COLS, row, &absmax);
		ck_assert(absmax == want_absmax[r]);
		ck_assert_mem_eq(row, want + r * COLS, COLS);
	}
	struct mat_side side = {.absmax = want_absmax};
	struct mat m = {.type = DT_I8, .rows = ROWS, .cols = COLS, .src = want, .side = &side};
	float out[COLS];
	mat_row_f32(&m, 7, out);
	for (int k = 0; k < COLS; k++)
		ck_assert_float_le(fabsf(out[k] - weight[7 * COLS + k]), want_absmax[7] / 127 * 0.51f);
}
END_TEST

START_TEST(blocks_run_across_rows_when_the_width_is_no_multiple)
{
	enum { W = 33, R = 5 };
	float w[R * W], absmax[3], row[W];
	uint8_t packed[(R * W + 1) / 2];
	for (int i = 0; i < R * W; i++)
		w[i] = NF4_CODE[(i * 7) % 16] * (i < 64 ? 1.0f : i < 128 ? 2.0f : 4.0f);
	w[0] = 1.0f, w[64] = 2.0f, w[128] = 4.0f; /* each block holds its own absmax */
	ck_assert_int_eq(nf4_blocks(R * W), 3);
	nf4_quantise(w, R * W, packed, absmax);
	struct mat_side side = {.absmax = absmax};
	struct mat m = {.type = DT_NF4, .rows = R, .cols = W, .src = packed, .side = &side};
	for (int r = 0; r < R; r++) {
		mat_row_f32(&m, r, row);
		ck_assert_mem_eq(row, w + r * W, sizeof row);
	}
}
END_TEST

START_TEST(an_all_zero_block_stays_zero)
{
	float w[NF4_BLOCK] = {0}, absmax, absmax2, offset, out[NF4_BLOCK];
	uint8_t packed[NF4_BLOCK / 2], q;
	nf4_quantise(w, NF4_BLOCK, packed, &absmax);
	nf4_quantise_absmax(&absmax, NF4_BLOCK, &q, &absmax2, &offset);
	struct mat_side side = {.absmax_q = &q, .absmax2 = &absmax2, .offset = offset, .code = nf4_dynamic_code()};
	nf4_to_f32(packed, &side, 0, out, NF4_BLOCK);
	ck_assert_mem_eq(out, w, sizeof w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tensor/nf4");
	TCase *all = tcase_create("nf4");
	tcase_set_timeout(all, 60);
	tcase_add_unchecked_fixture(all, open_golden, close_golden);
	tcase_add_test(all, single_quantised_rows_decode_exactly);
	tcase_add_test(all, double_quantised_rows_decode_exactly);
	tcase_add_test(all, quantised_bytes_equal_bitsandbytes);
	tcase_add_test(all, double_quantisation_equals_bitsandbytes);
	tcase_add_test(all, int8_rows_equal_bitsandbytes);
	tcase_add_test(all, blocks_run_across_rows_when_the_width_is_no_multiple);
	tcase_add_test(all, an_all_zero_block_stays_zero);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
