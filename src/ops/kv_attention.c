/* kv_attention.c: the plain version of attention over a cache, which is the law for the fast ones, and the choice between
 * them at run time. */
#include "ops/kv_attention.h"

#include "tensor/dtype.h"
#include <math.h>

static float clamp_f16(float x)
{
	return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x;
}

static void put(enum kv_type type, void *base, int64_t i, float x)
{
	if (type == KV_F16)
		((uint16_t *)base)[i] = dtype_f32_to_f16(clamp_f16(x));
	else
		((float *)base)[i] = x;
}

static float get(enum kv_type type, const void *base, int64_t i)
{
	return type == KV_F16 ? dtype_f16_to_f32(((const uint16_t *)base)[i]) : ((const float *)base)[i];
}

static int64_t key_index(int32_t d, int64_t token, int32_t i)
{
	return token / KV_BLOCK * KV_BLOCK * d + (int64_t)i * KV_BLOCK + token % KV_BLOCK;
}

static void store_keys(enum kv_type type, int32_t d, void *keys, int64_t first, int64_t rows, const float *x, int64_t ldx)
{
	for (int64_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < d; i++)
			put(type, keys, key_index(d, first + r, i), x[r * ldx + i]);
}

static void store_values(enum kv_type type, int32_t d, void *values, int64_t first, int64_t rows, const float *x, int64_t ldx)
{
	for (int64_t r = 0; r < rows; r++)
		for (int32_t i = 0; i < kv_padded(d); i++)
			put(type, values, (first + r) * kv_padded(d) + i, i < d ? x[r * ldx + i] : 0);
}

static float score(const struct kv_attention *a, const float *q, int64_t token)
{
	double sum = 0;
	for (int32_t i = 0; i < a->d; i++)
		sum += (double)q[i] * get(a->type, a->keys, key_index(a->d, token, i));
	return (float)sum * a->scale;
}

static void attend(const struct kv_attention *a, const float *q, int64_t position, float *out)
{
	int64_t from = a->window > 0 && position - a->window + 1 > 0 ? position - a->window + 1 : 0;
	double total = 0;
	float top = -INFINITY;
	for (int64_t j = from; j <= position; j++)
		top = fmaxf(top, score(a, q, j));
	for (int32_t i = 0; i < a->d; i++)
		out[i] = 0;
	for (int64_t j = from; j <= position; j++) {
		float p = expf(score(a, q, j) - top);
		total += p;
		for (int32_t i = 0; i < a->d; i++)
			out[i] += p * get(a->type, a->values, j * kv_padded(a->d) + i);
	}
	for (int32_t i = 0; i < a->d; i++)
		out[i] = (float)(out[i] / total);
}

static void attention(const struct kv_attention *a)
{
	for (int64_t r = 0; r < a->rows; r++)
		for (int32_t h = 0; h < a->group; h++)
			attend(a, a->q + r * a->ldq + h * a->d, a->first + r, a->out + r * a->ldo + h * a->d);
}

static const struct kv_kernels reference = {"reference", store_keys, store_values, attention};
extern const struct kv_kernels kv_kernels_base, kv_kernels_avx2, kv_kernels_avx512;

const struct kv_kernels *kv_kernels_level(enum kv_level level)
{
	switch (level) {
	case KV_REFERENCE: return &reference;
	case KV_BASE: return &kv_kernels_base;
#ifdef __x86_64__
	case KV_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kv_kernels_avx2 : NULL;
	case KV_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
				       __builtin_cpu_supports("avx512dq")
			       ? &kv_kernels_avx512
			       : NULL;
#else
	case KV_AVX2:
	case KV_AVX512:
#endif
	case KV_LEVELS: return NULL;
	}
	return NULL;
}

const struct kv_kernels *kv_kernels(void)
{
	static const struct kv_kernels *best; /* every thread computes the same value */
	const struct kv_kernels *found = __atomic_load_n(&best, __ATOMIC_RELAXED);
	for (int level = KV_AVX512; !found; level--)
		found = kv_kernels_level((enum kv_level)level);
	__atomic_store_n(&best, found, __ATOMIC_RELAXED);
	return found;
}
