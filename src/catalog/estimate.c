/* estimate.c: see estimate.h. All arithmetic in double bytes, truncations where upstream truncates. */
#include "catalog/estimate.h"

#include <math.h>

#define GIB 1073741824.0
const double ESTIMATE_UTILISATION = 0.84, ESTIMATE_EXPANSION = 1.02, ESTIMATE_WEIGHT_OVERHEAD = 0.05, ESTIMATE_BASE_GIB = 2.3;

int estimate_nodes(const struct catalog_model *m, const struct gpu_config *gpu, int64_t context_tokens, struct estimate *out, struct err *err)
{
	if (gpu->gpus <= 0)
		return err_set(err, ERR_INVALID, "no GPU to estimate for model %s", m->id);
	double context = (double)(context_tokens > 0 ? context_tokens : ESTIMATE_CONTEXT_TOKENS);
	double per_gpu = gpu->gib * GIB / gpu->gpus, available = per_gpu * ESTIMATE_UTILISATION;
	double reserved = ESTIMATE_BASE_GIB * GIB + context * (double)m->kv_bytes_per_token / gpu->gpus;
	if (available <= reserved)
		return err_set(err, ERR_INVALID, "GPU memory %.0f bytes is too small, needs at least %.0f bytes", per_gpu, reserved / ESTIMATE_UTILISATION);
	double weights = m->weights_gib * GIB * ESTIMATE_EXPANSION;
	int min_gpus = (int)floor(weights / ((available - reserved) / (1 + ESTIMATE_WEIGHT_OVERHEAD))) + 1;
	int nodes = (min_gpus + gpu->gpus - 1) / gpu->gpus;
	if (gpu->mig && nodes > 1)
		return err_set(err, ERR_INVALID, "model needs %.1fGB (weights %.1fGB + overhead %.1fGB) but MIG profile %s only provides %.0fGB",
			       (weights + reserved) / GIB, weights / GIB, reserved / GIB, gpu->model ? gpu->model : "", gpu->gib);
	*out = (struct estimate){nodes, min_gpus, available / GIB, reserved / GIB};
	return 0;
}
