/* dialect.c: the two rows of dialect.h. */
#include "cloud/dialect.h"

#include "kube/meta.h"
#include <string.h>

const struct dialect DIALECT_NODE_CLAIM = {
	.name = "nodeclaim",
	.claims = &KUBE_NODE_CLAIMS,
	.launched = "Launched",
	.registered = "Registered",
	.initialized = "Initialized",
	.pool_label = "karpenter.sh/nodepool",
	.pool_default = "kaito",
	.pod_do_not_disrupt = ANNOTATION_DO_NOT_DISRUPT,
};
const struct dialect DIALECT_MACHINE = {
	.name = "machine",
	.claims = &KUBE_MACHINES,
	.launched = "MachineLaunched",
	.registered = "MachineRegistered",
	.initialized = "MachineInitialized",
	.pool_label = "karpenter.sh/provisioner-name",
	.pool_default = "default",
	.pod_do_not_disrupt = "karpenter.sh/do-not-evict",
	.knative = true,
};
static const struct dialect *const DIALECTS[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
#define COUNT (sizeof DIALECTS / sizeof DIALECTS[0])

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(DIALECTS[i]->name, name) == 0)
			return DIALECTS[i];
	return NULL;
}

const struct dialect *dialect_of(const json_t *claim)
{
	const char *version = json_text_at(claim, "", "apiVersion", NULL), *kind = json_text_at(claim, "", "kind", NULL);
	const struct kube_resource *r = kube_resource_find(version, kind);
	for (size_t i = 0; i < COUNT; i++)
		if (DIALECTS[i]->claims == r)
			return DIALECTS[i];
	return NULL;
}
