/* multi_role.c: MultiRoleInference: prefill and decode as two InferenceSets of one model, with one InferencePool over both. The sets do
 * the work; this controller keeps them as the roles say and adds up their readiness. */
#include "base/clock.h"
#include "base/mem.h"
#include "control/gateway_api.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/object_write.h"
#include <stdio.h>
#include <string.h>

/* To add a role: a row. */
static const struct role { const char *type, *title; } ROLES[] = {{"prefill", "Prefill"}, {"decode", "Decode"}};
enum { ROLE_COUNT = sizeof ROLES / sizeof ROLES[0] };

/* What the endpoint picker does with two roles unless spec.eppPluginsConfig says otherwise: prefill where the prefix is cached, and only
 * when enough of the prompt is not; decode on the least loaded. */
static const char DEFAULT_PLUGINS[] =
	"apiVersion: llm-d.ai/v1alpha1\n"
	"kind: EndpointPickerConfig\n"
	"plugins:\n"
	"- type: disagg-headers-handler\n"
	"- type: approx-prefix-cache-producer\n"
	"- type: prefix-based-pd-decider\n"
	"  parameters: {nonCachedTokens: 16}\n"
	"- type: disagg-profile-handler\n"
	"  parameters: {deciders: {prefill: prefix-based-pd-decider}}\n"
	"- {name: prefill-filter, type: by-label-selector, parameters: {matchLabels: {" LABEL_ROLE ": prefill}}}\n"
	"- {name: decode-filter, type: by-label-selector, parameters: {matchLabels: {" LABEL_ROLE ": decode}}}\n"
	"- type: load-aware-scorer\n"
	"- type: kv-cache-utilization-scorer\n"
	"- type: max-score-picker\n"
	"schedulingProfiles:\n"
	"- name: prefill\n"
	"  plugins: [{pluginRef: prefill-filter}, {pluginRef: load-aware-scorer, weight: 1}, {pluginRef: max-score-picker}]\n"
	"- name: decode\n"
	"  plugins: [{pluginRef: decode-filter}, {pluginRef: kv-cache-utilization-scorer, weight: 1}, {pluginRef: max-score-picker}]\n";

struct pass {
	struct control *c;
	struct object_home home;
	json_t *object, *sets[ROLE_COUNT]; /* owned; a set is NULL when it is not there */
	struct gateway_api_state pool;
	struct err error;
	int64_t requeue_ms;
};

static void pass_done(struct pass *p)
{
	json_decref(p->object);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		json_decref(p->sets[i]);
}

static const json_t *role_spec(const json_t *object, const char *type)
{
	const json_t *role;
	size_t i;
	json_array_foreach(json_at(object, "spec", "roles", NULL), i, role)
		if (strcmp(json_text_at(role, "", "type", NULL), type) == 0)
			return role;
	return NULL;
}

static json_t *role_labels(const json_t *object, const char *type)
{
	json_t *labels = json_pack("{s:s,s:s}", LABEL_ROLE, type, LABEL_CREATED_BY_ROLES, meta_name(object));
	return labels;
}

static json_t *inference(const json_t *object, const json_t *role)
{
	json_t *preset = json_pack("{s:s,s:s,s:{}}", "name", json_text_at(object, "", "spec", "model", "name", NULL), "accessMode", "public", "presetOptions");
	const char *secret = json_text_at(object, "", "spec", "model", "modelAccessSecret", NULL), *config = json_text_at(role, "", "runtimeConfig", NULL);
	if (secret[0])
		json_object_set_new(json_object_get(preset, "presetOptions"), "modelAccessSecret", json_string(secret));
	json_t *out = json_pack("{s:o}", "preset", preset);
	if (config[0])
		json_object_set_new(out, "config", json_string(config));
	return out;
}

