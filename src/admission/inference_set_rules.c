/* inference_set_rules.c: InferenceSet: its own fields, and the Workspace that it would create, under the rules of a Workspace. */
#include "admission/rules.h"
#include "kube/duration.h"

static void instance_type(struct admission *a, const json_t *template_)
{
	const char *type = json_text_at(template_, "", "resource", "instanceType", NULL);
	if (!admission_own_nodes(a)) {
		if (!type[0])
			field_errors_missing(&a->errors, "spec.template.resource.instanceType");
	} else if (type[0]) {
		field_errors_invalid(&a->errors, "spec.template.resource.instanceType", "%s", type);
		field_errors_detail(&a->errors, "instanceType must be empty when nodeProvisioner is byo");
	}
}

static void duration(struct admission *a, const char *text)
{
	static const char PATH[] = "spec.autoUpgrade.maintenanceWindow.duration";
	double seconds = 0;
	if (!duration_parse(text, &seconds)) {
		field_errors_invalid(&a->errors, PATH, "%s", text);
		field_errors_detail(&a->errors, "time: invalid duration \"%s\"", text);
	} else if (seconds <= 0) {
		field_errors_invalid(&a->errors, PATH, "%s", text);
		field_errors_detail(&a->errors, "must be a positive duration");
	}
}

static void window(struct admission *a, const json_t *window)
{
	static const char PATH[] = "spec.autoUpgrade.maintenanceWindow.schedule";
	const char *schedule = admission_text(window, "schedule");
	char why[256];
	if (!window)
		return;
	if (!schedule[0]) {
		field_errors_missing(&a->errors, PATH);
		return;
	}
	if (!cron_rule_check(schedule, why, sizeof why)) {
		field_errors_invalid(&a->errors, PATH, "%s", schedule);
		field_errors_detail(&a->errors, "invalid cron expression: %s", why);
	}
	if (cron_rule_is_zoned(schedule))
		admission_warn(a, "%s: time zones other than UTC are not supported, the window will not open", PATH);
	if (admission_member(window, "duration"))
		duration(a, admission_text(window, "duration"));
}

/* --- the child ----------------------------------------------------------------------------------------------- */

static void put(json_t *object, const char *key, const json_t *value)
{
	if (value)
		json_object_set_new(object, key, json_deep_copy(value));
}

/* New reference. */
static json_t *child(struct admission *a, const json_t *spec)
{
	const json_t *template_ = admission_member(spec, "template"), *metadata = admission_member(template_, "metadata");
	json_t *resource = json_object(), *meta = json_object(), *out = json_object();
	const json_t *given = admission_member(template_, "resource");
	put(meta, "labels", admission_member(metadata, "labels"));
	put(meta, "annotations", admission_member(metadata, "annotations"));
	json_object_set_new(meta, "name", json_string(meta_name(a->object)));
	json_object_set_new(meta, "namespace", json_string(a->namespace_));
	put(resource, "instanceType", admission_member(given, "instanceType"));
	put(resource, "partition", admission_member(given, "partition"));
	put(resource, "labelSelector", admission_member(spec, "labelSelector"));
	json_object_set_new(out, "apiVersion", json_string("kaito.sh/v1beta1"));
	json_object_set_new(out, "kind", json_string("Workspace"));
	json_object_set_new(out, "metadata", meta);
	json_object_set_new(out, "resource", resource);
	put(out, "inference", admission_member(template_, "inference"));
	return out;
}

static void child_rules(struct admission *a, const json_t *spec)
{
	json_t *object = child(a, spec);
	struct admission inner = *a;
	inner.object = object;
	inner.old = NULL;
	inner.v1alpha1 = false;
	inner.errors = (struct field_errors){.prefix = "spec.template"};
	workspace_view_read(&inner.w, object, a->o);
	validate_workspace_create(&inner);
	warning_rules_workspace(&inner);
	vec_append(&a->errors.items, inner.errors.items.data, inner.errors.items.len); /* moved */
	inner.errors.items.len = 0;
	a->errors.dropped += inner.errors.dropped;
	field_errors_done(&inner.errors);
	json_decref(object);
}

/* An update that leaves template and selector alone is not held up by what was accepted before. */
static bool child_changed(const json_t *spec, const json_t *old)
{
	static const char *const KEYS[] = {"template", "labelSelector"};
	for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
		const json_t *x = admission_member(spec, KEYS[i]), *y = admission_member(old, KEYS[i]);
		if (x != y && !(x && y && json_equal(x, y)))
			return true;
	}
	return false;
}

static void partition(struct admission *a, const json_t *spec, const json_t *old)
{
	const json_t *now = json_at(spec, "template", "resource", "partition", NULL), *before = json_at(old, "template", "resource", "partition", NULL);
	if (now == before || (now && before && json_equal(now, before)))
		return;
	field_errors_generic(&a->errors, "spec.template", "field is immutable");
	field_errors_also(&a->errors, "spec.resource");
	field_errors_also(&a->errors, "spec.partition");
}

void inference_set_rules(struct admission *a)
{
	const json_t *spec = admission_member(a->object, "spec"), *old = admission_member(a->old, "spec");
	const json_t *replicas = admission_member(spec, "replicas");
	name_rules_check(a);
	if (json_is_integer(replicas) && json_integer_value(replicas) < 0) {
		field_errors_invalid(&a->errors, "spec.replicas", "%lld", (long long)json_integer_value(replicas));
		field_errors_detail(&a->errors, "must be non-negative");
	}
	instance_type(a, admission_member(spec, "template"));
	window(a, json_at(spec, "autoUpgrade", "maintenanceWindow", NULL));
	if (a->old)
		partition(a, spec, old);
	if (!a->old || child_changed(spec, old))
		child_rules(a, spec);
}
