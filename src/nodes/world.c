/* world.c: looking things up in the provisioner's world, and the few acts that several controllers share. All reads are of caches;
 * results are the caller's. */
#include "nodes/nodes.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct dialect *const DIALECTS[] = {&DIALECT_NODE_CLAIM, &DIALECT_MACHINE};
enum { N_DIALECTS = sizeof DIALECTS / sizeof DIALECTS[0] };

struct informer *nodes_claim_cache(const struct nodes *n, const struct dialect *d)
{
	return n->op.caches[d == &DIALECT_MACHINE ? NODES_MACHINES : NODES_CLAIMS];
}

struct object_home nodes_claim_home(struct nodes *n, const struct dialect *d)
{
	return (struct object_home){n->op.kube, d->claims, nodes_claim_cache(n, d)};
}

struct object_home nodes_node_home(struct nodes *n)
{
	return (struct object_home){n->op.kube, &KUBE_NODES, n->op.caches[NODES_NODES]};
}

char *nodes_claim_key(const struct dialect *d, const char *name)
{
	return mem_printf("%s/%s", d->name, name);
}

json_t *nodes_claim(const struct nodes *n, const char *name, const struct dialect **d)
{
	for (size_t i = 0; i < N_DIALECTS; i++) {
		struct informer *cache = nodes_claim_cache(n, DIALECTS[i]);
		json_t *found = cache && name[0] ? informer_get(cache, NULL, name) : NULL;
		if (found) {
			*d = DIALECTS[i];
			return found;
		}
	}
	return NULL;
}

json_t *nodes_claims_by(const struct nodes *n, const struct dialect *d, const char *prefix, const char *value)
{
	struct informer *cache = nodes_claim_cache(n, d);
	if (!cache || !value[0])
		return json_array();
	CLEANUP(mem_freep) char *key = nodes_index_key(prefix, value);
	return informer_find(cache, key);
}

json_t *nodes_with_provider_id(const struct nodes *n, const char *provider_id)
{
	if (!n->op.caches[NODES_NODES] || !provider_id[0])
		return json_array();
	CLEANUP(mem_freep) char *key = nodes_index_key(NODE_KEY_PROVIDER, provider_id);
	return informer_find(n->op.caches[NODES_NODES], key);
}

json_t *nodes_owned_by(const struct nodes *n, const char *claim_uid)
{
	if (!n->op.caches[NODES_NODES] || !claim_uid[0])
		return json_array();
	CLEANUP(mem_freep) char *key = nodes_index_key(NODE_KEY_OWNER, claim_uid);
	return informer_find(n->op.caches[NODES_NODES], key);
}

/* The claims with the Node's providerID, of both dialects. */
static size_t claims_by_provider(const struct nodes *n, const json_t *node, json_t **claim, const struct dialect **d)
{
	size_t count = 0;
	for (size_t i = 0; i < N_DIALECTS; i++) {
		CLEANUP(json_decrefp) json_t *found = nodes_claims_by(n, DIALECTS[i], NODE_KEY_PROVIDER, json_text_at(node, "", "spec", "providerID", NULL));
		count += json_array_size(found);
		if (json_array_size(found) && !*claim) {
			*claim = json_incref(json_array_get(found, 0));
			*d = DIALECTS[i];
		}
	}
	return count;
}

static json_t *claim_by_owner(const struct nodes *n, const json_t *node, const struct dialect **d)
{
	const json_t *owner;
	size_t i;
	json_array_foreach(json_at(node, "metadata", "ownerReferences", NULL), i, owner) {
		const struct dialect *dialect = dialect_of(owner);
		struct informer *cache = dialect ? nodes_claim_cache(n, dialect) : NULL;
		CLEANUP(json_decrefp) json_t *claim = cache ? informer_get(cache, NULL, json_text_at(owner, "", "name", NULL)) : NULL;
		if (claim && strcmp(meta_uid(claim), json_text_at(owner, "", "uid", NULL)) == 0) {
			*d = dialect;
			return json_incref(claim);
		}
	}
	return NULL;
}

/* A claim that has got another instance since does not own this Node, whatever its labels say. */
static bool elsewhere(const json_t *claim, const json_t *node)
{
	const char *claims = json_text_at(claim, "", "status", "providerID", NULL), *nodes = json_text_at(node, "", "spec", "providerID", NULL);
	return claims[0] && nodes[0] && strcasecmp(claims, nodes) != 0;
}

