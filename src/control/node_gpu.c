/* node_gpu.c: see node_gpu.h. */
#include "control/node_gpu.h"

#include "kube/meta.h"
#include "kube/quantity.h"

/* A label's number, or the fallback. */
static double number(const json_t *labels, const char *key, double fallback)
{
	double v;
	struct err ignored = ERR_INIT;
	return quantity_parse(json_text_at(labels, "", key, NULL), &v, &ignored) == 0 ? v : fallback;
}

bool node_gpu(const json_t *node, struct gpu_config *out)
{
	const json_t *labels = json_at(node, "metadata", "labels", NULL), *capacity = json_at(node, "status", "capacity", NULL);
	double count = number(labels, "nvidia.com/gpu.count", number(capacity, "nvidia.com/gpu", 0)), mib = number(labels, "nvidia.com/gpu.memory", 0);
	if (count < 1 || count > 1024)
		return false;
	const struct sku *sku = sku_find(NULL, json_text_at(labels, "", "node.kubernetes.io/instance-type", NULL));
	if (mib <= 0 && sku && sku->gpus > 0)
		mib = sku->gpu_gib * 1024 / sku->gpus;
	double capability = number(labels, "nvidia.com/cuda.compute.major", 0) * 10 + number(labels, "nvidia.com/cuda.compute.minor", 0);
	if (capability < 10)
		capability = sku && sku->compute_capability ? sku->compute_capability : 80; /* nothing says that it is old */
	*out = (struct gpu_config){.gpus = (int)count, .gib = mib / 1024 * count, .model = json_text_at(labels, sku ? sku->gpu_model : "", "nvidia.com/gpu.product", NULL),
				   .compute_capability = (int)capability};
	return true;
}
