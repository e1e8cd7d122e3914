/* node_class.c: see node_class.h. */
#include "provision/node_class.h"

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include "provision/pool.h"
#include <stdio.h>
#include <string.h>

enum { POLL_MS = 1000 };

static int parse(const struct node_options *o, json_t **out, struct err *err)
{
	json_t *classes = NULL;
	if (!o->node_classes_json || !o->node_classes_json[0])
		return err_set(err, ERR_CONFIG, "--karpenter-node-classes is needed with --node-provisioner=karpenter: a JSON array of {name, default, spec}");
	if (json_parse(&classes, str_of(o->node_classes_json), "--karpenter-node-classes", err) < 0)
		return -1;
	int defaults = 0;
	const json_t *class;
	size_t i;
	json_array_foreach(classes, i, class) {
		defaults += json_is_true(json_object_get(class, "default"));
		if (!json_text_at(class, "", "name", NULL)[0])
			defaults = -1000;
	}
	if (!json_is_array(classes) || defaults != 1) {
		json_decref(classes);
		return err_set(err, ERR_CONFIG, "--karpenter-node-classes must be a JSON array of {name, default, spec} with exactly one default");
	}
	*out = classes;
	return 0;
}

static const char *choose(const json_t *classes, const char *wanted)
{
	const json_t *class;
	size_t i;
	json_array_foreach(classes, i, class) {
		const char *name = json_text_at(class, "", "name", NULL);
		if (wanted[0] ? strcmp(name, wanted) == 0 : json_is_true(json_object_get(class, "default")))
			return name;
	}
	return NULL;
}

int node_class_name(const struct node_options *o, const char *wanted, char *out, size_t size, struct err *err)
{
	CLEANUP(json_decrefp) json_t *classes = NULL;
	if (parse(o, &classes, err) < 0)
		return -1;
	const char *name = choose(classes, wanted ? wanted : "");
	if (!name)
		return err_set(err, ERR_INVALID, "node class '%s' is not one of --karpenter-node-classes", wanted);
	snprintf(out, size, "%s", name);
	return 0;
}

static int need_crd(const struct node_context *c, const char *plural, const char *group, struct err *err)
{
	CLEANUP(mem_freep) char *name = mem_printf("%s.%s", plural, group);
	struct err failure = ERR_INIT;
	if (kube_get(c->kube, &KUBE_CRDS, NULL, name, NULL, &failure) == 0)
		return 0;
	*err = failure;
	if (failure.kind == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "required CRD %s is not installed: install Karpenter, or start with another --node-provisioner", name);
	return -1;
}

static int make(const struct node_context *c, const struct kube_resource *r, const json_t *class, struct err *err)
{
	const char *name = json_text_at(class, "", "name", NULL);
	CLEANUP(json_decrefp) json_t *body = meta_new(r, NULL, name);
	meta_set_label(body, LABEL_POOL_MANAGED_BY, "kaito");
	if (json_is_true(json_object_get(class, "default")))
		meta_set_label(body, "karpenter.kaito.sh/default", "true");
	json_t *spec = json_object_get(class, "spec");
	json_object_set_new(body, "spec", spec ? json_incref(spec) : json_object());
	struct err failure = ERR_INIT;
	if (kube_create(c->kube, r, body, NULL, &failure) == 0 || failure.kind == ERR_EXISTS)
		return 0;
	*err = failure;
	return err_wrap(err, "create %s %s", r->kind, name);
}

/* 0: ready, 1: not yet (*why says what is missing). */
static int check(const struct node_context *c, const struct kube_resource *r, const char *name, struct err *why, struct err *err)
{
	CLEANUP(json_decrefp) json_t *class = NULL;
	if (kube_get(c->kube, r, NULL, name, &class, err) < 0)
		return -1;
	const json_t *conditions = json_at(class, "status", "conditions", NULL);
	if (condition_is(conditions, "Ready", "True"))
		return 0;
	const char *message = json_text_at(condition_find(conditions, "Ready"), "it has no Ready condition; is its Karpenter provider running?", "message", NULL);
	(void)err_set(why, ERR_TIMEOUT, "default %s %s is not Ready: %s", r->kind, name, message);
	return 1;
}

static int wait_ready(const struct node_context *c, const struct kube_resource *r, const char *name, int64_t deadline_ms, struct err *err)
{
	int64_t end = clock_now_ms() + deadline_ms;
	for (;;) {
		struct err why = ERR_INIT;
		int rc = check(c, r, name, &why, err);
		if (rc <= 0)
			return rc;
		int64_t left = end - clock_now_ms();
		if (left <= 0) {
			*err = why;
			return -1;
		}
		if (kube_client_pause(c->kube, left < POLL_MS ? left : POLL_MS, err) < 0)
			return -1;
	}
}

int node_class_start(const struct node_context *c, int64_t deadline_ms, struct err *err)
{
	const struct node_options *o = c->options;
	const struct kube_resource r = {o->node_class_group, o->node_class_version, o->node_class_resource, o->node_class_kind, false};
	CLEANUP(json_decrefp) json_t *classes = NULL;
	if (parse(o, &classes, err) < 0 || need_crd(c, "nodepools", "karpenter.sh", err) < 0 || need_crd(c, "nodeclaims", "karpenter.sh", err) < 0 ||
	    need_crd(c, r.plural, r.group, err) < 0)
		return -1;
	const json_t *class;
	size_t i;
	json_array_foreach(classes, i, class)
		if (make(c, &r, class, err) < 0)
			return -1;
	return wait_ready(c, &r, choose(classes, ""), deadline_ms, err);
}
