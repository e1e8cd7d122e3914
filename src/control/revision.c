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

struct source { const struct revision_kind *kind; const json_t *object; const void *context; };

static json_t *revision_new(const struct source *s, const char *name, const char *hash, int64_t number)
{
	json_t *r = meta_new(&KUBE_REVISIONS, meta_namespace(s->object), name);
	meta_set_label(r, s->kind->label, meta_name(s->object));
	meta_set_annotation(r, s->kind->annotation_hash, hash);
	meta_own(r, s->kind->owner, s->object);
	json_object_set_new(r, "revision", json_integer(number));
	json_object_set_new(r, "data", s->kind->data(s->context));
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

static int delete_oldest(struct control *c, const struct source *s, const json_t *list, const json_t *oldest, struct err *err)
{
	struct err why = ERR_INIT;
	if (json_array_size(list) < HISTORY_MAX || !oldest)
		return 0;
	if (kube_delete(c->op.kube, &KUBE_REVISIONS, meta_namespace(s->object), meta_name(oldest), NULL, &why) < 0 && why.kind != ERR_NOT_FOUND)
		return err_set(err, why.kind, "delete ControllerRevision %s: %s", meta_name(oldest), why.message);
	return 0;
}

/* 0 created, 1 the name is taken. */
static int create(struct control *c, const struct source *s, const char *name, const char *hash, int64_t number, struct err *err)
{
	CLEANUP(json_decrefp) json_t *r = revision_new(s, name, hash, number);
	struct err why = ERR_INIT;
	if (kube_create(c->op.kube, &KUBE_REVISIONS, r, NULL, &why) == 0)
		return 0;
	return why.kind == ERR_EXISTS ? 1 : err_set(err, why.kind, "create ControllerRevision %s: %s", name, why.message);
}

/* With a history: the revision's number, found by name or made as the next one. */
static int find_or_create(struct control *c, const struct source *s, const char *name, const char *hash, int64_t *number, struct err *err)
{
	CLEANUP(mem_freep) char *selector = mem_printf("%s=%s", s->kind->label, meta_name(s->object));
	CLEANUP(json_decrefp) json_t *list = NULL;
	if (kube_list_array(c->op.kube, &KUBE_REVISIONS, meta_namespace(s->object), selector, &list, err) < 0)
		return -1;
	const json_t *known = meta_named(list, name), *oldest = NULL;
	*number = newest(list, &oldest) + 1;
	if (!known) {
		int rc = create(c, s, name, hash, *number, err);
		if (rc > 0)
			return err_set(err, ERR_CONFLICT, "ControllerRevision %s appeared meanwhile", name);
		return rc < 0 ? -1 : delete_oldest(c, s, list, oldest, err);
	}
	const char *theirs = meta_annotation(known, s->kind->annotation_hash);
	if (!theirs || strcmp(theirs, hash) != 0)
		return err_set(err, ERR_INVALID, "revision name conflicts, the hash values are different");
	*number = json_int_at(known, 1, "revision", NULL);
	return 0;
}

int revision_sync_object(struct control *c, const struct revision_kind *kind, const json_t *object, const void *context, const char *hash, struct revision *out,
			 bool *changed, struct err *err)
{
	const struct source s = {kind, object, context};
	snprintf(out->hash, sizeof out->hash, "%s", hash);
	const char *stored = meta_annotation(object, kind->annotation_hash), *number = meta_annotation(object, kind->annotation_revision);
	*changed = !stored || !number || strcmp(stored, out->hash) != 0;
	if (!*changed) {
		snprintf(out->number, sizeof out->number, "%s", number);
		return 0;
	}
	CLEANUP(mem_freep) char *name = mem_printf("%s-%.5s", meta_name(object), out->hash);
	int64_t n = 1;
	/* Without our annotations the object is new and its first revision is number 1; if the name is taken there is a history after all
	 * (a crash before the annotations, or a predecessor of the same name). */
	int rc = stored ? 1 : create(c, &s, name, out->hash, n, err);
	if (rc < 0 || (rc > 0 && find_or_create(c, &s, name, out->hash, &n, err) < 0))
		return -1;
	snprintf(out->number, sizeof out->number, "%" PRId64, n);
	return 0;
}

static json_t *workspace_data(const void *view)
{
	return workspace_revision_data(view);
}

int revision_sync(struct control *c, const struct workspace_view *w, struct revision *out, bool *changed, struct err *err)
{
	static const struct revision_kind KIND = {&KUBE_WORKSPACES, LABEL_REVISION_OWNER, ANNOTATION_HASH, ANNOTATION_REVISION, workspace_data};
	char hash[65];
	workspace_hash(w, hash);
	return revision_sync_object(c, &KIND, w->object, w, hash, out, changed, err);
}
