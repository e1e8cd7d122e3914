/* fields_roles_mirror.c: MultiRoleInference (prefill and decode apart) and ModelMirror (a copy of a model's weights in the cluster). */
#include "crd/schema.h"

/* --- MultiRoleInference -------------------------------------------------------------------------------------- */

static const struct crd_rule RULES_MODEL[] = {
	{"self.name != ''", "missing field(s): spec.model.name", .at = ".name", .reason = CRD_REQUIRED},
	{"self.name == oldSelf.name", "model name is immutable", "'model name is immutable, was \"' + oldSelf.name + '\", now \"' + self.name + '\"'", ".name", CRD_FORBIDDEN},
	{0},
};
static const struct crd_field MODEL_FIELDS[] = {
	{"modelAccessSecret", CRD_STRING, "Secret in this namespace whose key HF_TOKEN opens a gated model.", .max_length = 253},
	{"name", CRD_STRING, "Preset of the catalogue, or ORG/NAME of a model hub.", .required = true, .max_length = 256},
	{0},
};
static const struct crd_shape SHAPE_MODEL = {MODEL_FIELDS, RULES_MODEL};
static const struct crd_field ROLE_FIELDS[] = {
	{"instanceType", CRD_STRING, "Machine type of the role's nodes; empty with own nodes.", .max_length = 256},
	{"replicas", CRD_INTEGER, "Number of Workspaces of the role.", .format = "int32", .has_minimum = true, .minimum = 1},
	{"runtimeConfig", CRD_STRING, "ConfigMap with the role's inference_config.yaml.", .max_length = 253},
	{"type", CRD_STRING, "prefill or decode.", .required = true, .choices = "prefill decode"},
	{0},
};
static const struct crd_shape SHAPE_ROLE = {ROLE_FIELDS};
static const struct crd_rule RULES_ROLES[] = {
	{"self.exists(r, r.type == 'prefill') && self.exists(r, r.type == 'decode')", "exactly one prefill and one decode role are required",
	 "self.exists(r, r.type == 'prefill') ? 'duplicate prefill role, missing decode role' : 'duplicate decode role, missing prefill role'"},
	{0},
};
static const struct crd_rule RULES_ANY_LABEL[] = {
	{"(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
	 "labelSelector must have at least one matchLabels or matchExpressions entry"},
	{0},
};
static const struct crd_field ROLES_SPEC_FIELDS[] = {
	{"eppPluginsConfig", CRD_STRING, "ConfigMap whose key config.yaml sets the endpoint picker's plug-ins.", .max_length = 253},
	{"labelSelector", CRD_OBJECT, "Labels of the nodes of both roles.", &SHAPE_SELECTOR, .required = true, .rules = RULES_ANY_LABEL},
	{"model", CRD_OBJECT, "Which model to serve.", &SHAPE_MODEL, .required = true},
	{"roles", CRD_OBJECT, "One prefill role and one decode role.", &SHAPE_ROLE, .list = true, .required = true, .min_items = 2, .max_items = 2, .rules = RULES_ROLES},
	{0},
};
static const struct crd_shape SHAPE_ROLES_SPEC = {ROLES_SPEC_FIELDS};
static const struct crd_field ROLES_STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"observedGeneration", CRD_INTEGER, "Generation that the status is about.", .format = "int64"},
	{0},
};
static const struct crd_shape SHAPE_ROLES_STATUS = {ROLES_STATUS_FIELDS};
static const struct crd_field ROLES_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_ROLES_SPEC, .required = true},
	{"status", CRD_OBJECT, "Written by the controller.", &SHAPE_ROLES_STATUS},
	{0},
};
const struct crd_shape SHAPE_MULTI_ROLE = {ROLES_FIELDS, RULES_NAME};

/* --- ModelMirror --------------------------------------------------------------------------------------------- */

