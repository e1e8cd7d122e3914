/* fit.c: see fit.h. The parts of a GPU's memory are those of the estimator, spread over the GPUs that it asks for. */
#include "catalog/fit.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define GIB 1073741824.0
static const double MACHINE_SHARE = 0.95; /* the rest is the system's */
enum { COMPUTE_CAPABILITY_MIN = 80 };

int fit_gpu(const struct catalog_model *m, const struct gpu_config *gpu, int64_t context_tokens, struct fit *out, struct err *err)
{
	struct estimate e = {0};
	if (estimate_nodes(m, gpu, context_tokens, &e, err) < 0)
		return -1;
	double context = (double)(context_tokens > 0 ? context_tokens : ESTIMATE_CONTEXT_TOKENS), all = (double)e.nodes * gpu->gpus;
	double token_gib = (double)m->kv_bytes_per_token / gpu->gpus / GIB, weights = m->weights_gib * ESTIMATE_EXPANSION / all;
	struct fit f = {.nodes = e.nodes, .gpus = gpu->gpus, .per_gpu_gib = gpu->gib / gpu->gpus, .usable_gib = e.available_gib, .weights_gib = weights,
			.kv_gib = context * token_gib, .overhead_gib = ESTIMATE_BASE_GIB + ESTIMATE_WEIGHT_OVERHEAD * weights};
	f.spare_gib = f.usable_gib - f.weights_gib - f.kv_gib - f.overhead_gib;
	f.tokens = token_gib > 0 ? (int64_t)((f.spare_gib + f.kv_gib) / token_gib) : m->context_tokens;
	*out = f;
	return 0;
}

bool fit_machine(const struct sku *s, double gib) { return s->memory_gib <= 0 || gib <= s->memory_gib * MACHINE_SHARE; }

bool fit_gpu_supported(const struct sku *s) { return s->gpus > 0 && s->compute_capability >= COMPUTE_CAPABILITY_MIN; }

/* Sorted insertion into the best so far. */
static size_t keep(struct fit_choice *out, size_t n, size_t max, struct fit_choice c, bool (*before)(const struct fit_choice *a, const struct fit_choice *b))
{
	size_t at = n;
	while (at > 0 && before(&c, &out[at - 1]))
		at--;
	if (at >= max)
		return n;
	size_t kept = n < max ? n : max - 1;
	memmove(&out[at + 1], &out[at], (kept - at) * sizeof *out);
	out[at] = c;
	return kept + 1;
}

static bool less_gpu(const struct fit_choice *a, const struct fit_choice *b)
{
	return a->nodes != b->nodes ? a->nodes < b->nodes : a->sku->gpu_gib < b->sku->gpu_gib;
}

static bool less_memory(const struct fit_choice *a, const struct fit_choice *b)
{
	return a->sku->memory_gib < b->sku->memory_gib || (a->sku->memory_gib <= b->sku->memory_gib && a->sku->cpus > b->sku->cpus);
}

size_t fit_smallest_gpu(const char *cloud, const struct catalog_model *m, int64_t context_tokens, struct fit_choice *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < SKU_COUNT; i++) {
		struct estimate e = {0};
		struct err ignored = ERR_INIT;
		const struct gpu_config gpu = sku_gpu_config(&SKUS[i]);
		if (strcasecmp(SKUS[i].cloud, cloud) == 0 && fit_gpu_supported(&SKUS[i]) && estimate_nodes(m, &gpu, context_tokens, &e, &ignored) == 0)
			n = keep(out, n, max, (struct fit_choice){&SKUS[i], e.nodes}, less_gpu);
	}
	return n;
}

size_t fit_smallest_cpu(const char *cloud, double gib, struct fit_choice *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < SKU_COUNT; i++)
		if (strcasecmp(SKUS[i].cloud, cloud) == 0 && SKUS[i].gpus == 0 && fit_machine(&SKUS[i], gib))
			n = keep(out, n, max, (struct fit_choice){&SKUS[i], 1}, less_memory);
	return n;
}
