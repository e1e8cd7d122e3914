/* inference_set_rollout.c: a changed template reaches the children (upstream leaves them as they were). A child is out of date when
 * its specification is what an earlier revision of the set made; one that somebody edited by hand is left alone.
 *
 * Adapters and configuration are changed in place. The rest of a Workspace cannot change, so such a child is deleted and the next
 * pass makes its successor. At most updateStrategy.rollingUpdate.maxUnavailable children are down at a time. */
#include "control/inference_set.h"

#include "base/mem.h"
#include "crd/names.h"
#include "crd/workspace_view.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

enum { LOOK_AGAIN_MS = 2000 }; /* while a rollout is under way: a workload's progress wakes the Workspace, not the set */

/* Down, or changed and not through with it. */
static bool unavailable(const struct inference_set_pass *p, const json_t *child)
{
	const json_t *c = condition_find(json_at(child, "status", "conditions", NULL), "WorkspaceSucceeded");
	return !inference_set_child_ready(child) || json_int_at(c, 0, "observedGeneration", NULL) < meta_generation(child) || !inference_set_child_rolled(p, child);
}

static void hash_of_child(const struct inference_set_pass *p, const json_t *child, char out[65])
{
	struct workspace_view view;
	workspace_view_read(&view, child, p->c->options);
	workspace_hash(&view, out);
}

static void hash_of(const struct inference_set_pass *p, const json_t *spec, char out[65])
{
	CLEANUP(json_decrefp) json_t *child = inference_set_child_new(p->object, spec, "any");
	hash_of_child(p, child, out);
}

/* By what its controller noted; only a child that was changed since, or that is new, is hashed. own: its hash. */
static bool has_hash(const struct inference_set_pass *p, const json_t *child, const char *wanted, char own[65])
{
	const char *noted = meta_annotation(child, ANNOTATION_HASH);
	if (noted && strcmp(noted, wanted) == 0)
		return true;
	hash_of_child(p, child, own);
	return strcmp(own, wanted) == 0;
}

/* Hashes of the children that earlier revisions made, as the members of an object. */
static int earlier_hashes(const struct inference_set_pass *p, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *selector = mem_printf("inferenceset.kaito.io/name=%s", meta_name(p->object));
	CLEANUP(json_decrefp) json_t *revisions = NULL;
	if (kube_list_array(p->c->op.kube, &KUBE_REVISIONS, meta_namespace(p->object), selector, &revisions, err) < 0)
		return -1;
	*out = json_object();
	const json_t *r;
	size_t i;
	json_array_foreach(revisions, i, r) {
		char hash[65];
		const json_t *spec = json_at(r, "data", "Spec", NULL);
		if (!json_is_object(spec))
			continue;
		hash_of(p, spec, hash);
		json_object_set_new(*out, hash, json_true());
	}
	return 0;
}

static int64_t max_unavailable(const struct inference_set_pass *p)
{
	const json_t *strategy = json_object_get(p->spec, "updateStrategy");
	if (strcmp(json_text_at(strategy, "", "type", NULL), "OnDelete") == 0)
		return 0;
	int64_t n = json_int_at(strategy, 1, "rollingUpdate", "maxUnavailable", NULL), percent = 0;
	str text = str_of(json_text_at(strategy, "", "rollingUpdate", "maxUnavailable", NULL));
	if (text.len > 1 && text.data[text.len - 1] == '%' && str_to_i64(str_sub(text, 0, text.len - 1), &percent))
		n = percent * (int64_t)json_array_size(p->children) / 100;
	return n > 0 ? n : 1;
}

static bool same(const json_t *a, const json_t *b)
{
	return (!a && !b) || json_equal(a, b);
}

