/* rag_engine_rules.c: RAGEngine: embedding, inference service, own compute, guardrails. */
#include "admission/rules.h"
#include "kube/selector.h"

#define GUARDRAILS_KEY "guardrails.yaml"
#define GUARDRAILS_DEFAULT "ragengine-guardrails-policy-template"

static void url(struct admission *a, const char *path, const char *url)
{
	if (!url_rule_parses(url))
		field_errors_generic(&a->errors, path, "URL input error: parse \"%s\": %s", url, url[0] ? "invalid URI for request" : "empty url");
}

static void inference_service(struct admission *a, const json_t *service)
{
	const json_t *window = admission_member(service, "contextWindowSize");
	const char *address = admission_text(service, "url");
	if (!service)
		return;
	if (address[0])
		url(a, "spec.remote url", address);
	if (!json_is_integer(window) || json_integer_value(window) <= 0)
		field_errors_invalid(&a->errors, "spec.contextWindowSize", "ContextWindowSize must be a positive integer");
}

/* "registry/…/name:tag": what stands before the tag has a slash. */
static bool is_full_image(const char *image)
{
	const char *slash = strrchr(image, '/'), *colon = slash ? strchr(slash, ':') : NULL;
	return slash > image && colon && colon > slash + 1 && colon[1] && !strchr(colon + 1, ':');
}

static void local(struct admission *a, const json_t *local)
{
	const char *image = admission_text(local, "image"), *model = admission_text(local, "modelID");
	char words[512];
	if (!image[0] && !model[0])
		field_errors_generic(&a->errors, "spec.embedding", "Either image or modelID must be specified, not neither");
	if (image[0] && model[0])
		field_errors_generic(&a->errors, "spec.embedding", "Either image or modelID must be specified, but not both");
	if (!image[0])
		return;
	const char *why = image_rule_check(image, words, sizeof words);
	if (!is_full_image(image))
		field_errors_invalid(&a->errors, "spec.embedding.Image", "Invalid image format, require full input image URL");
	else if (why)
		field_errors_invalid(&a->errors, "spec.embedding.Image", "%s", why);
}

static void embedding(struct admission *a, const json_t *embedding)
{
	const json_t *here = admission_member(embedding, "local"), *remote = admission_member(embedding, "remote");
	if (!here && !remote)
		field_errors_generic(&a->errors, "spec", "Either remote embedding or local embedding must be specified, not neither");
	if (here && remote)
		field_errors_generic(&a->errors, "spec", "Either remote embedding or local embedding must be specified, but not both");
	if (here)
		local(a, here);
	if (remote)
		url(a, "spec.embedding.remote url", admission_text(remote, "url"));
}

static void compute(struct admission *a, const json_t *compute)
{
	json_t *map = NULL;
	struct err err = ERR_INIT;
	const char *type = admission_text(compute, "instanceType");
	if (!compute)
		return;
	if (type[0] || !admission_own_nodes(a))
		resource_rules_instance(a, "spec.instanceType", type);
	if (selector_as_map(admission_member(compute, "labelSelector"), &map, &err) < 0)
		field_errors_invalid(&a->errors, "spec.labelSelector", "%s", err.message);
	json_decref(map);
}

/* --- guardrails ---------------------------------------------------------------------------------------------- */

static void policy_absent(struct admission *a, const char *name, const char *namespace_, bool own)
{
	if (own)
		field_errors_generic(&a->errors, "spec.guardrails.configMapRef.name",
				     "guardrails.configMapRef.name references ConfigMap \"%s\", but it was not found in namespace \"%s\"", name, namespace_);
	else
		field_errors_generic(&a->errors, "spec.guardrails.enabled",
				     "guardrails is enabled, but the default policy ConfigMap \"%s\" was not found in release namespace \"%s\"; debug with "
				     "'kubectl get configmap %s -n %s' or set guardrails.configMapRef.name explicitly", name, namespace_, name, namespace_);
}

static void guardrails(struct admission *a, const json_t *guardrails)
{
	const char *given = json_text_at(guardrails, "", "configMapRef", "name", NULL);
	const char *name = given[0] ? given : GUARDRAILS_DEFAULT, *namespace_ = given[0] ? a->namespace_ : a->o->release_namespace;
	json_t *map = NULL;
	struct err err = ERR_INIT;
	if (!json_is_true(admission_member(guardrails, "enabled")))
		return;
	enum admission_found found = admission_get(a, "ConfigMap", namespace_, name, &map, &err);
	if (found == ADMISSION_ABSENT)
		policy_absent(a, name, namespace_, given[0] != 0);
	else if (found == ADMISSION_FAILED)
		field_errors_generic(&a->errors, "spec.guardrails.configMapRef.name",
				     "failed to get ConfigMap \"%s\" referenced by guardrails.configMapRef.name in namespace \"%s\": %s", name, namespace_, err.message);
	else if (found == ADMISSION_FOUND && !json_text_at(map, NULL, "data", GUARDRAILS_KEY, NULL))
		field_errors_missing(&a->errors, "spec.guardrails." GUARDRAILS_KEY " in ConfigMap");
	json_decref(map);
}

/* --- update -------------------------------------------------------------------------------------------------- */

static void update(struct admission *a, const json_t *now, const json_t *old)
{
	static const char *const FIXED[] = {"count", "instanceType", "labelSelector", "partition"};
	if (now && !old)
		field_errors_generic(&a->errors, "resource.compute", "Compute resources cannot be added after creation");
	if (!now && old)
		field_errors_generic(&a->errors, "resource.compute", "Compute resources cannot be removed after creation");
	for (size_t i = 0; now && old && i < sizeof FIXED / sizeof FIXED[0]; i++) {
		const json_t *x = admission_member(now, FIXED[i]), *y = admission_member(old, FIXED[i]);
		char path[64];
		bool type = i == 1 && !a->v1alpha1;
		snprintf(path, sizeof path, "resource.resource.%s", FIXED[i]);
		if (x != y && !(x && y && json_equal(x, y)))
			field_errors_generic(&a->errors, path, "%s", type ? "instanceType cannot be changed once set when node auto-provisioning is enabled" : "field is immutable");
	}
}

void rag_engine_rules(struct admission *a)
{
	const json_t *spec = admission_member(a->object, "spec"), *old = admission_member(a->old, "spec");
	if (a->old && spec && old && json_equal(spec, old))
		return;
	inference_service(a, admission_member(spec, "inferenceService"));
	if (admission_member(spec, "embedding"))
		embedding(a, admission_member(spec, "embedding"));
	else
		field_errors_generic(&a->errors, "spec", "Embedding must be specified");
	if (!a->old)
		compute(a, admission_member(spec, "compute"));
	guardrails(a, admission_member(spec, "guardrails"));
	if (a->old)
		update(a, admission_member(spec, "compute"), admission_member(old, "compute"));
}
