/* inference_set.c: the InferenceSet controller: N Workspaces of one template. A pass counts what is there, makes or deletes the
 * difference, rolls a changed template out and writes the status; like the Workspace's it keeps nothing between passes. */
#include "control/inference_set.h"

#include "base/mem.h"
#include "control/revision.h"
#include "crd/inference_set.h"
#include "crd/names.h"
#include "kube/meta.h"
#include <string.h>

static json_t *revision_data(const void *set)
{
	return inference_set_revision_data(set);
}

static const struct revision_kind REVISIONS = {&KUBE_INFERENCE_SETS, "inferenceset.kaito.io/name", "inferenceset.kaito.io/hash", "inferenceset.kaito.io/revision",
					       revision_data};

static void read_spec(struct inference_set_pass *p)
{
	CLEANUP(json_decrefp) json_t *data = inference_set_revision_data(p->object);
	p->spec = json_incref(json_object_get(data, "Spec"));
	p->replicas = json_int_at(p->object, 1, "spec", "replicas", NULL);
	p->ceiling = INT64_MAX;
}

bool inference_set_read(struct inference_set_pass *p, struct control *c, const char *namespace_, const char *name)
{
	*p = (struct inference_set_pass){.c = c, .home = {c->op.kube, &KUBE_INFERENCE_SETS, c->op.caches[CACHE_INFERENCE_SETS]}};
	p->object = informer_get(c->op.caches[CACHE_INFERENCE_SETS], namespace_, name);
	if (!p->object)
		return false;
	read_spec(p);
	inference_set_children_load(p);
	return true;
}

void inference_set_done(struct inference_set_pass *p)
{
	json_decref(p->object);
	json_decref(p->spec);
	json_decref(p->children);
	json_decref(p->leaving);
}

static int metadata_step(struct inference_set_pass *p, struct err *err)
{
	struct revision revision;
	char hash[65];
	bool changed = false, finalizer = meta_has_finalizer(p->object, FINALIZER_SET);
	inference_set_hash(p->object, hash);
	if (revision_sync_object(p->c, &REVISIONS, p->object, p->object, hash, &revision, &changed, err) < 0)
		return -1;
	if (!changed && finalizer)
		return 0;
	json_t *metadata = json_object();
	if (changed)
		json_object_set_new(metadata, "annotations", json_pack("{s:s,s:s}", REVISIONS.annotation_hash, revision.hash, REVISIONS.annotation_revision, revision.number));
	if (!finalizer)
		json_object_set_new(metadata, "finalizers", object_finalizers(p->object, FINALIZER_SET, true));
	return object_write_metadata(&p->home, &p->object, metadata, err);
}

/* Children first; the finalizer goes when none is left. */
static int delete_step(struct inference_set_pass *p, struct err *err)
{
	if (!meta_has_finalizer(p->object, FINALIZER_SET))
		return 0;
	if (inference_set_status_deleting(p, err) < 0)
		return -1;
	const json_t *child;
	size_t i;
	json_array_foreach(p->children, i, child)
		if (inference_set_child_delete(p, child, "the InferenceSet is being deleted", err) < 0)
			return -1;
	if (json_array_size(p->children) + json_array_size(p->leaving) > 0)
		return 0; /* that they are gone comes as an event */
	return object_let_go(&p->home, p->object, FINALIZER_SET, err);
}

/* Roles of a MultiRoleInference share its pool; a template's pods are not known to speak the protocol. */
static int pool_step(struct inference_set_pass *p, struct err *err)
{
	if (meta_label(p->object, LABEL_CREATED_BY_ROLES) || !json_at(p->spec, "template", "inference", "preset", NULL))
		return 0;
	const struct gateway_api_pool pool = {&KUBE_INFERENCE_SETS, p->object, LABEL_CREATED_BY_SET, NULL};
	if (gateway_api_ensure(p->c, &pool, &p->pool, err) < 0)
		return -1;
	if (p->pool.wanted && !p->pool.ready && p->requeue_ms == 0)
		p->requeue_ms = GATEWAY_API_POLL_MS;
	return 0;
}

static int spec_step(struct inference_set_pass *p, struct err *err)
{
	if (metadata_step(p, err) < 0 || inference_set_children_scale(p, err) < 0 || inference_set_rollout(p, err) < 0)
		return -1;
	return pool_step(p, err);
}

static int reconcile(void *world, const char *namespace_, const char *name, struct outcome *out, struct err *err)
{
	struct control *c = world;
	struct inference_set_pass p CLEANUP(inference_set_done);
	if (!inference_set_read(&p, c, namespace_, name))
		return 0;
	if (meta_deleting(p.object))
		return delete_step(&p, err);
	int rc = spec_step(&p, err);
	if (rc < 0 && object_worth_telling(err->kind))
		p.error = *err;
	if (rc == 0 || p.error.kind != ERR_NONE) {
		struct err status = ERR_INIT;
		if (inference_set_status_write(&p, &status) < 0 && rc == 0) {
			*err = status;
			rc = -1;
		}
	}
	out->requeue_ms = p.requeue_ms;
	return rc;
}

static void keys(void *world, int cache, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	(void)world;
	const char *set = meta_label(object, LABEL_CREATED_BY_SET);
	CLEANUP(mem_freep) char *key = NULL;
	if (cache == CACHE_INFERENCE_SETS)
		key = meta_key(object);
	else if (set)
		key = mem_printf("%s/%s", meta_namespace(object), set);
	if (key)
		add(list, key);
}

static bool enabled(const void *world)
{
	const struct control_options *o = ((const struct control *)world)->options;
	return o->gates[GATE_INFERENCE_SET];
}

static const int WATCHED[] = {CACHE_INFERENCE_SETS, CACHE_WORKSPACES};
const struct operator_controller INFERENCE_SET_CONTROLLER = {
	.name = "inferenceset",
	.workers = 5,
	.reconcile = reconcile,
	.keys = keys,
	.caches = WATCHED,
	.n_caches = sizeof WATCHED / sizeof WATCHED[0],
	.enabled = enabled,
};
