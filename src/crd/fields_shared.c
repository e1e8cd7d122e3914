/* fields_shared.c: the parts that several kinds have: label selectors, conditions, presets, adapters, data sources, GPU partitions,
 * performance figures, and the rules that go with them. */
#include "crd/schema.h"

const struct crd_rule RULES_NAME[] = {CRD_NAME_RULES, {0}};

/* --- label selectors ----------------------------------------------------------------------------------------- */

static const struct crd_field EXPRESSION_FIELDS[] = {
	{"key", CRD_STRING, "Label that the expression is about.", .required = true, .max_length = 512},
	{"operator", CRD_STRING, "In, NotIn, Exists or DoesNotExist.", .required = true, .max_length = 64},
	{"values", CRD_STRING, "Values for In and NotIn.", .list = true, .atomic = true},
	{0},
};
static const struct crd_shape SHAPE_EXPRESSION = {EXPRESSION_FIELDS};
static const struct crd_field SELECTOR_FIELDS[] = {
	{"matchExpressions", CRD_OBJECT, "Conditions that a label must meet; all of them count.", &SHAPE_EXPRESSION, .list = true, .atomic = true, .max_items = 128},
	{"matchLabels", CRD_MAP, "Labels that must be there with exactly these values.", .max_items = 256},
	{0},
};
const struct crd_shape SHAPE_SELECTOR = {SELECTOR_FIELDS, .atomic = true};

#define RESERVED "['kaito.sh/workspace', 'kaito.sh/ragengine', 'kaito.sh/workspacenamespace', 'kaito.sh/ragenginenamespace', " \
	"'karpenter.kaito.sh/workspace-name', 'karpenter.kaito.sh/workspace-namespace', 'karpenter.kaito.sh/inferenceset', " \
	"'karpenter.kaito.sh/inferenceset-namespace']"
#define OLD_FORMAT "cannot be converted into the old label selector format"
#define NO_OPERATOR(name) \
	{"!has(self.matchExpressions) || !self.matchExpressions.exists(e, e.operator == '" name "')", "operator \"" name "\" " OLD_FORMAT, .at = ".matchExpressions"}
const struct crd_rule RULES_SELECTOR[] = {
	{"!has(self.matchExpressions) || !self.matchExpressions.exists(e, e.operator == 'In' && (!has(e.values) || size(e.values) != 1))",
	 "operator \"In\" without a single value " OLD_FORMAT, .at = ".matchExpressions"},
	NO_OPERATOR("NotIn"), NO_OPERATOR("Exists"), NO_OPERATOR("DoesNotExist"),
	{"!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",
	 "not a valid label selector operator", .at = ".matchExpressions"},
	{"!has(self.matchLabels) || size(self.matchLabels) == 0 || self.matchLabels.exists(k, !(k in " RESERVED ")) "
	 "|| (has(self.matchExpressions) && self.matchExpressions.exists(e, !(e.key in " RESERVED ")))",
	 "matchLabels must contain at least one non-reserved label", .at = ".matchLabels"},
	{0},
};

/* --- status -------------------------------------------------------------------------------------------------- */

