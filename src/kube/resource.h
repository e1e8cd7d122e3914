/* resource.h: which REST resource an object is. One row per resource the controllers touch; to add one, a row in
 * resource.c's table and its name here. Rows are immutable. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct kube_resource {
	const char *group;    /* "" for core */
	const char *version;
	const char *plural;   /* "statefulsets" */
	const char *kind;     /* "StatefulSet" */
	bool namespaced;
};

extern const struct kube_resource
	KUBE_NODES, KUBE_NAMESPACES, KUBE_PODS, KUBE_SERVICES, KUBE_CONFIGMAPS, KUBE_SECRETS, KUBE_EVENTS, KUBE_PVCS,
	KUBE_SERVICE_ACCOUNTS, KUBE_DEPLOYMENTS, KUBE_STATEFULSETS, KUBE_REVISIONS /* controllerrevisions */, KUBE_JOBS,
	KUBE_LEASES, KUBE_CRDS, KUBE_STORAGE_CLASSES, KUBE_CSI_DRIVERS, KUBE_WEBHOOKS /* validatingwebhookconfigurations */,
	KUBE_WORKSPACES /* v1beta1 */, KUBE_INFERENCE_SETS /* v1beta1 */, KUBE_MULTI_ROLES /* v1alpha1 */, KUBE_MODEL_MIRRORS,
	KUBE_RAG_ENGINES, KUBE_NODE_CLAIMS /* karpenter.sh/v1 */, KUBE_NODE_POOLS, KUBE_MACHINES /* karpenter.sh/v1alpha5 */,
	KUBE_OCI_REPOSITORIES, KUBE_HELM_RELEASES, KUBE_VOLUME_ATTACHMENTS, KUBE_NODE_CLASSES /* kaito.sh/v1alpha1 KaitoNodeClass */,
	KUBE_AKS_NODE_CLASSES /* karpenter.azure.com/v1beta1 */, KUBE_EC2_NODE_CLASSES /* karpenter.k8s.aws/v1 */, KUBE_DISRUPTION_BUDGETS /* policy/v1 */, KUBE_CSI_NODES;

/* "apps/v1", or "v1" for core. Caller frees. */
char *kube_api_version(const struct kube_resource *r);
/* The row for an object's apiVersion and kind, or NULL. */
const struct kube_resource *kube_resource_find(const char *api_version, const char *kind);