static json_t *set_spec(const json_t *object, const json_t *role, const char *type)
{
	CLEANUP(json_decrefp) json_t *labels = role_labels(object, type), *selector = json_deep_copy(json_at(object, "spec", "labelSelector", NULL));
	CLEANUP(json_decrefp) json_t *match = json_is_object(json_object_get(selector, "matchLabels")) ? json_deep_copy(json_object_get(selector, "matchLabels")) : json_object();
	json_object_update(match, labels);
	if (!selector)
		selector = json_object();
	json_object_set(selector, "matchLabels", match);
	const char *instance = json_text_at(role, "", "instanceType", NULL);
	json_t *resource = json_object();
	if (instance[0])
		json_object_set_new(resource, "instanceType", json_string(instance));
	return json_pack("{s:I,s:O,s:{s:{s:O},s:o,s:o},s:{}}", "replicas", (json_int_t)json_int_at(role, 1, "replicas", NULL), "labelSelector", selector, "template",
			 "metadata", "labels", match, "resource", resource, "inference", inference(object, role), "updateStrategy");
}

static json_t *set_new(const json_t *object, const struct role *r)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s-%s", meta_name(object), r->type);
	json_t *set = meta_new(&KUBE_INFERENCE_SETS, meta_namespace(object), name);
	json_object_set_new(json_object_get(set, "metadata"), "labels", role_labels(object, r->type));
	meta_own(set, &KUBE_MULTI_ROLES, object);
	json_object_set_new(set, "spec", set_spec(object, role_spec(object, r->type), r->type));
	return set;
}

static void learn_set(struct pass *p, size_t role, json_t *stored)
{
	informer_learn(p->c->op.caches[CACHE_INFERENCE_SETS], stored);
	json_decref(p->sets[role]);
	p->sets[role] = stored;
}

static int create_set(struct pass *p, size_t role, const json_t *wanted, struct err *err)
{
	json_t *stored = NULL;
	struct err why = ERR_INIT;
	if (kube_create(p->c->op.kube, &KUBE_INFERENCE_SETS, wanted, &stored, &why) < 0) {
		if (why.kind == ERR_EXISTS) { /* the cache is behind: look at what is there */
			if (kube_get(p->c->op.kube, &KUBE_INFERENCE_SETS, meta_namespace(wanted), meta_name(wanted), &stored, err) < 0)
				return -1;
		} else {
			*err = why;
			return err_wrap(err, "create InferenceSet %s", meta_name(wanted));
		}
	}
	learn_set(p, role, stored);
	return 0;
}

/* What the role decides and the set has otherwise; the rest of the set is its own. */
static json_t *spec_changes(const json_t *has, const json_t *wanted)
{
	static const char *const DECIDED[] = {"replicas", "labelSelector", "template"};
	json_t *out = json_object();
	for (size_t i = 0; i < sizeof DECIDED / sizeof DECIDED[0]; i++) {
		const json_t *old = json_object_get(has, DECIDED[i]);
		json_t *new = json_object_get(wanted, DECIDED[i]);
		if (json_equal(old, new))
			continue;
		if (json_is_object(old) && json_is_object(new))
			json_object_set_new(out, DECIDED[i], object_difference(old, new));
		else
			json_object_set(out, DECIDED[i], new);
	}
	return out;
}

static int mend_set(struct pass *p, size_t role, const json_t *wanted, struct err *err)
{
	const json_t *set = p->sets[role], *labels = json_at(wanted, "metadata", "labels", NULL);
	if (!meta_controlled_by(set, meta_uid(p->object)))
		return err_set(err, ERR_EXISTS, "InferenceSet %s exists and belongs to somebody else; rename one of the two", meta_name(set));
	CLEANUP(json_decrefp) json_t *changes = spec_changes(json_object_get(set, "spec"), json_object_get(wanted, "spec"));
	if (json_object_size(changes) == 0 && gateway_api_covers(json_at(set, "metadata", "labels", NULL), labels))
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s,s:O},s:O}", "metadata", "resourceVersion", meta_version(set), "labels", labels, "spec", changes);
	json_t *stored = NULL;
	if (kube_patch(p->c->op.kube, &KUBE_INFERENCE_SETS, meta_namespace(set), meta_name(set), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "update InferenceSet %s", meta_name(set));
	learn_set(p, role, stored);
	return 0;
}

static void load_sets(struct pass *p)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		CLEANUP(mem_freep) char *name = mem_printf("%s-%s", meta_name(p->object), ROLES[i].type);
		p->sets[i] = informer_get(p->c->op.caches[CACHE_INFERENCE_SETS], meta_namespace(p->object), name);
	}
}