static const struct crd_field CONDITION_FIELDS[] = {
	{"lastTransitionTime", CRD_STRING, "When the status last changed.", .required = true, .format = "date-time"},
	{"message", CRD_STRING, "Details for people.", .required = true, .max_length = 32768},
	{"observedGeneration", CRD_INTEGER, "Generation of the object that the condition is about.", .format = "int64", .has_minimum = true},
	{"reason", CRD_STRING, "Why, in one word for programs.", .required = true, .min_length = 1, .max_length = 1024,
	 .pattern = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
	{"status", CRD_STRING, "Whether it holds.", .required = true, .choices = "True False Unknown"},
	{"type", CRD_STRING, "What the condition is about.", .required = true, .max_length = 316,
	 .pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"},
	{0},
};
const struct crd_shape SHAPE_CONDITION = {CONDITION_FIELDS};

#define METRIC_FIELDS \
	{"description", CRD_STRING, "What is measured.", .required = true}, \
	{"unit", CRD_STRING, "Unit of the value."}, \
	{"value", CRD_STRING, "The figure as text.", .required = true}
static const struct crd_field METRIC_FIELDS_ALPHA[] = {METRIC_FIELDS, {0}};
static const struct crd_field METRIC_FIELDS_BETA[] = {
	{"config", CRD_MAP, "Settings under which the figure was measured."},
	METRIC_FIELDS,
	{0},
};
static const struct crd_shape SHAPE_METRIC_ALPHA = {METRIC_FIELDS_ALPHA}, SHAPE_METRIC = {METRIC_FIELDS_BETA};
static const struct crd_field PERFORMANCE_FIELDS_ALPHA[] = {{"metrics", CRD_MAP, "Figures by name.", &SHAPE_METRIC_ALPHA}, {0}};
static const struct crd_field PERFORMANCE_FIELDS[] = {{"metrics", CRD_MAP, "Figures by name.", &SHAPE_METRIC}, {0}};
const struct crd_shape SHAPE_PERFORMANCE_ALPHA = {PERFORMANCE_FIELDS_ALPHA}, SHAPE_PERFORMANCE = {PERFORMANCE_FIELDS};

/* --- parts of a GPU ------------------------------------------------------------------------------------------ */

static const struct crd_field PARTITION_FIELDS[] = {
	{"count", CRD_INTEGER, "GPUs for each pod, in accelerator mode.", .has_minimum = true, .minimum = 1},
	{"mode", CRD_STRING, "mig for a MIG slice, accelerator for whole GPUs of a shared node.", .required = true, .max_length = 64},
	{"profile", CRD_STRING, "MIG profile such as 1g.10gb, in mig mode.", .max_length = 64},
	{0},
};
const struct crd_shape SHAPE_PARTITION = {PARTITION_FIELDS};
const struct crd_rule RULES_PARTITION[] = {
	{"self.mode in ['mig', 'accelerator']", "unsupported partition mode, supported modes are \"mig\" and \"accelerator\"",
	 "'unsupported partition mode \"' + self.mode + '\", supported modes are \"mig\" and \"accelerator\"'", ".mode"},
	{"self.mode != 'mig' || !has(self.count)", "count is only valid for accelerator mode", .at = ".count"},
	{"self.mode != 'mig' || " CRD_TEXT("self", "profile") ".matches('^[0-9]+g[.][0-9]+gb$')",
	 "invalid MIG profile format: expected format like '1g.10gb'",
	 "'invalid MIG profile format \"' + " CRD_TEXT("self", "profile") " + '\": expected format like \\'1g.10gb\\''", ".profile"},
	{"self.mode != 'accelerator' || !has(self.profile) || self.profile == ''", "profile is not valid for accelerator mode", .at = ".profile"},
	{"self.mode != 'accelerator' || has(self.count)", "missing field(s): resource.partition.count", .at = ".count", .reason = CRD_REQUIRED},
	{0},
};

/* --- models and data ----------------------------------------------------------------------------------------- */

static const struct crd_field PRESET_OPTION_FIELDS[] = {
	{"image", CRD_STRING, "Image that holds a private model (legacy).", .max_length = 1024},
	{"imagePullSecrets", CRD_STRING, "Secrets to pull that image with (legacy).", .list = true, .max_items = 64, .max_length = 253},
	{"modelAccessSecret", CRD_STRING, "Secret in this namespace whose key HF_TOKEN opens a gated model.", .max_length = 253},
	{0},
};
static const struct crd_shape SHAPE_PRESET_OPTIONS = {PRESET_OPTION_FIELDS};
static const struct crd_field PRESET_OPTION_FIELDS_ALPHA[] = {
	{"image", CRD_STRING, "Image that holds a private model (legacy).", .max_length = 1024},
	{"imagePullSecrets", CRD_STRING, "Secrets to pull that image with (legacy).", .list = true, .max_items = 64, .max_length = 253},
	{0},
};
static const struct crd_shape SHAPE_PRESET_OPTIONS_ALPHA = {PRESET_OPTION_FIELDS_ALPHA};

#define PRESET_FIELDS(options) \
	{"accessMode", CRD_STRING, "Whether the model comes from a public registry (legacy).", .fallback = "\"public\"", .choices = "public private"}, \
	{"name", CRD_STRING, "Preset of the catalogue, or ORG/NAME of a model hub.", .required = true, .max_length = 256}, \
	{"presetOptions", CRD_OBJECT, "How the model is fetched.", options}
static const struct crd_field PRESET_FIELDS_ALPHA[] = {PRESET_FIELDS(&SHAPE_PRESET_OPTIONS_ALPHA), {0}};
static const struct crd_field PRESET_FIELDS_BETA[] = {PRESET_FIELDS(&SHAPE_PRESET_OPTIONS), {0}};
const struct crd_shape SHAPE_PRESET_ALPHA = {PRESET_FIELDS_ALPHA}, SHAPE_PRESET = {PRESET_FIELDS_BETA};

#define URL_START "(?i)^https?://([^/?#@]*@)?"
/* Split up: the cost of a regular expression counts by its length times that of the longest list. */
#define URL_LOCAL "data source URL must not target a local or metadata endpoint"
#define URL_PRIVATE "data source URL must not target a loopback, private, or link-local address"
const struct crd_rule RULES_URLS[] = {
	{"self.all(u, isURL(u) && url(u).getHostname() != '')", "invalid data source URL"},
	{"self.all(u, !isURL(u) || url(u).getHostname() == '' || url(u).getScheme() in ['http', 'https'])", "data source URL must use HTTP or HTTPS"},
	{"!self.exists(u, u.matches('" URL_START "([^/?#]*[.])?localhost[.]?([:/?#]|$)'))", URL_LOCAL},
	{"!self.exists(u, u.matches('" URL_START "metadata[.]google([.]internal)?[.]?([:/?#]|$)'))", URL_LOCAL},
	{"!self.exists(u, u.matches('" URL_START "instance-data[.]ec2[.]internal[.]?([:/?#]|$)'))", URL_LOCAL},
	{"!self.exists(u, u.matches('" URL_START "(127|10|192[.]168|169[.]254|0)[.][0-9.]+([:/?#]|$)'))", URL_PRIVATE},
	{"!self.exists(u, u.matches('" URL_START "172[.](1[6-9]|2[0-9]|3[01])[.][0-9.]+([:/?#]|$)'))", URL_PRIVATE},
	{"!self.exists(u, u.matches('" URL_START "[[](::1?|f[cd][0-9a-f:]*|fe[89ab][0-9a-f:]*)[]]'))", URL_PRIVATE},
	{0},
};

static const struct crd_field SOURCE_FIELDS[] = {
	{"image", CRD_STRING, "Image whose files are the data.", .max_length = 1024},
	{"imagePullSecrets", CRD_STRING, "Secrets to pull that image with.", .list = true, .max_items = 64, .max_length = 253},
	{"name", CRD_STRING, "Name of the source; of an adapter, the name that requests use.", .max_length = 253},
	{"urls", CRD_STRING, "Files to download over HTTP or HTTPS.", .list = true, .max_items = 512, .max_length = 2048},
	{"volumeSource", CRD_OPEN, "A volume that holds the files, as in a pod's volumes."},
	{0},
};
static const struct crd_shape SHAPE_SOURCE = {SOURCE_FIELDS};

/* --- inference ----------------------------------------------------------------------------------------------- */

static const struct crd_rule RULES_ADAPTER[] = {
	{"has(self.source)", "missing field(s): inference.Source", .reason = CRD_REQUIRED, .at = ".source"},
	{0},
};
static const struct crd_field ADAPTER_FIELDS[] = {
	{"source", CRD_OBJECT, "Where the adapter's files are.", &SHAPE_SOURCE},
	{"strength", CRD_STRING, "Weight of the adapter from 0 to 1, as decimal text.", .max_length = 64},
	{0},
};
static const struct crd_shape SHAPE_ADAPTER = {ADAPTER_FIELDS, RULES_ADAPTER};
#define ADAPTER_NAME(a) "(has(" a ".source.name) ? " a ".source.name : '')"
static const struct crd_rule RULES_ADAPTERS[] = {
	{"size(self) <= 10", "Number of Adapters exceeds the maximum limit, maximum of 10 allowed"},
	{"size(self) > 10 || self.all(a, !has(a.source) || self.exists_one(b, has(b.source) && " ADAPTER_NAME("b") " == " ADAPTER_NAME("a") "))",
	 "Duplicate adapter source name found"},
	{0},
};
static const struct crd_rule RULES_INFERENCE_PRESET[] = {
	{"self.name.contains('/') ? self.name.matches('^[^/]+/.+$') : self.name != ''", "Unsupported inference preset name",
	 "'Unsupported inference preset name ' + self.name", ".name"},
	{0},
};
static const struct crd_rule RULES_INFERENCE[] = {
	{"has(self.preset) || has(self.template)", "missing field(s): inference.Preset or Template must be specified", .reason = CRD_REQUIRED},
	{"!(has(self.preset) && has(self.template))", "Preset and Template cannot be set at the same time"},
	{0},
};
#define INFERENCE_FIELDS(preset_shape) \
	{"adapters", CRD_OBJECT, "LoRA adapters that requests can choose.", &SHAPE_ADAPTER, .list = true, .max_items = 64, .rules = RULES_ADAPTERS}, \
	{"config", CRD_STRING, "ConfigMap in this namespace whose key inference_config.yaml has the server's settings.", .max_length = 253}, \
	{"preset", CRD_OBJECT, "Which model to serve.", preset_shape, .rules = RULES_INFERENCE_PRESET}, \
	{"template", CRD_OPEN, "A pod template to run in place of a preset."}
static const struct crd_field INFERENCE_FIELDS_ALPHA[] = {INFERENCE_FIELDS(&SHAPE_PRESET_ALPHA), {0}};
static const struct crd_field INFERENCE_FIELDS_BETA[] = {INFERENCE_FIELDS(&SHAPE_PRESET), {0}};
const struct crd_shape SHAPE_INFERENCE_ALPHA = {INFERENCE_FIELDS_ALPHA, RULES_INFERENCE}, SHAPE_INFERENCE = {INFERENCE_FIELDS_BETA, RULES_INFERENCE};
