/* identity.c: see identity.h. */
#include "provision/identity.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "kube/meta.h"
#include <stdio.h>
#include <string.h>

const struct identity_labels IDENTITY_CLAIM = {LABEL_CLAIM_WORKSPACE, LABEL_CLAIM_NAMESPACE};
const struct identity_labels IDENTITY_POOL = {LABEL_POOL_WORKSPACE, LABEL_POOL_NAMESPACE};

void identity_hash(const char *text, char out[10])
{
	char digest[DIGEST_TEXT];
	digest_of(text, strlen(text), digest);
	snprintf(out, 10, "%.9s", digest_hex(digest));
}

void identity_claim_name(const struct node_request *r, int slot, int attempt, char out[IDENTITY_NAME])
{
	CLEANUP(mem_freep) char *text = mem_printf("%s/%s/%s/%d/%d", r->namespace_, r->name, r->uid, slot, attempt);
	char hash[10];
	identity_hash(text, hash);
	snprintf(out, IDENTITY_NAME, "ws%s", hash);
}

bool identity_owns(const struct identity_labels *pair, const struct node_request *r, const json_t *object)
{
	const char *name = meta_label(object, pair->workspace), *ns = meta_label(object, pair->namespace_);
	return name && ns && strcmp(name, r->name) == 0 && strcmp(ns, r->namespace_) == 0;
}

static void add_pair(const struct identity_labels *pair, const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	const char *name = meta_label(object, pair->workspace), *ns = meta_label(object, pair->namespace_);
	if (!name || !ns)
		return;
	CLEANUP(mem_freep) char *key = mem_printf("%s/%s", ns, name);
	add(list, key);
}

void identity_index(const json_t *object, void (*add)(void *list, const char *key), void *list)
{
	add_pair(&IDENTITY_CLAIM, object, add, list);
	add_pair(&IDENTITY_POOL, object, add, list);
}

char *identity_key(const struct node_request *r)
{
	return mem_printf("%s/%s", r->namespace_, r->name);
}

json_t *identity_terms(const struct identity_labels *pair, const struct node_request *r)
{
	return json_pack("[{s:s,s:s,s:[s]},{s:s,s:s,s:[s]}]", "key", pair->workspace, "operator", "In", "values", r->name, "key", pair->namespace_,
			 "operator", "In", "values", r->namespace_);
}
