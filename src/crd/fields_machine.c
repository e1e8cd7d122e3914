/* fields_machine.c: Machine, a request for one node in the dialect of karpenter.sh/v1alpha5, which gpu-provisioner 0.1 and 0.2 fulfil. */
#include "crd/schema.h"

static const struct crd_field MACHINE_REQUIREMENT_FIELDS[] = {
	{"key", CRD_STRING, "Label that the node must have.", .required = true},
	{"operator", CRD_STRING, "In, NotIn, Exists, DoesNotExist, Gt or Lt.", .required = true},
	{"values", CRD_STRING, "Values for In and NotIn, or the number for Gt and Lt.", .list = true, .atomic = true},
	{0},
};
static const struct crd_shape SHAPE_MACHINE_REQUIREMENT = {MACHINE_REQUIREMENT_FIELDS};
static const struct crd_field MACHINE_TAINT_FIELDS[] = {
	{"effect", CRD_STRING, "What happens to pods that do not tolerate it.", .required = true},
	{"key", CRD_STRING, "Name of the taint.", .required = true},
	{"timeAdded", CRD_STRING, "When it was put on.", .format = "date-time"},
	{"value", CRD_STRING, "Value of the taint."},
	{0},
};
static const struct crd_shape SHAPE_MACHINE_TAINT = {MACHINE_TAINT_FIELDS};
static const struct crd_field KUBELET_FIELDS[] = {
	{"clusterDNS", CRD_STRING, "Addresses of the cluster's DNS.", .list = true},
	{"containerRuntime", CRD_STRING, "Container runtime."},
	{"cpuCFSQuota", CRD_BOOLEAN, "Whether CPU limits are enforced by quota."},
	{"evictionHard", CRD_MAP, "Thresholds at which pods are evicted at once."},
	{"evictionMaxPodGracePeriod", CRD_INTEGER, "Longest grace period of an evicted pod, in seconds.", .format = "int32"},
	{"evictionSoft", CRD_MAP, "Thresholds at which pods are evicted after a while."},
	{"evictionSoftGracePeriod", CRD_MAP, "How long that while is."},
	{"imageGCHighThresholdPercent", CRD_INTEGER, "Disk use at which images are removed.", .format = "int32", .has_minimum = true, .maximum = 100},
	{"imageGCLowThresholdPercent", CRD_INTEGER, "Disk use down to which images are removed.", .format = "int32", .has_minimum = true, .maximum = 100},
	{"kubeReserved", CRD_QUANTITIES, "What is kept for the kubelet."},
	{"maxPods", CRD_INTEGER, "Most pods of the node.", .format = "int32", .has_minimum = true},
	{"podsPerCore", CRD_INTEGER, "Most pods for each core.", .format = "int32", .has_minimum = true},
	{"systemReserved", CRD_QUANTITIES, "What is kept for the system."},
	{0},
};
static const struct crd_shape SHAPE_KUBELET = {KUBELET_FIELDS};
static const struct crd_field TEMPLATE_REF_FIELDS[] = {
	{"apiVersion", CRD_STRING, "API version of the template."},
	{"kind", CRD_STRING, "Kind of the template."},
	{"name", CRD_STRING, "Name of the template.", .required = true},
	{0},
};
static const struct crd_shape SHAPE_TEMPLATE_REF = {TEMPLATE_REF_FIELDS};
static const struct crd_field RESOURCES_FIELDS[] = {
	{"requests", CRD_QUANTITIES, "What the node must have; storage is the size of its disk."},
	{0},
};
static const struct crd_shape SHAPE_RESOURCES = {RESOURCES_FIELDS};
static const struct crd_field SPEC_FIELDS[] = {
	{"kubelet", CRD_OBJECT, "Settings of the kubelet; kept and not used.", &SHAPE_KUBELET},
	{"machineTemplateRef", CRD_OBJECT, "Template of the machine.", &SHAPE_TEMPLATE_REF},
	{"requirements", CRD_OBJECT, "What the node must be like.", &SHAPE_MACHINE_REQUIREMENT, .list = true, .required = true},
	{"resources", CRD_OBJECT, "What the node must offer.", &SHAPE_RESOURCES},
	{"startupTaints", CRD_OBJECT, "Taints that somebody else takes away before the node counts as initialized.", &SHAPE_MACHINE_TAINT, .list = true, .atomic = true},
	{"taints", CRD_OBJECT, "Taints of the node.", &SHAPE_MACHINE_TAINT, .list = true, .atomic = true},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS};
/* Without observedGeneration, and what is empty is left out. */
static const struct crd_field MACHINE_CONDITION_FIELDS[] = {
	{"lastTransitionTime", CRD_STRING, "When the status last changed."},
	{"message", CRD_STRING, "Details for people."},
	{"reason", CRD_STRING, "Why, in one word for programs."},
	{"severity", CRD_STRING, "How bad it is; empty: an error."},
	{"status", CRD_STRING, "Whether it holds.", .required = true},
	{"type", CRD_STRING, "What the condition is about.", .required = true},
	{0},
};
static const struct crd_shape SHAPE_MACHINE_CONDITION = {MACHINE_CONDITION_FIELDS};
static const struct crd_field STATUS_FIELDS[] = {
	{"allocatable", CRD_QUANTITIES, "What pods can use of the node."},
	{"capacity", CRD_QUANTITIES, "What the node has."},
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_MACHINE_CONDITION, .list = true},
	{"nodeName", CRD_STRING, "Name of the Node."},
	{"providerID", CRD_STRING, "Name of the machine in the cloud, as in the Node's spec.providerID."},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field MACHINE_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_SPEC},
	{"status", CRD_OBJECT, "Written by the node provisioner.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_MACHINE = {MACHINE_FIELDS};
