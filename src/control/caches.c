/* caches.c: see caches.h. Every transform keeps only what a reconcile reads: a cache's size is what the controller's memory is
 * made of. Objects that belong to no Workspace are dropped at the door. */
#include "control/caches.h"

#include "base/mem.h"
#include "crd/names.h"
#include "kube/meta.h"
#include <string.h>

char *caches_workspace_key(const json_t *object)
{
	const json_t *owner = meta_controller(object);
	if (!owner || strcmp(json_text_at(owner, "", "kind", NULL), "Workspace") != 0)
		return NULL;
	return mem_printf("%s/%s", meta_namespace(object), json_text_at(owner, "", "name", NULL));
}

static void index_by_owner(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	CLEANUP(mem_freep) char *key = caches_workspace_key(object);
	if (key)
		add(list, key);
}

static bool is_workspaces(const json_t *object)
{
	CLEANUP(mem_freep) char *key = caches_workspace_key(object);
	return key != NULL;
}

static bool keep_owned(json_t *object)
{
	return is_workspaces(object);
}

/* A Job is made once and then only asked how it is; its pod template, scripts and all, is most of it. */
static bool keep_job(json_t *object)
{
	if (!is_workspaces(object))
		return false;
	meta_keep_only(object, (const char *const[]){"apiVersion", "kind", "metadata", "status", NULL});
	return true;
}

static bool keep_service(json_t *object)
{
	if (!is_workspaces(object))
		return false;
	meta_keep_only(object, (const char *const[]){"apiVersion", "kind", "metadata", "spec", NULL});
	return true;
}

/* Drops the last-applied configuration, which repeats the whole object. */
static bool keep_own_kind(json_t *object)
{
	json_object_del(json_at(object, "metadata", "annotations", NULL), "kubectl.kubernetes.io/last-applied-configuration");
	return true;
}

/* Pods matter for their state, and for the one label that leads to the Workspace. */
static bool keep_pod(json_t *object)
{
	if (!meta_label(object, LABEL_WORKSPACE))
		return false;
	meta_keep_only(object, (const char *const[]){"metadata", "spec", "status", NULL});
	meta_keep_only(json_at(object, "metadata", NULL), (const char *const[]){"name", "namespace", "uid", "labels", "resourceVersion", "deletionTimestamp", "ownerReferences", "creationTimestamp", NULL});
	meta_keep_only(json_at(object, "spec", NULL), (const char *const[]){"nodeName", NULL});
	meta_keep_only(json_at(object, "status", NULL), (const char *const[]){"phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses", NULL});
	return true;
}

static void index_pod(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", meta_namespace(object), meta_label(object, LABEL_WORKSPACE));
	add(list, key);
}

static void index_set(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	const char *set = meta_label(object, LABEL_CREATED_BY_SET);
	if (!set)
		return;
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", meta_namespace(object), set);
	add(list, key);
}

static void index_roles(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	const char *roles = meta_label(object, LABEL_CREATED_BY_ROLES);
	if (!roles)
		return;
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", meta_namespace(object), roles);
	add(list, key);
}

/* In the order of enum cache. Index keys: what a controller looks the object up by. Dependants change in bursts (a StatefulSet, its pods): a
 * short wait makes one pass of them. A node and its claim become ready one after the other, after minutes: one pass, and one status, for both. */
enum { COALESCE_MS = 50, COALESCE_NODES_MS = 150 };
const struct operator_cache CACHES[CACHE_COUNT] = {
	[CACHE_WORKSPACES] = {&KUBE_WORKSPACES, NULL, keep_own_kind, index_set, false, 0},
	[CACHE_INFERENCE_SETS] = {&KUBE_INFERENCE_SETS, NULL, keep_own_kind, index_roles, false, 0},
	[CACHE_MULTI_ROLES] = {&KUBE_MULTI_ROLES, NULL, keep_own_kind, NULL, false, 0},
	[CACHE_MODEL_MIRRORS] = {&KUBE_MODEL_MIRRORS, NULL, keep_own_kind, NULL, false, COALESCE_MS},
	[CACHE_NODES] = {&KUBE_NODES, NULL, node_transform, node_index, true, COALESCE_NODES_MS},
	[CACHE_NODE_CLAIMS] = {&KUBE_NODE_CLAIMS, NULL, claim_transform, claim_index, true, COALESCE_NODES_MS},
	[CACHE_NODE_POOLS] = {&KUBE_NODE_POOLS, "karpenter.kaito.sh/managed-by=kaito", keep_own_kind, NULL, false, COALESCE_NODES_MS},
	[CACHE_SERVICES] = {&KUBE_SERVICES, NULL, keep_service, index_by_owner, true, COALESCE_MS},
	[CACHE_STATEFULSETS] = {&KUBE_STATEFULSETS, NULL, keep_owned, index_by_owner, true, COALESCE_MS},
	[CACHE_JOBS] = {&KUBE_JOBS, LABEL_WORKSPACE, keep_job, index_by_owner, true, COALESCE_MS},
	[CACHE_PODS] = {&KUBE_PODS, LABEL_WORKSPACE, keep_pod, index_pod, false, COALESCE_MS},
};

bool caches_wanted(const void *world, int cache)
{
	const struct control *c = world;
	if (cache == CACHE_NODE_CLAIMS)
		return c->provisioner->uses_claims;
	return cache != CACHE_NODE_POOLS || c->provisioner->uses_pools;
}

const struct kube_resource *caches_resource(const void *world, int cache)
{
	const struct control *c = world;
	return cache == CACHE_NODE_CLAIMS && strcmp(c->options->node_api, "machine") == 0 ? &KUBE_MACHINES : NULL;
}
