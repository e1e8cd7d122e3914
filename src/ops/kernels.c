/* kernels.c: which ISA levels this build has and this CPU can run. */
#include "ops/kernels.h"

extern const struct ops_kernels ops_kernels_base, ops_kernels_avx2, ops_kernels_avx512;
#ifdef __x86_64__
void attention_bf16_avx512(const struct attention_head *h);
void attention_backward_bf16_avx512(const struct attention_head *h);
#endif

const struct ops_kernels *ops_kernels_level(enum ops_level level)
{
	switch (level) {
	case OPS_REFERENCE:
		return &ops_kernels_reference;
	case OPS_BASE:
		return &ops_kernels_base;
	case OPS_AVX2:
#ifdef __x86_64__
		if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
			return &ops_kernels_avx2;
#endif
		return NULL;
	case OPS_AVX512:
#ifdef __x86_64__
		if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		    __builtin_cpu_supports("avx512dq"))
			return &ops_kernels_avx512;
#endif
		return NULL;
	case OPS_LEVELS:
		return NULL;
	}
	return NULL;
}

const struct ops_kernels *ops_kernels(void)
{
	static const struct ops_kernels *best; /* every thread computes the same value */
	const struct ops_kernels *found = __atomic_load_n(&best, __ATOMIC_RELAXED);
	for (int level = OPS_AVX512; !found; level--)
		found = ops_kernels_level((enum ops_level)level);
	__atomic_store_n(&best, found, __ATOMIC_RELAXED);
	return found;
}

struct ops_attention ops_attention(bool fast)
{
#ifdef __x86_64__
	if (fast && ops_kernels() == &ops_kernels_avx512 && __builtin_cpu_supports("avx512bf16"))
		return (struct ops_attention){attention_bf16_avx512, attention_backward_bf16_avx512};
#endif
	(void)fast;
	return (struct ops_attention){ops_kernels()->attention, ops_kernels()->attention_backward};
}
