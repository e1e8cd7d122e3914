/* claims.c: see claims.h. Slots are tried in order of number; what exists already is told by the cache or by the API server's
 * AlreadyExists, so that the number of claims never passes what was asked for, however stale the cache is. */
#include "provision/claims.h"

#include "base/mem.h"
#include "kube/meta.h"
#include <string.h>

json_t *claims_of(const struct node_context *c, const struct node_request *r)
{
	CLEANUP(mem_freep) char *key = identity_key(r);
	json_t *found = informer_find(c->claims, key), *own = json_array(), *claim;
	size_t i;
	json_array_foreach(found, i, claim)
		if (identity_owns(&IDENTITY_CLAIM, r, claim))
			json_array_append(own, claim);
	json_decref(found);
	return own;
}

static void tell(const struct node_context *c, const struct node_request *r, const struct claim_dialect *d, const char *name, const struct err *failure)
{
	if (!c->events)
		return;
	if (failure)
		event_emit(c->events, r->owner, "Warning", "NodeClaimCreationFailed", "Failed to create %s %s for workspace %s/%s: %s", d->resource->kind, name,
			   r->namespace_, r->name, failure->message);
	else
		event_emit(c->events, r->owner, "Normal", "NodeClaimCreated", "Successfully created %s %s for workspace %s/%s", d->resource->kind, name,
			   r->namespace_, r->name);
}

static void learn(const struct node_context *c, json_t *claims, json_t *claim)
{
	informer_learn(c->claims, claim);
	if (claims)
		json_array_append(claims, claim);
	json_decref(claim);
}

