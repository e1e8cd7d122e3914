/* Sixteen 32-bit lanes in one 512-bit register: AVX-512 F BW DQ VL VNNI. */
#pragma once
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* The widest kernel, and lists over 1..8 columns. */
#define LANES_COLUMNS 8
#define LANES_EACH(X, f) X(f, 1) X(f, 2) X(f, 3) X(f, 4) X(f, 5) X(f, 6) X(f, 7) X(f, 8)
#define LANES_LIST(prefix) prefix##1, prefix##2, prefix##3, prefix##4, prefix##5, prefix##6, prefix##7, prefix##8
#define LANES inline __attribute__((always_inline, unused)) static
typedef __m512 vf;
typedef __m512i vi;

LANES int32_t lane_word(const void *p)
{
	int32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}
LANES vi vi_set(int32_t x) { return _mm512_set1_epi32(x); }
LANES vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
LANES void vi_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
LANES vi vi_low(vi a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
LANES vi vi_high(vi a) { return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15)); }
LANES vi vi_lookup(vi nibbles, const uint8_t table[16])
{
	return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table)), nibbles);
}
LANES vi vi_dot(vi sum, vi levels, const void *x) { return _mm512_dpbusd_epi32(sum, levels, _mm512_set1_epi32(lane_word(x))); }
LANES vi vi_dot_wide(vi sum, vi levels, const void *x) { return vi_dot(sum, levels, x); }
LANES vi vi_shift(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
LANES vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
/* The sums of a and of b. */
LANES void vi_totals(vi a, vi b, int32_t *total_a, int32_t *total_b)
{
	__m256i x = _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
	__m256i y = _mm256_add_epi32(_mm512_castsi512_si256(b), _mm512_extracti64x4_epi64(b, 1));
	__m256i s = _mm256_hadd_epi32(x, y);
	s = _mm256_hadd_epi32(s, s);
	int64_t both = _mm_cvtsi128_si64(_mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
	*total_a = (int32_t)both;
	*total_b = (int32_t)(both >> 32);
}
LANES void vi_store_bytes(void *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(a)); }

LANES vf vf_set(float x) { return _mm512_set1_ps(x); }
LANES vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
LANES void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
LANES vf vf_halves(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
LANES vf vf_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
LANES vi vf_round(vf a) { return _mm512_cvtps_epi32(a); }
LANES vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
LANES vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
LANES vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
/* Of values without sign, compared by their bits: a NaN is the largest. */
LANES vf vf_max(vf a, vf b) { return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))); }
LANES vf vf_abs(vf a) { return _mm512_abs_ps(a); }
LANES float vf_total(vf a) { return _mm512_reduce_add_ps(a); }
LANES float vf_largest(vf a) { return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(_mm512_castps_si512(a))))); }

LANES vi vi_from_bytes(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)); }
LANES vf vf_table(const float table[16], vi index) { return _mm512_permutexvar_ps(index, _mm512_loadu_ps(table)); }
/* a0 b0 a1 b1 ... */
LANES void vf_store_pairs(float *p, vf a, vf b)
{
	__m512i low = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0),
		high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
	_mm512_storeu_ps(p, _mm512_permutex2var_ps(a, low, b));
	_mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(a, high, b));
}

/* 16 x 16 words: rows at stride ld to columns. */
LANES void lanes_transpose(const uint32_t *in, int64_t ld, uint32_t *out)
{
	__m512i a[16], b[16];
	for (int i = 0; i < 16; i++)
		a[i] = _mm512_loadu_si512(in + i * ld);
	for (int i = 0; i < 16; i += 2) {
		b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
		b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
	}
	for (int i = 0; i < 16; i += 4)
		for (int j = 0; j < 2; j++) {
			a[i + 2 * j] = _mm512_unpacklo_epi64(b[i + j], b[i + j + 2]);
			a[i + 2 * j + 1] = _mm512_unpackhi_epi64(b[i + j], b[i + j + 2]);
		}
	for (int i = 0; i < 4; i++) { /* a[4 g + i]: column i of each 128-bit lane, rows 4 g .. 4 g + 3 */
		__m512i low = _mm512_shuffle_i32x4(a[i], a[4 + i], 0x88), high = _mm512_shuffle_i32x4(a[i], a[4 + i], 0xdd);
		__m512i low2 = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0x88), high2 = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0xdd);
		_mm512_storeu_si512(out + 16 * i, _mm512_shuffle_i32x4(low, low2, 0x88));
		_mm512_storeu_si512(out + 16 * (4 + i), _mm512_shuffle_i32x4(high, high2, 0x88));
		_mm512_storeu_si512(out + 16 * (8 + i), _mm512_shuffle_i32x4(low, low2, 0xdd));
		_mm512_storeu_si512(out + 16 * (12 + i), _mm512_shuffle_i32x4(high, high2, 0xdd));
	}
}
