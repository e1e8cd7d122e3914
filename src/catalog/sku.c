/* sku.c: finding instance types and MIG profiles by name, and what a node of one offers a model. */
#include "catalog/sku.h"

#include "base/mem.h"
#include "base/str.h"
#include <strings.h>

const struct sku *sku_find(const char *cloud, const char *name)
{
	for (size_t i = 0; i < SKU_COUNT; i++)
		if ((!cloud || strcasecmp(SKUS[i].cloud, cloud) == 0) && strcasecmp(SKUS[i].name, name) == 0)
			return &SKUS[i];
	return NULL;
}

const char *sku_nearest(const char *cloud, const char *name)
{
	const char **names = mem_array(SKU_COUNT + 1, sizeof *names);
	size_t n = 0;
	for (size_t i = 0; i < SKU_COUNT; i++)
		if (!cloud || strcasecmp(SKUS[i].cloud, cloud) == 0)
			names[n++] = SKUS[i].name;
	const char *nearest = str_nearest(str_of(name), names);
	free(names);
	return nearest;
}

struct gpu_config sku_gpu_config(const struct sku *s)
{
	return (struct gpu_config){.gpus = s->gpus, .gib = s->gpu_gib, .model = s->gpu_model, .nvme = s->nvme, .compute_capability = s->compute_capability};
}

const struct mig_profile *mig_profile_find(const char *name)
{
	for (size_t i = 0; i < MIG_PROFILE_COUNT; i++)
		if (strcmp(MIG_PROFILES[i].name, name) == 0)
			return &MIG_PROFILES[i];
	return NULL;
}

struct gpu_config mig_profile_gpu_config(const struct mig_profile *p)
{
	return (struct gpu_config){.gpus = 1, .gib = p->gib, .model = p->name, .compute_capability = 80, .mig = true};
}
