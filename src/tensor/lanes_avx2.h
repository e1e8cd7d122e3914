/* Sixteen 32-bit lanes in two 256-bit registers: AVX2, FMA, F16C. */
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* The widest kernel, and lists over 1..3 columns. */
#define LANES_COLUMNS 3
#define LANES_EACH(X, f) X(f, 1) X(f, 2) X(f, 3)
#define LANES_LIST(prefix) prefix##1, prefix##2, prefix##3
#define LANES inline __attribute__((always_inline, unused)) static
typedef struct {
	__m256 a, b;
} vf;
typedef struct {
	__m256i a, b;
} vi;

LANES int32_t lane_word(const void *p)
{
	int32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}
LANES vi vi_set(int32_t x) { return (vi){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
LANES vi vi_load(const void *p)
{
	const __m256i *v = p;
	return (vi){_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
}
LANES void vi_store(void *p, vi x)
{
	__m256i *v = p;
	_mm256_storeu_si256(v, x.a);
	_mm256_storeu_si256(v + 1, x.b);
}
LANES vi vi_low(vi x)
{
	__m256i m = _mm256_set1_epi8(15);
	return (vi){_mm256_and_si256(x.a, m), _mm256_and_si256(x.b, m)};
}
LANES vi vi_high(vi x) { return vi_low((vi){_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)}); }
LANES vi vi_lookup(vi nibbles, const uint8_t table[16])
{
	__m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
	return (vi){_mm256_shuffle_epi8(t, nibbles.a), _mm256_shuffle_epi8(t, nibbles.b)};
}
LANES __m256i half_dot(__m256i sum, __m256i levels, __m256i x)
{
	return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(levels, x), _mm256_set1_epi16(1)));
}
/* Levels up to 127: two products of at most 127 * 127 fit 16 bits. */
LANES vi vi_dot(vi sum, vi levels, const void *x)
{
	__m256i v = _mm256_set1_epi32(lane_word(x));
	return (vi){half_dot(sum.a, levels.a, v), half_dot(sum.b, levels.b, v)};
}
LANES vi vi_shift(vi x, int n) { return (vi){_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)}; }
LANES vi vi_sub(vi x, vi y) { return (vi){_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
LANES vi vi_add(vi x, vi y) { return (vi){_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
/* Levels up to 255 would saturate maddubs: their nibbles apart. */
LANES vi vi_dot_wide(vi sum, vi levels, const void *x)
{
	vi high = vi_dot(vi_set(0), vi_high(levels), x);
	return vi_add(vi_dot(sum, vi_low(levels), x), vi_shift(high, 4));
}
/* The sums of x and of y. */
LANES void vi_totals(vi x, vi y, int32_t *total_x, int32_t *total_y)
{
	__m256i s = _mm256_hadd_epi32(_mm256_add_epi32(x.a, x.b), _mm256_add_epi32(y.a, y.b));
	s = _mm256_hadd_epi32(s, s);
	int64_t both = _mm_cvtsi128_si64(_mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
	*total_x = (int32_t)both;
	*total_y = (int32_t)(both >> 32);
}
LANES void vi_store_bytes(void *p, vi x)
{
	__m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
	_mm_storeu_si128((__m128i *)p, _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

LANES vf vf_set(float x) { return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
LANES vf vf_load(const float *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
LANES void vf_store(float *p, vf x)
{
	_mm256_storeu_ps(p, x.a);
	_mm256_storeu_ps(p + 8, x.b);
}
LANES vf vf_halves(const void *p)
{
	const __m128i *h = p;
	return (vf){_mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1))};
}
LANES vf vf_from_int(vi x) { return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
LANES vi vf_round(vf x) { return (vi){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
LANES vf vf_fma(vf x, vf y, vf z) { return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
LANES vf vf_mul(vf x, vf y) { return (vf){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
LANES vf vf_add(vf x, vf y) { return (vf){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
/* Of values without sign, compared by their bits: a NaN is the largest. */
LANES __m256 half_max(__m256 a, __m256 b) { return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))); }
LANES vf vf_max(vf x, vf y) { return (vf){half_max(x.a, y.a), half_max(x.b, y.b)}; }
LANES vf vf_abs(vf x)
{
	__m256 m = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
	return (vf){_mm256_and_ps(x.a, m), _mm256_and_ps(x.b, m)};
}
LANES float vf_total(vf x)
{
	__m256 s = _mm256_add_ps(x.a, x.b);
	__m128 q = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
LANES float vf_largest(vf x)
{
	__m256i s = _mm256_castps_si256(half_max(x.a, x.b));
	__m128i q = _mm_max_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
	q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0x4e));
	return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(q, _mm_shuffle_epi32(q, 0xb1))));
}

LANES vi vi_from_bytes(const uint8_t *p)
{
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
	return (vi){_mm256_cvtepu8_epi32(b), _mm256_cvtepu8_epi32(_mm_srli_si128(b, 8))};
}
LANES __m256 table_half(const float table[16], __m256i index)
{
	__m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index),
	       high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
	return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
LANES vf vf_table(const float table[16], vi index) { return (vf){table_half(table, index.a), table_half(table, index.b)}; }
LANES void pairs_half(float *p, __m256 a, __m256 b)
{
	__m256 low = _mm256_unpacklo_ps(a, b), high = _mm256_unpackhi_ps(a, b);
	_mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
	_mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
}
/* a0 b0 a1 b1 ... */
LANES void vf_store_pairs(float *p, vf x, vf y)
{
	pairs_half(p, x.a, y.a);
	pairs_half(p + 16, x.b, y.b);
}

LANES void lanes_transpose(const uint32_t *in, int64_t ld, uint32_t *out)
{
	for (int r = 0; r < 16; r += 4)
		for (int k = 0; k < 16; k += 4) {
			const float *at = (const float *)in + r * ld + k;
			__m128 a = _mm_loadu_ps(at), b = _mm_loadu_ps(at + ld), c = _mm_loadu_ps(at + 2 * ld),
			       d = _mm_loadu_ps(at + 3 * ld);
			_MM_TRANSPOSE4_PS(a, b, c, d);
			float *to = (float *)out + k * 16 + r;
			_mm_storeu_ps(to, a);
			_mm_storeu_ps(to + 16, b);
			_mm_storeu_ps(to + 32, c);
			_mm_storeu_ps(to + 48, d);
		}
}