/* The claim of that name as the API server has it. 0: the Workspace's own (*out), 1: another's, 2: gone. */
static int look_up(const struct node_context *c, const struct node_request *r, const struct claim_dialect *d, const char *name, json_t **out, struct err *err)
{
	json_t *claim = NULL;
	if (kube_get(c->kube, d->resource, NULL, name, &claim, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 2 : -1;
	if (!identity_owns(&IDENTITY_CLAIM, r, claim)) {
		json_decref(claim);
		return 1;
	}
	*out = claim;
	return 0;
}

/* 0: the claim is there, or will be seen to be; 1: the name is another's. */
static int create(const struct node_context *c, const struct node_request *r, const struct claim_dialect *d, const char *name, json_t *claims, struct err *err)
{
	CLEANUP(json_decrefp) json_t *body = NULL;
	json_t *answer = NULL;
	if (claim_build(d, c->options, r, name, &body, err) < 0)
		return -1;
	if (kube_create(c->kube, d->resource, body, &answer, err) == 0) {
		learn(c, claims, answer);
		tell(c, r, d, name, NULL);
		return 0;
	}
	if (err->kind == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "cannot create a %s: the cluster has no CRD %s.%s; install the node provisioner or start with --node-provisioner=byo",
			       d->resource->kind, d->resource->plural, d->resource->group);
	if (err->kind != ERR_EXISTS)
		return -1;
	int found = look_up(c, r, d, name, &answer, err);
	if (found == 0)
		learn(c, claims, answer);
	return found == 2 ? 0 : found;
}

static int request_slot(const struct node_context *c, const struct node_request *r, const struct claim_dialect *d, int slot, json_t *claims, struct err *err)
{
	char name[IDENTITY_NAME];
	int rc = 1;
	for (int attempt = 0; attempt < IDENTITY_ATTEMPTS && rc == 1; attempt++) {
		identity_claim_name(r, slot, attempt, name);
		rc = create(c, r, d, name, claims, err);
	}
	if (rc == 1)
		rc = err_set(err, ERR_EXISTS, "names of a %s are taken by others, the last tried is %s", d->resource->kind, name);
	if (rc < 0)
		tell(c, r, d, name, err);
	return rc;
}

static bool slot_taken(const struct node_request *r, int slot, const json_t *claims)
{
	char name[IDENTITY_NAME];
	for (int attempt = 0; attempt < IDENTITY_ATTEMPTS; attempt++) {
		identity_claim_name(r, slot, attempt, name);
		if (meta_named(claims, name))
			return true;
	}
	return false;
}

static bool is_slot(const struct node_request *r, const char *name, int slots)
{
	char own[IDENTITY_NAME];
	for (int slot = 0; slot < slots; slot++)
		for (int attempt = 0; attempt < IDENTITY_ATTEMPTS; attempt++) {
			identity_claim_name(r, slot, attempt, own);
			if (strcmp(own, name) == 0)
				return true;
		}
	return false;
}

/* Claims on their way out count, but for those that a deleted Workspace of the same name left behind: its successor need not wait. */
static int counted(const struct node_request *r, int needed, const json_t *claims)
{
	int n = (int)json_array_size(claims), left_behind = 0;
	const json_t *claim;
	size_t i;
	json_array_foreach(claims, i, claim)
		left_behind += meta_deleting(claim) && !is_slot(r, meta_name(claim), needed + n);
	return n - left_behind;
}

int claims_request(const struct node_context *c, const struct node_request *r, int needed, json_t *claims, struct err *err)
{
	const struct claim_dialect *d = claim_dialect_of(c->options);
	int missing = needed - counted(r, needed, claims), rc = 0;
	for (int slot = 0; missing > 0; slot++) {
		struct err failure = ERR_INIT;
		if (slot_taken(r, slot, claims))
			continue;
		if (request_slot(c, r, d, slot, claims, &failure) < 0 && rc == 0) {
			if (err)
				*err = failure;
			rc = -1;
		}
		missing--;
	}
	return rc;
}

static int delete(const struct node_context *c, const struct claim_dialect *d, const json_t *claim, struct err *err)
{
	if (meta_deleting(claim))
		return 0;
	struct kube_delete_options o = {.uid = meta_uid(claim), .grace_s = -1};
	struct err failure = ERR_INIT;
	if (kube_delete(c->kube, d->resource, NULL, meta_name(claim), &o, &failure) == 0 || failure.kind == ERR_NOT_FOUND || failure.kind == ERR_CONFLICT)
		return 0;
	*err = failure;
	return err_wrap(err, "delete %s %s", d->resource->kind, meta_name(claim));
}

/* A slot that the cache does not show: asked from the API server, as the cache may be behind. 1: there was none. */
static int release_slot(const struct node_context *c, const struct node_request *r, const struct claim_dialect *d, int slot, struct err *err)
{
	int rc = 1;
	for (int attempt = 0; attempt < IDENTITY_ATTEMPTS && rc == 1; attempt++) {
		char name[IDENTITY_NAME];
		CLEANUP(json_decrefp) json_t *claim = NULL;
		identity_claim_name(r, slot, attempt, name);
		rc = look_up(c, r, d, name, &claim, err);
		if (rc == 0)
			rc = delete(c, d, claim, err);
	}
	return rc < 0 ? -1 : rc > 0;
}

int claims_release(const struct node_context *c, const struct node_request *r, struct err *err)
{
	if (!c->claims)
		return 0;
	const struct claim_dialect *d = claim_dialect_of(c->options);
	CLEANUP(json_decrefp) json_t *claims = claims_of(c, r);
	const json_t *claim;
	size_t i;
	json_array_foreach(claims, i, claim)
		if (delete(c, d, claim, err) < 0)
			return -1;
	/* The slots were filled in order: past the number that is known it goes on as long as there are more. */
	int unseen = r->count - (int)json_array_size(claims), rc = 0;
	bool more = unseen > 0;
	for (int slot = 0; more && rc >= 0; slot++) {
		if (slot_taken(r, slot, claims))
			continue;
		rc = release_slot(c, r, d, slot, err);
		more = --unseen > 0 || rc == 0;
	}
	return rc < 0 ? -1 : 0;
}
