/* multi_role_rules.c: MultiRoleInference: one prefill and one decode role of one model. */
#include "admission/rules.h"

struct roles { bool prefill, decode; };

static void type(struct admission *a, const char *path, const char *type, struct roles *seen)
{
	bool prefill = strcmp(type, "prefill") == 0, decode = strcmp(type, "decode") == 0;
	if (!prefill && !decode)
		field_errors_invalid(&a->errors, path, "unsupported role type \"%s\", must be prefill or decode", type);
	else if ((prefill && seen->prefill) || (decode && seen->decode))
		field_errors_invalid(&a->errors, path, "duplicate %s role", type);
	seen->prefill = seen->prefill || prefill;
	seen->decode = seen->decode || decode;
}

static void instance_type(struct admission *a, const char *path, const char *name)
{
	if (!admission_own_nodes(a)) {
		if (!name[0])
			field_errors_missing(&a->errors, path);
	} else if (name[0]) {
		field_errors_invalid(&a->errors, path, "%s", name);
		field_errors_detail(&a->errors, "instanceType must be empty when nodeProvisioner is byo");
	}
}

static void role(struct admission *a, size_t i, const json_t *role, struct roles *seen)
{
	char path[64];
	const json_t *replicas = admission_member(role, "replicas");
	snprintf(path, sizeof path, "spec.roles[%zu].type", i);
	type(a, path, admission_text(role, "type"), seen);
	snprintf(path, sizeof path, "spec.roles[%zu].instanceType", i);
	instance_type(a, path, admission_text(role, "instanceType"));
	if (json_is_integer(replicas) && json_integer_value(replicas) < 1) {
		snprintf(path, sizeof path, "spec.roles[%zu].replicas", i);
		field_errors_invalid(&a->errors, path, "%lld", (long long)json_integer_value(replicas));
		field_errors_detail(&a->errors, "must be at least 1");
	}
}

static void absent(struct admission *a, bool seen, const char *words)
{
	if (seen)
		return;
	field_errors_missing(&a->errors, "spec.roles");
	field_errors_also(&a->errors, words);
}

static void roles(struct admission *a, const json_t *list)
{
	struct roles seen = {0};
	size_t n = json_array_size(list);
	if (n != 2) {
		field_errors_invalid(&a->errors, "spec.roles", "exactly 2 roles required (one prefill, one decode), got %zu", n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		role(a, i, json_array_get(list, i), &seen);
	absent(a, seen.prefill, "spec.missing prefill role");
	absent(a, seen.decode, "spec.missing decode role");
}

static void create(struct admission *a, const json_t *spec)
{
	const json_t *selector = admission_member(spec, "labelSelector");
	const char *model = json_text_at(spec, "", "model", "name", NULL);
	if (!model[0])
		field_errors_missing(&a->errors, "spec.model.name");
	else if (!model_rules_name_ok(model))
		admission_warn(a, "spec.model.name '%.128s' is neither a preset nor a model of the hub (ORG/NAME)", model);
	if (!selector)
		field_errors_missing(&a->errors, "spec.labelSelector");
	else if (!json_object_size(admission_member(selector, "matchLabels")) && !json_array_size(admission_member(selector, "matchExpressions")))
		field_errors_invalid(&a->errors, "spec.labelSelector", "labelSelector must have at least one matchLabels or matchExpressions entry");
}

void multi_role_rules(struct admission *a)
{
	const json_t *spec = admission_member(a->object, "spec"), *old = admission_member(a->old, "spec");
	const char *now = json_text_at(spec, "", "model", "name", NULL), *before = json_text_at(old, "", "model", "name", NULL);
	name_rules_check(a);
	if (!a->old)
		create(a, spec);
	else if (strcmp(now, before) != 0)
		field_errors_invalid(&a->errors, "spec.model.name", "model name is immutable, was \"%s\", now \"%s\"", before, now);
	roles(a, admission_member(spec, "roles"));
}
