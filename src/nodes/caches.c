/* caches.c: what the provisioner keeps of the cluster. A transform leaves only what a pass reads, as the caches are what the process's
 * memory is made of; a heartbeat of a Node leaves its text unchanged and so raises no event and costs nothing. Objects that are
 * certainly not ours are dropped at the door. */
#include "nodes/nodes.h"

#include "base/map.h"
#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

/* The last-applied configuration repeats the whole object. */
static bool keep_own_kind(json_t *object)
{
	json_object_del(json_at(object, "metadata", "annotations", NULL), "kubectl.kubernetes.io/last-applied-configuration");
	return true;
}

static bool keep_claim(json_t *claim)
{
	if (!claim_managed(claim))
		return false;
	meta_keep_only(claim, (const char *const[]){"apiVersion", "kind", "metadata", "spec", "status", NULL});
	return keep_own_kind(claim);
}

/* A Node that may be a claim's: one of ours, or one that a cloud or a pool of claims has marked. Every Node of AKS has the label agentpool,
 * and one of EC2 nothing but its providerID and, as its user data tells the kubelet, the taint; a Node that is not seen here is never registered. */
static bool waits_for_registration(const json_t *node)
{
	const json_t *taint;
	size_t i;
	json_array_foreach(json_at(node, "spec", "taints", NULL), i, taint)
		if (strcmp(json_text_at(taint, "", "key", NULL), TAINT_UNREGISTERED) == 0)
			return true;
	return strncmp(json_text_at(node, "", "spec", "providerID", NULL), "aws://", 6) == 0;
}

static bool of_interest(const json_t *node)
{
	static const char *const LABELS[] = {"agentpool", "kubernetes.azure.com/agentpool", LABEL_CLAIM_NAME, "karpenter.sh/nodepool",
					     "karpenter.sh/provisioner-name"};
	if (claim_managed_node(node) || meta_has_finalizer(node, FINALIZER_TERMINATION) || waits_for_registration(node))
		return true;
	for (size_t i = 0; i < sizeof LABELS / sizeof LABELS[0]; i++)
		if (meta_label(node, LABELS[i]))
			return true;
	return false;
}

static bool starts(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static bool ends(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

/* Labels that kubelets and clouds put on every Node and nobody here reads; they are more than half of a Node's text. */
static bool label_unread(const char *key)
{
	static const char *const STARTS[] = {"beta.kubernetes.io/", "failure-domain.beta.kubernetes.io/", "kubernetes.io/", "kubernetes.azure.com/", "topology.disk.csi.",
					     "topology.ebs.csi.", "storage"};
	for (size_t i = 0; i < sizeof STARTS / sizeof STARTS[0]; i++)
		if (starts(key, STARTS[i]))
			return strcmp(key, "kubernetes.azure.com/agentpool") != 0;
	return false;
}

static bool annotation_unread(const char *key) { return !strstr(key, "karpenter") && !strstr(key, "kaito"); }

/* The kinds of conditions that a repair policy may name (cloud.h), and not the dozen of a node problem detector. */
static bool condition_unread(const json_t *condition)
{
	const char *type = json_text_at(condition, "", "type", NULL);
	return !ends(type, "Ready") && !ends(type, "Healthy") && !ends(type, "Scheduled");
}

static void drop_keys(json_t *object, bool (*unread)(const char *key))
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(object, next, key, value)
		if (unread(key))
			json_object_del(object, key);
}

static void cut_conditions(json_t *list)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *condition = json_array_get(list, i);
		if (condition_unread(condition))
			json_array_remove(list, i);
		else
			meta_keep_only(condition, (const char *const[]){"type", "status", "lastTransitionTime", NULL});
	}
}

static bool keep_node(json_t *node)
{
	if (!of_interest(node))
		return false;
	meta_keep_only(node, (const char *const[]){"metadata", "spec", "status", NULL});
	meta_keep_only(json_at(node, "metadata", NULL), (const char *const[]){"name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "labels",
									 "annotations", "finalizers", "ownerReferences", NULL});
	meta_keep_only(json_at(node, "spec", NULL), (const char *const[]){"providerID", "taints", "unschedulable", NULL});
	meta_keep_only(json_at(node, "status", NULL), (const char *const[]){"conditions", "capacity", "allocatable", NULL});
	drop_keys(json_at(node, "metadata", "labels", NULL), label_unread);
	drop_keys(json_at(node, "metadata", "annotations", NULL), annotation_unread);
	cut_conditions(json_at(node, "status", "conditions", NULL));
	if (meta_label(node, LABEL_INITIALIZED))
		json_object_del(json_at(node, "status", NULL), "capacity"); /* its claim has it by now */
	return true;
}

char *nodes_index_key(const char *prefix, const char *value)
{
	return strcmp(prefix, NODE_KEY_PROVIDER) == 0 ? cloud_node_key(value) : mem_printf("%s%s", prefix, value);
}

static void add_key(void (*add)(void *list, const char *key), void *list, const char *prefix, const char *value)
{
	if (!value || !value[0])
		return;
	CLEANUP(mem_freep) char *key = nodes_index_key(prefix, value);
	add(list, key);
}

static void index_claim(const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	const char *pool = meta_label(claim, "karpenter.sh/nodepool");
	add_key(add, list, NODE_KEY_PROVIDER, json_text_at(claim, "", "status", "providerID", NULL));
	add_key(add, list, CLAIM_KEY_CLASS, json_text_at(claim, "", "spec", "nodeClassRef", "name", NULL));
	add_key(add, list, CLAIM_KEY_POOL, pool ? pool : meta_label(claim, "karpenter.sh/provisioner-name"));
}

static void index_node(const json_t *node, void (*add)(void *list, const char *key), void *list)
{
	const char *pool = meta_label(node, "agentpool");
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(node, "metadata", "ownerReferences", NULL), i, owner)
		add_key(add, list, NODE_KEY_OWNER, json_text_at(owner, "", "uid", NULL));
	add_key(add, list, NODE_KEY_PROVIDER, json_text_at(node, "", "spec", "providerID", NULL));
	add_key(add, list, NODE_KEY_POOL, pool ? pool : meta_label(node, "kubernetes.azure.com/agentpool"));
}

const struct operator_cache NODES_CACHES[NODES_CACHE_COUNT] = {
	[NODES_CLAIMS] = {.resource = &KUBE_NODE_CLAIMS, .transform = keep_claim, .index = index_claim},
	[NODES_MACHINES] = {.resource = &KUBE_MACHINES, .transform = keep_claim, .index = index_claim},
	[NODES_NODES] = {.resource = &KUBE_NODES, .transform = keep_node, .index = index_node},
	[NODES_POOLS] = {.resource = &KUBE_NODE_POOLS, .transform = keep_own_kind},
	[NODES_CLASSES] = {.resource = &KUBE_NODE_CLASSES, .transform = keep_own_kind},
	[NODES_AKS_CLASSES] = {.resource = &KUBE_AKS_NODE_CLASSES, .transform = keep_own_kind},
};
