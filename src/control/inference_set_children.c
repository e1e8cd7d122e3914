/* inference_set_children.c: see inference_set.h. Before children are made or deleted the API server is asked which there are, since a
 * cache that is behind would count wrongly; and a child's name follows from its slot, so that making one twice is refused. */
#include "control/inference_set.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "control/scale_down.h"
#include "crd/names.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 64, NAME_BASE_MAX = 58, SUFFIX = 5 };

bool inference_set_child_ready(const json_t *child)
{
	return condition_is(json_at(child, "status", "conditions", NULL), "WorkspaceSucceeded", "True");
}

bool inference_set_child_rolled(const struct inference_set_pass *p, const json_t *child)
{
	struct informer *cache = p->c->op.caches[CACHE_STATEFULSETS];
	CLEANUP(json_decrefp) json_t *s = cache ? informer_get(cache, meta_namespace(child), meta_name(child)) : NULL;
	const json_t *status = json_object_get(s, "status");
	return !s || (json_int_at(status, 0, "observedGeneration", NULL) >= meta_generation(s) &&
		      json_int_at(status, 0, "updatedReplicas", NULL) == json_int_at(s, 1, "spec", "replicas", NULL));
}

void inference_set_child_name(const json_t *set, int slot, char out[64])
{
	static const char ALPHABET[] = "bcdfghjklmnpqrstvwxz2456789"; /* of generateName: no vowels, nothing that looks alike */
	CLEANUP(mem_freep) char *text = mem_printf("%s/%d", meta_uid(set), slot);
	CLEANUP(mem_freep) char *base = mem_printf("%s-", meta_name(set));
	char digest[DIGEST_TEXT], suffix[SUFFIX + 1] = "";
	digest_of(text, strlen(text), digest);
	for (int i = 0; i < SUFFIX; i++) {
		unsigned byte = 0;
		(void)sscanf(digest_hex(digest) + 2 * i, "%2x", &byte);
		suffix[i] = ALPHABET[byte % (sizeof ALPHABET - 1)];
	}
	snprintf(out, 64, "%.*s%s", NAME_BASE_MAX, base, suffix);
}

static void copy_texts(const json_t *from, json_t *child, void (*set)(json_t *object, const char *key, const char *value))
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)from, key, value)
		if (json_is_string(value))
			set(child, key, json_string_value(value));
}

static void copy_own_label(const json_t *set, json_t *child, const char *key)
{
	const char *value = meta_label(set, key);
	if (value)
		meta_set_label(child, key, value);
}

static json_t *child_resource(const json_t *spec)
{
	json_t *out = json_pack("{s:i}", "count", 1);
	static const char *const COPIED[] = {"instanceType", "partition"};
	for (size_t i = 0; i < sizeof COPIED / sizeof COPIED[0]; i++) {
		json_t *value = json_at(spec, "template", "resource", COPIED[i], NULL);
		if (value)
			json_object_set(out, COPIED[i], value);
	}
	json_t *selector = json_object_get(spec, "labelSelector");
	if (selector)
		json_object_set(out, "labelSelector", selector);
	return out;
}

json_t *inference_set_child_new(const json_t *set, const json_t *spec, const char *name)
{
	json_t *child = meta_new(&KUBE_WORKSPACES, meta_namespace(set), name);
	CLEANUP(mem_freep) char *prefix = mem_printf("%s-", meta_name(set));
	json_object_set_new(json_object_get(child, "metadata"), "generateName", json_string(prefix));
	copy_texts(json_at(spec, "template", "metadata", "labels", NULL), child, meta_set_label);
	copy_texts(json_at(spec, "template", "metadata", "annotations", NULL), child, meta_set_annotation);
	copy_own_label(set, child, LABEL_CREATED_BY_ROLES);
	copy_own_label(set, child, LABEL_ROLE);
	meta_set_label(child, LABEL_CREATED_BY_SET, meta_name(set));
	meta_own(child, &KUBE_INFERENCE_SETS, set);
	json_object_set_new(child, "resource", child_resource(spec));
	json_t *inference = json_at(spec, "template", "inference", NULL);
	if (inference)
		json_object_set(child, "inference", inference);
	return child;
}