static json_t *claim_by_labels(const struct nodes *n, const json_t *node, const struct dialect **d)
{
	CLEANUP(mem_freep) char *name = n->cloud && n->cloud->ops->claim_of_node ? n->cloud->ops->claim_of_node(n->cloud, node) : NULL;
	json_t *claim = name ? nodes_claim(n, name, d) : NULL;
	if (claim && elsewhere(claim, node)) {
		json_decref(claim);
		return NULL;
	}
	return claim;
}

json_t *nodes_claim_of_node(const struct nodes *n, const json_t *node, const struct dialect **d)
{
	json_t *claim = NULL;
	size_t count = claims_by_provider(n, node, &claim, d);
	if (count > 1) {
		json_decref(claim);
		return NULL;
	}
	if (!claim)
		claim = claim_by_owner(n, node, d);
	return claim ? claim : claim_by_labels(n, node, d);
}

static json_t *class_of(const struct nodes *n, const struct claim_view *v)
{
	bool kaito = strcmp(v->class_group, KUBE_NODE_CLASSES.group) == 0 && strcmp(v->class_kind, KUBE_NODE_CLASSES.kind) == 0;
	bool aks = strcmp(v->class_group, KUBE_AKS_NODE_CLASSES.group) == 0 && strcmp(v->class_kind, KUBE_AKS_NODE_CLASSES.kind) == 0;
	struct informer *cache = kaito ? n->op.caches[NODES_CLASSES] : aks ? n->op.caches[NODES_AKS_CLASSES] : NULL;
	return cache && v->class_name[0] ? informer_get(cache, NULL, v->class_name) : NULL;
}

int nodes_view(const struct nodes *n, const json_t *claim, struct claim_view *v, json_t **node_class, struct err *err)
{
	if (claim_view_init(v, claim, err) < 0)
		return -1;
	*node_class = class_of(n, v);
	v->node_class = json_object_get(*node_class, "spec");
	return 0;
}

void nodes_metric_labels(const json_t *claim, struct buf *out)
{
	const struct dialect *d = dialect_of(claim);
	const char *pool = d ? meta_label(claim, d->pool_label) : NULL, *type = meta_label(claim, LABEL_CAPACITY_TYPE);
	metrics_label(out, "nodepool", pool ? pool : "");
	metrics_label(out, "capacity_type", type ? type : "");
}

bool nodes_duration_s(const char *text, int64_t *out)
{
	int64_t total = 0;
	const char *at = text;
	while (isdigit((unsigned char)*at)) {
		int64_t n = 0;
		for (; isdigit((unsigned char)*at) && n < INT32_MAX; at++)
			n = n * 10 + (*at - '0');
		int64_t unit = *at == 's' ? 1 : *at == 'm' ? 60 : *at == 'h' ? 3600 : 0;
		if (!unit || n >= INT32_MAX || total > INT32_MAX)
			return false;
		total += n * unit;
		at++;
	}
	if (at == text || *at)
		return false;
	*out = total;
	return true;
}

/* "launch_timeout" -> "LaunchTimeout", as reasons of events are written. */
static void event_reason(const char *reason, char *out, size_t size)
{
	bool upper = true;
	size_t len = 0;
	for (; *reason && len + 1 < size; reason++) {
		if (*reason != '_')
			out[len++] = upper ? (char)toupper((unsigned char)*reason) : *reason;
		upper = *reason == '_';
	}
	out[len] = 0;
}

int nodes_disrupt(struct nodes *n, const struct dialect *d, const json_t *claim, const char *reason, struct err *err)
{
	struct err why = ERR_INIT;
	char event[64];
	if (meta_deleting(claim))
		return 0;
	if (kube_delete(n->op.kube, d->claims, NULL, meta_name(claim), &(struct kube_delete_options){.uid = meta_uid(claim), .grace_s = -1}, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND || why.kind == ERR_CONFLICT)
			return 0; /* gone, or another one of that name */
		*err = why;
		return err_wrap(err, "delete %s %s (%s)", d->claims->kind, meta_name(claim), reason);
	}
	CLEANUP(buf_done) struct buf labels = {0};
	metrics_label(&labels, "reason", reason);
	nodes_metric_labels(claim, &labels);
	metrics_add(n->op.metrics, NODES_DISRUPTED, labels.data, 1);
	event_reason(reason, event, sizeof event);
	event_emit(n->op.events, claim, "Warning", event, "%s is deleted: %s", d->claims->kind, reason);
	return 0;
}