/* Whether only members differ that a Workspace lets change. */
static bool in_place(const json_t *child, const json_t *wanted)
{
	static const struct { const char *section, *member; } FIXED[] = {
		{"inference", "preset"}, {"resource", "instanceType"}, {"resource", "partition"}, {"resource", "labelSelector"},
	};
	for (size_t i = 0; i < sizeof FIXED / sizeof FIXED[0]; i++)
		if (!same(json_at(child, FIXED[i].section, FIXED[i].member, NULL), json_at(wanted, FIXED[i].section, FIXED[i].member, NULL)))
			return false;
	return same(json_at(child, "inference", "template", NULL), json_at(wanted, "inference", "template", NULL)); /* could change, but no one follows it */
}

/* What the API server's defaults add to a preset, so that it compares with the typed one. */
static json_t *with_defaults(const json_t *child)
{
	json_t *copy = json_deep_copy(child), *preset = json_at(copy, "inference", "preset", NULL);
	if (json_is_object(preset) && !json_object_get(preset, "presetOptions"))
		json_object_set_new(preset, "presetOptions", json_object());
	return copy;
}

static int update(struct inference_set_pass *p, const json_t *child, struct err *err)
{
	CLEANUP(json_decrefp) json_t *wanted = inference_set_child_new(p->object, p->spec, meta_name(child)), *now = with_defaults(child);
	if (!in_place(now, wanted))
		return inference_set_child_delete(p, child, "the template changed in a way that a Workspace cannot follow", err);
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:s},s:o}", "metadata", "resourceVersion", meta_version(child), "inference",
						       object_difference(json_object_get(child, "inference"), json_object_get(wanted, "inference")));
	CLEANUP(json_decrefp) json_t *stored = NULL;
	if (kube_patch(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(child), meta_name(child), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "update Workspace %s", meta_name(child));
	informer_learn(p->c->op.caches[CACHE_WORKSPACES], stored);
	event_emit(p->c->op.events, p->object, "Normal", "WorkspaceUpdated", "Updated Workspace %s to the changed template", meta_name(child));
	return 0;
}

static int roll_out(struct inference_set_pass *p, const char *hash, struct err *err)
{
	CLEANUP(json_decrefp) json_t *earlier = NULL;
	if (earlier_hashes(p, &earlier, err) < 0)
		return -1;
	const json_t *child;
	size_t i;
	int64_t down = (int64_t)json_array_size(p->leaving), allowed = max_unavailable(p);
	json_array_foreach(p->children, i, child)
		down += unavailable(p, child);
	json_array_foreach(p->children, i, child) {
		char own[65];
		if (has_hash(p, child, hash, own) || !json_object_get(earlier, own) || allowed == 0)
			continue;
		p->requeue_ms = LOOK_AGAIN_MS;
		if (!unavailable(p, child) && down++ >= allowed)
			break;
		if (update(p, child, err) < 0)
			return -1;
	}
	return 0;
}

/* Labels change nothing that runs, so all children get them at once; labels that the template does not name stay. */
static int add_labels(struct inference_set_pass *p, const json_t *child, struct err *err)
{
	CLEANUP(json_decrefp) json_t *labels = json_object(), *stored = NULL;
	const char *key;
	json_t *value;
	json_object_foreach(json_at(p->spec, "template", "metadata", "labels", NULL), key, value) {
		const char *has = meta_label(child, key);
		if (json_is_string(value) && (!has || strcmp(has, json_string_value(value)) != 0))
			json_object_set(labels, key, value);
	}
	if (json_object_size(labels) == 0)
		return 0;
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:{s:O}}", "metadata", "labels", labels);
	if (kube_patch(p->c->op.kube, &KUBE_WORKSPACES, meta_namespace(child), meta_name(child), NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return err_wrap(err, "label Workspace %s", meta_name(child));
	informer_learn(p->c->op.caches[CACHE_WORKSPACES], stored);
	return 0;
}

int inference_set_rollout(struct inference_set_pass *p, struct err *err)
{
	char hash[65], own[65];
	bool outdated = false;
	const json_t *child;
	size_t i;
	hash_of(p, p->spec, hash);
	json_array_foreach(p->children, i, child) {
		if (add_labels(p, child, err) < 0)
			return -1;
		outdated = outdated || !has_hash(p, child, hash, own);
	}
	return outdated ? roll_out(p, hash, err) : 0;
}
