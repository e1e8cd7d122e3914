/* workspace_rules.c: what concerns a Workspace as a whole: its kind of work, where nodes come from, its annotations. */
#include "admission/rules.h"
#include "codec/json.h"

#include "base/limits.h"
#include <strings.h>

static bool is_word(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(value, *words) == 0)
			return true;
	return false;
}

static void work(struct admission *a)
{
	if (!a->w.inference && !a->w.tuning)
		field_errors_generic(&a->errors, "spec", "Either Inference or Tuning must be specified, not neither");
	if (a->w.inference && a->w.tuning)
		field_errors_generic(&a->errors, "spec", "Either Inference or Tuning must be specified, but not both");
}

static void instance_type(struct admission *a)
{
	if (admission_own_nodes(a) && a->w.instance_type[0]) {
		field_errors_invalid(&a->errors, "spec.resource.instanceType",
				     "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)");
	} else if (!admission_own_nodes(a) && !a->w.instance_type[0]) {
		field_errors_missing(&a->errors, "spec.instanceType is required when node auto-provisioning is enabled");
		field_errors_also(&a->errors, "spec.resource.instanceType");
	}
}

static void image_family(struct admission *a)
{
	const char *family = admission_annotation(a, ANNOTATION_IMAGE_FAMILY);
	if (family && family[0] && strcasecmp(family, "azurelinux") != 0 && strcasecmp(family, "ubuntu") != 0)
		field_errors_invalid(&a->errors, "spec.metadata.annotations[\"" ANNOTATION_IMAGE_FAMILY "\"]",
				     "unsupported node image family \"%s\", supported values are azurelinux, ubuntu", family);
}

static void annotations(struct admission *a)
{
	static const char *const MODES[] = {"balanced", "interactivity", "throughput", NULL}, *const BOOLS[] = {"true", "false", NULL};
	const char *mode = admission_annotation(a, ANNOTATION_PERFORMANCE), *local = admission_annotation(a, ANNOTATION_LOCAL_WEIGHTS);
	if (mode && !is_word(mode, MODES))
		field_errors_invalid(&a->errors, "metadata.annotations[" ANNOTATION_PERFORMANCE "]",
				     "\"%s\" is not a valid performance mode; choose one of: balanced, interactivity, throughput", mode);
	if (local && !is_word(local, BOOLS))
		field_errors_invalid(&a->errors, "metadata.annotations[" ANNOTATION_LOCAL_WEIGHTS "]", "\"%s\" must be \"true\" or \"false\"", local);
}

static void node_count(struct admission *a)
{
	const char *text = admission_annotation(a, ANNOTATION_NODE_COUNT);
	int64_t n;
	if (text && (!str_to_i64(str_of(text), &n) || n < 1 || n > LIMIT_WORKSPACE_NODES))
		field_errors_invalid(&a->errors, "metadata.annotations[" ANNOTATION_NODE_COUNT "]", "\"%s\" must be a whole number from 1 to %d", text,
				     LIMIT_WORKSPACE_NODES);
}

void workspace_rules_create(struct admission *a)
{
	work(a);
	image_family(a);
	node_count(a);
	if (a->v1alpha1)
		return;
	instance_type(a);
	annotations(a);
	workspace_rules_node_class(a);
}

/* --- karpenter's node classes -------------------------------------------------------------------------------- */

/* The names in --node-classes, "[a b]" as Go prints a list; false when `name` is not among them. */
static bool known_class(const json_t *classes, const char *name, struct buf *list)
{
	bool found = false;
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)classes, i, item) {
		const char *other = json_is_string(item) ? json_string_value(item) : admission_text(item, "name");
		buf_printf(list, "%s%s", list->len ? " " : "", other);
		found = found || strcmp(other, name) == 0;
	}
	return found;
}

void workspace_rules_node_class(struct admission *a)
{
	const char *name = admission_annotation(a, ANNOTATION_NODE_CLASS);
	if (!name || !name[0] || strcmp(a->o->node_provisioner, "karpenter") != 0 || !a->o->node_classes_json)
		return;
	json_t *classes = NULL;
	struct buf list = {0};
	struct err err = ERR_INIT;
	if (json_parse(&classes, str_of(a->o->node_classes_json), "node classes", &err) == 0 && json_array_size(classes) > 0 && !known_class(classes, name, &list))
		field_errors_invalid(&a->errors, "metadata.annotations[\"" ANNOTATION_NODE_CLASS "\"]",
				     "\"%s\" is not a KAITO-managed NodeClass, supported values are [%s]", name, buf_str(&list).data);
	buf_done(&list);
	json_decref(classes);
}

/* --- model streaming ----------------------------------------------------------------------------------------- */

void workspace_rules_streaming(struct admission *a)
{
	const char *given = admission_annotation(a, ANNOTATION_STREAMING);
	if (!a->o->gates[GATE_MODEL_STREAMING] || !admission_member(a->w.inference, "preset") || a->w.runtime != RUNTIME_VLLM ||
	    (given && strcmp(given, "disabled") == 0))
		return;
	if (strcmp(a->o->cloud, "azure") != 0) {
		field_errors_generic(&a->errors, "metadata.annotations", "unsupported cloud provider \"%s\" for model streaming", a->o->cloud);
		return;
	}
	json_t *driver = NULL;
	struct err err = ERR_INIT;
	enum admission_found found = admission_get(a, "CSIDriver", NULL, "blob.csi.azure.com", &driver, &err);
	if (found == ADMISSION_ABSENT || found == ADMISSION_FAILED)
		field_errors_generic(&a->errors, "metadata.annotations",
				     "CSI driver blob.csi.azure.com not found; required for model streaming. Ensure the CSI driver is enabled on your cluster");
	json_decref(driver);
}
