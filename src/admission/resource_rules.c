/* resource_rules.c: the resource section at CREATE: label selector, instance type or own nodes, and whether the weights fit. */
#include "admission/rules.h"
#include "catalog/sku.h"
#include "kube/quantity.h"
#include "kube/selector.h"

#include <strings.h>

/* What the machines offer, from the SKU table or from node labels. */
struct machines { int64_t count; const char *product; int64_t gpus; double gib; };

/* --- instance type ------------------------------------------------------------------------------------------- */

static void append_skus(const char *cloud, struct buf *out)
{
	for (size_t i = 0; i < SKU_COUNT; i++)
		if (strcmp(SKUS[i].cloud, cloud) == 0 && !SKUS[i].legacy && SKUS[i].gpus)
			buf_printf(out, "%s%s", out->len ? " " : "", SKUS[i].name);
}

static bool has_azure_prefix(const char *name)
{
	return strncasecmp(name, "Standard_N", 10) == 0 || strncasecmp(name, "Standard_D", 10) == 0;
}

bool resource_rules_instance(struct admission *a, const char *path, const char *instance_type)
{
	if (sku_find(a->o->cloud, instance_type))
		return true;
	if (strcmp(a->o->cloud, "azure") == 0 && has_azure_prefix(instance_type)) {
		admission_warn(a, "%s %s is not a known GPU or CPU machine: the node will be requested, but what fits on it is not known", path, instance_type);
		return true;
	}
	struct buf list = {0};
	append_skus(a->o->cloud, &list);
	field_errors_invalid(&a->errors, path, "Unsupported instance type %s. Supported SKUs: [%s]", instance_type, buf_str(&list).data);
	buf_done(&list);
	return false;
}

/* --- own nodes ----------------------------------------------------------------------------------------------- */

static bool node_machines(struct admission *a, const json_t *node, struct machines *out)
{
	static const char LEAD[] = "Failed to get GPU config from nvidia labels on node";
	const char *name = meta_name(node), *product = meta_label(node, "nvidia.com/gpu.product");
	const char *count = meta_label(node, "nvidia.com/gpu.count"), *memory = meta_label(node, "nvidia.com/gpu.memory");
	int64_t mib = 0;
	if (!product || !count || !memory) {
		field_errors_generic(&a->errors, NULL, "%s %s: missing required nvidia.com labels on node %s", LEAD, name, name);
		field_errors_detail(&a->errors, "nodes without a GPU serve with the annotation %s: native", ANNOTATION_RUNTIME);
	} else if (!str_to_i64(str_of(count), &out->gpus) || out->gpus <= 0 || out->gpus > 1024) {
		field_errors_generic(&a->errors, NULL, "%s %s: invalid nvidia.com/gpu.count value on node %s: %s", LEAD, name, name, count);
	} else if (!str_to_i64(str_of(memory), &mib) || mib <= 0 || mib > INT64_C(1) << 40) {
		field_errors_generic(&a->errors, NULL, "%s %s: invalid nvidia.com/gpu.memory value on node %s: %s", LEAD, name, name, memory);
	} else {
		out->product = product;
		out->gib = (double)((mib + 512) / 1024 * out->gpus); /* the label rounds down, as the driver reports it */
		return true;
	}
	return false;
}

static bool same_machines(struct admission *a, const json_t *node, const struct machines *m, const struct machines *first)
{
	const char *name = meta_name(node);
	if (strcmp(m->product, first->product) != 0)
		field_errors_generic(&a->errors, NULL,
				     "Non-uniform GPU product: node %s has %s GPUs, but previous node has %s GPUs, all nodes must have the same GPU product "
				     "for homogeneous placement", name, m->product, first->product);
	else if (m->gpus != first->gpus)
		field_errors_generic(&a->errors, NULL, "Non-uniform GPU count: node %s has %lld GPUs, but previous node has %lld GPUs", name,
				     (long long)m->gpus, (long long)first->gpus);
	else if ((int64_t)m->gib != (int64_t)first->gib)
		field_errors_generic(&a->errors, NULL, "Non-uniform GPU memory: node %s has %.0fGi memory, but previous node has %.0fGi memory", name,
				     m->gib, first->gib);
	else
		return true;
	return false;
}

static bool uniform_nodes(struct admission *a, const json_t *nodes, struct machines *out)
{
	size_t i;
	json_t *node;
	if (json_array_size(nodes) == 0) {
		field_errors_generic(&a->errors, NULL, "No nodes found matching the specified label selector");
		return false;
	}
	json_array_foreach((json_t *)nodes, i, node) {
		struct machines m = {0};
		if (!node_machines(a, node, &m) || (i > 0 && !same_machines(a, node, &m, out)))
			return false;
		if (i == 0)
			*out = m;
	}
	out->count = (int64_t)json_array_size(nodes);
	return true;
}

static json_t *list_nodes(struct admission *a)
{
	if (!a->lookup->nodes) {
		admission_unchecked(a, "resource.labelSelector: which nodes match, and whether their GPUs hold the model");
		return NULL;
	}
	json_t *labels = workspace_match_labels(&a->w), *nodes = NULL;
	struct err err = ERR_INIT;
	if (a->lookup->nodes(a->lookup->context, labels, &nodes, &err) < 0)
		field_errors_generic(&a->errors, NULL, "Failed to list nodes with labelSelector: %s", err.message);
	json_decref(labels);
	return nodes;
}

