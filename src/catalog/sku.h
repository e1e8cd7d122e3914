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
const struct sku *sku_find(const char *cloud, const char *name); /* any case; NULL: not in the table */

struct mig_profile { const char *name; int gib; };
extern const struct mig_profile MIG_PROFILES[];
extern const size_t MIG_PROFILE_COUNT;
const struct mig_profile *mig_profile_find(const char *name);

/* What one node offers a model. */
struct gpu_config { int gpus; double gib /* over all GPUs of the node */; const char *model; bool nvme; int compute_capability; bool mig; };