static int sets_step(struct pass *p, struct err *err)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		CLEANUP(json_decrefp) json_t *wanted = set_new(p->object, &ROLES[i]);
		if (p->sets[i] && meta_deleting(p->sets[i]))
			continue; /* made again once it is gone, which comes as an event */
		if ((!p->sets[i] && create_set(p, i, wanted, err) < 0) || mend_set(p, i, wanted, err) < 0)
			return err_wrap(err, "Failed to reconcile %s InferenceSet", ROLES[i].type);
	}
	return 0;
}

static int pool_step(struct pass *p, struct err *err)
{
	struct gateway_api_pool pool = {&KUBE_MULTI_ROLES, p->object, LABEL_CREATED_BY_ROLES, DEFAULT_PLUGINS};
	CLEANUP(json_decrefp) json_t *config = NULL;
	const char *name = json_text_at(p->object, "", "spec", "eppPluginsConfig", NULL);
	if (name[0] && p->c->options->gates[GATE_GATEWAY_API]) {
		if (kube_get(p->c->op.kube, &KUBE_CONFIGMAPS, meta_namespace(p->object), name, &config, err) < 0)
			return err_wrap(err, "Failed to read eppPluginsConfig");
		pool.plugins = json_text_at(config, NULL, "data", "config.yaml", NULL);
		if (!pool.plugins)
			return err_set(err, ERR_INVALID, "ConfigMap %s has no key config.yaml with the endpoint picker's plugins", name);
	}
	if (gateway_api_ensure(p->c, &pool, &p->pool, err) < 0)
		return -1;
	if (p->pool.wanted && !p->pool.ready)
		p->requeue_ms = GATEWAY_API_POLL_MS;
	return 0;
}

struct draft { const struct pass *p; json_t *conditions; char now[32]; };

static void put(struct draft *d, const char *type, bool holds, const char *reason, const char *message)
{
	struct condition c = {type, holds ? "True" : "False", reason, message};
	condition_set(d->conditions, &c, meta_generation(d->p->object), d->now);
}

static bool put_role(struct draft *d, size_t role)
{
	char type[32], reason[32], message[64];
	const char *title = ROLES[role].title;
	bool ready = condition_is(json_at(d->p->sets[role], "status", "conditions", NULL), "InferenceSetReady", "True");
	snprintf(type, sizeof type, "%sReady", title);
	snprintf(reason, sizeof reason, "%s%s", title, ready ? "Ready" : "NotReady");
	snprintf(message, sizeof message, "%s InferenceSet is %s", title, ready ? "ready" : "not ready");
	put(d, type, ready, reason, message);
	return ready;
}

static bool put_pool(struct draft *d)
{
	const struct gateway_api_state *s = &d->p->pool;
	bool ready = !s->wanted || s->ready;
	put(d, "InferencePoolReady", ready, s->reason[0] ? s->reason : "InferencePoolReady", s->message[0] ? s->message : "InferencePool is ready");
	return ready;
}

static int status_step(struct pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->object);
	CLEANUP(mem_freep) char *before = mem_strdup(meta_version(p->object));
	struct draft d = {.p = p, .conditions = json_object_get(status, "conditions")};
	clock_rfc3339(clock_wall_s(), d.now);
	bool ready = true;
	for (size_t i = 0; i < ROLE_COUNT; i++)
		ready = put_role(&d, i) && ready;
	ready = put_pool(&d) && ready;
	if (p->error.kind != ERR_NONE)
		put(&d, "Ready", false, "ReconcileFailed", p->error.message);
	else
		put(&d, "Ready", ready, ready ? "Ready" : "NotReady", ready ? "All components are ready" : "Not all components are ready");
	json_object_set_new(status, "observedGeneration", json_integer(meta_generation(p->object)));
	if (object_write_status(&p->home, &p->object, status, err) < 0)
		return -1;
	if (p->error.kind != ERR_NONE)
		event_emit(p->c->op.events, p->object, "Warning", "ReconcileFailed", "%s", p->error.message);
	else if (strcmp(before, meta_version(p->object)) != 0)
		event_emit(p->c->op.events, p->object, "Normal", "Reconciled", "MultiRoleInference reconciled successfully");
	return 0;
}