/* --- memory -------------------------------------------------------------------------------------------------- */

static void gib_text(double gib, char out[32])
{
	char text[48];
	struct err err = ERR_INIT;
	snprintf(text, sizeof text, "%.2fGi", gib);
	if (quantity_canonical(text, out, 32, &err) < 0)
		snprintf(out, 32, "%.31s", text);
}

static void memory(struct admission *a, const struct machines *m)
{
	const char *name = a->model->alias ? a->model->alias : a->w.preset;
	char have[32], need[32], preset[128];
	snprintf(preset, sizeof preset, "%s", name);
	for (char *c = preset; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
	gib_text((double)m->count * m->gib, have);
	gib_text(a->model->weights_gib, need);
	if ((double)m->count * m->gib < a->model->weights_gib) {
		if (admission_annotation(a, ANNOTATION_BYPASS_CHECKS))
			admission_warn(a, "the GPUs have %s of memory, %s needs at least %s; accepted because of the annotation %s", have, preset, need,
				       ANNOTATION_BYPASS_CHECKS);
		else
			field_errors_invalid(&a->errors, "resource.instanceType",
					     "Insufficient total GPU memory: Instance type %s has a total of %s, but preset %s requires at least %s",
					     a->w.instance_type, have, preset, need);
	}
	if (a->model->weights_gib > m->gib && a->w.runtime == RUNTIME_TRANSFORMERS)
		field_errors_generic(&a->errors, NULL, "Multi-node distributed inference is not supported with Huggingface Transformers runtime");
}

/* --- the rules ----------------------------------------------------------------------------------------------- */

/* false: nothing else can be told. */
static bool selector(struct admission *a)
{
	const json_t *matched = admission_member(a->w.selector, "matchLabels");
	json_t *map = NULL, *left = NULL;
	struct err err = ERR_INIT;
	if (selector_as_map(a->w.selector, &map, &err) < 0) {
		field_errors_invalid(&a->errors, "resource.labelSelector", "%s", err.message);
		return false;
	}
	left = workspace_match_labels(&a->w);
	bool ok = json_object_size(matched) == 0 || json_object_size(left) > 0;
	if (!ok)
		field_errors_invalid(&a->errors, "resource.labelSelector.matchLabels", "matchLabels must contain at least one non-reserved label");
	json_decref(left);
	json_decref(map);
	return ok;
}

static void own_nodes(struct admission *a)
{
	if (admission_member(a->w.resource, "partition")) {
		partition_rules_create(a);
		return;
	}
	if (!a->w.preset[0] || a->w.runtime == RUNTIME_NATIVE)
		return;
	json_t *nodes = list_nodes(a);
	struct machines m = {0};
	if (nodes && uniform_nodes(a, nodes, &m) && a->model)
		memory(a, &m);
	json_decref(nodes);
}

static void provisioned(struct admission *a)
{
	if (!a->v1alpha1 && admission_member(a->w.resource, "partition")) {
		field_errors_generic(&a->errors, "resource.partition", "GPU partitioning is only supported with BYO nodes (disableNodeAutoProvisioning=true)");
		return;
	}
	if (!a->w.instance_type[0] || !resource_rules_instance(a, "resource.instanceType", a->w.instance_type))
		return;
	const struct sku *sku = sku_find(a->o->cloud, a->w.instance_type);
	struct machines m = {.count = a->w.count, .gib = sku ? sku->gpu_gib : 0};
	if (sku && sku->gpus && a->model && (a->w.runtime == RUNTIME_TRANSFORMERS || (a->v1alpha1 && a->w.runtime == RUNTIME_VLLM)))
		memory(a, &m);
}

void resource_rules_inference(struct admission *a)
{
	const json_t *preset = admission_member(a->w.inference, "preset");
	if (preset && !model_rules_name_ok(a->w.preset)) {
		if (catalog_model_deprecated(a->w.preset))
			field_errors_generic(&a->errors, "resource.presetName", "Model %s is deprecated and no longer supported", a->w.preset);
		return;
	}
	if (!selector(a))
		return;
	if (admission_own_nodes(a) && !a->v1alpha1)
		own_nodes(a);
	else
		provisioned(a);
}

/* Upstream lets a tuning through with any machine and any selector, and then its controller fails on them for ever. */
void resource_rules_tuning(struct admission *a)
{
	if (selector(a) && !admission_own_nodes(a) && a->w.instance_type[0])
		resource_rules_instance(a, "resource.instanceType", a->w.instance_type);
	if (a->w.count > 1)
		field_errors_invalid(&a->errors, "resource.count",
				     "Tuning does not currently support multinode configurations. Please set the node count to 1. Future support with "
				     "DeepSpeed will allow this.");
	if (admission_member(a->w.resource, "partition"))
		field_errors_invalid(&a->errors, "resource.partition", "GPU partitioning is not supported for tuning workloads");
}
