/* manifest.c: the tables of kinds, and the CustomResourceDefinition of each. To add a kind: its shape (fields_*.c), a row here, its count
 * in crd.h. */
#include "crd/crd.h"
#include "crd/schema_json.h"

#include "base/mem.h"
#include "base/str.h"
#include <string.h>

#define STATUS_OF(type) ".status.conditions[?(@.type==\"" type "\")].status"
#define LABEL_OF(name) ".metadata.labels." name /* dots escaped */
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

/* Names and columns are Karpenter's, so that either's definition serves both programs. */
static const struct crd_column CLAIM_COLUMNS[] = {
	{"Type", "string", LABEL_OF("node\\.kubernetes\\.io/instance-type"), "Machine type."},
	{"Capacity", "string", LABEL_OF("karpenter\\.sh/capacity-type"), "spot or on-demand."},
	{"Zone", "string", LABEL_OF("topology\\.kubernetes\\.io/zone"), "Zone of the machine."},
	{"Node", "string", ".status.nodeName", "Node that the machine has become."},
	{"Ready", "string", STATUS_OF("Ready"), "Whether the Node can be used."},
	COLUMN_AGE,
	{"ImageID", "string", ".status.imageID", "Image that the machine runs.", 1},
	{"ID", "string", ".status.providerID", "Name of the machine in the cloud.", 1},
	{"NodePool", "string", LABEL_OF("karpenter\\.sh/nodepool"), "Pool that the claim belongs to.", 1},
	{"NodeClass", "string", ".spec.nodeClassRef.name", "Node class that the machine is made from.", 1},
	{"Drifted", "string", STATUS_OF("Drifted"), "Whether pool or class have changed since.", 1},
	{0},
};
static const struct crd_column POOL_COLUMNS[] = {
	{"NodeClass", "string", ".spec.template.spec.nodeClassRef.name", "Node class of the pool's nodes."},
	{"Nodes", "string", ".status.resources.nodes", "Nodes of the pool."},
	{"Ready", "string", STATUS_OF("Ready"), "Whether the pool makes nodes."},
	COLUMN_AGE,
	{"Weight", "integer", ".spec.weight", "Rank among pools.", 1},
	{"CPU", "string", ".status.resources.cpu", "Cores of the pool's nodes.", 1},
	{"Memory", "string", ".status.resources.memory", "Memory of the pool's nodes.", 1},
	{0},
};
static const struct crd_column MACHINE_COLUMNS[] = {
	{"Type", "string", LABEL_OF("node\\.kubernetes\\.io/instance-type"), "Machine type."},
	{"Zone", "string", LABEL_OF("topology\\.kubernetes\\.io/zone"), "Zone of the machine."},
	{"Node", "string", ".status.nodeName", "Node that the machine has become."},
	{"Ready", "string", STATUS_OF("Ready"), "Whether the Node can be used."},
	COLUMN_AGE,
	{"Capacity", "string", LABEL_OF("karpenter\\.sh/capacity-type"), "spot or on-demand.", 1},
	{"Provisioner", "string", LABEL_OF("karpenter\\.sh/provisioner-name"), "Provisioner that the machine belongs to.", 1},
	{"Template", "string", ".spec.machineTemplateRef.name", "Template of the machine.", 1},
	{0},
};
static const struct crd_column CLASS_COLUMNS[] = {
	{"Ready", "string", STATUS_OF("Ready"), "Whether nodes can be made from it."},
	COLUMN_AGE,
	{0},
};

const struct crd_definition CRD_PROVISIONER_DEFINITIONS[CRD_PROVISIONER_COUNT] = {
	{"NodeClaim", "nodeclaims", "nodeclaim", NULL, "karpenter", CRD_V1ALPHA1, CRD_V1ALPHA1, 0, false, false, &SHAPE_NODE_CLAIM, CLAIM_COLUMNS,
	 "A request for one node.", "karpenter.sh", "v1"},
	{"NodePool", "nodepools", "nodepool", NULL, "karpenter", CRD_V1ALPHA1, CRD_V1ALPHA1, 0, false, true, &SHAPE_NODE_POOL, POOL_COLUMNS,
	 "A number of equal nodes; without replicas, what Karpenter may make for pending pods.", "karpenter.sh", "v1", ".status.nodes"},
	{"Machine", "machines", "machine", NULL, "karpenter", CRD_V1ALPHA1, CRD_V1ALPHA1, 0, false, false, &SHAPE_MACHINE, MACHINE_COLUMNS,
	 "A request for one node, in the dialect of gpu-provisioner 0.1 and 0.2.", "karpenter.sh", "v1alpha5"},
	{"KaitoNodeClass", "kaitonodeclasses", "kaitonodeclass", "knc", "karpenter", CRD_V1ALPHA1, CRD_V1ALPHA1, 0, false, false, &SHAPE_NODE_CLASS, CLASS_COLUMNS,
	 "How machines are made for the claims that name it."},
};

