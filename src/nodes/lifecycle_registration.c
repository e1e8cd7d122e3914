/* lifecycle_registration.c: from a machine to its Node. The Node with the claim's providerID gets what the claim says: a finalizer, so
 * that it is drained before it goes, an owner, taints, labels and annotations. In return the claim learns from it what the cloud did not
 * tell. */
#include "nodes/lifecycle.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *found = json_object_get(object, key);
	if (!found)
		json_object_set_new(object, key, found = make());
	return found;
}

/* --- what the Node gets -------------------------------------------------------------------------------------------- */

static void own(struct claim_pass *p, json_t *meta)
{
	json_t *owners = member(meta, "ownerReferences", json_array);
	const json_t *o;
	size_t i;
	json_array_foreach(owners, i, o)
		if (strcmp(json_text_at(o, "", "uid", NULL), meta_uid(p->claim)) == 0)
			return;
	CLEANUP(mem_freep) char *version = kube_api_version(p->d->claims);
	json_array_append_new(owners, json_pack("{s:s,s:s,s:s,s:s,s:b}", "apiVersion", version, "kind", p->d->claims->kind, "name", meta_name(p->claim), "uid",
						meta_uid(p->claim), "blockOwnerDeletion", 1));
}

static json_t *without_unregistered(const json_t *taints)
{
	json_t *kept = json_array(), *t;
	size_t i;
	json_array_foreach(taints, i, t)
		if (strcmp(json_text_at(t, "", "key", NULL), TAINT_UNREGISTERED) != 0)
			json_array_append_new(kept, json_deep_copy(t));
	return kept;
}

static void taint(struct claim_pass *p)
{
	const json_t *spec = json_object_get(p->claim, "spec");
	const char *free_ = meta_label(p->node, LABEL_DO_NOT_SYNC_TAINTS);
	json_t *taints = without_unregistered(json_at(p->node, "spec", "taints", NULL));
	if (!free_ || strcmp(free_, "true") != 0) {
		taints_merge(taints, json_object_get(spec, "taints"));
		taints_merge(taints, json_object_get(spec, "startupTaints"));
	}
	if (json_array_size(taints) || json_at(p->node, "spec", "taints", NULL))
		json_object_set(member(p->node, "spec", json_object), "taints", taints);
	json_decref(taints);
}

/* All of the claim's, but what is only about the claim. */
static void annotate(struct claim_pass *p, json_t *meta)
{
	const char *key;
	json_t *value;
	json_object_foreach(json_at(p->claim, "metadata", "annotations", NULL), key, value)
		if (strcmp(key, ANNOTATION_OPERATION) != 0 && strcmp(key, "kubectl.kubernetes.io/last-applied-configuration") != 0)
			json_object_set(member(meta, "annotations", json_object), key, value);
}

/* A claim that is ours by its class alone makes a Node that is ours by the class's label. */
static void label_class(struct claim_pass *p, json_t *labels)
{
	const char *class = json_text_at(p->claim, "", "spec", "nodeClassRef", "name", NULL);
	if (!claim_managed_node(p->node))
		json_object_set_new(labels, LABEL_NODE_CLASS, json_string(class));
}

static void sync(struct claim_pass *p)
{
	json_t *meta = json_object_get(p->node, "metadata"), *labels = member(meta, "labels", json_object);
	if (!meta_has_finalizer(p->node, FINALIZER_TERMINATION))
		json_object_set_new(meta, "finalizers", object_finalizers(p->node, FINALIZER_TERMINATION, true));
	own(p, meta);
	taint(p);
	annotate(p, meta);
	json_object_update(labels, json_at(p->claim, "metadata", "labels", NULL));
	json_object_set_new(labels, LABEL_REGISTERED, json_string("true"));
	label_class(p, labels);
}

/* --- what the claim learns ----------------------------------------------------------------------------------------- */

static void learn(struct claim_pass *p)
{
	static const char *const LABELS[] = {LABEL_INSTANCE_TYPE, LABEL_ZONE, LABEL_CAPACITY_TYPE}, *const AMOUNTS[] = {"capacity", "allocatable"};
	json_t *status = json_object_get(p->claim, "status");
	for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++) {
		const char *value = meta_label(p->node, LABELS[i]);
		if (value && !meta_label(p->claim, LABELS[i]))
			meta_set_label(p->claim, LABELS[i], value);
	}
	for (size_t i = 0; i < sizeof AMOUNTS / sizeof AMOUNTS[0]; i++) {
		json_t *amounts = json_at(p->node, "status", AMOUNTS[i], NULL);
		if (amounts && json_object_size(json_object_get(status, AMOUNTS[i])) == 0)
			json_object_set_new(status, AMOUNTS[i], json_deep_copy(amounts));
	}
	json_object_set_new(status, "nodeName", json_string(meta_name(p->node)));
}

/* A Node that is being deleted takes no finalizer any more, and will not come back. */
static json_t *present(const json_t *nodes)
{
	json_t *kept = json_array(), *node;
	size_t i;
	json_array_foreach(nodes, i, node)
		if (!meta_deleting(node))
			json_array_append(kept, node);
	return kept;
}

json_t *lifecycle_nodes(struct claim_pass *p)
{
	CLEANUP(json_decrefp) json_t *all = nodes_with_provider_id(p->n, json_text_at(p->claim, "", "status", "providerID", NULL));
	return present(all);
}

void lifecycle_take_node(struct claim_pass *p, json_t *node)
{
	p->node_stored = json_incref(node);
	p->node = json_deep_copy(node);
}

void lifecycle_register(struct claim_pass *p)
{
	if (condition_set_is_true(&p->conditions, p->d->registered)) {
		condition_set_keep(&p->conditions, p->d->registered);
		return;
	}
	if (!condition_set_is_true(&p->conditions, p->d->launched))
		return;
	CLEANUP(json_decrefp) json_t *nodes = lifecycle_nodes(p);
	if (json_array_size(nodes) == 0) {
		condition_set_unknown(&p->conditions, p->d->registered, "NodeNotFound", "Node not registered with cluster");
		return;
	}
	if (json_array_size(nodes) > 1) {
		condition_set_false(&p->conditions, p->d->registered, "MultipleNodesFound", "Invariant violated, matched multiple nodes");
		return;
	}
	lifecycle_take_node(p, json_array_get(nodes, 0));
	learn(p);
	sync(p);
	condition_set_true(&p->conditions, p->d->registered);
}
