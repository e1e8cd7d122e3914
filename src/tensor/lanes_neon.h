/* Sixteen 32-bit lanes in four 128-bit registers: aarch64. Integer dots use SDOT where the build has it. */
#pragma once
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

/* The widest kernel, and lists over 1..3 columns. */
#define LANES_COLUMNS 3
#define LANES_EACH(X, f) X(f, 1) X(f, 2) X(f, 3)
#define LANES_LIST(prefix) prefix##1, prefix##2, prefix##3

#define LANES inline __attribute__((always_inline, unused)) static
typedef struct {
	float32x4_t v[4];
} vf;
typedef struct {
	int32x4_t v[4];
} vi;
/* The expression for i = 0 .. 3. */
#define EACH_ONE(n, expression)                                                                                                            \
	({                                                                                                                                 \
		enum { i = n };                                                                                                            \
		expression;                                                                                                                \
	})
#define EACH(expression)                                                                                                                   \
	{                                                                                                                                  \
		{                                                                                                                          \
			EACH_ONE(0, expression), EACH_ONE(1, expression), EACH_ONE(2, expression), EACH_ONE(3, expression)                 \
		}                                                                                                                          \
	}

LANES int32_t lane_word(const void *p)
{
	int32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}
LANES uint8x16_t lane_bytes(int32x4_t a) { return vreinterpretq_u8_s32(a); }
LANES vi vi_set(int32_t x) { return (vi)EACH(vdupq_n_s32(x)); }
LANES vi vi_load(const void *p)
{
	const uint8_t *b = p;
	return (vi)EACH(vreinterpretq_s32_u8(vld1q_u8(b + 16 * i)));
}
LANES void vi_store(void *p, vi a)
{
	uint8_t *b = p;
	for (int i = 0; i < 4; i++)
		vst1q_u8(b + 16 * i, lane_bytes(a.v[i]));
}
LANES vi vi_low(vi a) { return (vi)EACH(vreinterpretq_s32_u8(vandq_u8(lane_bytes(a.v[i]), vdupq_n_u8(15)))); }
LANES vi vi_high(vi a) { return (vi)EACH(vreinterpretq_s32_u8(vshrq_n_u8(lane_bytes(a.v[i]), 4))); }
LANES vi vi_lookup(vi nibbles, const uint8_t table[16])
{
	uint8x16_t t = vld1q_u8(table);
	return (vi)EACH(vreinterpretq_s32_u8(vqtbl1q_u8(t, lane_bytes(nibbles.v[i]))));
}
/* Levels up to 127, so that they may be taken as signed. */
LANES int32x4_t quarter_dot(int32x4_t sum, int32x4_t levels, int8x16_t x)
{
	int8x16_t w = vreinterpretq_s8_s32(levels);
#if defined(__ARM_FEATURE_DOTPROD)
	return vdotq_s32(sum, w, x);
#else
	int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x))), high = vpaddlq_s16(vmull_high_s8(w, x));
	return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
}
LANES vi vi_dot(vi sum, vi levels, const void *x)
{
	int8x16_t v = vreinterpretq_s8_s32(vdupq_n_s32(lane_word(x)));
	return (vi)EACH(quarter_dot(sum.v[i], levels.v[i], v));
}
LANES vi vi_shift(vi a, int n)
{
	int32x4_t by = vdupq_n_s32(n);
	return (vi)EACH(vshlq_s32(a.v[i], by));
}
LANES vi vi_sub(vi a, vi b) { return (vi)EACH(vsubq_s32(a.v[i], b.v[i])); }
LANES vi vi_add(vi a, vi b) { return (vi)EACH(vaddq_s32(a.v[i], b.v[i])); }
/* Levels up to 255: their nibbles apart. */
LANES vi vi_dot_wide(vi sum, vi levels, const void *x)
{
	vi high = vi_dot(vi_set(0), vi_high(levels), x);
	return vi_add(vi_dot(sum, vi_low(levels), x), vi_shift(high, 4));
}
LANES int32_t vi_total(vi a) { return vaddvq_s32(vaddq_s32(vaddq_s32(a.v[0], a.v[1]), vaddq_s32(a.v[2], a.v[3]))); }
/* The sums of a and of b. */
LANES void vi_totals(vi a, vi b, int32_t *total_a, int32_t *total_b)
{
	*total_a = vi_total(a);
	*total_b = vi_total(b);
}
LANES void vi_store_bytes(void *p, vi a)
{
	int16x8_t low = vcombine_s16(vqmovn_s32(a.v[0]), vqmovn_s32(a.v[1])), high = vcombine_s16(vqmovn_s32(a.v[2]), vqmovn_s32(a.v[3]));
	vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}
