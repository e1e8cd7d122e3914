/* fields_node_claim.c: NodeClaim, a request for one node, as karpenter.sh/v1 has it, and what claims and pools share: requirements,
 * taints, the reference to a node class. The rules are Karpenter's, so that a claim which is accepted here is accepted there. */
#include "crd/schema.h"

/* --- requirements -------------------------------------------------------------------------------------------- */

#define LABEL_KEY "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
#define LABEL_VALUE "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
#define DOMAIN "self.find('^([^/]+)')"
#define KUBERNETES_LABELS "['beta.kubernetes.io/instance-type', 'failure-domain.beta.kubernetes.io/region', 'beta.kubernetes.io/os', " \
	"'beta.kubernetes.io/arch', 'failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone', 'topology.kubernetes.io/region', " \
	"'node.kubernetes.io/instance-type', 'kubernetes.io/arch', 'kubernetes.io/os', 'node.kubernetes.io/windows-build']"
/* What nodes are called or which pool they are of is not a requirement's to say. */
static const struct crd_rule RULES_KEY[] = {
	{"self in " KUBERNETES_LABELS " || " DOMAIN ".endsWith('node.kubernetes.io') || " DOMAIN ".endsWith('node-restriction.kubernetes.io') || !" DOMAIN ".endsWith('kubernetes.io')",
	 "label domain \"kubernetes.io\" is restricted"},
	{DOMAIN ".endsWith('kops.k8s.io') || !" DOMAIN ".endsWith('k8s.io')", "label domain \"k8s.io\" is restricted"},
	{"self in ['karpenter.sh/capacity-type', 'karpenter.sh/nodepool'] || !" DOMAIN ".endsWith('karpenter.sh')", "label domain \"karpenter.sh\" is restricted"},
	{"self != 'kubernetes.io/hostname'", "label \"kubernetes.io/hostname\" is restricted"},
	{0},
};
static const struct crd_field REQUIREMENT_FIELDS[] = {
	{"key", CRD_STRING, "Label that the node must have.", .required = true, .max_length = 316, .pattern = LABEL_KEY, .rules = RULES_KEY},
	{"minValues", CRD_INTEGER, "How many of the values must stay possible.", .has_minimum = true, .minimum = 1, .maximum = 50},
	{"operator", CRD_STRING, "How the label's value is compared.", .required = true, .choices = "In NotIn Exists DoesNotExist Gt Lt Gte Lte"},
	{"values", CRD_STRING, "Values for In and NotIn, or the number for the comparisons.", .list = true, .atomic = true, .max_length = 63},
	{0},
};
const struct crd_shape SHAPE_REQUIREMENT = {REQUIREMENT_FIELDS};
const struct crd_rule RULES_REQUIREMENTS[] = {
	{"self.all(x, x.operator != 'In' || (has(x.values) && size(x.values) != 0))", "requirements with operator 'In' must have a value defined"},
	{"self.all(x, !(x.operator in ['Gt', 'Lt', 'Gte', 'Lte']) || (has(x.values) && size(x.values) == 1 && x.values[0].matches('^[0-9]+$')))",
	 "requirements operator 'Gt' or 'Lt' must have a single positive integer value"},
	{"self.all(x, !(x.operator == 'In' && has(x.minValues)) || size(x.values) >= x.minValues)",
	 "requirements with 'minValues' must have at least that many values specified in the 'values' field"},
	{0},
};

/* --- taints -------------------------------------------------------------------------------------------------- */

static const struct crd_field TAINT_FIELDS[] = {
	{"effect", CRD_STRING, "What happens to pods that do not tolerate it.", .required = true, .choices = "NoSchedule PreferNoSchedule NoExecute"},
	{"key", CRD_STRING, "Name of the taint.", .required = true, .min_length = 1, .pattern = LABEL_KEY},
	{"timeAdded", CRD_STRING, "When it was put on.", .format = "date-time"},
	{"value", CRD_STRING, "Value of the taint.", .pattern = LABEL_VALUE},
	{0},
};
const struct crd_shape SHAPE_TAINT = {TAINT_FIELDS};

/* --- node class ---------------------------------------------------------------------------------------------- */

static const struct crd_rule RULES_GROUP[] = {{"self != ''", "group may not be empty"}, {0}};
static const struct crd_rule RULES_KIND[] = {{"self != ''", "kind may not be empty"}, {0}};
static const struct crd_rule RULES_CLASS[] = {{"self != ''", "name may not be empty"}, {0}};
static const struct crd_field CLASS_REF_FIELDS[] = {
	{"group", CRD_STRING, "API group of the node class.", .required = true, .pattern = "^[^/]*$", .rules = RULES_GROUP},
	{"kind", CRD_STRING, "Kind of the node class.", .required = true, .rules = RULES_KIND},
	{"name", CRD_STRING, "Name of the node class.", .required = true, .rules = RULES_CLASS},
	{0},
};
const struct crd_shape SHAPE_CLASS_REF = {CLASS_REF_FIELDS};

/* --- NodeClaim ----------------------------------------------------------------------------------------------- */

static const struct crd_field RESOURCES_FIELDS[] = {
	{"requests", CRD_QUANTITIES, "What the node must have before it counts as initialized; storage is the size of its disk."},
	{0},
};
static const struct crd_shape SHAPE_RESOURCES = {RESOURCES_FIELDS};
static const struct crd_rule RULES_SPEC[] = {{"self == oldSelf", "spec is immutable", .reason = CRD_FORBIDDEN}, {0}};
static const struct crd_field SPEC_FIELDS[] = {
	{"expireAfter", CRD_STRING, "Age at which the claim is deleted.", .fallback = "\"720h\"", .pattern = CRD_TIME_OR_NEVER},
	{"nodeClassRef", CRD_OBJECT, "Node class that the machine is made from.", &SHAPE_CLASS_REF, .required = true},
	{"requirements", CRD_OBJECT, "What the node must be like.", &SHAPE_REQUIREMENT, .list = true, .required = true, .max_items = 100, .rules = RULES_REQUIREMENTS},
	{"resources", CRD_OBJECT, "What the node must offer.", &SHAPE_RESOURCES},
	{"startupTaints", CRD_OBJECT, "Taints that somebody else takes away before the node counts as initialized.", &SHAPE_TAINT, .list = true, .atomic = true},
	{"taints", CRD_OBJECT, "Taints of the node.", &SHAPE_TAINT, .list = true, .atomic = true},
	{"terminationGracePeriod", CRD_STRING, "How long a drain may take at most.", .pattern = CRD_TIME_PATTERN},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS, RULES_SPEC};
static const struct crd_field STATUS_FIELDS[] = {
	{"allocatable", CRD_QUANTITIES, "What pods can use of the node."},
	{"capacity", CRD_QUANTITIES, "What the node has."},
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"imageID", CRD_STRING, "Image that the machine runs."},
	{"lastPodEventTime", CRD_STRING, "When a pod last came or went.", .format = "date-time"},
	{"nodeName", CRD_STRING, "Name of the Node."},
	{"providerID", CRD_STRING, "Name of the machine in the cloud, as in the Node's spec.providerID."},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field CLAIM_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_SPEC, .required = true},
	{"status", CRD_OBJECT, "Written by the node provisioner.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_NODE_CLAIM = {CLAIM_FIELDS};
