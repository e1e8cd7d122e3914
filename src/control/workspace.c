/* workspace.c: the Workspace controller: one pass from the stored object to what should exist.
 *
 * A pass reads caches, writes what is missing and computes the status anew. It holds no state: every decision can be made again from the
 * API server, every create has a fixed name, every write of the Workspace carries its resourceVersion. So a crash between any two writes
 * costs one more pass and nothing else. */
#include "control/workspace_pass.h"

#include "base/mem.h"
#include "control/caches.h"
#include "kube/object_write.h"
#include "control/own_writes.h"
#include "crd/names.h"
#include "kube/meta.h"
#include "kube/selector.h"
#include <string.h>

static struct own_writes own_writes = OWN_WRITES_INIT;

static void pass_done(struct workspace_pass *p)
{
	node_report_done(&p->found.report);
	json_decref(p->found.performance);
	json_decref(p->labels);
	json_decref(p->terms);
	json_decref(p->config);
	json_decref(p->object);
}

static void pass_take_object(struct workspace_pass *p, json_t *object)
{
	if (p->object == object)
		return;
	json_decref(p->object);
	p->object = object;
	workspace_view_read(&p->w, p->object, p->c->options);
}

void workspace_wrote(struct workspace_pass *p, const json_t *stored)
{
	own_writes_note(&own_writes, stored);
	informer_learn(p->c->op.caches[CACHE_WORKSPACES], stored);
}

/* Patches metadata of the Workspace; the body gets the resourceVersion, so that a stale copy is refused instead of written over. */
static int patch_metadata(struct workspace_pass *p, json_t *metadata, struct err *err)
{
	json_object_set_new(metadata, "resourceVersion", json_string(meta_version(p->object)));
	CLEANUP(json_decrefp) json_t *body = json_pack("{s:O}", "metadata", metadata);
	json_t *stored = NULL;
	if (kube_patch(p->c->op.kube, &KUBE_WORKSPACES, p->w.namespace_, p->w.name, NULL, KUBE_PATCH_MERGE, body, &stored, err) < 0)
		return -1;
	workspace_wrote(p, stored);
	pass_take_object(p, stored);
	return 0;
}

int workspace_forget(struct workspace_pass *p, json_t *status, struct err *err)
{
	json_t *stored = NULL;
	int rc = status ? workspace_write_status(p, status, &stored, err) : 1;
	json_decref(status);
	if (rc == 0)
		pass_take_object(p, stored);
	return rc < 0 ? -1 : 0;
}

int workspace_metadata_step(struct workspace_pass *p, struct err *err)
{
	bool changed = false;
	if (revision_sync(p->c, &p->w, &p->revision, &changed, err) < 0)
		return -1;
	if (changed && meta_annotation(p->object, ANNOTATION_HASH) && workspace_forget(p, workspace_status_without_decisions(p), err) < 0)
		return -1;
	bool finalizer = meta_has_finalizer(p->object, FINALIZER_WORKSPACE);
	if (!changed && finalizer)
		return 0;
	CLEANUP(json_decrefp) json_t *metadata = json_object();
	if (changed)
		json_object_set_new(metadata, "annotations",
				    json_pack("{s:s,s:s}", ANNOTATION_HASH, p->revision.hash, ANNOTATION_REVISION, p->revision.number));
	if (!finalizer)
		json_object_set_new(metadata, "finalizers", object_finalizers(p->object, FINALIZER_WORKSPACE, true));
	return patch_metadata(p, metadata, err);
}

/* Nodes first, then the finalizer: what the Workspace owns goes by owner references. */
static int delete_step(struct workspace_pass *p, struct err *err)
{
	if (!meta_has_finalizer(p->object, FINALIZER_WORKSPACE))
		return 0;
	int left = workspace_release_nodes(p, err);
	if (left < 0)
		return -1;
	if (left > 0) {
		p->requeue_ms = 1000;
		return 0;
	}
	const struct object_home home = {p->c->op.kube, &KUBE_WORKSPACES, NULL};
	if (object_let_go(&home, p->object, FINALIZER_WORKSPACE, err) < 0)
		return -1;
	CLEANUP(json_decrefp) json_t *finalizers = object_finalizers(p->object, FINALIZER_WORKSPACE, false);
	if (json_array_size(finalizers) == 0)
		informer_learn_deleted(p->c->op.caches[CACHE_WORKSPACES], p->w.namespace_, p->w.name);
	return 0;
}

