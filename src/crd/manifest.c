/* manifest.c: the table of kinds, and the CustomResourceDefinition of each. To add a kind: its shape (fields_*.c), a row here, CRD_COUNT. */
#include "crd/crd.h"
#include "crd/schema_json.h"

#include "base/mem.h"
#include "base/str.h"
#include <string.h>

#define STATUS_OF(type) ".status.conditions[?(@.type==\"" type "\")].status"
#define COLUMN_AGE {"Age", "date", ".metadata.creationTimestamp", "Time since creation."}

/* The quick start's table; what newer versions added comes with -o wide. */
static const struct crd_column WORKSPACE_COLUMNS[] = {
	{"Instance", "string", ".resource.instanceType", "Machine type."},
	{"ResourceReady", "string", STATUS_OF("ResourceReady"), "Whether the nodes are ready."},
	{"InferenceReady", "string", STATUS_OF("InferenceReady"), "Whether the model answers."},
	{"WorkspaceReady", "string", STATUS_OF("WorkspaceReady"), "Whether all is done that was asked for."},
	COLUMN_AGE,
	{"JobStarted", "string", STATUS_OF("JobStarted"), "Whether tuning has begun.", 1},
	{"WorkspaceSucceeded", "string", STATUS_OF("WorkspaceSucceeded"), "Whether the work has succeeded.", 1},
	{"TargetNodeCount", "integer", ".status.targetNodeCount", "Nodes that the model needs.", 1},
	{"State", "string", ".status.state", "State in one word.", 1},
	{0},
};
static const struct crd_column SET_COLUMNS[] = {
	{"Replicas", "integer", ".spec.replicas", "Workspaces wanted."},
	{"ReadyReplicas", "integer", ".status.readyReplicas", "Workspaces that are ready."},
	COLUMN_AGE,
	{0},
};
static const struct crd_column ROLES_COLUMNS[] = {
	{"Model", "string", ".spec.model.name", "Model that is served."},
	{"Ready", "string", STATUS_OF("Ready"), "Whether both roles and the pool are ready."},
	COLUMN_AGE,
	{0},
};
static const struct crd_column MIRROR_COLUMNS[] = {
	{"Model", "string", ".spec.source.modelID", "Model that is copied."},
	{"Phase", "string", ".status.phase", "State in one word."},
	COLUMN_AGE,
	{0},
};
static const struct crd_column RAG_COLUMNS[] = {
	{"Instance", "string", ".spec.compute.instanceType", "Machine type."},
	{"ResourceReady", "string", STATUS_OF("ResourceReady"), "Whether the nodes are ready."},
	{"ServiceReady", "string", STATUS_OF("ServiceReady"), "Whether the engine answers."},
	COLUMN_AGE,
	{0},
};

const struct crd_definition CRD_DEFINITIONS[CRD_COUNT] = {
	{"Workspace", "workspaces", "workspace", "wk wks", "workspace", CRD_ALL, CRD_V1BETA1, 0, true, false, &SHAPE_WORKSPACE, WORKSPACE_COLUMNS,
	 "One model that is served or fine-tuned, with the nodes for it."},
	{"InferenceSet", "inferencesets", "inferenceset", "is isets", "inferenceset", CRD_ALL, CRD_V1BETA1, 0, true, true, &SHAPE_INFERENCE_SET, SET_COLUMNS,
	 "A number of equal inference Workspaces."},
	{"MultiRoleInference", "multiroleinferences", "multiroleinference", "mri", "kaito", CRD_V1ALPHA1, CRD_V1ALPHA1, 0, true, false, &SHAPE_MULTI_ROLE, ROLES_COLUMNS,
	 "One model whose prefill and decode run on separate nodes."},
	{"ModelMirror", "modelmirrors", "modelmirror", NULL, NULL, CRD_V1ALPHA1, CRD_V1ALPHA1, 0, false, false, &SHAPE_MODEL_MIRROR, MIRROR_COLUMNS,
	 "A copy of a model's weights on a volume of the cluster."},
	{"RAGEngine", "ragengines", "ragengine", "rag", "ragengine", CRD_ALL, CRD_V1BETA1, CRD_V1ALPHA1, true, false, &SHAPE_RAG_ENGINE, RAG_COLUMNS,
	 "Retrieval of documents in front of a model."},
};