static void sort_in(struct inference_set_pass *p, json_t *all)
{
	json_decref(p->children);
	json_decref(p->leaving);
	p->children = json_array();
	p->leaving = json_array();
	json_t *child;
	size_t i;
	json_array_foreach(all, i, child)
		if (meta_controlled_by(child, meta_uid(p->object)))
			json_array_append(meta_deleting(child) ? p->leaving : p->children, child);
	json_decref(all);
}

void inference_set_children_load(struct inference_set_pass *p)
{
	CLEANUP(mem_freep) char *key = meta_key(p->object);
	sort_in(p, informer_find(p->c->op.caches[CACHE_WORKSPACES], key));
}

/* As the API server has them now. */
static int load_live(struct inference_set_pass *p, struct err *err)
{
	CLEANUP(mem_freep) char *selector = mem_printf(LABEL_CREATED_BY_SET "=%s", meta_name(p->object));
	json_t *all = NULL, *child;
	size_t i;
	if (kube_list_array(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(p->object), selector, &all, err) < 0)
		return -1;
	json_array_foreach(all, i, child)
		informer_learn(p->c->op.caches[CACHE_WORKSPACES], child);
	sort_in(p, all);
	return 0;
}

struct surge { const char *version, *now; }; /* marks of an extra child */

/* A list was behind: the slot's child is there. 0: it is, and counts (on its way out, too); 1: the name is somebody else's. */
static int take_existing(struct inference_set_pass *p, const char *name, struct err *err)
{
	json_t *found = NULL;
	struct err why = ERR_INIT;
	if (kube_get(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(p->object), name, &found, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND)
			return 0; /* gone meanwhile, which comes as an event */
		*err = why;
		return -1;
	}
	bool own = meta_controlled_by(found, meta_uid(p->object));
	if (own) {
		informer_learn(p->c->op.caches[CACHE_WORKSPACES], found);
		json_array_append(meta_deleting(found) ? p->leaving : p->children, found);
	}
	json_decref(found);
	return own ? 0 : 1;
}

/* 0: the child is there, 1: the name is somebody else's. */
static int make(struct inference_set_pass *p, const char *name, const struct surge *surge, struct err *err)
{
	CLEANUP(json_decrefp) json_t *body = inference_set_child_new(p->object, p->spec, name);
	if (surge) {
		meta_set_label(body, LABEL_UPGRADE_TO, surge->version);
		meta_set_annotation(body, ANNOTATION_UPGRADE_START, surge->now);
	}
	json_t *stored = NULL;
	struct err why = ERR_INIT;
	if (kube_create(p->c->op.kube, &KUBE_WORKSPACES, body, &stored, &why) < 0) {
		if (why.kind == ERR_EXISTS)
			return take_existing(p, name, err);
		*err = why;
		return err_wrap(err, "create Workspace %s", name);
	}
	informer_learn(p->c->op.caches[CACHE_WORKSPACES], stored);
	json_array_append_new(p->children, stored);
	event_emit(p->c->op.events, p->object, "Normal", "WorkspaceCreated", "Created Workspace %s", name);
	return 0;
}

static int make_in_free_slots(struct inference_set_pass *p, int64_t missing, const struct surge *surge, struct err *err)
{
	for (int slot = 0; missing > 0; slot++) {
		char name[64];
		inference_set_child_name(p->object, slot, name);
		if (meta_named(p->children, name) || meta_named(p->leaving, name))
			continue;
		int rc = make(p, name, surge, err);
		if (rc < 0)
			return -1;
		missing -= rc == 0;
	}
	return 0;
}

int inference_set_child_delete(struct inference_set_pass *p, const json_t *child, const char *why, struct err *err)
{
	struct kube_delete_options o = {.uid = meta_uid(child), .grace_s = -1};
	struct err failure = ERR_INIT;
	if (kube_delete(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(child), meta_name(child), &o, &failure) == 0)
		event_emit(p->c->op.events, p->object, "Normal", "WorkspaceDeleted", "Deleted Workspace %s: %s", meta_name(child), why);
	else if (failure.kind != ERR_NOT_FOUND && failure.kind != ERR_CONFLICT) {
		*err = failure;
		return err_wrap(err, "delete Workspace %s", meta_name(child));
	}
	return 0;
}