const char *crd_kind(size_t i) { return i < CRD_COUNT ? CRD_DEFINITIONS[i].kind : NULL; }
const char *crd_provisioner_kind(size_t i) { return i < CRD_PROVISIONER_COUNT ? CRD_PROVISIONER_DEFINITIONS[i].kind : NULL; }

const char *crd_group(const struct crd_definition *d) { return d->group ? d->group : "kaito.sh"; }

const char *crd_version_name(const struct crd_definition *d, enum crd_version v)
{
	return d->version ? d->version : v == CRD_V1BETA1 ? "v1beta1" : "v1alpha1";
}

/* 0: the definition has no such version. */
static enum crd_version version_of(const struct crd_definition *d, const char *api_version)
{
	const char *slash = strchr(api_version, '/'), *name = slash ? slash + 1 : api_version, *group = crd_group(d);
	if (slash && (strncmp(api_version, group, (size_t)(slash - api_version)) != 0 || strlen(group) != (size_t)(slash - api_version)))
		return 0;
	for (unsigned v = CRD_V1ALPHA1; v <= CRD_V1BETA1; v <<= 1)
		if ((d->versions & v) && strcmp(name, crd_version_name(d, (enum crd_version)v)) == 0)
			return (enum crd_version)v;
	return 0;
}

const struct crd_definition *crd_definition_find(const char *api_version, const char *kind, enum crd_version *v)
{
	for (size_t i = 0; i < CRD_COUNT + CRD_PROVISIONER_COUNT; i++) {
		const struct crd_definition *d = i < CRD_COUNT ? &CRD_DEFINITIONS[i] : &CRD_PROVISIONER_DEFINITIONS[i - CRD_COUNT];
		if (strcmp(d->kind, kind) != 0)
			continue;
		*v = version_of(d, api_version);
		return *v ? d : NULL;
	}
	return NULL;
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
	if (!d->scale)
		return out;
	json_t *scale = json_pack("{s:s,s:s}", "specReplicasPath", ".spec.replicas", "statusReplicasPath", d->count_path ? d->count_path : ".status.replicas");
	if (!d->count_path)
		json_object_set_new(scale, "labelSelectorPath", json_string(".status.selector"));
	json_object_set_new(out, "scale", scale);
	return out;
}

static json_t *version_json(const struct crd_definition *d, enum crd_version v)
{
	json_t *out = json_pack("{s:s,s:b,s:b,s:o,s:o,s:{s:o}}", "name", crd_version_name(d, v), "served", 1, "storage", d->storage == v,
				"subresources", subresources(d), "additionalPrinterColumns", columns_json(d->columns), "schema", "openAPIV3Schema", schema_of(d, v));
	if (d->deprecated & v) {
		CLEANUP(mem_freep) char *warning = mem_printf("kaito.sh/%s %s is deprecated; use kaito.sh/v1beta1", crd_version_name(d, v), d->kind);
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

static json_t *manifest(const struct crd_definition *d)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s.%s", d->plural, crd_group(d));
	json_t *versions = json_array();
	for (unsigned v = CRD_V1ALPHA1; v <= CRD_V1BETA1; v <<= 1)
		if (d->versions & v)
			json_array_append_new(versions, version_json(d, (enum crd_version)v));
	/* Uninstalling the chart must not take every object along. */
	return json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:{s:s,s:o,s:s,s:o}}", "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition",
			 "metadata", "name", name, "annotations", "helm.sh/resource-policy", "keep", "spec", "group", crd_group(d), "names", names_json(d), "scope", d->namespaced ? "Namespaced" : "Cluster",
			 "versions", versions);
}

json_t *crd_manifest(size_t i) { return i < CRD_COUNT ? manifest(&CRD_DEFINITIONS[i]) : NULL; }
json_t *crd_provisioner_manifest(size_t i) { return i < CRD_PROVISIONER_COUNT ? manifest(&CRD_PROVISIONER_DEFINITIONS[i]) : NULL; }
