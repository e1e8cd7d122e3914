/* azure.h: claims fulfilled by AKS: one agent pool of one VM per claim, or one machine each in a single pool (aks_machine.h). */
#pragma once
#include "azure/environment.h"
#include "cloud/cloud.h"
#include <stdatomic.h>

struct azure_options {
	const struct azure_environment *environment; /* borrowed */
	const char *api_version;                     /* NULL: 2024-01-01; for machines AKS_MACHINE_API_VERSION where that is later */
	bool machines;                               /* a machine per claim in one agent pool, not an agent pool per claim */
	const char *machines_pool;                   /* that pool's name; NULL: AKS_MACHINE_POOL */
	const char *user_agent;
	struct cloud_hooks hooks;
	bool quota_preflight;                        /* ask Microsoft.Compute usages before the PUT */
	bool offline;                                /* explain only: no tokens, no threads */
	int64_t list_ms;                             /* least time between lists of agent pools; 0: 1 s */
	const atomic_bool *cancel;
};
struct cloud *azure_new(const struct azure_options *o);