static const struct crd_field REFERENCE_FIELDS[] = {
	{"apiVersion", CRD_STRING, "API version of the object."},
	{"fieldPath", CRD_STRING, "A part of the object."},
	{"kind", CRD_STRING, "Kind of the object."},
	{"name", CRD_STRING, "Name of the object."},
	{"namespace", CRD_STRING, "Namespace of the object."},
	{"resourceVersion", CRD_STRING, "A certain version of the object."},
	{"uid", CRD_STRING, "UID of the object."},
	{0},
};
static const struct crd_shape SHAPE_REFERENCE = {REFERENCE_FIELDS, .atomic = true};
static const struct crd_field MIRROR_SOURCE_FIELDS[] = {
	{"accessSecret", CRD_OBJECT, "Secret whose key HF_TOKEN opens a gated model.", &SHAPE_REFERENCE},
	{"modelID", CRD_STRING, "ORG/NAME of the model.", .required = true},
	{"registry", CRD_STRING, "Where models come from.", .required = true, .choices = "huggingface"},
	{0},
};
static const struct crd_shape SHAPE_MIRROR_SOURCE = {MIRROR_SOURCE_FIELDS};
static const struct crd_field MIRROR_STORAGE_FIELDS[] = {
	{"size", CRD_STRING, "Size of the volume, such as 100Gi.", .required = true, .max_length = 64},
	{"storageClassName", CRD_STRING, "Storage class of the volume."},
	{0},
};
static const struct crd_shape SHAPE_MIRROR_STORAGE = {MIRROR_STORAGE_FIELDS};
static const struct crd_rule RULES_MIRROR_SPEC[] = {
	{"self == oldSelf", "ModelMirror spec is immutable; delete and recreate to change", .reason = CRD_FORBIDDEN},
	{"self.mode != 'Static' || !has(self.source)", "must not set the field(s): spec.source", .at = ".source", .reason = CRD_FORBIDDEN},
	{"self.mode != 'Static' || !has(self.storage)", "must not set the field(s): spec.storage", .at = ".storage", .reason = CRD_FORBIDDEN},
	{"self.mode == 'Static' || has(self.source)", "missing field(s): spec.source", .at = ".source", .reason = CRD_REQUIRED},
	{"self.mode == 'Static' || has(self.storage)", "missing field(s): spec.storage", .at = ".storage", .reason = CRD_REQUIRED},
	{"self.mode == 'Static' || !has(self.source) || self.source.modelID != ''", "missing field(s): spec.source.modelID", .at = ".source", .reason = CRD_REQUIRED},
	{"self.mode == 'Static' || !has(self.storage) || isQuantity(self.storage.size)", "invalid value: spec.storage.size",
	 "'invalid value: ' + self.storage.size + ': spec.storage.size'", ".storage"},
	{"self.mode == 'Static' || !has(self.storage) || (has(self.storage.storageClassName) && self.storage.storageClassName != '')",
	 "missing field(s): spec.storage.storageClassName", .at = ".storage", .reason = CRD_REQUIRED},
	{0},
};
static const struct crd_field MIRROR_SPEC_FIELDS[] = {
	{"jobNamespace", CRD_STRING, "Namespace of the volume and the download Job."},
	{"mode", CRD_STRING, "Managed: downloaded by the controller; Static: already there.", .fallback = "\"Managed\"", .choices = "Managed Static"},
	{"serviceAccountName", CRD_STRING, "Service account of the download Job."},
	{"source", CRD_OBJECT, "Which model, from where.", &SHAPE_MIRROR_SOURCE},
	{"storage", CRD_OBJECT, "The volume to keep it on.", &SHAPE_MIRROR_STORAGE},
	{0},
};
static const struct crd_shape SHAPE_MIRROR_SPEC = {MIRROR_SPEC_FIELDS, RULES_MIRROR_SPEC};
static const struct crd_field DOWNLOAD_FIELDS[] = {
	{"remainingSeconds", CRD_INTEGER, "Estimated time to the end.", .required = true, .format = "int64"},
	{"speedBytesPerSecond", CRD_INTEGER, "Speed of the download.", .required = true, .format = "int64"},
	{0},
};
static const struct crd_shape SHAPE_DOWNLOAD = {DOWNLOAD_FIELDS};
static const struct crd_field MIRROR_STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"download", CRD_OBJECT, "How the download goes.", &SHAPE_DOWNLOAD},
	{"failureMessage", CRD_STRING, "Why the last attempt failed."},
	{"lastDownloadTime", CRD_STRING, "When the download ended.", .format = "date-time"},
	{"modelPath", CRD_STRING, "Folder of the model on the volume."},
	{"phase", CRD_STRING, "Pending or Ready.", .choices = "Pending Ready"},
	{0},
};
static const struct crd_shape SHAPE_MIRROR_STATUS = {MIRROR_STATUS_FIELDS};
static const struct crd_field MIRROR_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_MIRROR_SPEC},
	{"status", CRD_OBJECT, "Written by the controller.", &SHAPE_MIRROR_STATUS},
	{0},
};
const struct crd_shape SHAPE_MODEL_MIRROR = {MIRROR_FIELDS};