const char *crd_kind(size_t i) { return i < CRD_COUNT ? CRD_DEFINITIONS[i].kind : NULL; }

const struct crd_definition *crd_definition_find(const char *kind)
{
	for (size_t i = 0; i < CRD_COUNT; i++)
		if (strcmp(CRD_DEFINITIONS[i].kind, kind) == 0)
			return &CRD_DEFINITIONS[i];
	return NULL;
}

const char *crd_version_name(enum crd_version v) { return v == CRD_V1BETA1 ? "v1beta1" : "v1alpha1"; }

enum crd_version crd_version_parse(const char *api_version)
{
	const char *slash = strchr(api_version, '/'), *name = slash ? slash + 1 : api_version;
	if (slash && strncmp(api_version, "kaito.sh/", 9) != 0)
		return 0;
	return strcmp(name, "v1alpha1") == 0 ? CRD_V1ALPHA1 : strcmp(name, "v1beta1") == 0 ? CRD_V1BETA1 : 0;
}

static json_t *columns_json(const struct crd_column *c)
{
	json_t *list = json_array();
	for (; c->name; c++) {
		json_t *column = json_pack("{s:s,s:s,s:s,s:s}", "name", c->name, "type", c->type, "jsonPath", c->path, "description", c->help);
		if (c->priority)
			json_object_set_new(column, "priority", json_integer(c->priority));
		json_array_append_new(list, column);
	}
	return list;
}

static json_t *subresources(const struct crd_definition *d)
{
	json_t *out = json_pack("{s:{}}", "status");
	if (d->scale)
		json_object_set_new(out, "scale", json_pack("{s:s,s:s,s:s}", "specReplicasPath", ".spec.replicas", "statusReplicasPath", ".status.replicas",
							    "labelSelectorPath", ".status.selector"));
	return out;
}

static json_t *version_json(const struct crd_definition *d, enum crd_version v)
{
	json_t *out = json_pack("{s:s,s:b,s:b,s:o,s:o,s:{s:o}}", "name", crd_version_name(v), "served", 1, "storage", d->storage == v,
				"subresources", subresources(d), "additionalPrinterColumns", columns_json(d->columns), "schema", "openAPIV3Schema", schema_of(d, v));
	if (d->deprecated & v) {
		CLEANUP(mem_freep) char *warning = mem_printf("kaito.sh/%s %s is deprecated; use kaito.sh/v1beta1", crd_version_name(v), d->kind);
		json_object_set_new(out, "deprecated", json_true());
		json_object_set_new(out, "deprecationWarning", json_string(warning));
	}
	return out;
}

static json_t *names_json(const struct crd_definition *d)
{
	CLEANUP(mem_freep) char *list_kind = mem_printf("%sList", d->kind);
	json_t *out = json_pack("{s:s,s:s,s:s,s:s}", "kind", d->kind, "listKind", list_kind, "plural", d->plural, "singular", d->singular);
	if (d->short_names)
		json_object_set_new(out, "shortNames", schema_words(d->short_names));
	if (d->category)
		json_object_set_new(out, "categories", schema_words(d->category));
	return out;
}

json_t *crd_manifest(size_t i)
{
	if (i >= CRD_COUNT)
		return NULL;
	const struct crd_definition *d = &CRD_DEFINITIONS[i];
	CLEANUP(mem_freep) char *name = mem_printf("%s.kaito.sh", d->plural);
	json_t *versions = json_array();
	for (unsigned v = CRD_V1ALPHA1; v <= CRD_V1BETA1; v <<= 1)
		if (d->versions & v)
			json_array_append_new(versions, version_json(d, (enum crd_version)v));
	/* Uninstalling the chart must not take every object along. */
	return json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:{s:s,s:o,s:s,s:o}}", "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition",
			 "metadata", "name", name, "annotations", "helm.sh/resource-policy", "keep", "spec", "group", "kaito.sh", "names", names_json(d), "scope", d->namespaced ? "Namespaced" : "Cluster",
			 "versions", versions);
}
