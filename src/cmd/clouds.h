/* clouds.h: which clouds a claim can be fulfilled by, for `kaito provisioner` and `kaito explain`. To add one: its room, a row in clouds.c. */
#pragma once
#include "aws/aws_settings.h"
#include "azure/environment.h"
#include "cloud/cloud.h"
#include <stdbool.h>

#define CLOUDS_NAMES "azure, aws or kwok"
struct clouds_options {
	const char *cloud;              /* row's name */
	bool quota_preflight, offline;  /* offline: for explain; nothing is asked, no credentials are needed */
	const char *arm_api_version;
	const char *azure_instances;    /* "pools" or "machines"; by $PROVISION_MODE */
	const char *aks_machines_pool;  /* where machines are made; by $AKS_MACHINES_POOL_NAME */
	bool kwok_ready;                /* this process makes its Nodes Ready; no kwok controller runs */
	int64_t kwok_join_ms;           /* a Node appears this long after its claim */
	struct azure_environment azure; /* read by clouds_open; freed by clouds_done; so is the next */
	struct aws_settings aws;
};
struct clouds_options clouds_options_default(void); /* cloud from $CLOUD_PROVIDER */
WARN_UNUSED int clouds_open(struct clouds_options *o, struct kube_client *kube, const struct cloud_hooks *hooks, struct cloud **out, struct err *err);
void clouds_done(struct clouds_options *o);