/* How many replicas nodeCountLimit allows. While no replica has said how many nodes it takes there can be one, to find out. */
static int64_t ceiling(const struct inference_set_pass *p)
{
	int64_t limit = json_int_at(p->spec, 0, "nodeCountLimit", NULL), nodes = 0;
	const json_t *child;
	size_t i;
	if (limit <= 0)
		return INT64_MAX;
	json_array_foreach(p->children, i, child) {
		int64_t n = json_int_at(child, 0, "status", "targetNodeCount", NULL);
		nodes = n > nodes ? n : nodes;
	}
	return nodes > 0 ? limit / nodes : 1;
}

int inference_set_child_surge(struct inference_set_pass *p, const char *version, const char *now, struct err *err)
{
	const struct surge marks = {version, now};
	if (load_live(p, err) < 0)
		return -1;
	if ((int64_t)json_array_size(p->children) > p->replicas)
		return 0;
	if (ceiling(p) <= p->replicas) {
		event_emit(p->c->op.events, p->object, "Warning", "UpgradeBlocked", "nodeCountLimit leaves no room for an extra replica; raise it or use the strategy InPlace");
		return 0;
	}
	return make_in_free_slots(p, 1, &marks, err);
}

/* A surge upgrade is under way: the extra child is on the new image and not ready yet. */
static bool surging(const struct inference_set_pass *p)
{
	const json_t *child;
	size_t i;
	json_array_foreach(p->children, i, child) {
		const char *version = meta_label(child, LABEL_UPGRADE_TO);
		if (version && strcmp(version, p->c->options->base_tag) == 0 && !inference_set_child_ready(child))
			return true;
	}
	return false;
}

static bool on_old_image(const struct inference_set_pass *p, const json_t *child)
{
	struct informer *cache = p->c->op.caches[CACHE_STATEFULSETS];
	CLEANUP(json_decrefp) json_t *set = cache ? informer_get(cache, meta_namespace(child), meta_name(child)) : NULL;
	return scale_down_old_image(set, p->c->options->base_tag);
}

static int remove_surplus(struct inference_set_pass *p, size_t surplus, struct err *err)
{
	size_t n = json_array_size(p->children);
	CLEANUP(mem_freep) struct scale_down_child *order = mem_array(n, sizeof *order);
	CLEANUP(mem_freep) char *why = mem_printf("%" PRId64 " replicas are wanted", p->replicas);
	for (size_t i = 0; i < n; i++) {
		const json_t *child = json_array_get(p->children, i);
		order[i] = (struct scale_down_child){child, inference_set_child_ready(child), on_old_image(p, child)};
	}
	scale_down_order(order, n, surplus);
	CLEANUP(json_decrefp) json_t *stay = json_array();
	for (size_t i = surplus; i < n; i++)
		json_array_append(stay, (json_t *)(uintptr_t)order[i].child);
	for (size_t i = 0; i < surplus; i++)
		if (inference_set_child_delete(p, order[i].child, why, err) < 0)
			return -1;
	json_decref(p->children);
	p->children = json_incref(stay);
	return 0;
}

/* More than wanted by what the pass sees; one more is right during a surge. */
static size_t surplus_of(const struct inference_set_pass *p)
{
	int64_t surplus = (int64_t)json_array_size(p->children) - p->replicas;
	if (surplus == 1 && surging(p))
		return 0;
	return surplus > 0 ? (size_t)surplus : 0;
}

/* A child on its way out still has its nodes, so its successor waits until it is gone. A lower limit stops growth; it never takes a
 * replica away that runs. */
static int64_t missing_of(struct inference_set_pass *p)
{
	p->ceiling = ceiling(p);
	int64_t target = p->replicas < p->ceiling ? p->replicas : p->ceiling;
	int64_t missing = target - (int64_t)json_array_size(p->children) - (int64_t)json_array_size(p->leaving);
	return missing > 0 ? missing : 0;
}

int inference_set_children_scale(struct inference_set_pass *p, struct err *err)
{
	if (missing_of(p) == 0 && surplus_of(p) == 0)
		return 0;
	if (load_live(p, err) < 0)
		return -1;
	int64_t missing = missing_of(p);
	if (missing > BATCH) {
		missing = BATCH;
		p->requeue_ms = 100;
	}
	if (make_in_free_slots(p, missing, NULL, err) < 0)
		return -1;
	size_t surplus = surplus_of(p);
	return surplus > 0 ? remove_surplus(p, surplus, err) : 0;
}