static int tell_deleting(struct pass *p, struct err *err)
{
	CLEANUP(json_decrefp) json_t *status = object_status_copy(p->object);
	struct draft d = {.p = p, .conditions = json_object_get(status, "conditions")};
	clock_rfc3339(clock_wall_s(), d.now);
	put(&d, "Deleting", true, "MultiRoleInferenceDeleted", "MultiRoleInference is being deleted");
	return object_write_status(&p->home, &p->object, status, err);
}

static int delete_set(struct pass *p, const json_t *set, struct err *err)
{
	struct kube_delete_options o = {.uid = meta_uid(set), .grace_s = -1};
	struct err why = ERR_INIT;
	if (kube_delete(p->c->op.kube, &KUBE_INFERENCE_SETS, meta_namespace(set), meta_name(set), &o, &why) < 0 && why.kind != ERR_NOT_FOUND && why.kind != ERR_CONFLICT) {
		*err = why;
		return err_wrap(err, "delete InferenceSet %s", meta_name(set));
	}
	return 0;
}

static int delete_step(struct pass *p, struct err *err)
{
	if (!meta_has_finalizer(p->object, FINALIZER_ROLES))
		return 0;
	if (tell_deleting(p, err) < 0)
		return -1;
	size_t left = 0;
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (!p->sets[i] || !meta_controlled_by(p->sets[i], meta_uid(p->object)))
			continue;
		left++;
		if (!meta_deleting(p->sets[i]) && delete_set(p, p->sets[i], err) < 0)
			return -1;
	}
	if (left > 0)
		return 0;
	event_emit(p->c->op.events, p->object, "Normal", "Deleted", "MultiRoleInference deleted and child InferenceSets cleaned up");
	return object_let_go(&p->home, p->object, FINALIZER_ROLES, err);
}

static int finalizer_step(struct pass *p, struct err *err)
{
	if (meta_has_finalizer(p->object, FINALIZER_ROLES))
		return 0;
	json_t *metadata = json_pack("{s:o}", "finalizers", object_finalizers(p->object, FINALIZER_ROLES, true));
	return object_write_metadata(&p->home, &p->object, metadata, err);
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct control *c = world;
	struct pass p CLEANUP(pass_done) = {.c = c, .home = {c->op.kube, &KUBE_MULTI_ROLES, c->op.caches[CACHE_MULTI_ROLES]}};
	p.object = informer_get(c->op.caches[CACHE_MULTI_ROLES], namespace_, name);
	if (!p.object)
		return 0;
	load_sets(&p);
	if (meta_deleting(p.object))
		return delete_step(&p, err);
	int rc = finalizer_step(&p, err);
	if (rc == 0)
		rc = sets_step(&p, err);
	if (rc == 0)
		rc = pool_step(&p, err);
	if (rc < 0 && !object_worth_telling(err->kind))
		return -1;
	struct err status = ERR_INIT;
	if (rc < 0)
		p.error = *err;
	if (status_step(&p, &status) < 0 && rc == 0) {
		*err = status;
		rc = -1;
	}
	out->requeue_ms = p.requeue_ms;
	return rc;
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	const char *roles = meta_label(object, LABEL_CREATED_BY_ROLES);
	CLEANUP(mem_freep) char *key = NULL;
	if (cache == CACHE_MULTI_ROLES)
		key = meta_key(object);
	else if (roles)
		key = mem_printf("%s/%s", meta_namespace(object), roles);
	if (key)
		add(list, key);
}

static bool enabled(const void *world)
{
	const struct control_options *o = ((const struct control *)world)->options;
	return o->gates[GATE_MULTI_ROLE];
}

static const int WATCHED[] = {CACHE_MULTI_ROLES, CACHE_INFERENCE_SETS};
const struct operator_controller MULTI_ROLE_CONTROLLER = {
	.name = "multiroleinference",
	.workers = 3,
	.reconcile = reconcile,
	.keys = keys,
	.caches = WATCHED,
	.n_caches = sizeof WATCHED / sizeof WATCHED[0],
	.enabled = enabled,
};
