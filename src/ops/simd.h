/* simd.h: one vector type per ISA level, by the compiler's vector extensions. The kernel sources (rows_kernels.c,
 * gemm_kernels.c, attention_kernels.c) are compiled once per level with that level's flags; KERNEL(name) gives each
 * copy its own symbols. The same source serves SSE4, AVX2, AVX-512 and NEON;
 * intrinsics only where the extensions have no word for it (max, min).
 *
 * Loads and stores are unaligned (buffers are 64-byte aligned, views into them need not be). A tail shorter than a vector
 * goes through simd_load_part / simd_store_part, which touch only `n` lanes.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define SIMD 16
#define KERNEL(name) name##_avx512
#elif defined(__AVX2__)
#define SIMD 8
#define KERNEL(name) name##_avx2
#else
#define SIMD 4
#define KERNEL(name) name##_base
#endif

#if SIMD > 4
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(SIMD * 4)));
typedef int32_t vi __attribute__((vector_size(SIMD * 4)));
typedef float vf_memory __attribute__((vector_size(SIMD * 4), aligned(4), may_alias));

INLINE vf simd_load(const float *p) { return *(const vf_memory *)p; }
INLINE void simd_store(float *p, vf v) { *(vf_memory *)p = v; }
INLINE vf simd_set(float x) { return x - (vf){0}; }
INLINE vf simd_load_part(const float *p, int64_t n)
{
	float lanes[SIMD] = {0};
	memcpy(lanes, p, (size_t)n * sizeof *p);
	return simd_load(lanes);
}
INLINE void simd_store_part(float *p, vf v, int64_t n)
{
	float lanes[SIMD];
	simd_store(lanes, v);
	memcpy(p, lanes, (size_t)n * sizeof *p);
}
#if SIMD == 16
INLINE vf simd_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf simd_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
#elif SIMD == 8
INLINE vf simd_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf simd_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
#else
INLINE vf simd_select(vi mask, vf a, vf b) { return (vf)(((vi)a & mask) | ((vi)b & ~mask)); }
INLINE vf simd_max(vf a, vf b) { return simd_select(a > b, a, b); }
INLINE vf simd_min(vf a, vf b) { return simd_select(a < b, a, b); }
#endif
/* Fixed halving tree: the same bits on every run of a level. */
INLINE float simd_sum(vf v)
{
	float lanes[SIMD];
	simd_store(lanes, v);
	for (int half = SIMD / 2; half > 0; half /= 2)
		for (int i = 0; i < half; i++)
			lanes[i] += lanes[i + half];
	return lanes[0];
}
INLINE float simd_top(vf v)
{
	float top = v[0];
	for (int i = 1; i < SIMD; i++)
		top = v[i] > top ? v[i] : top;
	return top;
}

/* exp(x) = 2^n * e^r, n = round(x log2 e), |r| <= ln2 / 2, degree-6 minimax polynomial (relative error below 2e-7).
 * Arguments are clamped to [-87.3, 88.3]: exp(-inf) gives 1.2e-38, which every caller treats as zero. */
INLINE vf simd_exp(vf x)
{
	x = simd_min(simd_max(x, simd_set(-87.3f)), simd_set(88.3f));
	const vf magic = simd_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits */
	vf shifted = x * simd_set(1.44269504f) + magic;
	vf n = shifted - magic;
	vf r = (x - n * simd_set(0.693359375f)) - n * simd_set(-2.12194440e-4f);
	vf p = simd_set(1.3981999507e-3f) + r * simd_set(1.9875691500e-4f);
	p = simd_set(8.3334519073e-3f) + r * p;
	p = simd_set(4.1665795894e-2f) + r * p;
	p = simd_set(1.6666665459e-1f) + r * p;
	p = simd_set(5.0000001201e-1f) + r * p;
	p = r * r * p + r + simd_set(1.0f);
	vi bits;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits << 23) + (vi)simd_set(1.0f);
	vf scale;
	memcpy(&scale, &bits, sizeof scale);
	return p * scale;
}
