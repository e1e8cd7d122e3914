/* simd_half.h: vectors of IEEE half-precision numbers as storage: load to f32, store with rounding to nearest even. Infinities are
 * never stored: values go through simd_saturate_half first. */
#pragma once
#include "ops/simd.h"

#if SIMD == 4
INLINE float half_to_float(uint16_t h)
{
	/* Exponent re-biased by a multiplication, which also makes subnormals right. Infinities do not occur (stores saturate). */
	uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
	float magnitude;
	memcpy(&magnitude, &bits, sizeof magnitude);
	magnitude *= 0x1p112f;
	return h & 0x8000 ? -magnitude : magnitude;
}
INLINE uint16_t float_to_half(float x)
{
	/* Round to nearest even by adding a number whose last bit weighs what f16 can keep. */
	uint32_t bits, rounded;
	memcpy(&bits, &x, sizeof bits);
	uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
	bits &= 0x7fffffff;
	if (bits < 0x38800000) { /* below 2^-14: subnormal in f16 */
		float f;
		memcpy(&f, &bits, sizeof f);
		f += 0.5f;
		memcpy(&rounded, &f, sizeof rounded);
		return (uint16_t)(sign | (uint16_t)(rounded - 0x3f000000));
	}
	rounded = bits - 0x38000000 + 0xfff + (bits >> 13 & 1);
	return (uint16_t)(sign | (uint16_t)(rounded >> 13));
}
INLINE vf simd_load_half(const uint16_t *p) { return (vf){half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])}; }
INLINE void simd_store_half(uint16_t *p, vf v)
{
	for (int i = 0; i < SIMD; i++)
		p[i] = float_to_half(v[i]);
}
#elif SIMD == 8
INLINE vf simd_load_half(const uint16_t *p) { return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
INLINE void simd_store_half(uint16_t *p, vf v) { _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT)); }
#else
INLINE vf simd_load_half(const uint16_t *p) { return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE void simd_store_half(uint16_t *p, vf v) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT)); }
#endif

INLINE vf simd_saturate_half(vf v)
{
	return simd_min(simd_max(v, simd_set(-65504.0f)), simd_set(65504.0f));
}
