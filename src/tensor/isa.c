/* Run-time choice of the kernel table. */
#include "tensor/isa.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__aarch64__)
#include <sys/auxv.h>
static bool has_dot(void) { return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; } /* HWCAP_ASIMDDP */
#endif
static bool always(void) { return true; }

#if defined(__x86_64__)
/* Asked by hand: not every compiler's __builtin_cpu_supports knows f16c. */
static bool has_f16c(void)
{
	unsigned a, b, c, d;
	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}
static bool has_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

/* Best first. The name is what KAITO_ISA asks for: the first row of that name that the CPU has. */
static const struct choice {
	const char *name;
	bool (*usable)(void);
	const struct kernels *kernels;
} CHOICES[] = {
#if defined(__x86_64__)
	{"avx512", has_bf16, &KERNELS_AVX512_BF16},
	{"avx512", has_avx512, &KERNELS_AVX512},
	{"avx512-vnni", has_avx512, &KERNELS_AVX512},
	{"avx2", has_avx2, &KERNELS_AVX2},
#elif defined(__aarch64__)
	{"neon", has_dot, &KERNELS_NEON_DOT},
	{"neon", always, &KERNELS_NEON},
	{"neon-plain", always, &KERNELS_NEON},
#endif
	{"ref", always, &KERNELS_REF},
};

static const struct kernels *chosen;

static const struct kernels *find(const char *name)
{
	for (size_t i = 0; i < sizeof CHOICES / sizeof *CHOICES; i++)
		if ((!name || strcmp(name, CHOICES[i].name) == 0) && CHOICES[i].usable())
			return CHOICES[i].kernels;
	return NULL;
}

static void choose(void)
{
	const char *name = getenv("KAITO_ISA");
	chosen = name && *name ? find(name) : NULL;
	if (!chosen) /* unset, unknown, or more than this CPU has */
		chosen = find(NULL);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

const struct kernels *isa_kernels(void)
{
	pthread_once(&once, choose);
	return chosen;
}

bool isa_force(const char *name)
{
	pthread_once(&once, choose);
	const struct kernels *k = find(name);
	if (k)
		chosen = k;
	return k != NULL;
}
