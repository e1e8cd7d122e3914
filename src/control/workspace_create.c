/* workspace_create.c: making what a Workspace owns, under fixed names, and what it means when the name is taken: our own object that the
 * cache does not know yet, one of a Workspace of this name that was deleted and is being collected, or somebody else's. */
#include "control/workspace_pass.h"

#include "base/mem.h"
#include "kube/condition.h"
#include "kube/meta.h"
#include <string.h>

static const int64_t ARRIVES_MS = 1000;

static void keep_first(void *context, json_t *object)
{
	json_t **first = context;
	if (*first)
		json_decref(object);
	else
		*first = object;
}

/* By a list: the right to list is there for the caches, one to get would be used for this alone. *out stays NULL when it is gone again. */
static int look_up(struct workspace_pass *p, const struct kube_resource *r, const char *name, json_t **out, struct err *err)
{
	CLEANUP(mem_freep) char *field = mem_printf("metadata.name=%s", name);
	const struct kube_list_options o = {.field_selector = field};
	struct err why = ERR_INIT;
	if (kube_list(p->c->op.kube, r, p->w.namespace_, &o, keep_first, NULL, out, NULL, &why) < 0)
		return err_set(err, why.kind, "find %s %s: %s", r->kind, name, why.message);
	return 0;
}

/* This Workspace's, or its predecessor's, or on its way out: time will tell. */
static bool will_pass(const struct workspace_pass *p, const json_t *found)
{
	if (!found || meta_deleting(found))
		return true;
	const json_t *owner = meta_controller(found);
	return owner && strcmp(json_text_at(owner, "", "kind", NULL), "Workspace") == 0 && strcmp(json_text_at(owner, "", "name", NULL), p->w.name) == 0;
}

static int taken(struct workspace_pass *p, const struct kube_resource *r, const char *name, struct err *err)
{
	CLEANUP(json_decrefp) json_t *found = NULL;
	if (look_up(p, r, name, &found, err) < 0)
		return -1;
	if (will_pass(p, found)) {
		p->wrote = true; /* a stale cache or an earlier life of this process: the watch will bring it */
		p->requeue_ms = ARRIVES_MS;
		return 0;
	}
	if (r == &KUBE_SERVICES) { /* made by hand before the Workspace, for ports of its owner's choice: it stays */
		if (!condition_is(json_at(p->w.status, "conditions", NULL), "InferenceReady", "True"))
			event_emit(p->c->op.events, p->object, "Warning", "ServiceNotOwned", "Service %s was there before and is left as it is", name);
		return 0;
	}
	return err_set(err, ERR_EXISTS, "%s %s is there already and not this workspace's; delete it or give the workspace another name", r->kind, name);
}

int workspace_create(struct workspace_pass *p, const struct kube_resource *r, enum cache cache, const json_t *object, struct err *err)
{
	CLEANUP(json_decrefp) json_t *stored = NULL;
	struct err why = ERR_INIT;
	if (kube_create(p->c->op.kube, r, object, &stored, &why) < 0)
		return why.kind == ERR_EXISTS ? taken(p, r, meta_name(object), err) :
						err_set(err, why.kind, "create %s %s: %s", r->kind, meta_name(object), why.message);
	p->wrote = true;
	informer_learn(p->c->op.caches[cache], stored);
	if (r != &KUBE_SERVICES)
		event_emit(p->c->op.events, p->object, "Normal", "WorkloadCreated", "Created %s %s", r->kind, meta_name(object));
	return 0;
}
