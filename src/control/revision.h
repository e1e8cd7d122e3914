/* revision.h: the history of a specification (a Workspace's, an InferenceSet's) as ControllerRevisions (3.1 step 4). */
#pragma once
#include "control/control.h"
#include "crd/workspace_view.h"

struct revision { char hash[65]; char number[24]; };
struct revision_kind { /* whose history, and under which names it is kept */
	const struct kube_resource *owner;
	const char *label, *annotation_hash, *annotation_revision;
	json_t *(*data)(const void *context); /* what is recorded, new reference */
};
/* Finds or creates the ControllerRevision of `hash` for the object as it is, keeping the ten newest. Costs nothing when the object's
 * annotations already say so. *changed: they do not. */
WARN_UNUSED int revision_sync_object(struct control *c, const struct revision_kind *kind, const json_t *object, const void *context, const char *hash,
				     struct revision *out, bool *changed, struct err *err);
/* revision_sync_object for a Workspace. */
WARN_UNUSED int revision_sync(struct control *c, const struct workspace_view *w, struct revision *out, bool *changed, struct err *err);
