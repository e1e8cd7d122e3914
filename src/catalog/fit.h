/* fit.h: how a model lies in the memory of a machine, and which machines are the smallest that hold it. For `kaito models`, `kaito
 * estimate` and messages that should say what would do. */
#pragma once
#include "catalog/estimate.h"

/* Of one GPU, in GiB; usable is what the server may take, spare what is left of it. */
struct fit {
	int nodes, gpus;        /* gpus: of one node */
	double per_gpu_gib, usable_gib, weights_gib, kv_gib, overhead_gib, spare_gib;
	int64_t tokens;         /* that fit in all, the context among them */
};
/* context_tokens 0: 2048. Errors as estimate_nodes. */
WARN_UNUSED int fit_gpu(const struct catalog_model *m, const struct gpu_config *gpu, int64_t context_tokens, struct fit *out, struct err *err);

struct fit_choice { const struct sku *sku; int nodes; };
/* The cloud's instance types that hold the model, fewest nodes first, then the least GPU memory; at most max. Only those that upstream's
 * images run on (NVIDIA, compute capability 8.0 and up). Returns how many. */
size_t fit_smallest_gpu(const char *cloud, const struct catalog_model *m, int64_t context_tokens, struct fit_choice *out, size_t max);
/* The CPU machines with so much memory for one process, smallest first, of equal ones the one with
 * more CPUs. */
size_t fit_smallest_cpu(const char *cloud, double gib, struct fit_choice *out, size_t max);
/* Whether a process of so many GiB fits beside the system. Unknown memory: yes. */
bool fit_machine(const struct sku *s, double gib);
/* Whether upstream's images run on the machine's GPUs. */
bool fit_gpu_supported(const struct sku *s);
