/* webhook_config.c: see webhook_config.h. */
#include "admission/webhook_config.h"

#include "codec/base64.h"
#include "kube/meta.h"
#include <string.h>

#define TRIES 5
#define TIMEOUT_S 10

const struct webhook_path WEBHOOK_PATH[WEBHOOK_PATHS] = {
	{"Workspace", "workspaces", "validation.workspace.kaito.sh", "/validate/workspace.kaito.sh", {"v1alpha1", "v1beta1", NULL}},
	{"InferenceSet", "inferencesets", "validation.inferenceset.kaito.sh", "/validate/inferenceset.kaito.sh", {"v1alpha1", "v1beta1", NULL}},
	{"MultiRoleInference", "multiroleinferences", "validation.multiroleinference.kaito.sh", "/validate/multiroleinference.kaito.sh", {"v1alpha1", NULL}},
	{"ModelMirror", "modelmirrors", "validation.modelmirror.kaito.sh", "/validate/modelmirror.kaito.sh", {"v1alpha1", NULL}},
	{"RAGEngine", "ragengines", "validation.ragengine.kaito.sh", "/validate/ragengine.kaito.sh", {"v1alpha1", "v1beta1", NULL}},
};

static const struct webhook_path *find(const char *configuration)
{
	for (size_t i = 0; i < WEBHOOK_PATHS; i++)
		if (strcmp(WEBHOOK_PATH[i].configuration, configuration) == 0)
			return &WEBHOOK_PATH[i];
	return NULL;
}

static json_t *rules(const struct webhook_path *path)
{
	json_t *out = json_array();
	for (const char *const *version = path->versions; *version; version++) {
		char status[64];
		snprintf(status, sizeof status, "%s/status", path->plural);
		json_array_append_new(out, json_pack("{s:[s], s:[s], s:[s, s], s:[s, s], s:s}", "apiGroups", "kaito.sh", "apiVersions", *version, "operations", "CREATE",
						     "UPDATE", "resources", path->plural, status, "scope", "*"));
	}
	return out;
}

static json_t *base64_json(const char *text)
{
	CLEANUP(mem_freep) char *encoded = base64_encode(BASE64_STANDARD, str_of(text));
	return json_string(encoded);
}

static json_t *exclude_selector(const json_t *current)
{
	static const char KEY[] = "webhooks.knative.dev/exclude";
	json_t *selector = json_is_object(current) ? json_deep_copy(current) : json_object(), *list = json_object_get(selector, "matchExpressions");
	size_t i;
	json_t *item;
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(selector, "matchExpressions", list);
	}
	json_array_foreach(list, i, item)
		if (strcmp(json_text_at(item, "", "key", NULL), KEY) == 0)
			return selector;
	json_array_append_new(list, json_pack("{s:s, s:s}", "key", KEY, "operator", "DoesNotExist"));
	return selector;
}

static void fill(const struct webhook_place *p, const struct webhook_path *path, json_t *hook)
{
	json_object_set_new(hook, "clientConfig", json_pack("{s:o, s:{s:s, s:s, s:s, s:i}}", "caBundle", base64_json(p->ca_bundle), "service", "name", p->service,
							    "namespace", p->namespace_, "path", path->path, "port",
							    (int)json_int_at(hook, 443, "clientConfig", "service", "port", NULL)));
	json_object_set_new(hook, "rules", rules(path));
	json_object_set_new(hook, "namespaceSelector", exclude_selector(json_object_get(hook, "namespaceSelector")));
	json_object_set_new(hook, "failurePolicy", json_string(json_text_at(hook, "Fail", "failurePolicy", NULL)));
	json_object_set_new(hook, "sideEffects", json_string("None"));
	json_object_set_new(hook, "timeoutSeconds", json_integer(json_int_at(hook, TIMEOUT_S, "timeoutSeconds", NULL)));
	if (json_array_size(json_object_get(hook, "admissionReviewVersions")) == 0)
		json_object_set_new(hook, "admissionReviewVersions", json_pack("[s]", "v1"));
}

/* A configuration of another program (the RAG engine has its own) is left alone. */
static bool is_ours(const struct webhook_place *p, const json_t *hook)
{
	const char *service = json_text_at(hook, "", "clientConfig", "service", "name", NULL);
	return strcmp(service, p->service) == 0 && strcmp(json_text_at(hook, "", "clientConfig", "service", "namespace", NULL), p->namespace_) == 0;
}

json_t *webhook_config_wanted(const struct webhook_place *p, const json_t *configuration)
{
	const struct webhook_path *path = find(meta_name(configuration));
	if (!path || meta_deleting(configuration))
		return NULL;
	json_t *copy = json_deep_copy(configuration);
	size_t i;
	json_t *hook;
	json_array_foreach(json_object_get(copy, "webhooks"), i, hook)
		if (strcmp(json_text_at(hook, "", "name", NULL), path->configuration) == 0 && is_ours(p, hook))
			fill(p, path, hook);
	if (!json_equal(copy, configuration))
		return copy;
	json_decref(copy);
	return NULL;
}

static int apply_one(struct kube_client *kube, const struct webhook_place *p, const char *name, struct err *err)
{
	int rc = -1;
	for (int try = 0; try < TRIES; try++) {
		json_t *now = NULL, *wanted;
		if (kube_get(kube, &KUBE_WEBHOOKS, NULL, name, &now, err) < 0)
			return err->kind == ERR_NOT_FOUND ? 0 : err_wrap(err, "webhook configuration %s", name);
		wanted = webhook_config_wanted(p, now);
		rc = wanted ? kube_update(kube, &KUBE_WEBHOOKS, NULL, wanted, NULL, err) : 0;
		json_decref(now);
		json_decref(wanted);
		if (rc == 0 || err->kind != ERR_CONFLICT)
			break;
	}
	return rc < 0 ? err_wrap(err, "webhook configuration %s", name) : 0;
}

int webhook_config_apply(struct kube_client *kube, const struct webhook_place *p, struct err *err)
{
	for (size_t i = 0; i < WEBHOOK_PATHS; i++)
		if (apply_one(kube, p, WEBHOOK_PATH[i].configuration, err) < 0)
			return -1;
	return 0;
}
