/* resource.c: the REST resources that controllers touch, one row each. To add one: a row here and its name in resource.h. */
#include "kube/resource.h"

#include "base/mem.h"
#include <string.h>

const struct kube_resource KUBE_NODES = {"", "v1", "nodes", "Node", false};
const struct kube_resource KUBE_NAMESPACES = {"", "v1", "namespaces", "Namespace", false};
const struct kube_resource KUBE_PODS = {"", "v1", "pods", "Pod", true};
const struct kube_resource KUBE_SERVICES = {"", "v1", "services", "Service", true};
const struct kube_resource KUBE_CONFIGMAPS = {"", "v1", "configmaps", "ConfigMap", true};
const struct kube_resource KUBE_SECRETS = {"", "v1", "secrets", "Secret", true};
const struct kube_resource KUBE_EVENTS = {"", "v1", "events", "Event", true};
const struct kube_resource KUBE_PVCS = {"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true};
const struct kube_resource KUBE_SERVICE_ACCOUNTS = {"", "v1", "serviceaccounts", "ServiceAccount", true};
const struct kube_resource KUBE_DEPLOYMENTS = {"apps", "v1", "deployments", "Deployment", true};
const struct kube_resource KUBE_STATEFULSETS = {"apps", "v1", "statefulsets", "StatefulSet", true};
const struct kube_resource KUBE_REVISIONS = {"apps", "v1", "controllerrevisions", "ControllerRevision", true};
const struct kube_resource KUBE_JOBS = {"batch", "v1", "jobs", "Job", true};
const struct kube_resource KUBE_LEASES = {"coordination.k8s.io", "v1", "leases", "Lease", true};
const struct kube_resource KUBE_CRDS = {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false};
const struct kube_resource KUBE_STORAGE_CLASSES = {"storage.k8s.io", "v1", "storageclasses", "StorageClass", false};
const struct kube_resource KUBE_CSI_DRIVERS = {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", false};
const struct kube_resource KUBE_WEBHOOKS = {"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false};
const struct kube_resource KUBE_WORKSPACES = {"kaito.sh", "v1beta1", "workspaces", "Workspace", true};
const struct kube_resource KUBE_INFERENCE_SETS = {"kaito.sh", "v1beta1", "inferencesets", "InferenceSet", true};
const struct kube_resource KUBE_MULTI_ROLES = {"kaito.sh", "v1alpha1", "multiroleinferences", "MultiRoleInference", true};
const struct kube_resource KUBE_MODEL_MIRRORS = {"kaito.sh", "v1alpha1", "modelmirrors", "ModelMirror", false};
const struct kube_resource KUBE_RAG_ENGINES = {"kaito.sh", "v1beta1", "ragengines", "RAGEngine", true};
const struct kube_resource KUBE_NODE_CLAIMS = {"karpenter.sh", "v1", "nodeclaims", "NodeClaim", false};
const struct kube_resource KUBE_NODE_POOLS = {"karpenter.sh", "v1", "nodepools", "NodePool", false};
const struct kube_resource KUBE_MACHINES = {"karpenter.sh", "v1alpha5", "machines", "Machine", false};
const struct kube_resource KUBE_OCI_REPOSITORIES = {"source.toolkit.fluxcd.io", "v1", "ocirepositories", "OCIRepository", true};
const struct kube_resource KUBE_HELM_RELEASES = {"helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease", true};
const struct kube_resource KUBE_VOLUME_ATTACHMENTS = {"storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", false};
const struct kube_resource KUBE_NODE_CLASSES = {"kaito.sh", "v1alpha1", "kaitonodeclasses", "KaitoNodeClass", false};
const struct kube_resource KUBE_AKS_NODE_CLASSES = {"karpenter.azure.com", "v1beta1", "aksnodeclasses", "AKSNodeClass", false};
const struct kube_resource KUBE_EC2_NODE_CLASSES = {"karpenter.k8s.aws", "v1", "ec2nodeclasses", "EC2NodeClass", false};
const struct kube_resource KUBE_DISRUPTION_BUDGETS = {"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true};
const struct kube_resource KUBE_CSI_NODES = {"storage.k8s.io", "v1", "csinodes", "CSINode", false};

static const struct kube_resource *const RESOURCES[] = {
	&KUBE_NODES, &KUBE_NAMESPACES, &KUBE_PODS, &KUBE_SERVICES, &KUBE_CONFIGMAPS, &KUBE_SECRETS, &KUBE_EVENTS, &KUBE_PVCS,
	&KUBE_SERVICE_ACCOUNTS, &KUBE_DEPLOYMENTS, &KUBE_STATEFULSETS, &KUBE_REVISIONS, &KUBE_JOBS, &KUBE_LEASES, &KUBE_CRDS,
	&KUBE_STORAGE_CLASSES, &KUBE_CSI_DRIVERS, &KUBE_WEBHOOKS, &KUBE_WORKSPACES, &KUBE_INFERENCE_SETS, &KUBE_MULTI_ROLES,
	&KUBE_MODEL_MIRRORS, &KUBE_RAG_ENGINES, &KUBE_NODE_CLAIMS, &KUBE_NODE_POOLS, &KUBE_MACHINES, &KUBE_OCI_REPOSITORIES,
	&KUBE_HELM_RELEASES, &KUBE_VOLUME_ATTACHMENTS, &KUBE_NODE_CLASSES, &KUBE_AKS_NODE_CLASSES, &KUBE_EC2_NODE_CLASSES, &KUBE_DISRUPTION_BUDGETS, &KUBE_CSI_NODES,
};

char *kube_api_version(const struct kube_resource *r)
{
	return r->group[0] ? mem_printf("%s/%s", r->group, r->version) : mem_strdup(r->version);
}

static bool is_version(const struct kube_resource *r, const char *api_version)
{
	size_t n = strlen(r->group);
	if (n == 0)
		return strcmp(api_version, r->version) == 0;
	return strncmp(api_version, r->group, n) == 0 && api_version[n] == '/' && strcmp(api_version + n + 1, r->version) == 0;
}

const struct kube_resource *kube_resource_find(const char *api_version, const char *kind)
{
	for (size_t i = 0; i < sizeof RESOURCES / sizeof RESOURCES[0]; i++)
		if (strcmp(RESOURCES[i]->kind, kind) == 0 && is_version(RESOURCES[i], api_version))
			return RESOURCES[i];
	return NULL;
}