static int spec_step(struct workspace_pass *p, struct err *err)
{
	int rc = workspace_metadata_step(p, err);
	if (rc == 0 && workspace_tuning_release(p))
		return workspace_tuning_release_step(p, err);
	if (rc == 0)
		rc = workspace_plan_step(p, err);
	if (rc == 0)
		rc = workspace_nodes_step(p, err);
	if (rc == 0)
		rc = p->w.tuning ? workspace_tuning_step(p, err) : workspace_inference_step(p, err);
	return rc;
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct control *c = world;
	struct workspace_pass p CLEANUP(pass_done) = {.c = c};
	json_t *object = informer_get(c->op.caches[CACHE_WORKSPACES], namespace_, name);
	if (!object)
		return 0;
	pass_take_object(&p, object);
	int rc;
	if (p.w.deleting) {
		rc = delete_step(&p, err);
	} else if (!p.w.inference && !p.w.tuning) {
		return 0; /* admission refuses it; without a webhook there is nothing to do either */
	} else {
		struct err why = ERR_INIT;
		rc = spec_step(&p, &why);
		if (rc < 0 && object_worth_telling(why.kind))
			p.error = why;
		if (rc < 0)
			*err = why;
		struct err status = ERR_INIT;
		if ((rc >= 0 || p.error.kind != ERR_NONE) && workspace_status_step(&p, &status) < 0 && rc >= 0) {
			rc = -1;
			*err = status;
		}
	}
	out->requeue_ms = p.requeue_ms;
	return rc < 0 ? -1 : 0;
}

struct selector_match { const json_t *labels; void (*add)(void *list, const char *key); void *list; };
static void add_if_selected(void *context, const json_t *workspace)
{
	struct selector_match *m = context;
	if (!selector_matches(json_at(workspace, "resource", "labelSelector", NULL), m->labels))
		return;
	CLEANUP(mem_freep) char *key = meta_key(workspace);
	m->add(m->list, key);
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	struct control *c = world;
	if (cache == CACHE_NODES || cache == CACHE_NODE_CLAIMS) {
		(cache == CACHE_NODES ? node_index : claim_index)(object, add, list);
		if (cache == CACHE_NODES && (!c->provisioner->provisions || c->provisioner->uses_pools)) {
			struct selector_match m = {json_at(object, "metadata", "labels", NULL), add, list};
			informer_each(c->op.caches[CACHE_WORKSPACES], add_if_selected, &m);
		}
		return;
	}
	if (cache == CACHE_NODE_POOLS) {
		const char *ns = meta_label(object, "karpenter.kaito.sh/workspace-namespace"), *name = meta_label(object, "karpenter.kaito.sh/workspace-name");
		CLEANUP(mem_freep) char *owner = ns && name ? mem_printf("%s/%s", ns, name) : NULL;
		if (owner)
			add(list, owner);
		return;
	}
	CLEANUP(mem_freep) char *key = NULL;
	if (cache == CACHE_WORKSPACES)
		key = own_writes_is_echo(&own_writes, object) ? NULL : meta_key(object);
	else if (cache == CACHE_PODS)
		key = mem_printf("%s/%s", meta_namespace(object), meta_label(object, LABEL_WORKSPACE));
	else
		key = caches_workspace_key(object);
	if (key)
		add(list, key);
}

static const int WATCHED[] = {CACHE_WORKSPACES, CACHE_NODES, CACHE_NODE_CLAIMS, CACHE_NODE_POOLS, CACHE_SERVICES, CACHE_STATEFULSETS, CACHE_JOBS, CACHE_PODS};
const struct operator_controller WORKSPACE_CONTROLLER = {
	.name = "workspace",
	.workers = 5,
	.reconcile = reconcile,
	.keys = keys,
	.caches = WATCHED,
	.n_caches = sizeof WATCHED / sizeof WATCHED[0],
};
