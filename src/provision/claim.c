/* claim.c: see claim.h. Bodies are upstream's but for two members that the API server drops: status, and a namespace in the metadata
 * of a cluster-scoped object. */
#include "provision/claim.h"

#include "kube/condition.h"
#include "kube/meta.h"
#include "kube/quantity.h"
#include "provision/pool.h"
#include <string.h>

static void add_labels(json_t *object, const struct node_request *r)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)r->match_labels, key, value)
		meta_set_label(object, key, json_string_value(value) ? json_string_value(value) : "");
	meta_set_label(object, LABEL_CLAIM_WORKSPACE, r->name);
	meta_set_label(object, LABEL_CLAIM_NAMESPACE, r->namespace_);
}

static void require(json_t *requirements, const char *key, const char *operator, const char *value)
{
	json_array_append_new(requirements, json_pack("{s:s,s:s,s:[s]}", "key", key, "operator", operator, "values", value));
}

static json_t *spec_common(const char *storage, json_t *requirements)
{
	return json_pack("{s:o,s:{s:{s:s}},s:[{s:s,s:s,s:s}]}", "requirements", requirements, "resources", "requests", "storage", storage, "taints",
			 "effect", "NoSchedule", "key", "sku", "value", "gpu");
}

/* What a cloud adds. To add one: a row. */
static const struct cloud { const char *name, *group, *kind; } CLOUDS[] = {
	{"arc", "", ""},
	{"aws", "karpenter.k8s.aws", "EC2NodeClass"},
	{"azure", "kaito.sh", "KaitoNodeClass"},
};

static const struct cloud *cloud_of(const char *name)
{
	for (size_t i = 0; i < sizeof CLOUDS / sizeof CLOUDS[0]; i++)
		if (strcmp(CLOUDS[i].name, name) == 0)
			return &CLOUDS[i];
	return &CLOUDS[0];
}

static const char *image_family(const struct node_options *o, const struct node_request *r)
{
	if (r->image_family && r->image_family[0])
		return r->image_family;
	return o->default_image_family && o->default_image_family[0] ? o->default_image_family : "ubuntu";
}

static json_t *build_claim(const struct node_options *o, const struct node_request *r, const char *name, const char *storage)
{
	const struct cloud *cloud = cloud_of(o->cloud ? o->cloud : "");
	json_t *claim = meta_new(&KUBE_NODE_CLAIMS, NULL, name), *requirements = json_array();
	meta_set_annotation(claim, "karpenter.sh/do-not-disrupt", "true");
	meta_set_annotation(claim, "kaito.sh/node-image-family", image_family(o, r));
	add_labels(claim, r);
	meta_set_label(claim, "karpenter.sh/nodepool", "kaito"); /* no such pool: other Karpenters leave the claim alone */
	require(requirements, "karpenter.sh/nodepool", "In", "kaito");
	require(requirements, "node.kubernetes.io/instance-type", "In", r->instance_type);
	require(requirements, "kubernetes.io/os", "In", "linux");
	if (strcmp(cloud->name, "azure") == 0)
		require(requirements, "karpenter.azure.com/sku-name", "In", r->instance_type);
	if (strcmp(cloud->name, "aws") == 0 && r->gpu)
		require(requirements, "karpenter.k8s.aws/instance-gpu-count", "Gt", "0");
	json_t *spec = spec_common(storage, requirements);
	json_object_set_new(spec, "expireAfter", json_string("Never"));
	json_object_set_new(spec, "nodeClassRef", json_pack("{s:s,s:s,s:s}", "group", cloud->group, "kind", cloud->kind, "name", "default"));
	json_object_set_new(claim, "spec", spec);
	return claim;
}

