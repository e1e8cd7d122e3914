/* gateway_api.c: see gateway_api.h. */
#include "control/gateway_api.h"

#include "base/mem.h"
#include "kube/object_write.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

static const char CHART[] = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway", CHART_TAG[] = "v0.9.0";
static const char PICKER_REGISTRY[] = "mcr.microsoft.com/oss/v2/llm-d", PICKER[] = "llm-d-router-endpoint-picker", PICKER_TAG[] = "v0.9.0";
static const char PLUGINS_FILE[] = "custom-plugins.yaml", INTERVAL[] = "10m";

static json_t *object_new(const struct kube_resource *r, const struct gateway_api_pool *pool, json_t *spec)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s-inferencepool", meta_name(pool->owner));
	json_t *object = meta_new(r, meta_namespace(pool->owner), name);
	meta_own(object, pool->kind, pool->owner);
	json_object_set_new(object, "spec", spec);
	return object;
}

static json_t *repository(const struct gateway_api_pool *pool)
{
	return object_new(&KUBE_OCI_REPOSITORIES, pool, json_pack("{s:s,s:s,s:{s:s}}", "interval", INTERVAL, "url", CHART, "ref", "tag", CHART_TAG));
}

static json_t *picker(const struct gateway_api_pool *pool)
{
	json_t *epp = json_pack("{s:{s:s,s:s,s:s,s:s},s:{s:{s:s,s:s},s:{s:s}},s:{s:b}}", "image", "registry", PICKER_REGISTRY, "repository", PICKER, "tag", PICKER_TAG,
				"pullPolicy", "IfNotPresent", "resources", "requests", "cpu", "1", "memory", "2Gi", "limits", "memory", "16Gi", "flags", "secure-serving", 0);
	if (pool->plugins) {
		json_object_set_new(epp, "pluginsConfigFile", json_string(PLUGINS_FILE));
		json_object_set_new(epp, "pluginsCustomConfig", json_pack("{s:s}", PLUGINS_FILE, pool->plugins));
	}
	return epp;
}

/* Only pod 0 of a replica serves; the others work for it. */
static json_t *release(const struct gateway_api_pool *pool)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s-inferencepool", meta_name(pool->owner));
	json_t *values = json_pack("{s:{s:o,s:{s:{s:s,s:s},s:[{s:i}]}}}", "router", "epp", picker(pool), "modelServers", "matchLabels", pool->label,
				   meta_name(pool->owner), "apps.kubernetes.io/pod-index", "0", "targetPorts", "number", 5000);
	return object_new(&KUBE_HELM_RELEASES, pool, json_pack("{s:s,s:{s:s,s:s},s:o}", "interval", INTERVAL, "chartRef", "kind", "OCIRepository", "name", name, "values", values));
}

bool gateway_api_covers(const json_t *has, const json_t *wanted)
{
	if (!json_is_object(wanted))
		return json_equal(has, wanted);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)wanted, key, value)
		if (!json_is_object(has) || !json_object_get(has, key) || !gateway_api_covers(json_object_get(has, key), value))
			return false;
	return true;
}

/* 0: *stored is the object as it should be; 1: the cluster does not know the kind. */
static int ensure(struct control *c, const struct kube_resource *r, const json_t *wanted, json_t **stored, struct err *err)
{
	struct err why = ERR_INIT;
	if (kube_get(c->op.kube, r, meta_namespace(wanted), meta_name(wanted), stored, &why) == 0) {
		json_t *spec = json_object_get(wanted, "spec");
		if (gateway_api_covers(json_object_get(*stored, "spec"), spec))
			return 0;
		CLEANUP(json_decrefp) json_t *body = json_pack("{s:O}", "spec", spec);
		json_decref(*stored);
		*stored = NULL;
		if (kube_patch(c->op.kube, r, meta_namespace(wanted), meta_name(wanted), NULL, KUBE_PATCH_MERGE, body, stored, err) < 0)
			return err_wrap(err, "update %s %s", r->kind, meta_name(wanted));
		return 0;
	}
	if (why.kind == ERR_NOT_FOUND && kube_create(c->op.kube, r, wanted, stored, &why) == 0)
		return 0;
	if (why.kind == ERR_NOT_FOUND)
		return 1;
	*err = why;
	return err_wrap(err, "ensure %s %s", r->kind, meta_name(wanted));
}

static void state(struct gateway_api_state *out, bool ready, const char *reason, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void state(struct gateway_api_state *out, bool ready, const char *reason, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(out->message, sizeof out->message, fmt, args);
	va_end(args);
	snprintf(out->reason, sizeof out->reason, "%s", reason);
	out->ready = ready;
}

int gateway_api_ensure(struct control *c, const struct gateway_api_pool *pool, struct gateway_api_state *out, struct err *err)
{
	static const struct { const struct kube_resource *resource; json_t *(*build)(const struct gateway_api_pool *pool); } PARTS[] = {
		{&KUBE_OCI_REPOSITORIES, repository}, {&KUBE_HELM_RELEASES, release},
	};
	out->wanted = c->options->gates[GATE_GATEWAY_API];
	if (!out->wanted)
		return 0;
	for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
		const struct kube_resource *r = PARTS[i].resource;
		CLEANUP(json_decrefp) json_t *wanted = PARTS[i].build(pool), *stored = NULL;
		int rc = ensure(c, r, wanted, &stored, err);
		if (rc < 0)
			return -1;
		const json_t *ready = condition_find(json_at(stored, "status", "conditions", NULL), "Ready");
		if (rc == 1)
			state(out, false, "CRDNotInstalled", "the cluster has no CRD %s.%s: install Flux", r->plural, r->group);
		else if (strcmp(json_text_at(ready, "", "status", NULL), "True") != 0)
			state(out, false, "InferencePoolNotReady", "%s %s is not ready: %s", r->kind, meta_name(wanted),
			      json_text_at(ready, "not looked at by Flux yet", "message", NULL));
		else
			continue;
		return 0; /* a release cannot be ready before its chart is */
	}
	state(out, true, "InferencePoolReady", "InferencePool is ready");
	return 0;
}
