/* fields_workspace.c: Workspace, whose sections stand at the top of the object. */
#include "crd/schema.h"

/* --- resource ------------------------------------------------------------------------------------------------ */

static const struct crd_rule RULES_RESOURCE[] = {
	{"!has(self.count) || !has(oldSelf.count) || self.count == oldSelf.count", "field is immutable", .at = ".count", .reason = CRD_FORBIDDEN},
	{"self.labelSelector == oldSelf.labelSelector || has(self.labelSelector.matchExpressions) != has(oldSelf.labelSelector.matchExpressions)",
	 "field is immutable", .at = ".labelSelector", .reason = CRD_FORBIDDEN},
	{CRD_SAME_TEXT("instanceType"), "field is immutable", .at = ".instanceType", .reason = CRD_FORBIDDEN,
	 .versions = CRD_V1ALPHA1},
	{"!has(self.instanceType) || self.instanceType == '' || !has(oldSelf.instanceType) || oldSelf.instanceType == '' || self.instanceType == oldSelf.instanceType",
	 "instanceType cannot be changed once set", .at = ".instanceType", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{CRD_SAME("partition"), "field is immutable", .at = ".partition", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_field RESOURCE_FIELDS[] = {
	{"count", CRD_INTEGER, "Number of nodes; the size of the model decides where the runtime is vLLM.", .fallback = "1"},
	{"instanceType", CRD_STRING, "Machine type of the nodes to make.", .fallback = "\"Standard_NC24ads_A100_v4\"", .max_length = 256, .versions = CRD_V1ALPHA1},
	{"instanceType", CRD_STRING, "Machine type of the nodes to make; empty with own nodes.", .max_length = 256, .versions = CRD_V1BETA1},
	{"labelSelector", CRD_OBJECT, "Labels of the nodes; the made ones get them.", &SHAPE_SELECTOR, .required = true, .rules = RULES_SELECTOR},
	{"partition", CRD_OBJECT, "A part of a GPU, on own nodes.", &SHAPE_PARTITION, .rules = RULES_PARTITION, .versions = CRD_V1BETA1},
	{"preferredNodes", CRD_STRING, "Accepted and not used.", .list = true},
	{0},
};
static const struct crd_shape SHAPE_RESOURCE = {RESOURCE_FIELDS, RULES_RESOURCE};

/* --- inference ----------------------------------------------------------------------------------------------- */

/* Compared member by member: an absent presetOptions and an empty one are the same. */
#define HAS_OPTION(object, o) "has(" object ".preset.presetOptions) && has(" object ".preset.presetOptions." o ")"
#define OPTION(object, o, none) "(" HAS_OPTION(object, o) " ? " object ".preset.presetOptions." o " : " none ")"
#define SAME_OPTION(o, none) OPTION("self", o, none) " == " OPTION("oldSelf", o, none)
#define SAME_PRESET "self.preset.name == oldSelf.preset.name && self.preset.accessMode == oldSelf.preset.accessMode && " SAME_OPTION("image", "''") \
	" && " SAME_OPTION("imagePullSecrets", "[]")
#define SAME_PRESET_ALPHA "has(self.preset) == has(oldSelf.preset) && (!has(self.preset) || (" SAME_PRESET "))"
#define SAME_PRESET_BETA "has(self.preset) == has(oldSelf.preset) && (!has(self.preset) || (" SAME_PRESET " && " SAME_OPTION("modelAccessSecret", "''") "))"

static const struct crd_rule RULES_WORKSPACE_INFERENCE[] = {
	{SAME_PRESET_ALPHA, "field is immutable", .at = ".preset", .reason = CRD_FORBIDDEN, .versions = CRD_V1ALPHA1},
	{SAME_PRESET_BETA, "field is immutable", .at = ".preset", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{"has(self.template) == has(oldSelf.template)", "field cannot be unset/set if it was set/unset", .at = ".template", .reason = CRD_FORBIDDEN},
	{"!has(self.preset) || self.preset.accessMode != 'private' || (" HAS_OPTION("self", "image") " && self.preset.presetOptions.image != '')",
	 "When AccessMode is private, an image must be provided in PresetOptions", .at = ".preset", .versions = CRD_V1ALPHA1},
	{0},
};

/* --- tuning -------------------------------------------------------------------------------------------------- */

/* What stands before the first slash is a registry when it has a dot, a colon or a capital, or is localhost. */
#define HAS_REGISTRY "(self.image.matches('^[^/]*[.:A-Z][^/]*/') || self.image.startsWith('localhost/'))"
#define REPOSITORY "(" HAS_REGISTRY " ? self.image.substring(self.image.indexOf('/') + 1) : self.image).split(':')[0]"
#define IMAGE_GRAMMAR "'^(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?([.][a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|[[][a-fA-F0-9:]+[]])(:[0-9]+)?/)?" \
	"[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-fA-F0-9]{32,})?$'"
#define IMAGE_RULES(which, hint) \
	{"!has(self.image) || self.image == '' || !" REPOSITORY ".matches('[A-Z]')", "Unable to parse " which " image reference: invalid reference format: repository name must be lowercase", \
	 "'Unable to parse " which " image reference: invalid reference format: repository name (' + " REPOSITORY " + ') must be lowercase'" hint, ".image"}, \
	{"!has(self.image) || self.image == '' || " REPOSITORY ".matches('[A-Z]') || self.image.matches(" IMAGE_GRAMMAR ")", \
	 "Unable to parse " which " image reference: invalid reference format", .at = ".image"}
/* The example's capitals, when they were left in. */
#define PLACEHOLDERS " + (self.image.contains('_HERE') ? ': replace the example\\'s placeholders by your own values in ' + self.image " \
	"+ (has(self.imagePushSecret) && self.imagePushSecret.contains('_HERE') ? ' and ' + self.imagePushSecret : '') : '')"

static const struct crd_rule RULES_INPUT[] = {
	{"[has(self.urls) && size(self.urls) > 0, has(self.volumeSource), (has(self.image) && self.image != '')].filter(x, x).size() == 1",
	 "Exactly one of URLs, Volume, or Image must be specified"},
	IMAGE_RULES("input", ""),
	{CRD_SAME_TEXT("name"), "During tuning Name field cannot be changed once set", .at = ".name", .reason = CRD_FORBIDDEN},
	{0},
};
/* As SHAPE_SOURCE, with the rules for addresses: adapters may name any, as upstream does not look at them. */
static const struct crd_field INPUT_FIELDS[] = {
	{"image", CRD_STRING, "Image whose files are the dataset.", .max_length = 1024},
	{"imagePullSecrets", CRD_STRING, "Secrets to pull that image with.", .list = true, .max_items = 64, .max_length = 253},
	{"name", CRD_STRING, "Name of the dataset.", .max_length = 253},
	{"urls", CRD_STRING, "Dataset files to download over HTTP or HTTPS.", .list = true, .max_items = 512, .max_length = 2048, .rules = RULES_URLS},
	{"volumeSource", CRD_OPEN, "A volume that holds the dataset, as in a pod's volumes."},
	{0},
};
static const struct crd_shape SHAPE_INPUT = {INPUT_FIELDS, RULES_INPUT};

static const struct crd_rule RULES_OUTPUT[] = {
	{"has(self.volumeSource) != (has(self.image) && self.image != '')", "missing field(s): tuning.Output.Exactly one of Volume or Image must be specified", .reason = CRD_REQUIRED},
	{"!has(self.image) || self.image == '' || (has(self.imagePushSecret) && self.imagePushSecret != '')",
	 "missing field(s): tuning.Output.Must specify imagePushSecret with destination image", .at = ".imagePushSecret", .reason = CRD_REQUIRED},
	IMAGE_RULES("output", PLACEHOLDERS),
	{0},
};
static const struct crd_field OUTPUT_FIELDS[] = {
	{"image", CRD_STRING, "Image that the adapter is pushed as.", .max_length = 1024},
	{"imagePushSecret", CRD_STRING, "Secret to push that image with.", .max_length = 253},
	{"volumeSource", CRD_OPEN, "A volume that the adapter is written to, as in a pod's volumes."},
	{0},
};
static const struct crd_shape SHAPE_OUTPUT = {OUTPUT_FIELDS, RULES_OUTPUT};

static const struct crd_rule RULES_TUNING_PRESET[] = {
	{"self.name.contains('/') ? self.name.matches('^[^/]+/.+$') : self.name != ''", "Unsupported tuning preset name",
	 "'Unsupported tuning preset name ' + self.name", ".name"},
	{0},
};
static const struct crd_rule RULES_TUNING[] = {
	{"has(self.method) && self.method.lowerAscii() in ['lora', 'qlora']", "invalid value: tuning.Method",
	 "'invalid value: ' + " CRD_TEXT("self", "method") " + ': tuning.Method'", ".method"},
	{"has(self.preset)", "missing field(s): tuning.Preset", .at = ".preset", .reason = CRD_REQUIRED},
	{SAME_PRESET_ALPHA, "Preset cannot be changed", .at = ".preset", .reason = CRD_FORBIDDEN, .versions = CRD_V1ALPHA1},
	{SAME_PRESET_BETA, "Preset cannot be changed", .at = ".preset", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{CRD_SAME_TEXT("method"), "Method cannot be changed", .at = ".method", .reason = CRD_FORBIDDEN},
	{0},
};
#define AFTER_SUCCESS(word, in) {"afterSuccess", CRD_STRING, \
	"What happens when tuning has succeeded: Serve the tuned model, Release the nodes, or Keep them.", .fallback = "\"" word "\"", \
	.choices = "Serve Release Keep", .versions = in}
static const struct crd_field TUNING_FIELDS[] = {
	AFTER_SUCCESS("Serve", CRD_V1ALPHA1),
	AFTER_SUCCESS("Keep", CRD_V1BETA1),
	{"config", CRD_STRING, "ConfigMap in this namespace whose key training_config.yaml has the settings; without one the method's defaults hold.", .max_length = 253},
	{"input", CRD_OBJECT, "The dataset: exactly one of urls, volumeSource and image.", &SHAPE_INPUT, .required = true},
	{"method", CRD_STRING, "lora or qlora.", .max_length = 64},
	{"output", CRD_OBJECT, "Where the adapter goes: exactly one of volumeSource and image.", &SHAPE_OUTPUT, .required = true},
	{"preset", CRD_OBJECT, "Which model to tune.", &SHAPE_PRESET_ALPHA, .rules = RULES_TUNING_PRESET, .versions = CRD_V1ALPHA1},
	{"preset", CRD_OBJECT, "Which model to tune.", &SHAPE_PRESET, .rules = RULES_TUNING_PRESET, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_shape SHAPE_TUNING = {TUNING_FIELDS, RULES_TUNING};

/* --- the object ---------------------------------------------------------------------------------------------- */

static const struct crd_field STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"performance", CRD_OBJECT, "Figures measured after loading.", &SHAPE_PERFORMANCE, .versions = CRD_V1BETA1},
	{"state", CRD_STRING, "Pending, Ready or NotReady; of a tuning Pending, Running, Succeeded or Failed."},
	{"targetNodeCount", CRD_INTEGER, "Number of nodes that the model needs.", .format = "int32"},
	{"workerNodes", CRD_STRING, "Nodes that the workload runs on.", .list = true},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};

static const struct crd_rule RULES_WORKSPACE[] = {
	CRD_NAME_RULES,
	{"oldSelf.hasValue() || has(self.inference) || has(self.tuning)", "Either Inference or Tuning must be specified, not neither", .create = true},
	{"oldSelf.hasValue() || !(has(self.inference) && has(self.tuning))", "Either Inference or Tuning must be specified, but not both", .create = true},
	{"has(self.inference) == has(oldSelf.inference)", "Inference field cannot be toggled once set", .at = ".inference", .reason = CRD_FORBIDDEN},
	{"has(self.tuning) == has(oldSelf.tuning)", "Tuning field cannot be toggled once set", .at = ".tuning", .reason = CRD_FORBIDDEN},
	{"has(self.resource) == has(oldSelf.resource)", "field is immutable", .at = ".resource", .reason = CRD_FORBIDDEN},
	{"oldSelf.hasValue() || !has(self.tuning) || !has(self.resource) || !has(self.resource.count) || self.resource.count <= 1",
	 "Tuning does not currently support multinode configurations. Please set the node count to 1. Future support with DeepSpeed will allow this.",
	 .at = ".resource", .create = true},
	{"oldSelf.hasValue() || !has(self.tuning) || !has(self.resource) || !has(self.resource.partition)",
	 "GPU partitioning is not supported for tuning workloads", .at = ".resource", .create = true, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_field WORKSPACE_FIELDS[] = {
	{"inference", CRD_OBJECT, "Serve a model; either this or tuning.", &SHAPE_INFERENCE_ALPHA, .rules = RULES_WORKSPACE_INFERENCE, .versions = CRD_V1ALPHA1},
	{"inference", CRD_OBJECT, "Serve a model; either this or tuning.", &SHAPE_INFERENCE, .rules = RULES_WORKSPACE_INFERENCE, .versions = CRD_V1BETA1},
	{"resource", CRD_OBJECT, "The machines to run on.", &SHAPE_RESOURCE},
	{"status", CRD_OBJECT, "Written by the controller.", &SHAPE_STATUS},
	{"tuning", CRD_OBJECT, "Fine-tune a model; either this or inference.", &SHAPE_TUNING},
	{0},
};
const struct crd_shape SHAPE_WORKSPACE = {WORKSPACE_FIELDS, RULES_WORKSPACE};
