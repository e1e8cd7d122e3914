/* pool.c: see pool.h. */
#include "provision/pool.h"

#include "base/mem.h"
#include "kube/meta.h"
#include "provision/node_class.h"
#include <stdio.h>
#include <string.h>

void pool_name(const struct node_request *r, int attempt, char out[POOL_NAME])
{
	CLEANUP(mem_freep) char *full = mem_printf("%s-%s", r->namespace_, r->name);
	if (attempt == 0 && strlen(full) < POOL_NAME) {
		snprintf(out, POOL_NAME, "%s", full);
		return;
	}
	CLEANUP(mem_freep) char *identity = mem_printf("%s/%s/%d", r->namespace_, r->name, attempt);
	char hash[10];
	identity_hash(identity, hash);
	snprintf(out, POOL_NAME, "%.53s-%s", full, hash);
}

json_t *pool_budgets(int nodes)
{
	char text[16];
	snprintf(text, sizeof text, "%d", nodes);
	return json_pack("[{s:s,s:[s]}]", "nodes", text, "reasons", "Drifted");
}

/* Labels of the pool and of its nodes that lead back to the Workspace. */
static void add_identity(json_t *object, const struct node_request *r)
{
	meta_set_label(object, LABEL_POOL_WORKSPACE, r->name);
	meta_set_label(object, LABEL_POOL_NAMESPACE, r->namespace_);
	if (!r->inference_set || !r->inference_set[0])
		return;
	meta_set_label(object, LABEL_POOL_SET, r->inference_set);
	meta_set_label(object, LABEL_POOL_SET_NAMESPACE, r->namespace_);
}

static json_t *requirements(const struct node_options *o, const struct node_request *r)
{
	json_t *list = json_pack("[{s:s,s:s,s:[s]}]", "key", "node.kubernetes.io/instance-type", "operator", "In", "values", r->instance_type);
	if (strcmp(o->node_class_group, "karpenter.azure.com") == 0) /* zonal requests for GPUs often fail */
		json_array_append_new(list, json_pack("{s:s,s:s,s:[s]}", "key", "karpenter.azure.com/placement-scope", "operator", "In", "values", "regional"));
	return list;
}

static json_t *template_(const struct node_options *o, const struct node_request *r, const char *class)
{
	json_t *out = json_object();
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)r->match_labels, key, value)
		meta_set_label(out, key, json_string_value(value) ? json_string_value(value) : "");
	add_identity(out, r);
	json_object_set_new(out, "spec", json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:[{s:s,s:s,s:s}]}", "expireAfter", "Never", "nodeClassRef", "group",
						   o->node_class_group, "kind", o->node_class_kind, "name", class, "requirements", requirements(o, r), "taints",
						   "effect", "NoSchedule", "key", "sku", "value", "gpu"));
	return out;
}

int pool_build(const struct node_options *o, const struct node_request *r, const char *name, int replicas, json_t **out, struct err *err)
{
	char class[254];
	if (node_class_name(o, r->node_class, class, sizeof class, err) < 0)
		return -1;
	json_t *pool = meta_new(&KUBE_NODE_POOLS, NULL, name);
	meta_set_label(pool, LABEL_POOL_MANAGED_BY, "kaito");
	add_identity(pool, r);
	bool member = r->inference_set && r->inference_set[0];
	json_object_set_new(pool, "spec", json_pack("{s:i,s:{s:o,s:s,s:s},s:o}", "replicas", replicas, "disruption", "budgets", pool_budgets(member ? 0 : 1),
						    "consolidateAfter", "0s", "consolidationPolicy", "WhenEmptyOrUnderutilized", "template",
						    template_(o, r, class)));
	*out = pool;
	return 0;
}

json_t *pool_find(struct informer *pools, const struct node_request *r)
{
	for (int attempt = 0; attempt < POOL_ATTEMPTS; attempt++) {
		char name[POOL_NAME];
		pool_name(r, attempt, name);
		json_t *pool = informer_get(pools, NULL, name);
		if (pool && identity_owns(&IDENTITY_POOL, r, pool))
			return pool;
		json_decref(pool);
	}
	return NULL;
}