static json_t *build_machine(const struct node_options *o, const struct node_request *r, const char *name, const char *storage)
{
	(void)o;
	json_t *machine = meta_new(&KUBE_MACHINES, NULL, name), *requirements = json_array();
	add_labels(machine, r);
	meta_set_label(machine, "karpenter.sh/provisioner-name", "default");
	require(requirements, "node.kubernetes.io/instance-type", "In", r->instance_type);
	require(requirements, "karpenter.sh/provisioner-name", "In", "default");
	require(requirements, "kubernetes.io/os", "In", "linux");
	json_t *spec = spec_common(storage, requirements);
	json_object_set_new(spec, "machineTemplateRef", json_pack("{s:s}", "name", "default"));
	json_object_set_new(machine, "spec", spec);
	return machine;
}

static const struct claim_dialect DIALECTS[] = {
	{"nodeclaim", &KUBE_NODE_CLAIMS, {"Launched", "Registered", "Initialized"}, build_claim},
	{"machine", &KUBE_MACHINES, {"MachineLaunched", "MachineRegistered", "MachineInitialized"}, build_machine},
};

const struct claim_dialect *claim_dialect_of(const struct node_options *o)
{
	return &DIALECTS[o->api && strcmp(o->api, "machine") == 0];
}

int claim_build(const struct claim_dialect *d, const struct node_options *o, const struct node_request *r, const char *name, json_t **out, struct err *err)
{
	char storage[32];
	if (quantity_canonical(r->storage, storage, sizeof storage, err) < 0)
		return err_wrap(err, "storage of a %s", d->resource->kind);
	*out = d->build(o, r, name, storage);
	return 0;
}

bool claim_ready(const json_t *claim)
{
	return condition_is(json_at(claim, "status", "conditions", NULL), "Ready", "True");
}

static bool label_kept(const char *key)
{
	static const char *const KEPT[] = {LABEL_CLAIM_WORKSPACE, LABEL_CLAIM_NAMESPACE, LABEL_POOL_WORKSPACE, LABEL_POOL_NAMESPACE, LABEL_POOL_SET, LABEL_POOL_SET_NAMESPACE};
	for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++)
		if (strcmp(key, KEPT[i]) == 0)
			return true;
	return false;
}

static void drop_labels(json_t *labels)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe(labels, next, key, value)
		if (!label_kept(key))
			json_object_del(labels, key);
}

/* status.conditions without times, and nothing of a condition that is True but its name. */
static json_t *slim_conditions(const json_t *conditions)
{
	json_t *out = json_array();
	const json_t *c;
	size_t i;
	json_array_foreach(conditions, i, c) {
		const char *status = json_text_at(c, "", "status", NULL);
		json_t *kept = json_pack("{s:s,s:s}", "type", json_text_at(c, "", "type", NULL), "status", status);
		if (strcmp(status, "True") != 0) {
			json_object_set_new(kept, "reason", json_string(json_text_at(c, "", "reason", NULL)));
			json_object_set_new(kept, "message", json_string(json_text_at(c, "", "message", NULL)));
		}
		json_array_append_new(out, kept);
	}
	return out;
}

bool claim_transform(json_t *claim)
{
	if (!meta_label(claim, LABEL_CLAIM_WORKSPACE) && !meta_label(claim, LABEL_POOL_WORKSPACE))
		return false;
	static const char *const META[] = {"name", "uid", "resourceVersion", "labels", "deletionTimestamp"};
	json_t *meta = json_object(), *status = json_object();
	for (size_t i = 0; i < sizeof META / sizeof META[0]; i++) {
		json_t *value = json_at(claim, "metadata", META[i], NULL);
		if (value)
			json_object_set(meta, META[i], value);
	}
	drop_labels(json_object_get(meta, "labels"));
	json_object_set_new(status, "conditions", slim_conditions(json_at(claim, "status", "conditions", NULL)));
	json_object_clear(claim);
	json_object_set_new(claim, "metadata", meta);
	json_object_set_new(claim, "status", status);
	return true;
}

void claim_index(const json_t *claim, void (*add)(void *list, const char *key), void *list)
{
	identity_index(claim, add, list);
}