LANES vi vi_from_bytes(const uint8_t *p)
{
	uint8x16_t b = vld1q_u8(p);
	uint16x8_t low = vmovl_u8(vget_low_u8(b)), high = vmovl_high_u8(b);
	return (vi){{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), vreinterpretq_s32_u32(vmovl_high_u16(low)),
		     vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))), vreinterpretq_s32_u32(vmovl_high_u16(high))}};
}

LANES vf vf_set(float x) { return (vf)EACH(vdupq_n_f32(x)); }
LANES vf vf_load(const float *p) { return (vf)EACH(vld1q_f32(p + 4 * i)); }
LANES void vf_store(float *p, vf a)
{
	for (int i = 0; i < 4; i++)
		vst1q_f32(p + 4 * i, a.v[i]);
}
LANES vf vf_halves(const void *p)
{
	const uint8_t *b = p;
	return (vf)EACH(vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(b + 8 * i))));
}
LANES vf vf_from_int(vi a) { return (vf)EACH(vcvtq_f32_s32(a.v[i])); }
LANES vi vf_round(vf a) { return (vi)EACH(vcvtnq_s32_f32(a.v[i])); }
LANES vf vf_fma(vf a, vf b, vf c) { return (vf)EACH(vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
LANES vf vf_mul(vf a, vf b) { return (vf)EACH(vmulq_f32(a.v[i], b.v[i])); }
LANES vf vf_add(vf a, vf b) { return (vf)EACH(vaddq_f32(a.v[i], b.v[i])); }
/* vmaxq and vmaxvq answer NaN when they see one. */
LANES vf vf_max(vf a, vf b) { return (vf)EACH(vmaxq_f32(a.v[i], b.v[i])); }
LANES vf vf_abs(vf a) { return (vf)EACH(vabsq_f32(a.v[i])); }
LANES float vf_total(vf a) { return vaddvq_f32(vaddq_f32(vaddq_f32(a.v[0], a.v[1]), vaddq_f32(a.v[2], a.v[3]))); }
LANES float vf_largest(vf a) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.v[0], a.v[1]), vmaxq_f32(a.v[2], a.v[3]))); }
LANES vf vf_table(const float table[16], vi index)
{
	int32_t at[16];
	float out[16];
	vi_store(at, index);
	for (int i = 0; i < 16; i++)
		out[i] = table[at[i]];
	return vf_load(out);
}
/* a0 b0 a1 b1 ... */
LANES void vf_store_pairs(float *p, vf a, vf b)
{
	for (int i = 0; i < 4; i++)
		vst2q_f32(p + 8 * i, ((float32x4x2_t){{a.v[i], b.v[i]}}));
}

/* 16 x 16 words: rows at stride ld to columns, four by four. */
LANES void lanes_transpose(const uint32_t *in, int64_t ld, uint32_t *out)
{
	for (int r = 0; r < 16; r += 4)
		for (int k = 0; k < 16; k += 4) {
			uint32x4x4_t rows = {{vld1q_u32(in + r * ld + k), vld1q_u32(in + (r + 1) * ld + k),
					      vld1q_u32(in + (r + 2) * ld + k), vld1q_u32(in + (r + 3) * ld + k)}};
			uint32_t square[16];
			vst4q_u32(square, rows);
			for (int i = 0; i < 4; i++)
				vst1q_u32(out + (k + i) * 16 + r, vld1q_u32(square + 4 * i));
		}
}
#undef EACH
#undef EACH_ONE
