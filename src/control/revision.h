/* revision.h: the history of a Workspace's specification as ControllerRevisions (3.1 step 4). */
#pragma once
#include "control/control.h"
#include "crd/workspace_view.h"

struct revision { char hash[65]; char number[24]; };
/* Finds or creates the ControllerRevision for the Workspace as it is, keeping the ten newest. Costs nothing when the Workspace's
 * annotations already say so. *changed: they do not. */
WARN_UNUSED int revision_sync(struct control *c, const struct workspace_view *w, struct revision *out, bool *changed, struct err *err);
