/* sku.h: instance types and MIG profiles. One row each; rows are immutable. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sku {
	const char *cloud;      /* "azure" "aws" "arc" */
	const char *name;       /* the cloud's spelling */
	int gpus;               /* 0: a CPU machine */
	double gpu_gib;         /* over all GPUs */
	const char *gpu_model;  /* "NVIDIA A100" */
	bool nvme;              /* local disk that the weights volume uses */
	int compute_capability; /* 80 for 8.0; 0: not CUDA */
	bool legacy;            /* accepted here, not in upstream's v0.12 table (below 8.0, or removed) */
	int cpus;               /* 0: unknown */
	double memory_gib;      /* of the machine; 0: unknown */
};
extern const struct sku SKUS[];
extern const size_t SKU_COUNT;
const struct sku *sku_find(const char *cloud /* NULL: any */, const char *name); /* any case; NULL: not in the table */
/* The cloud's own spelling of an instance type that upstream's table spells otherwise; any other name as it is. sku_find knows both. */
const char *sku_cloud_name(const char *name);
bool sku_same(const char *a, const char *b); /* in either spelling, any case */
const char *sku_nearest(const char *cloud /* NULL: any */, const char *name);    /* for "did you mean"; NULL: none is near */

struct mig_profile { const char *name; int gib; };
extern const struct mig_profile MIG_PROFILES[];
extern const size_t MIG_PROFILE_COUNT;
const struct mig_profile *mig_profile_find(const char *name);

/* What one node offers a model. */
struct gpu_config { int gpus; double gib /* over all GPUs of the node */; const char *model; bool nvme; int compute_capability; bool mig; };
struct gpu_config sku_gpu_config(const struct sku *s);
/* One slice, named after the profile; MIG exists from compute capability 8.0 on. */
struct gpu_config mig_profile_gpu_config(const struct mig_profile *p);
