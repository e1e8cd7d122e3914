/* fields_rag_engine.c: RAGEngine, retrieval in front of a model. */
#include "crd/schema.h"

static const struct crd_rule RULES_COMPUTE[] = {
	{"!has(self.count) || !has(oldSelf.count) || self.count == oldSelf.count", "field is immutable", .at = ".count", .reason = CRD_FORBIDDEN},
	{CRD_SAME_TEXT("instanceType"), "field is immutable", .at = ".instanceType", .reason = CRD_FORBIDDEN,
	 .versions = CRD_V1ALPHA1},
	{CRD_SAME_TEXT("instanceType"), "instanceType cannot be changed once set", .at = ".instanceType",
	 .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{"self.labelSelector == oldSelf.labelSelector", "field is immutable", .at = ".labelSelector", .reason = CRD_FORBIDDEN},
	{CRD_SAME("partition"), "field is immutable", .at = ".partition", .reason = CRD_FORBIDDEN, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_field COMPUTE_FIELDS[] = {
	{"count", CRD_INTEGER, "Number of nodes.", .fallback = "1"},
	{"instanceType", CRD_STRING, "Machine type of the nodes to make.", .fallback = "\"Standard_NC24ads_A100_v4\"", .max_length = 256, .versions = CRD_V1ALPHA1},
	{"instanceType", CRD_STRING, "Machine type of the nodes to make; empty with own nodes.", .max_length = 256, .versions = CRD_V1BETA1},
	{"labelSelector", CRD_OBJECT, "Labels of the nodes.", &SHAPE_SELECTOR, .required = true},
	{"partition", CRD_OBJECT, "A part of a GPU, on own nodes.", &SHAPE_PARTITION, .versions = CRD_V1BETA1},
	{"preferredNodes", CRD_STRING, "Accepted and not used.", .list = true},
	{0},
};
static const struct crd_shape SHAPE_COMPUTE = {COMPUTE_FIELDS, RULES_COMPUTE};

#define URL_RULE(condition, at_) {condition " || isURL(self.url)", "URL input error", "'URL input error: parse \"' + self.url + '\"'", at_}
static const struct crd_rule RULES_REMOTE[] = {URL_RULE("false", ".url"), {0}};
static const struct crd_rule RULES_LOCAL[] = {
	{"(has(self.image) && self.image != '') || (has(self.modelID) && self.modelID != '')", "Either image or modelID must be specified, not neither"},
	{"!has(self.image) || self.image == '' || !has(self.modelID) || self.modelID == ''", "Either image or modelID must be specified, but not both"},
	{"!has(self.image) || self.image == '' || self.image.matches('^.+/[^/:]+:[^/:]+$')", "Invalid image format, require full input image URL", .at = ".image"},
	{0},
};
static const struct crd_field LOCAL_FIELDS[] = {
	{"image", CRD_STRING, "Image of the embedding server.", .max_length = 1024},
	{"imagePullSecret", CRD_STRING, "Secret to pull that image with."},
	{"modelAccessSecret", CRD_STRING, "Secret whose key HF_TOKEN opens a gated model."},
	{"modelID", CRD_STRING, "ORG/NAME of an embedding model.", .max_length = 256},
	{0},
};
static const struct crd_shape SHAPE_LOCAL = {LOCAL_FIELDS, RULES_LOCAL};
static const struct crd_field REMOTE_FIELDS[] = {
	{"accessSecret", CRD_STRING, "Secret with the service's key."},
	{"url", CRD_STRING, "Address of the service.", .required = true, .max_length = 4096},
	{0},
};
static const struct crd_shape SHAPE_REMOTE = {REMOTE_FIELDS, RULES_REMOTE};
static const struct crd_rule RULES_EMBEDDING[] = {
	{"has(self.local) || has(self.remote)", "Either remote embedding or local embedding must be specified, not neither"},
	{"!(has(self.local) && has(self.remote))", "Either remote embedding or local embedding must be specified, but not both"},
	{0},
};
static const struct crd_field EMBEDDING_FIELDS[] = {
	{"local", CRD_OBJECT, "An embedding model in the engine's pod.", &SHAPE_LOCAL},
	{"remote", CRD_OBJECT, "An embedding service.", &SHAPE_REMOTE},
	{0},
};
static const struct crd_shape SHAPE_EMBEDDING = {EMBEDDING_FIELDS, RULES_EMBEDDING};

static const struct crd_rule RULES_SERVICE[] = {
	{"self.contextWindowSize > 0", "ContextWindowSize must be a positive integer", .at = ".contextWindowSize"},
	URL_RULE("!has(self.url) || self.url == ''", ".url"),
	{0},
};
#define SERVICE_FIELDS(...) \
	{"accessSecret", CRD_STRING, "Secret with the service's key."}, \
	{"contextWindowSize", CRD_INTEGER, "Tokens that the model can take.", .required = true}, \
	{"url", CRD_STRING, "Address of the model's completion endpoint.", .max_length = 4096, __VA_ARGS__}
static const struct crd_field SERVICE_FIELDS_ALPHA[] = {SERVICE_FIELDS(.required = true), {0}};
static const struct crd_field SERVICE_FIELDS_BETA[] = {SERVICE_FIELDS(.required = false), {0}};
static const struct crd_shape SHAPE_SERVICE_ALPHA = {SERVICE_FIELDS_ALPHA, RULES_SERVICE}, SHAPE_SERVICE = {SERVICE_FIELDS_BETA, RULES_SERVICE};

static const struct crd_field POLICY_FIELDS[] = {{"name", CRD_STRING, "Name of the ConfigMap.", .required = true}, {0}};
static const struct crd_shape SHAPE_POLICY = {POLICY_FIELDS};
static const struct crd_field GUARDRAILS_FIELDS[] = {
	{"configMapRef", CRD_OBJECT, "ConfigMap with the policy; without it the default one.", &SHAPE_POLICY},
	{"enabled", CRD_BOOLEAN, "Whether answers are checked."},
	{0},
};
static const struct crd_shape SHAPE_GUARDRAILS = {GUARDRAILS_FIELDS};

static const struct crd_field VOLUME_FIELDS[] = {
	{"mountPath", CRD_STRING, "Where the volume is mounted."},
	{"persistentVolumeClaim", CRD_STRING, "Claim of the volume.", .required = true},
	{0},
};
static const struct crd_shape SHAPE_VOLUME = {VOLUME_FIELDS};
static const struct crd_field VECTOR_FIELDS[] = {
	{"accessSecret", CRD_STRING, "Secret with the database's key."},
	{"engine", CRD_STRING, "Which database it is.", .required = true},
	{"url", CRD_STRING, "Address of the database.", .required = true},
	{0},
};
static const struct crd_shape SHAPE_VECTOR = {VECTOR_FIELDS};
static const struct crd_field STORAGE_FIELDS_ALPHA[] = {
	{"mountPath", CRD_STRING, "Where the volume is mounted."},
	{"persistentVolumeClaim", CRD_STRING, "Claim of the volume."},
	{0},
};
static const struct crd_field STORAGE_FIELDS[] = {
	{"persistentVolume", CRD_OBJECT, "A volume for the indexes.", &SHAPE_VOLUME},
	{"vectorDB", CRD_OBJECT, "A vector database for the indexes.", &SHAPE_VECTOR},
	{0},
};
static const struct crd_shape SHAPE_STORAGE_ALPHA = {STORAGE_FIELDS_ALPHA}, SHAPE_STORAGE = {STORAGE_FIELDS};

static const struct crd_rule RULES_SPEC[] = {
	{"has(self.compute) || !has(oldSelf.compute)", "Compute resources cannot be removed after creation", .at = ".compute", .reason = CRD_FORBIDDEN},
	{"!has(self.compute) || has(oldSelf.compute)", "Compute resources cannot be added after creation", .at = ".compute", .reason = CRD_FORBIDDEN},
	{0},
};
static const struct crd_field SPEC_FIELDS[] = {
	{"compute", CRD_OBJECT, "The machines to run on.", &SHAPE_COMPUTE},
	{"embedding", CRD_OBJECT, "How documents become vectors.", &SHAPE_EMBEDDING, .required = true},
	{"guardrails", CRD_OBJECT, "Checks of the answers.", &SHAPE_GUARDRAILS, .versions = CRD_V1BETA1},
	{"indexServiceName", CRD_STRING, "Not used.", .versions = CRD_V1ALPHA1},
	{"inferenceService", CRD_OBJECT, "The model that answers.", &SHAPE_SERVICE_ALPHA, .versions = CRD_V1ALPHA1},
	{"inferenceService", CRD_OBJECT, "The model that answers; without it the engine only retrieves.", &SHAPE_SERVICE, .versions = CRD_V1BETA1},
	{"queryServiceName", CRD_STRING, "Not used.", .versions = CRD_V1ALPHA1},
	{"storage", CRD_OBJECT, "Where indexes are kept.", &SHAPE_STORAGE_ALPHA, .versions = CRD_V1ALPHA1},
	{"storage", CRD_OBJECT, "Where indexes are kept.", &SHAPE_STORAGE, .versions = CRD_V1BETA1},
	{0},
};
static const struct crd_shape SHAPE_SPEC = {SPEC_FIELDS, RULES_SPEC};
static const struct crd_field STATUS_FIELDS[] = {
	{"conditions", CRD_OBJECT, "What holds and what does not, with reasons.", &SHAPE_CONDITION, .list = true},
	{"workerNodes", CRD_STRING, "Nodes that the engine runs on.", .list = true},
	{0},
};
static const struct crd_shape SHAPE_STATUS = {STATUS_FIELDS};
static const struct crd_field RAG_FIELDS[] = {
	{"spec", CRD_OBJECT, "What is wanted.", &SHAPE_SPEC},
	{"status", CRD_OBJECT, "Written by the controller.", &SHAPE_STATUS},
	{0},
};
const struct crd_shape SHAPE_RAG_ENGINE = {RAG_FIELDS};
