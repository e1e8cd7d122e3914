/* revision.c: see revision.h. A revision's name carries the first five digits of the hash, so creating one twice is harmless. */
#include "control/revision.h"

#include "base/mem.h"
#include "crd/names.h"
#include "crd/workspace_view.h"
#include "kube/meta.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HISTORY_MAX = 10 };

static json_t *revision_new(const struct workspace_view *w, const char *name, const char *hash, int64_t number)
{
	json_t *r = meta_new(&KUBE_REVISIONS, w->namespace_, name);
	meta_set_label(r, LABEL_REVISION_OWNER, w->name);
	meta_set_annotation(r, ANNOTATION_HASH, hash);
	meta_own(r, &KUBE_WORKSPACES, w->object);
	json_object_set_new(r, "revision", json_integer(number));
	json_object_set_new(r, "data", workspace_revision_data(w));
	return r;
}

/* The newest number, and the oldest object (borrowed). */
static int64_t newest(const json_t *list, const json_t **oldest)
{
	int64_t highest = 0, lowest = INT64_MAX;
	size_t i;
	json_t *r;
	json_array_foreach(list, i, r) {
		int64_t n = json_int_at(r, 0, "revision", NULL);
		highest = n > highest ? n : highest;
		if (n < lowest) {
			lowest = n;
			*oldest = r;
		}
	}
	return highest;
}

static json_t *find_named(const json_t *list, const char *name)
{
	size_t i;
	json_t *r;
	json_array_foreach(list, i, r)
		if (strcmp(meta_name(r), name) == 0)
			return r;
	return NULL;
}

static int create(struct control *c, const struct workspace_view *w, const char *name, const char *hash, const json_t *list, int64_t *number, struct err *err)
{
	const json_t *oldest = NULL;
	*number = newest(list, &oldest) + 1;
	CLEANUP(json_decrefp) json_t *r = revision_new(w, name, hash, *number);
	struct err why = ERR_INIT;
	if (kube_create(c->kube, &KUBE_REVISIONS, r, NULL, &why) < 0 && why.kind != ERR_EXISTS)
		return err_set(err, why.kind, "create ControllerRevision %s: %s", name, why.message);
	if (json_array_size(list) < HISTORY_MAX || !oldest)
		return 0;
	if (kube_delete(c->kube, &KUBE_REVISIONS, w->namespace_, meta_name(oldest), NULL, &why) < 0 && why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "delete ControllerRevision %s: %s", meta_name(oldest), why.message);
	return 0;
}

int revision_sync(struct control *c, const struct workspace_view *w, struct revision *out, bool *changed, struct err *err)
{
	workspace_hash(w, out->hash);
	const char *hash = meta_annotation(w->object, ANNOTATION_HASH), *number = meta_annotation(w->object, ANNOTATION_REVISION);
	*changed = !hash || !number || strcmp(hash, out->hash) != 0;
	if (!*changed) {
		snprintf(out->number, sizeof out->number, "%s", number);
		return 0;
	}
	CLEANUP(mem_freep) char *name = mem_printf("%s-%.5s", w->name, out->hash);
	CLEANUP(mem_freep) char *selector = mem_printf(LABEL_REVISION_OWNER "=%s", w->name);
	CLEANUP(json_decrefp) json_t *list = NULL;
	/* A Workspace without our annotations is new: it has no history, unless a predecessor of the same name left one. */
	if (kube_list_array(c->kube, &KUBE_REVISIONS, w->namespace_, selector, &list, err) < 0)
		return -1;
	int64_t n = 0;
	const json_t *known = find_named(list, name);
	if (known) {
		const char *theirs = meta_annotation(known, ANNOTATION_HASH);
		if (!theirs || strcmp(theirs, out->hash) != 0)
			return err_set(err, ERR_INVALID, "revision name conflicts, the hash values are different");
		n = json_int_at(known, 1, "revision", NULL);
	} else if (create(c, w, name, out->hash, list, &n, err) < 0) {
		return -1;
	}
	snprintf(out->number, sizeof out->number, "%" PRId64, n);
	return 0;
}
