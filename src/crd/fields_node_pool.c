/* fields_node_pool.c: NodePool as karpenter.sh/v1 has it: with spec.replicas a number of equal nodes, without it what Karpenter may make
 * for pending pods (which this program leaves alone). */
#include "crd/schema.h"

/* --- disruption ---------------------------------------------------------------------------------------------- */

static const struct crd_rule RULES_BUDGETS[] = {
	{"self.all(x, has(x.schedule) == has(x.duration))", "'schedule' must be set with 'duration'"},
	{0},
};
static const struct crd_field BUDGET_FIELDS[] = {
	{"duration", CRD_STRING, "How long the budget holds after each time of the schedule.", .pattern = "^((([0-9]+(h|m))|([0-9]+h[0-9]+m))(0s)?)$"},
	{"nodes", CRD_STRING, "Nodes that may be away at a time, as a number or a percentage.", .required = true, .fallback = "\"10%\"", .pattern = "^((100|[0-9]{1,2})%|[0-9]+)$"},
	{"reasons", CRD_STRING, "Causes that the budget is for; none: for all.", .list = true, .max_items = 50, .choices = "Underutilized Empty Drifted"},
	{"schedule", CRD_STRING, "When the budget begins to hold: five cron fields, in UTC.",
	 .pattern = "^(@(annually|yearly|monthly|weekly|daily|midnight|hourly))|((.+)\\s(.+)\\s(.+)\\s(.+)\\s(.+))$"},
	{0},
};
static const struct crd_shape SHAPE_BUDGET = {BUDGET_FIELDS};
static const struct crd_field DISRUPTION_FIELDS[] = {
	{"budgets", CRD_OBJECT, "How many nodes may be away at a time.", &SHAPE_BUDGET, .list = true, .fallback = "[{\"nodes\": \"10%\"}]", .max_items = 50, .rules = RULES_BUDGETS},
	{"consolidateAfter", CRD_STRING, "Quiet time before a node may be given up; not for static pools.", .required = true, .fallback = "\"0s\"", .pattern = CRD_TIME_OR_NEVER},
	{"consolidationPolicy", CRD_STRING, "Which nodes may be given up; not for static pools.", .fallback = "\"WhenEmptyOrUnderutilized\"", .choices = "WhenEmpty WhenEmptyOrUnderutilized"},
	{0},
};
static const struct crd_shape SHAPE_DISRUPTION = {DISRUPTION_FIELDS};

/* --- template ------------------------------------------------------------------------------------------------ */

static const struct crd_rule RULES_LABELS[] = {
	{"self.all(x, x != 'kubernetes.io/hostname')", "label \"kubernetes.io/hostname\" is restricted"},
	{"self.all(x, x != 'karpenter.sh/nodepool')", "label \"karpenter.sh/nodepool\" is restricted"},
	{0},
};
static const struct crd_field METADATA_FIELDS[] = {
	{"annotations", CRD_MAP, "Annotations of the claims."},
	{"labels", CRD_MAP, "Labels of the claims and their Nodes.", .max_items = 100, .rules = RULES_LABELS},
	{0},
};
static const struct crd_shape SHAPE_METADATA = {METADATA_FIELDS};
/* What kind of class a pool has decides who looks after it; that does not change. */
static const struct crd_rule RULES_CLASS_REF[] = {
	{"self.group == oldSelf.group", "nodeClassRef.group is immutable", .at = ".group"},
	{"self.kind == oldSelf.kind", "nodeClassRef.kind is immutable", .at = ".kind"},
	{0},
};
static const struct crd_field TEMPLATE_SPEC_FIELDS[] = {
	{"expireAfter", CRD_STRING, "Age at which a claim is deleted.", .fallback = "\"720h\"", .pattern = CRD_TIME_OR_NEVER},
	{"nodeClassRef", CRD_OBJECT, "Node class that the machines are made from.", &SHAPE_CLASS_REF, .required = true, .rules = RULES_CLASS_REF},
	{"requirements", CRD_OBJECT, "What the nodes must be like.", &SHAPE_REQUIREMENT, .list = true, .required = true, .max_items = 100, .rules = RULES_REQUIREMENTS},
	{"startupTaints", CRD_OBJECT, "Taints that somebody else takes away before a node counts as initialized.", &SHAPE_TAINT, .list = true, .atomic = true},
	{"taints", CRD_OBJECT, "Taints of the nodes.", &SHAPE_TAINT, .list = true, .atomic = true},
	{"terminationGracePeriod", CRD_STRING, "How long a drain may take at most.", .pattern = CRD_TIME_PATTERN},
	{0},
};
static const struct crd_shape SHAPE_TEMPLATE_SPEC = {TEMPLATE_SPEC_FIELDS};
static const struct crd_field TEMPLATE_FIELDS[] = {
	{"metadata", CRD_OBJECT, "Labels and annotations of the claims.", &SHAPE_METADATA},
	{"spec", CRD_OBJECT, "Spec of the claims.", &SHAPE_TEMPLATE_SPEC, .required = true},
	{0},
};
static const struct crd_shape SHAPE_TEMPLATE = {TEMPLATE_FIELDS};

/* --- pool ---------------------------------------------------------------------------------------------------- */

static const struct crd_rule RULES_SPEC[] = {
	{"has(self.replicas) == has(oldSelf.replicas)", "Cannot transition NodePool between static (replicas set) and dynamic (replicas unset) provisioning modes"},
	{"!has(self.replicas) || !has(self.limits) || self.limits.all(k, k == 'nodes')", "only 'limits.nodes' is supported on static NodePools", .at = ".limits"},
	{"!has(self.replicas) || !has(self.weight)", "'weight' is not supported on static NodePools", .at = ".weight"},
	{0},
};
static const struct crd_field SPEC_FIELDS[] = {
	{"disruption", CRD_OBJECT, "When nodes may be taken away.", &SHAPE_DISRUPTION, .fallback = "{\"consolidateAfter\": \"0s\"}"},
	{"limits", CRD_QUANTITIES, "The most that the pool may have; of a static pool, its nodes."},
	{"replicas", CRD_INTEGER, "Number of nodes of a static pool.", .format = "int64", .has_minimum = true},
	{"template", CRD_OBJECT, "What the pool's claims are made from.", &SHAPE_TEMPLATE, .required = true},
	{"weight", CRD_INTEGER, "Rank among pools; not for static pools.", .format = "int32", .has_minimum = true, .minimum = 1, .maximum = 100},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS, RULES_SPEC};
static const struct crd_field STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"nodeClassObservedGeneration", CRD_INTEGER, "Generation of the node class that the status is about.", .format = "int64"},
	{"nodes", CRD_INTEGER, "Nodes that the pool has.", .format = "int64", .fallback = "0"},
	{"resources", CRD_QUANTITIES, "What the pool's nodes have together."},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field POOL_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_SPEC, .required = true},
	{"status", CRD_OBJECT, "Written by the node provisioner.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_NODE_POOL = {POOL_FIELDS};
