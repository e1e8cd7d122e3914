/* Block decoders against PyPI's gguf package, and the half-precision conversions against their definition. */
#include "golden.h"
#include "tensor/blocks.h"
#include "tensor/dtype.h"
#include <math.h>

struct golden_head {
	char name[8];
	uint32_t blocks, block_bytes, block_elements;
};

static enum dtype by_name(const char *name)
{
	for (int t = 0; t < DT_COUNT; t++)
		if (strncmp(dtype_traits((enum dtype)t)->name, name, 8) == 0)
			return (enum dtype)t;
	ck_abort_msg("no type %.8s", name);
	return DT_COUNT;
}

START_TEST(blocks_decode_as_gguf_does)
{
	struct buf file = {.max = 1 << 20};
	golden_read("tensor/blocks.bin", &file);
	int seen = 0;
	for (size_t at = 0; at < file.len; seen++) {
		struct golden_head h;
		memcpy(&h, file.data + at, sizeof h);
		at += sizeof h;
		enum dtype type = by_name(h.name);
		const struct dtype_traits *t = dtype_traits(type);
		ck_assert_int_eq(t->block_bytes, (int)h.block_bytes);
		ck_assert_int_eq(t->block_elements, (int)h.block_elements);
		size_t n = (size_t)h.blocks * h.block_elements, bytes = (size_t)h.blocks * h.block_bytes;
		ck_assert_uint_eq(dtype_bytes(type, (int64_t)n), bytes);
		float *out = mem_array(n, sizeof *out);
		t->to_f32(file.data + at, out, (int64_t)n);
		at += bytes;
		for (size_t i = 0; i < n; i++) {
			float want;
			memcpy(&want, file.data + at + i * 4, 4);
			ck_assert_msg(memcmp(&want, &out[i], 4) == 0 || (want == 0 && out[i] == 0), "%s element %zu: %.9g, want %.9g",
				      t->name, i, (double)out[i], (double)want);
		}
		at += n * 4;
		free(out);
	}
	ck_assert_int_eq(seen, 10);
	buf_done(&file);
}
END_TEST

START_TEST(every_half_float_survives_a_round_trip)
{
	for (uint32_t h = 0; h < 0x10000; h++) {
		float f = dtype_f16_to_f32((uint16_t)h);
		uint16_t back = dtype_f32_to_f16(f);
		if (isnan(f))
			ck_assert_uint_gt(back & 0x7fffu, 0x7c00u);
		else
			ck_assert_uint_eq(back, h);
		uint16_t b = dtype_f32_to_bf16(dtype_bf16_to_f32((uint16_t)h));
		if ((h & 0x7fffu) > 0x7f80u)
			ck_assert_uint_gt(b & 0x7fffu, 0x7f80u);
		else
			ck_assert_uint_eq(b, h);
	}
}
END_TEST

START_TEST(half_float_values_are_the_standards)
{
	ck_assert(dtype_f16_to_f32(0x3c00) == 1.0f);
	ck_assert(dtype_f16_to_f32(0xc000) == -2.0f);
	ck_assert(dtype_f16_to_f32(0x7bff) == 65504.0f);
	ck_assert(dtype_f16_to_f32(0x0001) == 0x1p-24f);
	ck_assert(dtype_f16_to_f32(0x03ff) == 1023 * 0x1p-24f);
	ck_assert(isinf(dtype_f16_to_f32(0xfc00)));
	ck_assert(signbit(dtype_f16_to_f32(0x8000)));
}
END_TEST

START_TEST(rounding_goes_to_the_nearest_even_half)
{
	/* Between each pair of neighbouring finite halves: the middle goes to the even one, its neighbours to the nearer one. */
	for (uint32_t h = 0; h < 0x7bff; h++) {
		float low = dtype_f16_to_f32((uint16_t)h), high = dtype_f16_to_f32((uint16_t)(h + 1)), middle = (low + high) / 2;
		ck_assert_uint_eq(dtype_f32_to_f16(middle), h % 2 == 0 ? h : h + 1);
		ck_assert_uint_eq(dtype_f32_to_f16(nextafterf(middle, 0)), h);
		ck_assert_uint_eq(dtype_f32_to_f16(-nextafterf(middle, INFINITY)), 0x8000u | (h + 1));
	}
	ck_assert_uint_eq(dtype_f32_to_f16(65519.0f), 0x7bff);
	ck_assert_uint_eq(dtype_f32_to_f16(65520.0f), 0x7c00);
	ck_assert_uint_eq(dtype_f32_to_f16(1e30f), 0x7c00);
	ck_assert_uint_eq(dtype_f32_to_bf16(1.00390625f), 0x3f80); /* half a unit above 1: to even */
	ck_assert_uint_eq(dtype_f32_to_bf16(1.01171875f), 0x3f82); /* one and a half */
	ck_assert_uint_eq(dtype_f32_to_bf16(3.4e38f), 0x7f80);     /* rounds up to infinity */
}
END_TEST

START_TEST(part_of_a_block_has_no_size)
{
	ck_assert_uint_eq(dtype_bytes(DT_Q4_1, 33), 0);
	ck_assert_uint_eq(dtype_bytes(DT_Q4_K, 128), 0);
	ck_assert_uint_eq(dtype_bytes(DT_Q4_1, -32), 0);
	ck_assert_uint_eq(dtype_bytes(DT_F16, 33), 66);
	ck_assert_uint_eq(dtype_bytes(DT_NF4, 128), 64);
}
END_TEST

START_TEST(levels_and_scales_are_what_the_decoders_use)
{
	struct buf file = {.max = 1 << 20};
	golden_read("tensor/blocks.bin", &file);
	struct block_q6_k b;
	uint8_t levels[BLOCK_SUPER];
	float out[BLOCK_SUPER];
	memcpy(&b, file.data + 64, sizeof b);
	b.d = 0x3c00;
	for (int i = 0; i < 16; i++)
		b.scales[i] = 1;
	block_q6_k_levels(&b, levels);
	block_q6_k_to_f32(&b, out, BLOCK_SUPER);
	for (int i = 0; i < BLOCK_SUPER; i++)
		ck_assert(out[i] == (float)(levels[i] - 32));
	buf_done(&file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tensor/dtype");
	TCase *all = tcase_create("dtype");
	tcase_set_timeout(all, 60);
	tcase_add_test(all, blocks_decode_as_gguf_does);
	tcase_add_test(all, every_half_float_survives_a_round_trip);
	tcase_add_test(all, half_float_values_are_the_standards);
	tcase_add_test(all, rounding_goes_to_the_nearest_even_half);
	tcase_add_test(all, part_of_a_block_has_no_size);
	tcase_add_test(all, levels_and_scales_are_what_the_decoders_use);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
