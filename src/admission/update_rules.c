/* update_rules.c: what may change in a Workspace after its creation. Values are checked again only where they changed, so that an object
 * that was accepted once can always be labelled, reconciled and deleted. */
#include "admission/rules.h"
#include "kube/selector.h"

#include <strings.h>

static bool same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = admission_member(a, key), *y = admission_member(b, key);
	return x == y || (x && y && json_equal(x, y));
}

static void toggled(struct admission *a, const json_t *old_inference, const json_t *old_tuning)
{
	if (!a->w.inference != !old_inference)
		field_errors_generic(&a->errors, "spec.inference", "Inference field cannot be toggled once set");
	if (!a->w.tuning != !old_tuning)
		field_errors_generic(&a->errors, "spec.tuning", "Tuning field cannot be toggled once set");
}

/* --- resource ------------------------------------------------------------------------------------------------ */

static void label_selector(struct admission *a, const json_t *old)
{
	json_t *now = NULL, *before = NULL;
	struct err err = ERR_INIT;
	if (same(a->w.resource, old, "labelSelector"))
		return;
	if (selector_as_map(a->w.selector, &now, &err) < 0 || selector_as_map(admission_member(old, "labelSelector"), &before, &err) < 0)
		field_errors_generic(&a->errors, "resource.labelSelector", "Only allow matchLabels or 'IN' matchExpression");
	else if (!json_equal(now, before))
		field_errors_generic(&a->errors, "resource.labelSelector", "field is immutable");
	json_decref(now);
	json_decref(before);
}

static void instance_type_own_nodes(struct admission *a, const char *old)
{
	const char *now = a->w.instance_type;
	if (now[0] && !old[0])
		field_errors_invalid(&a->errors, "resource.instanceType",
				     "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)");
	else if (now[0] && strcmp(now, old) != 0)
		field_errors_invalid(&a->errors, "resource.instanceType", "instanceType cannot be changed once set");
}

static void instance_type(struct admission *a, const char *old)
{
	const char *now = a->w.instance_type;
	if (a->v1alpha1) {
		if (strcmp(now, old) != 0)
			field_errors_generic(&a->errors, "resource.instanceType", "field is immutable");
	} else if (admission_own_nodes(a)) {
		instance_type_own_nodes(a, old);
	} else if (!now[0] && old[0]) {
		field_errors_missing(&a->errors, "resource.instanceType is required when node auto-provisioning is enabled");
		field_errors_also(&a->errors, "resource.instanceType");
	} else if (old[0] && strcmp(now, old) != 0) {
		field_errors_generic(&a->errors, "resource.instanceType",
				     "instanceType cannot be changed once set when node auto-provisioning is enabled");
	}
}

static void resource(struct admission *a, const json_t *old)
{
	if (admission_member(a->w.resource, "count") && admission_member(old, "count") && !same(a->w.resource, old, "count"))
		field_errors_generic(&a->errors, "resource.count", "field is immutable");
	if (!a->v1alpha1 && !same(a->w.resource, old, "partition"))
		field_errors_generic(&a->errors, "resource.partition", "field is immutable");
	instance_type(a, admission_text(old, "instanceType"));
	label_selector(a, old);
}

/* --- inference and tuning ------------------------------------------------------------------------------------ */

static void inference(struct admission *a, const json_t *old)
{
	if (!same(a->w.inference, old, "preset"))
		field_errors_generic(&a->errors, "inference.preset", "field is immutable");
	if (!admission_member(a->w.inference, "template") != !admission_member(old, "template"))
		field_errors_generic(&a->errors, "inference.template", "field cannot be unset/set if it was set/unset");
	adapter_rules_update(a, admission_member(old, "adapters"));
}

static void image(struct admission *a, const json_t *now, const json_t *old, const char *path, const char *which)
{
	char words[512];
	const char *name = admission_text(now, "image");
	const char *why = name[0] && !same(now, old, "image") ? image_rule_check(name, words, sizeof words) : NULL;
	if (why)
		field_errors_invalid(&a->errors, path, "Unable to parse %s image reference: %s", which, why);
}

/* As at creation: a changed URL must not reach into the cluster either. */
static void urls(struct admission *a, const json_t *now, const json_t *old)
{
	size_t i;
	json_t *item;
	if (same(now, old, "urls"))
		return;
	json_array_foreach((json_t *)admission_member(now, "urls"), i, item) {
		const char *why = url_rule_check(json_is_string(item) ? json_string_value(item) : "");
		if (why)
			field_errors_invalid(&a->errors, "tuning.Input.URLs", "%s", why);
	}
}

static void tuning(struct admission *a, const json_t *old)
{
	const json_t *in = admission_member(a->w.tuning, "input"), *out = admission_member(a->w.tuning, "output");
	const json_t *old_in = admission_member(old, "input"), *old_out = admission_member(old, "output");
	if (!in)
		field_errors_missing(&a->errors, "tuning.Input");
	else if (strcmp(admission_text(in, "name"), admission_text(old_in, "name")) != 0)
		field_errors_invalid(&a->errors, "tuning.Input.Name", "During tuning Name field cannot be changed once set");
	if (!out)
		field_errors_missing(&a->errors, "tuning.Output");
	image(a, in, old_in, "tuning.Input.Image", "input");
	urls(a, in, old_in);
	image(a, out, old_out, "tuning.Output.Image", "output");
	if (!same(a->w.tuning, old, "preset"))
		field_errors_generic(&a->errors, "tuning.Preset", "Preset cannot be changed");
	if (strcasecmp(admission_text(a->w.tuning, "method"), admission_text(old, "method")) != 0)
		field_errors_generic(&a->errors, "tuning.Method", "Method cannot be changed");
}

static void streaming(struct admission *a)
{
	const char *now = meta_annotation(a->object, ANNOTATION_STREAMING), *old = meta_annotation(a->old, ANNOTATION_STREAMING);
	if (a->o->gates[GATE_MODEL_STREAMING] && strcmp(now ? now : "", old ? old : "") != 0)
		field_errors_generic(&a->errors, "metadata.annotations[" ANNOTATION_STREAMING "]",
				     "annotation " ANNOTATION_STREAMING " is immutable after creation");
}

void update_rules_workspace(struct admission *a)
{
	const json_t *old_inference = admission_member(a->old, "inference"), *old_tuning = admission_member(a->old, "tuning");
	toggled(a, old_inference, old_tuning);
	resource(a, admission_member(a->old, "resource"));
	if (a->w.inference && old_inference)
		inference(a, old_inference);
	if (a->w.tuning && old_tuning)
		tuning(a, old_tuning);
	streaming(a);
	const char *now = meta_annotation(a->object, ANNOTATION_NODE_CLASS), *old = meta_annotation(a->old, ANNOTATION_NODE_CLASS);
	if (now && (!old || strcmp(now, old) != 0))
		workspace_rules_node_class(a);
}
