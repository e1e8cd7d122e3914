/* sku.c: finding instance types and MIG profiles by name, and what a node of one offers a model. */
#include "catalog/sku.h"

#include "base/mem.h"
#include "base/str.h"
#include <strings.h>

/* To add one: a row. */
static const struct { const char *ours, *theirs; } SPELLINGS[] = {{"Standard_ND96asr_A100_v4", "Standard_ND96asr_v4"}};

const char *sku_cloud_name(const char *name)
{
	for (size_t i = 0; i < sizeof SPELLINGS / sizeof SPELLINGS[0]; i++)
		if (strcasecmp(SPELLINGS[i].ours, name) == 0)
			return SPELLINGS[i].theirs;
	return name;
}

bool sku_same(const char *a, const char *b) { return strcasecmp(sku_cloud_name(a), sku_cloud_name(b)) == 0; }

const struct sku *sku_find(const char *cloud, const char *name)
{
	for (size_t i = 0; i < SKU_COUNT; i++)
		if ((!cloud || strcasecmp(SKUS[i].cloud, cloud) == 0) && sku_same(SKUS[i].name, name))
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
